"""What a reader is told while a workflow is at work: a bar in a terminal, lines elsewhere, never nothing for long."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from tiny_runs import spec

from reproduce.batch import tell
from reproduce.batch.engine import PLAN
from reproduce.batch.jobs import jobs
from reproduce.batch.killed import log_file, training
from reproduce.batch.tell import SILENCE, Teller
from reproduce.runs.preset import Preset
from reproduce.runs.results import accuracy
from snnlib.fast import process
from snnlib.store.files import write


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def preset(folder: Path) -> Preset:
    specs = [spec(seed=seed) for seed in range(2)]
    return Preset(
        name="p", description="d", evaluation={}, benchmark={}, notebooks={"method": {"net": {"ours": specs}}}
    )


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine has: so many runs go on at a time, by which it is said how long."""
    monkeypatch.setattr(process, "cores", lambda: 2)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says that silence is measured by."""
    now = [100.0]
    monkeypatch.setattr(tell.time, "monotonic", lambda: now[0])
    return now


def work(preset: Preset, build: Path, seed: int) -> None:
    """Do what a job would."""
    run = list(preset.all_runs().values())[seed]
    for evaluation in preset.evaluations(run):
        accuracy(run, evaluation)


def test_each_is_a_line_where_there_is_no_terminal(
    preset: Preset, tmp_path: Path, now: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "snnlib")
    with Teller(preset, jobs(preset), tmp_path, 0.0) as teller:
        teller.look()
        assert caplog.messages == []
        now[0] += SILENCE + 1
        teller.look()
        assert caplog.messages == ["still looking for what is to be done"]
        write(tmp_path / PLAN, json.dumps([training(jobs(preset)[0]), "method", "total", "all"]))
        work(preset, tmp_path, 0)
        now[0] += 1
        caplog.clear()
        teller.look()  # from here on it is known what is to be done: one run less
        assert (caplog.messages, teller.planned[:2]) == ([], [training(jobs(preset)[0]), "method"])
        write(log_file(tmp_path / "p", training(jobs(preset)[0])), "cnn: epoch 1/3\nwarning: cnn: damaged\n")
        now[0] += SILENCE + 1
        teller.look()
        assert caplog.messages.pop(0).startswith("warning: cnn: damaged (")
        now[0] += SILENCE + 1
        teller.look()
        assert caplog.messages[-1] == "0/2 at work: a job starts"
        work(preset, tmp_path, 1)
        teller.look()
        assert caplog.messages[-1] == "1/2 net ours s1, about 15 s left"  # a notebook, two at a time
        write(tmp_path / "p" / "method.ipynb", "{}")
        teller.look()
        assert caplog.messages[-1] == "2/2 method"
        assert teller.trained == 1


def test_in_a_terminal_a_bar_says_it_and_what_went_wrong_stands_above(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "snnlib")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with Teller(preset, jobs(preset), tmp_path, 0.0) as teller:
        write(tmp_path / PLAN, json.dumps([training(jobs(preset)[0])]))
        teller.look()
        work(preset, tmp_path, 1)
        teller.look()
        assert terminal.getvalue().split("\r")[-1].startswith("1/2 |##########          | 00:0")
        assert caplog.messages == []
        write(log_file(tmp_path / "p", training(jobs(preset)[0])), "error: cnn: diverged\n")
        teller.look()
        assert caplog.messages[0].startswith("error: cnn: diverged (")
    assert terminal.getvalue().split("\r")[-1].strip() == ""  # it is gone at the end
