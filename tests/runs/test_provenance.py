"""What a result was made with, as far as this machine can show it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from snnlib.runs import provenance as module
from snnlib.runs.provenance import provenance


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


def test_the_commit_and_whether_the_tree_is_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert provenance(torch.device("cpu"))["git"] is None
    git(tmp_path, "init")
    (tmp_path / "file").write_text("one")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-m", "first")
    head = (tmp_path / ".git" / (tmp_path / ".git" / "HEAD").read_text().split()[1]).read_text().strip()
    assert provenance(torch.device("cpu"))["git"] == {"commit": head, "clean": True}
    (tmp_path / "file").write_text("two")
    assert provenance(torch.device("cpu"))["git"] == {"commit": head, "clean": False}
    git(tmp_path, "checkout", "file")
    (tmp_path / "new").write_text("")
    assert provenance(torch.device("cpu"))["git"] == {"commit": head, "clean": False}


def test_the_same_bytes_are_promised_on_a_cpu_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a GPU")
    assert provenance(torch.device("cpu"))["same_bytes"] == "promised"
    found = provenance(torch.device("cuda"))
    assert (found["device"], found["same_bytes"]) == ("a GPU", "not promised on a GPU")
