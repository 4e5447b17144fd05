"""A damaged or foreign file in the run store is noticed before it is used, named, kept aside and made anew."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from faults import job
from reproduce.runs import checkpoints, results, trained
from reproduce.runs import run as runs
from reproduce.runs.pretrained import CURVES
from reproduce.runs.results import accuracy
from reproduce.runs.run import FILES, Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.training.loop import State

pytestmark = pytest.mark.faults

OTHER = job.SPEC.model_copy(update={"seed": 1})
E = job.EVALUATION
TRIES = 30  # for each file
EVALUATED = ("accuracy.csv", "accuracy.safetensors", "accuracy.json")

Damage = Callable[[bytes, bytes, np.random.Generator], bytes]


def flip(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    changed[rng.integers(len(content))] ^= 1 << rng.integers(8)
    return bytes(changed)


def cut(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return content[: rng.integers(len(content))]


def append(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.bytes(rng.integers(1, 50))


def overwrite(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A sector of zeros, as a file system leaves after a power cut."""
    at = int(rng.integers(len(content)))
    changed = content[:at] + bytes(min(512, len(content) - at)) + content[at + 512 :]
    return changed if changed != content else flip(content, other, rng)


def foreign(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The same file of another run, intact in itself; two nets that hardly learnt may be right on the same images."""
    return other if other != content else flip(content, other, rng)


DAMAGES: list[Damage] = [flip, flip, cut, append, overwrite, foreign]


class StopError(Exception):
    """Ends a training after an epoch."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Iterator[Path]:
    """``done`` and ``begun``: two finished runs with an evaluation, and the same two stopped after two epochs."""
    folder = tmp_path_factory.mktemp("damage")

    def save_then_stop(at: Path, state: State, about: dict) -> None:
        save(at, state, about)
        if state.epoch == 2:
            raise StopError

    save = checkpoints.save_checkpoint
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        patch.setenv("SNNLIB_RUNS", str(folder / "done"))
        for spec in (job.SPEC, OTHER):
            accuracy(Run(spec), E)
        with pytest.MonkeyPatch.context() as stopping:
            stopping.setattr(checkpoints, "save_checkpoint", save_then_stop)
            stopping.setenv("SNNLIB_RUNS", str(folder / "begun"))
            for spec in (job.SPEC, OTHER):
                with pytest.raises(StopError):
                    ensure(spec)
        yield folder


def evaluation(spec: Spec, ending: str) -> str:
    return E.file(Run(spec)).with_suffix(ending).name


@pytest.mark.parametrize("name", [*FILES, "metadata.json", *EVALUATED, "checkpoint"])
def test_no_damage_is_accepted(
    stores: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    record_property: Callable[[str, object], None],
) -> None:
    rng = np.random.default_rng(len(name))
    state = stores / ("begun" if name == "checkpoint" else "done")
    run, survived = Run(job.SPEC), 0
    kept = [
        "weights.safetensors",
        "history.csv",
        *(evaluation(job.SPEC, ending) for ending in (".csv", ".safetensors")),
    ]
    whole = {file: (stores / "done" / job.SPEC.name / file).read_bytes() for file in kept}
    caplog.set_level(logging.WARNING, "snnlib")
    try:
        for i in range(TRIES):
            store = tmp_path / str(i)
            shutil.copytree(state, store)
            monkeypatch.setenv("SNNLIB_RUNS", str(store))
            path, other = (_file(store / spec.name, name, spec) for spec in (job.SPEC, OTHER))
            damage = DAMAGES[i % len(DAMAGES)]
            if name == "checkpoint" and damage is foreign:  # its name is its hash: both have to be the other's
                path.unlink()
                path = path.with_name(other.name)
            bad = damage(path.read_bytes() if path.exists() else b"", other.read_bytes(), rng)
            path.write_bytes(bad)
            caplog.clear()

            accuracy(run, E)
            assert str(path) in caplog.text, damage
            aside = run.folder / "damaged" / "1" / path.name
            assert str(aside.parent) in caplog.text
            assert aside.read_bytes() == bad
            assert run.damage() is None
            assert results.known(run, E) is not None
            assert {file: (run.folder / file).read_bytes() for file in whole} == whole, damage
            survived += 1
            shutil.rmtree(store)
    finally:
        record_property("fault", ["damaged or foreign file in the run store", TRIES, survived])


@pytest.mark.parametrize("name", [*FILES, "metadata.json", *EVALUATED, "checkpoint"])
def test_a_pipe_hangs_nothing(
    stores: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    record_property: Callable[[str, object], None],
) -> None:
    """Whoever opens one waits for a writer, for ever."""
    run, survived = Run(job.SPEC), False
    try:
        shutil.copytree(stores / ("begun" if name == "checkpoint" else "done"), tmp_path / "store")
        monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "store"))
        path = _file(run.folder, name, job.SPEC)
        path.unlink()
        os.mkfifo(path)
        accuracy(run, E)
        assert run.damage() is None
        whole = stores / "done" / job.SPEC.name / "weights.safetensors"
        assert (run.folder / whole.name).read_bytes() == whole.read_bytes()
        survived = True
    finally:
        record_property("fault", ["a pipe in place of a file", 1, int(survived)])


def test_one_byte_of_a_curve_costs_no_training(
    stores: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    run, rng, survived = Run(job.SPEC), np.random.default_rng(0), 0
    try:
        for i in range(TRIES):
            store = tmp_path / str(i)
            shutil.copytree(stores / "done", store)
            monkeypatch.setenv("SNNLIB_RUNS", str(store))
            path = run.folder / CURVES[i % 2]
            whole = path.read_bytes()
            path.write_bytes(flip(whole, b"", rng))
            with monkeypatch.context() as patch:
                patch.setattr(trained, "_train", None)
                accuracy(run, E)
            assert path.read_bytes() == whole
            assert len([*(run.folder / "damaged" / "1").iterdir()]) == 1
            survived += 1
    finally:
        record_property("fault", ["one byte of a learning curve, weights intact", TRIES, survived])


def _file(folder: Path, name: str, spec: Spec) -> Path:
    if name == "checkpoint":
        return checkpoints.found(folder)[0]
    kind, _, ending = name.partition(".")
    return folder / (evaluation(spec, f".{ending}") if kind == "accuracy" else name)
