"""Runs: trained once, resumed where they stopped, the same bytes whatever happened; by one process at a time."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import weights
from pollution import POLLUTIONS
from tiny_runs import TINY, InterruptError, spec, stop_after

from reproduce.runs import checkpoints, trained
from reproduce.runs import run as runs
from reproduce.runs.run import Run, build_for
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.dynamics import SingleStep
from snnlib.fast.process import PRECISIONS
from snnlib.store import locks
from snnlib.store.files import StoreError
from snnlib.training.failures import TrainingError
from snnlib.training.loop import initial_state, train_epochs
from snnlib.training.recipe import Recipe


def test_a_run_is_trained_once_and_then_loaded(folder: Path, trainings: list[str]) -> None:
    first, second = ensure(spec()), ensure(Spec.model_validate_json(spec().model_dump_json()))
    assert trainings == [spec().label]
    assert first == second
    assert first.done
    assert first.folder == folder / spec().name
    assert weights(first.model()) == weights(second.model())
    ensure(spec(seed=4))
    assert len(trainings) == 2


def test_reading_a_finished_run_takes_no_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    monkeypatch.setattr(locks, "FileLock", lambda *_, **__: pytest.fail("locked"))
    assert ensure(run.spec) == run


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_is_what_fit_trains(folder: Path, small: Dataset, precision: str) -> None:
    r = Recipe(**TINY["recipe"], precision=precision)
    run = ensure(spec(recipe=r))
    state = train_epochs(initial_state(build_for(spec()), small, r), small, r, seed=3)
    model = run.model()
    assert weights(model) == weights(state.model)
    assert not model.training
    assert all(n.dynamics == SingleStep() for _, n in model.neurons())
    assert [p.stride() for p in model.parameters()] == [p.stride() for p in state.model.parameters()]
    assert run.history.columns.tolist() == [
        "epoch",
        "lr",
        "train_loss",
        "train_accuracy",
        "test_accuracy_t1",
        "test_accuracy",
    ]
    assert run.history.to_dict("records") == state.history


def test_the_same_seed_gives_the_same_bytes_in_another_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    torch.manual_seed(77)
    torch.rand(5)
    other = ensure(spec()).folder
    assert one.parent == folder
    assert other == folder.parent / "other" / one.name
    for file in ("weights.safetensors", "history.csv"):
        assert (one / file).read_bytes() == (other / file).read_bytes()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> dict[str, dict[str, str]]:
    """Hashes of a run in each precision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("clean")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        return {p: ensure(spec(recipe={**TINY["recipe"], "precision": p})).metadata["files"] for p in PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("what", POLLUTIONS)
def test_a_run_has_the_same_bytes_whatever_the_process_was_set_to(
    folder: Path, clean: dict[str, dict[str, str]], what: str, precision: str
) -> None:
    with POLLUTIONS[what]():
        run = ensure(spec(recipe={**TINY["recipe"], "precision": precision}))
    for name in ("weights.safetensors", "history.csv"):
        assert run.metadata["files"][name] == clean[precision][name]


def test_a_run_leaves_the_process_as_it_was(folder: Path) -> None:
    def settings() -> tuple[Any, ...]:
        return (
            torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.backends.mkldnn.enabled,
            torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_device(), torch.get_rng_state().sum(),
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.is_autocast_enabled("cpu"),
        )  # fmt: skip

    before = settings()
    ensure(spec())
    assert settings() == before


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("error", [InterruptError, KeyboardInterrupt])
def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, error: type[BaseException]
) -> None:
    whole = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    original = checkpoints.save_checkpoint
    with monkeypatch.context() as patch:
        stop_after(after, patch, error)
        with pytest.raises(error):
            ensure(spec())
    run = Run(spec())
    assert not run.done
    assert checkpoints.epochs_done(run.folder) == after

    epochs: list[int] = []
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda f, s, a: (epochs.append(s.epoch), original(f, s, a)))
    ensure(spec())
    assert epochs == list(range(after + 1, 4))
    assert not checkpoints.found(run.folder)
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


