"""What a result was made with, as far as this machine can show it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from reproduce.runs import provenance as module
from reproduce.runs.provenance import SAME, SETTINGS, provenance
from snnlib.store.paths import ROOT


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_the_commit_and_whether_the_tree_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> dict | None:
        return provenance(torch.device("cpu"))["git"]

    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    code = tmp_path / "snnlib" / "__init__.py"
    code.parent.mkdir()
    code.write_text("one")
    assert found() is None  # no repository
    git(tmp_path, "init")
    (tmp_path / "somebody_elses").write_text("")
    git(tmp_path, "add", "somebody_elses")
    git(tmp_path, "commit", "-m", "first")
    assert found() is None  # one that this code only lies in, as an installed wheel may
    git(tmp_path, "add", "snnlib")
    git(tmp_path, "commit", "-m", "second")
    head = (tmp_path / ".git" / (tmp_path / ".git" / "HEAD").read_text().split()[1]).read_text().strip()
    assert found() == {"commit": head, "clean": True}
    code.write_text("two")
    assert found() == {"commit": head, "clean": False}
    git(tmp_path, "checkout", "snnlib")
    (tmp_path / "new").write_text("")
    assert found() == {"commit": head, "clean": False}


def test_the_same_bytes_are_promised_on_a_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    assert provenance(torch.device("cpu"))["same_bytes"] == SAME
    found = provenance(torch.device("cuda"))
    assert (found["device"], found["same_bytes"]) == ("a GPU", "not promised on a GPU")


def test_what_decides_the_choice_of_kernels_is_recorded() -> None:
    code = "from reproduce.runs.provenance import *; print(provenance(torch.device('cpu'))['instructions'])"
    given = {"ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE"}
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, **given}, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "DEFAULT, ATEN_CPU_CAPABILITY=default, MKL_CBWR=COMPATIBLE"
