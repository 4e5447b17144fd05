"""What stands in the store: whole, without pickles, checked when it is read, moved aside when it is damaged."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import weights
from safetensors import safe_open
from tiny_runs import DAMAGE, TINY, InterruptError, spec, spoil, stop_after

from reproduce.runs import checkpoints, trained
from reproduce.runs import run as runs
from reproduce.runs.pretrained import CURVES
from reproduce.runs.provenance import SAME
from reproduce.runs.run import FILES, Run, build_for
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.store import tensors as store
from snnlib.store.files import DamagedError, StoreError, seal, set_aside, sha256, write


def test_nothing_is_pickled_and_nothing_is_left_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickled")

    for name in ("torch.save", "torch.load", "pickle.dump", "pickle.dumps", "pickle.load", "pickle.loads"):
        monkeypatch.setattr(name, refuse)
    run = ensure(spec())
    run.model()
    assert {p.name for p in run.folder.iterdir()} - {"lock"} == {*FILES, "metadata.json"}
    with safe_open(run.folder / "weights.safetensors", framework="pt") as f:
        assert set(f.keys()) == set(build_for(spec()).model.state_dict())


def test_metadata_says_what_a_run_was_made_with(folder: Path) -> None:
    run = ensure(spec())
    m = run.metadata
    assert m["run"] == spec().name
    assert Spec(**m["spec"]) == spec()
    assert m["files"] == {name: sha256(run.folder / name) for name in FILES}
    (sitting,) = m["sittings"]
    torch_version = sitting["packages"]["torch"]
    assert torch_version == torch.__version__ or torch.__version__.startswith(torch_version)
    assert sitting["epochs"] == [1, 3]
    assert sitting["git"] is None or len(sitting["git"]["commit"]) == 40
    assert sitting["same_bytes"] == SAME
    assert 0 < m["train_seconds"] < m["wall_seconds"] == sitting["wall_seconds"]
    assert sitting["started"] <= sitting["finished"]
    assert {"python", "device", "system"} <= sitting.keys()
    json.dumps(m, allow_nan=False)


def test_metadata_tells_the_sittings_of_a_run_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on with a run may do so on another machine, or with another version."""
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        patch.setattr(trained, "provenance", lambda device: {"device": "one", "git": {"commit": "a" * 40}})
        with pytest.raises(InterruptError):
            ensure(spec())
    monkeypatch.setattr(trained, "provenance", lambda device: {"device": "another", "git": {"commit": "b" * 40}})
    run = ensure(spec())
    first, second = run.metadata["sittings"]
    assert (first["device"], first["git"]["commit"][0], first["epochs"]) == ("one", "a", [1, 1])
    assert (second["device"], second["git"]["commit"][0], second["epochs"]) == ("another", "b", [2, 3])
    assert run.device == "one, then another"
    assert run.metadata["wall_seconds"] == first["wall_seconds"] + second["wall_seconds"]