def test_a_run_can_be_asked_for_again_while_the_error_that_stopped_it_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook, where sys.last_value keeps the traceback, and with it the locals of each frame."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt) as kept:
            ensure(spec())
    again = threading.Thread(target=ensure, args=(spec(),), daemon=True)
    again.start()
    again.join(30)
    assert not again.is_alive(), "it waits for a lock that this very process holds"
    assert Run(spec()).done
    assert kept.tb is not None


def test_a_failed_training_leaves_the_last_good_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(state: Any, data: Any, recipe: Any, *, save: Any, **options: Any) -> None:
        train_epochs(state, data, Recipe(**{**TINY["recipe"], "epochs": 1}), save=save, **options)
        raise TrainingError("loss = nan")

    with monkeypatch.context() as patch:
        patch.setattr(trained, "train_epochs", fails)
        with pytest.raises(TrainingError):
            ensure(spec())
    assert not Run(spec()).done
    assert checkpoints.epochs_done(Run(spec()).folder) == 1


def test_threads_are_those_of_the_recipe_and_then_as_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = checkpoints.save_checkpoint
    monkeypatch.setattr(
        checkpoints, "save_checkpoint", lambda f, s, a: (seen.append(torch.get_num_threads()), original(f, s, a))
    )
    before = torch.get_num_threads()
    ensure(spec(recipe={"epochs": 1, "threads": 2}))
    assert seen == [2]
    assert torch.get_num_threads() == before


# --- several processes -----------------------------------------------------------------------

WORKER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from dataclasses import replace
from reproduce.runs import run as runs
from reproduce.runs import trained
from snnlib.data.sets import Split, load_dataset
from reproduce.runs.spec import Spec

mini = load_dataset("fashion_mnist_mini")
part = lambda s: Split(s.images[::50], s.labels[::50])
runs.load_dataset = lambda *_, **__: replace(mini, train=part(mini.train), test=part(mini.test))
here, me = Path({here!r}), sys.argv[1]
train = trained.train_epochs

def train_epochs(*args, **kwargs):
    (here / f"trained-{{me}}").touch()
    until = time.monotonic() + 60
    while len(list(here.glob("asks-*"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(1)  # the other one is waiting by now, and has said so
    return train(*args, **kwargs)

trained.train_epochs = train_epochs
(here / f"asks-{{me}}").touch()
run = trained.ensure(Spec.model_validate_json({spec!r}), "cpu")
assert run.done
print(run.metadata["files"]["weights.safetensors"])
run.model("cpu")
"""


def test_two_processes_that_ask_at_once_train_once(tmp_path: Path) -> None:
    code = WORKER.format(
        tests=str(Path(__file__).parents[1]),
        here=str(tmp_path),
        spec=spec(recipe={"epochs": 1, "batch_size": 32}).model_dump_json(),
    )
    environment = {**os.environ, "SNNLIB_RUNS": str(tmp_path / "store")}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=Path(__file__).parents[2],
        )
        for name in "ab"
    ]  # fmt: skip
    results = [worker.communicate(timeout=120) for worker in workers]
    assert [w.returncode for w in workers] == [0, 0], results
    assert len(list(tmp_path.glob("asks-*"))) == 2
    assert len(list(tmp_path.glob("trained-*"))) == 1
    assert results[0][0] == results[1][0]
    said = [line for _, err in results for line in err.splitlines() if line.startswith("waiting for process ")]
    assert len(said) == 1
    assert re.fullmatch(r"waiting for process \d+ on \S+ \(since .*\), which trains fashion_mnist_mini-cnn-.*", said[0])
    assert int(said[0].split()[3]) in [worker.pid for worker in workers]


def test_an_unfinished_run_has_no_model(folder: Path) -> None:
    with pytest.raises(StoreError, match="not finished"):
        Run(spec()).model()
