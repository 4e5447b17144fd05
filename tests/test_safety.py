"""Nothing that is read can run code: no pickle, no eval, no server; what smuggles a pickle in is refused."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import weights
from hostile import Bomb

from reproduce.runs import run as runs
from reproduce.runs import trained
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.store.files import DamagedError, seal

ROOT = Path(__file__).resolve().parents[1]

# Dotted names, and all below them.
UNSAFE = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve",
    "torch.load", "torch.save", "torch.hub", "pandas.read_pickle",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.unsafe_load_all", "yaml.full_load", "yaml.full_load_all",
    "eval", "exec", "__import__",
    "socket", "socketserver", "http.server", "xmlrpc.server", "wsgiref", "flask", "tornado", "uvicorn",
}  # fmt: skip


# --- the source ------------------------------------------------------------------------------


def names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of whatever is imported, or reached from an import by dots, or built in and called."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                bound[alias.asname or top] = alias.name if alias.asname else top
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                yield node.lineno, f"{node.module}.{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"[\w.]+", dotted := ast.unparse(node)):
            first, _, rest = dotted.partition(".")
            yield node.lineno, f"{bound.get(first, first + '()')}.{rest}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in bound:
            yield node.lineno, node.func.id


def unsafe(source: str) -> set[tuple[int, str]]:
    """Line and name of what could run code that is read, or listens to others."""
    tree = ast.parse(source)
    found = {(line, name) for line, name in names(tree) for bad in UNSAFE if name == bad or name.startswith(f"{bad}.")}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            found.add((node.value.lineno, "allow_pickle"))
        elif isinstance(node, ast.Attribute) and node.attr in ("to_pickle", "read_pickle"):
            found.add((node.lineno, node.attr))
    return found


def sources() -> dict[str, str]:
    """Every module and notebook, the latter's code cells in one."""
    found = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in (ROOT / "snnlib").rglob("*.py")}
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        found[str(path.relative_to(ROOT))] = "\n".join(code)
    return found


def test_no_source_can_run_code_that_it_reads_or_listens_to_others() -> None:
    found = {(file, name, line) for file, source in sources().items() for line, name in unsafe(source)}
    assert found == set()
    kinds = [file.partition("/")[0] for file in sources()]
    assert {kind: kinds.count(kind) > 1 for kind in kinds} == {"snnlib": True, "notebooks": True}


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("import pickle", "pickle"),
        ("from pickle import loads as f", "pickle.loads"),
        ("import torch as t\nt.load(f)", "torch.load"),
        ("from torch import load", "torch.load"),
        ("import torch.hub", "torch.hub"),
        ("import numpy as np\nnp.load(f, allow_pickle=True)", "allow_pickle"),
        ("import numpy as np\nnp.load(f, allow_pickle=chosen)", "allow_pickle"),
        ("import pandas as pd\npd.read_pickle(f)", "pandas.read_pickle"),
        ("table.to_pickle(f)", "to_pickle"),
        ("import yaml\nyaml.load(f, yaml.Loader)", "yaml.load"),
        ("eval('1')", "eval"),
        ("def f():\n    exec('1')", "exec"),
        ("from http import server", "http.server"),
        ("import http.server", "http.server"),
        ("import socket\nsocket.socket()", "socket.socket"),
        ("from tornado.web import Application", "tornado.web.Application"),
    ],
)
def test_the_search_finds(source: str, name: str) -> None:
    assert name in {found for _, found in unsafe(source)}


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "import yaml\nyaml.safe_load(f)",
        "import numpy as np\nnp.load(f, allow_pickle=False)",
        "from http.client import HTTPException",
        "from safetensors.torch import load\nload(b'')",
        "import torch\ntorch.load_it",
    ],
)
def test_the_search_leaves_alone(source: str) -> None:
    assert unsafe(source) == set()


# --- what really happens ---------------------------------------------------------------------

WHOLE_WAY = """
import json, sys

seen = []
sys.addaudithook(lambda event, _: seen.append(event) if event.startswith(("pickle.", "socket.")) else None)

from reproduce.experiments.fig2_accuracy_vs_timesteps.plot import accuracy_vs_timesteps
from reproduce.experiments.fig2_accuracy_vs_timesteps.table import accuracies
from reproduce.experiments.outputs import Outputs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.store.paths import figures_dir

recipe = {"epochs": 1, "batch_size": 250, "lr": 1e-3}
run = Run(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe))
table = accuracies({"cnn": {"ours": [run]}}, Conversion(timesteps=2, noise_seeds=(0,)))
run.model("cpu")
Outputs(figures_dir()).write_figure(accuracy_vs_timesteps(table), table, "figure")
during = list(seen)

import pickle, socket

pickle.loads(pickle.dumps(Spec))
with socket.socket() as listener:
    listener.bind(("127.0.0.1", 0))
print(json.dumps([during, seen]))
"""


