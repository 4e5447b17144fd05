"""Killed at any moment, the next call goes on from the last finished epoch and ends with the same bytes."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

from faults import job
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.run import FILES, Run
from snnlib.store.files import write

pytestmark = pytest.mark.faults

JOB = Path(job.__file__)
TRAINING, TRAINED = BEGINNINGS = ("training", "evaluating and drawing")
AT_A_FILE = "SIGKILL before a file is opened, renamed or removed"
RESUMED = re.compile(r"resumed after epoch (\d+) of")
OUT_OF_BREATH = 60  # seconds; the job takes a tenth


def environment(folder: Path, **more: str) -> dict[str, str]:
    here = {"SNNLIB_RUNS": str(folder / "runs"), "SNNLIB_FIGURES": str(folder / "figures"), "TQDM_DISABLE": "1"}
    return {**os.environ, **here, "PYTHONPATH": str(JOB.parents[1]), **more}


def begin(folder: Path, **more: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, str(JOB)], env=environment(folder, **more), start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def to_the_end(folder: Path) -> str:
    """Undisturbed; what it said."""
    process = begin(folder)
    _, said = process.communicate(timeout=OUT_OF_BREATH)
    assert process.returncode == 0, said
    return said


def look_into(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Have this process see the stores of the job."""
    for name in ("SNNLIB_RUNS", "SNNLIB_FIGURES"):
        patch.setenv(name, environment(folder)[name])


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed job leaves, and how long it takes once Python has started."""

    folder: Path
    left: dict[str, bytes]
    seconds: dict[str, float]  # from each beginning


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder, seconds = tmp_path_factory.mktemp("undisturbed"), {}
    for beginning in BEGINNINGS:
        lay_out(folder, beginning, folder)
        process = begin(folder)
        began = time.monotonic()
        process.communicate(timeout=OUT_OF_BREATH)
        seconds[beginning] = time.monotonic() - began
    with pytest.MonkeyPatch.context() as patch:
        look_into(folder, patch)
        return Undisturbed(folder, job.results(), seconds)


def lay_out(folder: Path, beginning: str, finished: Path) -> None:
    """An empty store, or one with the trained run and no more."""
    if beginning == TRAINED:
        names = [*FILES, "metadata.json"]
        copies = {name: (finished / "runs" / job.SPEC.name / name).read_bytes() for name in names}
    else:
        copies = {}
    for part in ("runs", "figures"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for name, content in copies.items():
        write(folder / "runs" / job.SPEC.name / name, content)


def killed(folder: Path, how: str, rng: random.Random, seconds: float) -> tuple[bool, str]:
    """Begin the job and kill it; whether that came before its end, and what it had said."""
    if how == AT_A_FILE:
        process = begin(folder, SNNLIB_DIE_AT=str(rng.randint(1, 20)))
    else:
        process = begin(folder)
        time.sleep(rng.uniform(0, seconds / 2))
        process.send_signal(signal.Signals[how])
    _, said = process.communicate(timeout=OUT_OF_BREATH)
    return process.returncode != 0, said


@pytest.mark.parametrize("sequence", range(2))
@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT", AT_A_FILE])
def test_kills_lose_nothing(
    tmp_path: Path,
    undisturbed: Undisturbed,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    beginning: str,
    sequence: int,
    record_property: Callable[[str, object], None],
) -> None:
    """Kills at random moments, one sitting after another; then what is there in the end."""
    whole, seconds = undisturbed.left, undisturbed.seconds[beginning]
    lay_out(tmp_path, beginning, undisturbed.folder)
    look_into(tmp_path, monkeypatch)
    run, rng = Run(job.SPEC), random.Random(f"{how} {beginning} {sequence}")
    kills, lost = 0, True
    try:
        for _ in range(5):
            before = epochs_done(run.folder)
            early, said = killed(tmp_path, how, rng, seconds)
            if not early:
                break
            kills += 1
            job.sound(whole)
            assert run.done or epochs_done(run.folder) >= before
            assert RESUMED.findall(said) in ([], [str(before)])  # it may not have come that far
            if run.folder.exists():
                with FileLock(run.folder / "lock", timeout=0):  # nobody holds it
                    pass
        before = epochs_done(run.folder)
        unfinished = before and not run.done
        said = to_the_end(tmp_path)
        assert RESUMED.findall(said) == ([str(before)] if unfinished else [])
        assert "waiting" not in said
        assert job.results() == whole
        assert not list(tmp_path.rglob("damaged"))
        assert not list(run.folder.glob(".*.partial"))
        lost = False
        assert kills
    finally:
        record_property("fault", [f"{how} while {beginning}", kills, 0 if lost else kills])
