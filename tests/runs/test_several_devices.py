"""A run over two processes: the same bytes each time, whoever is killed, told in one line; `make test-torchrun`."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from reproduce.runs import checkpoints
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.training.failures import TrainingError

torchrun = pytest.mark.torchrun

ENSURE = """
import sys
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
try:
    ensure(Spec.model_validate_json(sys.argv[1]), "cpu")
except Exception as error:
    sys.exit(str(error))
"""
BYTES = ("weights.safetensors", "history.csv")


def spec(**recipe: Any) -> Spec:
    usual = {"epochs": 8, "batch_size": 100, "lr": 3e-3, "evaluate_every": 8, "devices": 2}
    return Spec(
        dataset="fashion_mnist_mini", network="cnn", width=1 / 16, seed=3, hold_out=5000, recipe={**usual, **recipe}
    )


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The run's files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("undisturbed")))
        patch.setenv("TQDM_DISABLE", "1")
        run = ensure(spec(), "cpu")
        assert run.history.epoch.tolist() == list(range(1, 9))
        assert run.history.test_accuracy.notna().tolist() == [False] * 7 + [True]
        return files(run)


def files(run: Run) -> dict[str, bytes]:
    return {name: (run.folder / name).read_bytes() for name in BYTES}


def epoch_done(_: subprocess.Popen[str]) -> int:
    return checkpoints.epochs_done(Run(spec()).folder)


@pytest.fixture
def at_work(store: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a process that trains the run; returns once an epoch is done, or something else is true of it."""
    started: list[subprocess.Popen[str]] = []

    def start(until: Callable[[subprocess.Popen[str]], object] = epoch_done) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", ENSURE, spec().model_dump_json()]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        while not until(process):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.01)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def ranks(process: subprocess.Popen[str]) -> list[psutil.Process]:
    found = psutil.Process(process.pid).children(recursive=True)
    return sorted((p for p in found if "reproduce.runs.rank" in p.cmdline()), key=lambda p: int(p.environ()["RANK"]))


def test_devices_are_part_of_the_name() -> None:
    one = spec(devices=1)
    assert one == Spec.model_validate({**one.model_dump(), "recipe": {**spec().recipe.model_dump(), "devices": 1}})
    assert len({one.name, spec().name, spec(synchronised=False).name, spec(devices=4).name}) == 4


@torchrun
def test_the_same_bytes_again_and_others_than_one_device(undisturbed: dict[str, bytes], store: Path) -> None:
    assert files(ensure(spec(), "cpu")) == undisturbed
    assert files(ensure(spec(devices=1), "cpu")) != undisturbed
    assert files(ensure(spec(synchronised=False), "cpu")) != undisturbed


@torchrun
@pytest.mark.parametrize("number", [0, 1])
def test_a_rank_that_is_killed_is_named_and_the_run_goes_on(
    number: int, at_work: Callable[..., subprocess.Popen[str]], undisturbed: dict[str, bytes]
) -> None:
    process = at_work()
    both = ranks(process)
    assert len(both) == 2
    both[number].kill()
    _, said = process.communicate(timeout=90)
    (line,) = [line for line in said.splitlines() if "images/s" not in line]  # beside its progress
    assert f"rank {number} of its devices, process {both[number].pid}, was ended by SIGKILL" in line
    assert "the same command goes on from the last finished epoch" in line
    assert not any(rank.is_running() for rank in both)
    assert not Run(spec()).done
    done = checkpoints.epochs_done(Run(spec()).folder)
    assert done >= 1

    run = ensure(spec(), "cpu")
    assert files(run) == undisturbed
    assert [sitting["epochs"][0] for sitting in run.metadata["sittings"]] == [1, done + 1]


@torchrun
@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_ranks_end_with_the_process_that_holds_the_lock(
    kind: signal.Signals, at_work: Callable[..., subprocess.Popen[str]], undisturbed: dict[str, bytes]
) -> None:
    process = at_work()
    both = ranks(process)
    process.send_signal(kind)
    process.wait(90)
    psutil.wait_procs(both, timeout=10)
    assert not any(rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE for rank in both)
    assert files(ensure(spec(), "cpu")) == undisturbed


@torchrun
def test_ranks_that_have_not_begun_end_with_it_too(at_work: Callable[..., subprocess.Popen[str]]) -> None:
    process = at_work(until=lambda process: len(ranks(process)) == 2)
    both = ranks(process)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(both, timeout=60)
    assert not alive
    assert not Run(spec()).folder.joinpath("metadata.json").exists()


@torchrun
def test_what_this_machine_is_called_does_not_matter(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getfqdn", lambda *_: "no-such-host.invalid")
    assert ensure(spec(epochs=1), "cpu").done


@torchrun
def test_a_loss_that_is_not_finite_is_told_as_on_one_device(store: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each step makes all weights nine times as large, on whatever images."""
    grows = {"optimizer": "sgd", "momentum": 0.0, "lr": 10, "weight_decay": 1, "schedule": "constant"}
    told = [r"-s3: epoch \d, step \d+ of 10: loss, gradients or weights are no longer finite .*lr than 10\.0$"] * 2
    said = []
    for devices in (1, 2):
        with pytest.raises(TrainingError) as error:
            ensure(spec(devices=devices, **grows), "cpu")
        said.append(str(error.value))
    assert capfd.readouterr().err.count("Traceback") == 0
    assert [bool(re.search(words, line)) for words, line in zip(told, said, strict=True)] == [True, True], said