def test_training_evaluating_and_drawing_unpickle_nothing_and_open_no_socket(tmp_path: Path) -> None:
    folders = {"SNNLIB_RUNS": str(tmp_path / "runs"), "SNNLIB_FIGURES": str(tmp_path / "figures")}
    done = subprocess.run(
        [sys.executable, "-c", WHOLE_WAY],
        cwd=ROOT, env={**os.environ, **folders, "TQDM_DISABLE": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    during, seen = json.loads(done.stdout)
    assert set(during) <= {"socket.gethostname"}
    assert {"pickle.find_class", "socket.__new__", "socket.bind"} <= set(seen)  # it would have been noticed
    assert list((tmp_path / "runs").glob("*/weights.safetensors"))
    assert list((tmp_path / "figures").rglob("figure.*"))


# --- pickles in the run store ----------------------------------------------------------------


@pytest.fixture
def spec(tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """Of a tiny run in an empty store."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "store"))
    monkeypatch.setattr(runs, "load_dataset", lambda *_, **__: small)
    for module in (runs, trained):
        monkeypatch.setattr(module, "default_device", lambda: "cpu")
    recipe: dict[str, Any] = {"epochs": 2, "batch_size": 32, "lr": 1e-3}
    return Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """What exists once a bomb has been unpickled."""
    return tmp_path / "unpickled"


def bomb(path: Path, trace: Path) -> bytes:
    """Write a file of `torch.save` that leaves the trace when it is loaded; returns its bytes."""
    torch.save({"weight": Bomb(trace)}, path)
    return path.read_bytes()


def test_a_bomb_goes_off(tmp_path: Path, trace: Path) -> None:
    bomb(tmp_path / "file", trace)
    torch.load(tmp_path / "file", weights_only=False)
    assert trace.exists()


def test_weights_that_hold_a_pickle_are_refused_then_moved_aside(spec: Spec, trace: Path) -> None:
    run = ensure(spec)
    intact = weights(run.model())
    file = run.folder / "weights.safetensors"
    content = bomb(file, trace)
    with pytest.raises(DamagedError, match=re.escape(str(file))):
        run.model()
    assert weights(ensure(spec).model()) == intact
    assert (run.folder / "damaged" / "1" / file.name).read_bytes() == content
    assert not trace.exists()


def test_weights_that_hold_a_pickle_are_refused_though_the_metadata_name_their_hash(spec: Spec, trace: Path) -> None:
    run = ensure(spec)
    file = run.folder / "weights.safetensors"
    digest = hashlib.sha256(bomb(file, trace)).hexdigest()
    metadata = run.metadata
    metadata["files"][file.name] = digest
    (run.folder / "metadata.json").write_text(seal(metadata))
    assert run.damage() is None
    with pytest.raises(DamagedError):
        run.model()
    assert not trace.exists()


@pytest.mark.parametrize("forged", [False, True], ids=["other hash", "right hash"])
def test_a_checkpoint_that_holds_a_pickle_is_moved_aside(spec: Spec, trace: Path, forged: bool) -> None:
    folder = Run(spec).folder
    folder.mkdir(parents=True)
    content = bomb(folder / "new", trace)
    digest = hashlib.sha256(content if forged else b"").hexdigest()
    checkpoint = (folder / "new").rename(folder / f"checkpoint-000001-{digest}.safetensors")
    assert ensure(spec).done
    assert (folder / "damaged" / "1" / checkpoint.name).read_bytes() == content
    assert not checkpoint.exists()
    assert not trace.exists()


# --- Jupyter ---------------------------------------------------------------------------------

OPEN = re.compile(
    r"(token|password|\bip)\s*=|--ip\b|0\.0\.0\.0"
    r"|allow_(remote_access|origin|unauthenticated)|allow-remote|disable_check_xsrf"
)


def test_jupyter_keeps_its_token_and_listens_to_this_machine_alone() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lab = re.search(r"^lab:.*\n(?:\t.*\n)+", makefile, re.MULTILINE)[0]
    assert "jupyter lab" in lab
    assert not OPEN.search(makefile)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    configs = [name for name in listed.stdout.split("\0") if re.search(r"(jupyter|ipython)\w*config", name)]
    assert [name for name in configs if OPEN.search((ROOT / name).read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    "line",
    [
        "jupyter lab --ServerApp.token= notebooks",
        "jupyter lab --IdentityProvider.token='' notebooks",
        "c.ServerApp.token = ''",
        "c.ServerApp.ip = '*'",
        "jupyter lab --ip 0.0.0.0",
        "c.ServerApp.allow_remote_access = True",
    ],
)
def test_the_check_of_jupyter_finds(line: str) -> None:
    assert OPEN.search(line)
