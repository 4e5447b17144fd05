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

SIX_LINES = """
import json, sys

import torch
from torch import nn

import snnlib as sn

torch.manual_seed(0)
images = torch.randn(64, 1, 8, 8)
loader = test_loader = [(images, images.mean((1, 2, 3)).gt(0).long())]
model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
net = sn.spiking(model)
sn.fit(net, loader, epochs=2)
snn = sn.convert(net)
result = sn.evaluate(snn, test_loader, timesteps=10)
sn.save(snn, "net.safetensors")
snn = sn.load("net.safetensors", model)
print(json.dumps({"code": sn.__file__, "version": sn.__version__, "steps": len(result), "modules": [*sys.modules]}))
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


def test_the_wheel_is_the_library_alone(installed: Path) -> None:
    assert {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")} == {"snnlib"}
    assert (installed / "snnlib" / "py.typed").is_file()
    assert list((installed / "snnlib" / "data" / "embedded").glob("*.npz"))


def test_the_readmes_six_lines_work_where_there_is_no_repository(installed: Path, tmp_path: Path) -> None:
    found = python(SIX_LINES, tmp_path, PYTHONPATH=str(installed))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert Path(found["code"]).is_relative_to(installed)
    assert found["version"] == project["version"]
    assert found["steps"] == 10
    assert not [name for name in found["modules"] if name.split(".")[0] == "reproduce"]
    assert [path.name for path in tmp_path.iterdir()] == ["net.safetensors"]


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
