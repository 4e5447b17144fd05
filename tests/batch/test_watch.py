"""What is done, at work and left, as the files say that jobs leave."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tiny_runs import InterruptError, spec, stop_after

from reproduce.batch import watch
from reproduce.batch.killed import log_file, status_file
from reproduce.batch.watch import A_NOTEBOOK, Drawings, Logs, Trainings
from reproduce.runs.preset import Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.store.files import write


class Clock:
    """Stands for `time` in a module."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(watch, "time", clock)
    monkeypatch.setattr(watch, "jobs_at_a_time", lambda: 2)
    return clock


@pytest.fixture
def preset(folder: Path) -> Preset:
    """Three seeds of a net, of the same work, in an empty store."""
    specs = [spec(seed=seed) for seed in range(3)]
    return Preset(
        name="p", description="d", evaluation={}, benchmark={}, notebooks={"method": {"net": {"ours": specs}}}
    )


def finish(run: Run, preset: Preset) -> None:
    for evaluation in preset.evaluations(run):
        accuracy(run, evaluation)


def test_runs_are_followed_epoch_by_epoch(preset: Preset, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = preset.all_runs().values()
    finish(first, preset)  # before the workflow begins
    trainings = Trainings(preset, [first, second, third], 0.0)
    assert (trainings.total, trainings.look(), trainings.at_work()) == (2, [], [])
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            ensure(second.spec)
    assert (trainings.look(), trainings.at_work()) == ([], ["net ours s1, epoch 2 of 3"])
    ensure(second.spec)
    assert (trainings.look(), trainings.at_work()) == ([], ["net ours s1, evaluated"])
    finish(second, preset)
    assert (trainings.look(), trainings.at_work()) == (["net ours s1"], [])
    assert trainings.look() == []  # told once


def test_the_time_left_is_by_the_pace_so_far(preset: Preset, clock: Clock) -> None:
    """Three runs of equal work: the clock runs from when the first is done, since before that Python starts."""
    runs = list(preset.all_runs().values())
    trainings = Trainings(preset, runs, 0.0)
    assert trainings.seconds_left() is None
    for seconds, expected in ((70, None), (50, 50.0), (20, 0.0)):
        clock.now += seconds
        finish(runs.pop(), preset)
        trainings.look()
        assert trainings.seconds_left() == pytest.approx(expected)
    assert Trainings(preset, list(preset.all_runs().values()), 0.0).total == 0


def test_a_failed_run_is_neither_at_work_nor_waited_for(preset: Preset, clock: Clock) -> None:
    first, *others = preset.all_runs().values()
    trainings = Trainings(preset, [first], 0.0)
    write(first.folder / "failure.txt", "diverged\n")
    assert (trainings.look(), trainings.at_work(), trainings.seconds_left()) == ([], [], 0.0)
    again = Trainings(preset, [first, *others], (first.folder / "failure.txt").stat().st_mtime + 1)
    assert again.seconds_left() is None  # it failed before: it is tried anew


def executed(folder: Path, name: str, seconds: float) -> None:
    content = json.dumps({"metadata": {"papermill": {"duration": seconds}}})
    write(folder / f"{name}.ipynb", content)


def test_notebooks_take_as_long_as_they_did_or_as_others_do(tmp_path: Path, clock: Clock) -> None:
    names = ["method", "beyond", "claims"]
    assert Drawings(tmp_path, names, 0.0).seconds_left() == 3 * A_NOTEBOOK / 2  # two at a time
    executed(tmp_path, "method", 10.0)
    executed(tmp_path, "fig5_alpha", 30.0)  # another one
    for name in ("method", "fig5_alpha"):
        os.utime(tmp_path / f"{name}.ipynb", (1, 1))
    drawings = Drawings(tmp_path, names, 2.0)
    assert (drawings.total, drawings.look(), drawings.at_work()) == (3, [], [])
    assert drawings.seconds_left() == (10 + 20 + 20) / 2
    log_file(tmp_path, "method").touch()
    assert (drawings.look(), drawings.at_work()) == ([], ["method"])
    clock.now += 4
    assert drawings.seconds_left() == (6 + 20 + 20) / 2
    clock.now += 16
    assert drawings.seconds_left() == (10 + 20 + 20) / 2  # ten seconds late, and for ten more
    executed(tmp_path, "method", 24.0)
    assert (drawings.look(), drawings.at_work()) == (["method"], [])
    assert drawings.seconds_left() == (27 + 27) / 2
    log_file(tmp_path, "beyond").touch()
    assert (drawings.look(), drawings.at_work()) == ([], ["beyond"])
    status_file(tmp_path, "beyond").write_text("1\n")
    assert (drawings.look(), drawings.at_work(), drawings.seconds_left()) == ([], [], 27 / 2)  # it has failed


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"metadata": {"papermill": {"duration": null}}}'])
def test_a_copy_that_does_not_tell_how_long_it_took_is_no_harm(tmp_path: Path, clock: Clock, content: str) -> None:
    (tmp_path / "method.ipynb").write_text(content)
    assert Drawings(tmp_path, ["method"], 2e9).seconds_left() == A_NOTEBOOK / 2


def test_warnings_and_errors_are_told_once_with_their_log(tmp_path: Path) -> None:
    file = log_file(tmp_path, "train_0")
    logs = Logs(tmp_path, 0.0)
    assert logs.look() == []
    file.write_text("cnn-s0: epoch 1/9, 700 images/s\nwarning: a.csv: damaged\nerror: cnn-s1: the loss is no lon")
    assert logs.look() == [f"warning: a.csv: damaged ({file})"]
    with open(file, "a") as f:
        f.write("ger finite\nTraceback\n")
    assert logs.look() == [f"error: cnn-s1: the loss is no longer finite ({file})"]
    assert logs.look() == []
    log_file(tmp_path, "train_1").write_text("error: of before\n")
    os.utime(log_file(tmp_path, "train_1"), (1, 1))
    assert Logs(tmp_path, 2.0).look() != []
    assert not any("of before" in line for line in Logs(tmp_path, 2.0).look())


def test_a_job_that_is_tried_again_is_read_from_its_beginning(tmp_path: Path) -> None:
    """A cluster's job writes over the log of the one before."""
    file, logs = log_file(tmp_path, "train_0"), Logs(tmp_path, 0.0)
    file.write_text("cnn-s0: epoch 1/9, 700 images/s\n" * 9)
    assert logs.look() == []
    file.write_text("warning: a.csv: damaged\n")
    assert logs.look() == [f"warning: a.csv: damaged ({file})"]
    assert logs.look() == []


def test_a_job_that_a_signal_ended_is_told_once(tmp_path: Path) -> None:
    logs = Logs(tmp_path, 0.0)
    status_file(tmp_path, "method").write_text("1\n")  # said why in its log
    status_file(tmp_path, "train_0").write_text("139\n")
    (line,) = logs.look()
    assert line.startswith(f"error: train_0: killed by SIGSEGV, see {log_file(tmp_path, 'train_0')}")
    assert logs.look() == []
