"""A data file with wrong bytes is noticed before it is read, named, kept aside, and had anew or refused."""

from __future__ import annotations

import hashlib
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hostile import Bomb

from snnlib.data import sets as data
from snnlib.data import torchvision_sets
from snnlib.data.checksums import DataError

pytestmark = pytest.mark.faults

RNG = np.random.default_rng(20)


class ReadError(Exception):
    """The files have been accepted."""


def flip(content: bytes, _: Path) -> bytes:
    changed = bytearray(content)
    changed[RNG.integers(len(content))] ^= 1 << RNG.integers(8)
    return bytes(changed)


def cut(content: bytes, _: Path) -> bytes:
    return content[: RNG.integers(1, len(content))]


def append(content: bytes, _: Path) -> bytes:
    return content + RNG.bytes(RNG.integers(1, 100))


def foreign(content: bytes, trace: Path) -> bytes:
    """Another file of the same size, which leaves a trace when it is unpickled."""
    return pickle.dumps(Bomb(trace)).ljust(len(content), b"\0")


def empty(content: bytes, _: Path) -> bytes:
    return b""


DAMAGES = (flip, cut, append, foreign, empty)


@pytest.fixture
def accept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever would read the files says so instead."""

    def read(*_: object, **__: object) -> None:
        raise ReadError

    monkeypatch.setattr(torchvision_sets, "read_torchvision", read)
    monkeypatch.setattr(data.np, "load", read)


def attempt(path: Path, damage: Callable[[bytes, Path], bytes], load: Callable[[], object], trace: Path) -> str:
    """Damage a file and load the set: what went wrong with that, or what the set said of it."""
    right = path.read_bytes()
    wrong = damage(right, trace)
    path.write_bytes(wrong)
    try:
        load()
    except DataError as error:
        said = str(error)
    except ReadError:
        said = "accepted" if path.read_bytes() != right else f"{path} is damaged; had anew"
    aside = path.parent / "damaged" / "1" / path.name
    if not aside.exists() or aside.read_bytes() != wrong:
        said = "not kept"
    shutil.rmtree(path.parent / "damaged", ignore_errors=True)
    path.write_bytes(right)
    return said


@pytest.mark.usefixtures("accept")
def test_the_embedded_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property) -> None:
    copy = tmp_path / "fashion_mnist_mini.npz"
    shutil.copy(data.MINI_FILE, copy)
    monkeypatch.setattr(data, "MINI_FILE", copy)
    trace = tmp_path / "unpickled"

    def load() -> None:
        data.load_dataset("fashion_mnist_mini")

    with pytest.raises(ReadError):
        load()
    said = [attempt(copy, damage, load, trace) for damage in DAMAGES for _ in range(12)]
    survived = [f"{copy} is damaged" in text and "git checkout" in text and "\n" not in text for text in said]
    record_property("fault", ["a wrong byte in a data file", len(said), sum(survived)])
    assert all(survived), said
    assert not trace.exists()
    with pytest.raises(ReadError):
        load()


@pytest.mark.usefixtures("accept")
@pytest.mark.parametrize("anew", [False, True], ids=["refused", "had anew"])
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10"])
def test_a_set_of_several_files(
    name: str, anew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property
) -> None:
    """Stand-ins of random bytes: what is in a file cannot matter before its sum is right."""
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path / "data"))
    right = {file: RNG.bytes(RNG.integers(1_000, 100_000)) for file in torchvision_sets._SHA256[name]}
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in right.items()}
    monkeypatch.setitem(torchvision_sets._SHA256, name, sums)
    folder = torchvision_sets.files(name).folder
    folder.mkdir(parents=True)
    for file, content in right.items():
        (folder / file).write_bytes(content)
    asked: list[list[str]] = []

    def download(_: str, missing: list[str]) -> None:
        asked.append(missing)
        for file in missing:
            (folder / file).write_bytes(right[file])

    monkeypatch.setattr(torchvision_sets, "download", download)
    trace = tmp_path / "unpickled"

    def load() -> None:
        data.load_dataset(name, download=anew)

    with pytest.raises(ReadError):
        load()
    damages = [(folder / file, damage) for file in right for damage in DAMAGES for _ in range(3)]
    said = [attempt(path, damage, load, trace) for path, damage in damages]
    way_out = "; had anew" if anew else f"python -m reproduce data {name}"
    survived = [
        f"{path} is damaged" in text and way_out in text and "\n" not in text
        for (path, _), text in zip(damages, said, strict=True)
    ]
    record_property("fault", ["a wrong byte in a data file", len(said), sum(survived)])
    assert all(survived), said
    assert asked == ([[path.name] for path, _ in damages] if anew else [])
    assert not trace.exists()
