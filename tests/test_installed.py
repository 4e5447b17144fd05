"""The package without its repository: built, installed and used in another folder; and what importing it brings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from snnlib.store.paths import ROOT

USER = {"linux": ".local/share/snnlib", "darwin": "Library/Application Support/snnlib"}

USED = """
import json, os, sys

import snnlib
from reproduce.cli.commands import app
from reproduce.runs.preset_found import preset_names
from reproduce.runs.trained import ensure
from reproduce.runs.spec import Spec
from snnlib.store.paths import data_dir, figures_dir, runs_dir

recipe = {"epochs": 1, "batch_size": 500, "lr": 1e-3, "evaluate_every": 0}
run = ensure(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe))
(sitting,) = run.metadata["sittings"]
found = {
    "code": snnlib.__file__, "version": snnlib.__version__, "presets": preset_names(),
    "made by": [sitting["snnlib"], sitting["git"]],
    "folders": [str(folder()) for folder in (runs_dir, data_dir, figures_dir)],
}

os.environ["SNNLIB_RUNS"] = "mine"
found["moved"] = str(runs_dir())

found["refused"] = {}
for words in ("figures", "figures method", "draw method", "publish", "claims", "compare", "bench --publish"):
    try:
        app(words.split(), standalone_mode=False)
    except ValueError as error:
        found["refused"][words] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip has installed the package, from a copy of what it is built from: building leaves files behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("installed")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    shutil.copytree(ROOT / "snnlib", source / "snnlib", ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    alone = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *alone, str(source)], check=True)
    return target


def python(code: str, cwd: Path, **variables: str) -> Any:
    """What this code prints as JSON, in a process of its own with none of snnlib's variables."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SNNLIB_", "XDG_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env={**environment, "TQDM_DISABLE": "1", **variables},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.skipif(sys.platform not in USER, reason="the user's folder is not known here")
def test_it_works_where_there_is_no_repository(installed: Path, tmp_path: Path) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    found = python(USED, here, HOME=str(home), PYTHONPATH=str(installed))
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    user = home / USER[sys.platform]

    assert Path(found["code"]).is_relative_to(installed)
    assert found["version"] == version
    assert found["presets"] == sorted(path.stem for path in (ROOT / "reproduce" / "runs" / "presets").glob("*.toml"))
    assert (installed / "snnlib" / "py.typed").is_file()

    assert found["made by"] == [version, None]
    assert found["folders"] == [str(user / "runs"), str(user / "data"), str(here / "snnlib-figures")]
    assert len(list((user / "runs").glob("*/weights.safetensors"))) == 1
    assert found["moved"] == str(here / "mine")
    assert list(here.iterdir()) == []

    assert len(found["refused"]) == 7
    for command, answer in found["refused"].items():
        assert "needs the repository" in answer, command
        assert len(answer.splitlines()) == 1


def test_importing_it_brings_nothing_else(tmp_path: Path) -> None:
    code = "import sys, json; before = set(sys.modules); import snnlib; print(json.dumps([*{*sys.modules} - before]))"
    new = {name.split(".")[0] for name in python(code, tmp_path, PYTHONPATH=str(ROOT))}
    assert new - set(sys.stdlib_module_names) == {"snnlib", "lazy_loader"}


def test_the_method_needs_neither_tables_nor_plots_nor_a_command_line(tmp_path: Path) -> None:
    modules = ", ".join(f"snnlib.{name}" for name in ("models", "neurons", "noise", "conversion", "data.sets"))
    code = f"import sys, json, {modules}; print(json.dumps([*sys.modules]))"
    loaded = set(python(code, tmp_path, PYTHONPATH=str(ROOT)))
    assert "torch" in loaded
    assert not loaded & {"matplotlib", "pandas", "scipy", "torchvision", "typer"}
