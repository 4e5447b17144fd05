"""Runs that train in a moment, for all tests of the run store; the fixtures are every test's (`conftest.py`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reproduce.runs import checkpoints, trained
from reproduce.runs import run as runs
from reproduce.runs.spec import Spec
from snnlib.data.sets import Dataset
from snnlib.store.used import forget

TINY: dict[str, Any] = {
    "dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "seed": 3,
    "recipe": {"epochs": 3, "batch_size": 32, "lr": 1e-3},
}  # fmt: skip


class InterruptError(Exception):
    """What an interrupted run dies of."""


@pytest.fixture
def folder(tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store, whose runs train on the small set."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "store"))
    monkeypatch.setattr(runs, "load_dataset", lambda *_, **__: small)
    for module in (runs, trained):
        monkeypatch.setattr(module, "default_device", lambda: "cpu")
    return tmp_path / "store"


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Iterator[None]:
    """The same for all tests of a module, which share what was trained."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        yield


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The label of each training that begins."""
    began: list[str] = []
    original = trained.train_epochs

    def spy(*args: Any, **kwargs: Any) -> Any:
        began.append(kwargs["label"])
        return original(*args, **kwargs)

    monkeypatch.setattr(trained, "train_epochs", spy)
    return began


def stop_after(epoch: int, patch: pytest.MonkeyPatch, error: type[BaseException] = InterruptError) -> None:
    """Have each training interrupted once this epoch's checkpoint is written."""
    original = checkpoints.save_checkpoint

    def save_then_stop(folder: Path, state: Any, about: Any) -> None:
        original(folder, state, about)
        if state.epoch == epoch:
            raise error

    patch.setattr(checkpoints, "save_checkpoint", save_then_stop)


def spec(**changes: Any) -> Spec:
    return Spec(**{**TINY, **changes})


def damaged(content: bytes, how: str) -> bytes | None:
    return {
        "a byte changed": content[:-1] + bytes([content[-1] ^ 1]),
        "a header byte changed": content[:20] + bytes([content[20] ^ 1]) + content[21:],
        "cut short": content[: len(content) // 2],
        "empty": b"",
        "missing": None,
    }[how]


DAMAGE = ["a byte changed", "a header byte changed", "cut short", "empty", "a folder", "missing"]


def spoil(path: Path, how: str) -> bytes | None:
    """Damage a file; returns what it holds then."""
    if how == "a folder":
        path.unlink()
        path.mkdir()
        return None
    content = damaged(path.read_bytes(), how)
    path.unlink() if content is None else path.write_bytes(content)
    return content


@pytest.fixture(autouse=True)
def nothing_read() -> None:
    """What a test writes rests on what it reads itself, as with a notebook (`notebook.begin`)."""
    forget()