@pytest.mark.parametrize("name", [*FILES, "metadata.json"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_refused_by_name_then_moved_aside_and_made_anew(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    before = {f: (run.folder / f).read_bytes() for f in ("weights.safetensors", "history.csv")}
    path = run.folder / name
    content = spoil(path, how)
    if name in ("weights.safetensors", "metadata.json") and run.done:
        with pytest.raises(DamagedError) as error:
            run.model()
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    if (name, how) == ("metadata.json", "missing"):  # then the run is not finished, and nothing vouches for the others
        assert not run.done
        content, name = before["weights.safetensors"], "weights.safetensors"
    else:
        assert str(path) in str(run.damage())

    ensure(run.spec)
    assert run.damage() is None
    assert {f: (run.folder / f).read_bytes() for f in before} == before
    aside = run.folder / "damaged" / "1"
    assert f"{path}: " in caplog.text
    assert str(aside) in caplog.text
    if content is not None:
        assert (aside / name).read_bytes() == content


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("name", CURVES)
def test_curves_are_mended_from_their_copies_and_nothing_is_trained(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    before = {file: (run.folder / file).read_bytes() for file in (*FILES, "metadata.json")}
    content = spoil(run.folder / name, how)
    monkeypatch.setattr(trained, "_train", None)
    assert ensure(run.spec).damage() is None
    assert {file: (run.folder / file).read_bytes() for file in before} == before
    aside = run.folder / "damaged" / "1"
    assert [path.name for path in aside.iterdir()] == ([] if how == "missing" else [name])
    assert content is None or (aside / name).read_bytes() == content


def test_a_run_of_before_there_were_copies_is_trained_anew(folder: Path) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    old = {name: value for name, value in run.metadata.items() if name != "copies"}
    (run.folder / "metadata.json").write_text(seal(old))
    weights = (run.folder / "weights.safetensors").read_bytes()
    spoil(run.folder / "timing.csv", DAMAGE[0])
    assert ensure(run.spec).damage() is None
    assert (run.folder / "weights.safetensors").read_bytes() == weights
    assert (run.folder / "damaged" / "1" / "weights.safetensors").exists()


@pytest.mark.parametrize("name", [*FILES, "metadata.json"])
def test_a_pipe_in_place_of_a_file_does_not_hang(folder: Path, name: str) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    (run.folder / name).unlink()
    os.mkfifo(run.folder / name)
    assert "a pipe or a device, where a file belongs" in str(run.damage())
    assert ensure(run.spec).damage() is None


def test_the_files_of_another_run_are_not_taken_for_this_ones(folder: Path) -> None:
    one, other = ensure(spec()), ensure(spec(seed=4))
    model = weights(one.model())
    shutil.rmtree(one.folder)
    shutil.copytree(other.folder, one.folder)
    with pytest.raises(DamagedError, match="metadata.json: belongs to another run"):
        one.model()
    assert weights(ensure(one.spec).model()) == model


@pytest.mark.parametrize("how", [*DAMAGE[:4], "of another run", "of another epoch"])
def test_a_damaged_checkpoint_is_moved_aside_and_the_one_before_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    whole = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    run = Run(spec())
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        for s in (spec(), spec(seed=4)):
            with pytest.raises(InterruptError):
                ensure(s)
    last, before = checkpoints.found(run.folder)
    if how == "of another run":
        last.unlink()
        (last,) = (shutil.copy(p, run.folder) for p in checkpoints.found(Run(spec(seed=4)).folder)[:1])
    elif how == "of another epoch":
        last = last.rename(last.with_name(last.name.replace("000002", "000009")))
    else:
        spoil(last, how)
    content = Path(last).read_bytes()
    epochs: list[int] = []
    original = checkpoints.save_checkpoint
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda f, s, a: (epochs.append(s.epoch), original(f, s, a)))
    ensure(spec())
    assert epochs == [2, 3]
    assert (run.folder / "damaged" / "1" / Path(last).name).read_bytes() == content
    assert str(last) in caplog.text
    assert not before.exists()  # the run is finished
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "file"
    write(path, "old")

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(StoreError, match=f"{path}: No space left on device: make room; .*the same command"):
                write(path, b"new")
        assert path.read_text() == "old"
        assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_what_a_killed_writer_left_goes_once_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".file.a.partial", tmp_path / ".file.b.partial"
    for partial in (old, young):
        partial.write_text("half")
    os.utime(old, (0, 0))
    write(tmp_path / "file", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [young.name, "file"]


def test_what_a_killed_training_left_goes_when_the_next_one_begins(folder: Path) -> None:
    partial = Run(spec()).folder / ".weights.safetensors.a.partial"
    partial.parent.mkdir(parents=True)
    partial.write_text("half")
    ensure(spec())
    assert not partial.exists()


def test_tensors_and_their_info_come_back_bit_identical(tmp_path: Path) -> None:
    odd = torch.tensor([0.1, -0.0, math.inf, math.nan])
    tensors = {"a": odd, "b": torch.arange(6).reshape(2, 3).T, "c": torch.tensor(7)}
    store.save_tensors(tmp_path / "t", tensors, {"lr": 0.1 + 0.2})
    read, info = store.load_tensors(tmp_path / "t")
    assert info == {"lr": 0.1 + 0.2}
    assert all(read[k].numpy().tobytes() == tensors[k].numpy().tobytes() for k in tensors)


def test_a_run_that_is_moved_aside_meanwhile_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process has found it damaged, while this one looks whether it is."""
    run = ensure(spec())
    whole = weights(run.model())
    original = runs.check

    def aside(path: Path, digest: str) -> Path:
        monkeypatch.setattr(runs, "check", original)
        set_aside(*(run.folder / name for name in (*FILES, "metadata.json")))
        return original(path, digest)

    monkeypatch.setattr(runs, "check", aside)
    assert weights(ensure(spec()).model()) == whole


@pytest.mark.parametrize(
    "found", [{}, {"spec": None}, {"files": {}}, {"spec": {}, "files": {"weights.safetensors": "0"}}], ids=str
)
def test_sealed_metadata_of_something_else_is_damage(folder: Path, found: dict[str, Any]) -> None:
    run = ensure(spec())
    write(run.folder / "metadata.json", seal(found))
    with pytest.raises(DamagedError, match="belongs to another run, or was not written by this version"):
        run.model()
    assert ensure(spec()).damage() is None
