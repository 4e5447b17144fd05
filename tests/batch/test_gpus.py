"""Several GPUs in one machine, with ids given by hand: each process has its own, also if it wants several."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reproduce.batch import gpus
from snnlib.checks import InputError
from snnlib.store.paths import ROOT

# Without PyTorch, which it would take seconds to import and which asks for no GPU where ids are given.
JOB = """
import os, sys, types
sys.modules["torch"] = types.ModuleType("torch")
from reproduce.batch import gpus
gpus.take()
print(os.environ.get("CUDA_VISIBLE_DEVICES"), os.environ.get("SNNLIB_GPUS"), flush=True)
sys.stdin.read()
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a job that wants so many of these GPUs and keeps them until it is ended."""
    begun: list[subprocess.Popen[str]] = []

    def begin(wanted: int, ids: str = "0,1,2") -> subprocess.Popen[str]:
        more = {"SNNLIB_GPUS": str(wanted), "CUDA_VISIBLE_DEVICES": ids, "TMPDIR": str(tmp_path)}
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", JOB], env={**os.environ, "PYTHONPATH": str(ROOT), **more},
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return begun[-1]

    yield begin
    for process in begun:
        process.kill()
        process.communicate()


def told(process: subprocess.Popen[str]) -> list[str]:
    """The GPUs that it sees, once it has them."""
    visible, left = process.stdout.readline().split()
    assert left == "None"  # what it starts takes no others
    return visible.split(",")


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_each_job_has_a_gpu_of_its_own_and_one_that_is_killed_leaves_it(start: Start) -> None:
    jobs = [start(1) for _ in range(3)]
    seen = [told(job) for job in jobs]
    assert sorted(seen) == [["0"], ["1"], ["2"]]
    late = start(1)
    end(jobs[1])
    assert told(late) == seen[1]


def test_several_that_want_two_do_not_keep_each_other_waiting(start: Start) -> None:
    """Where the two become free one after the other, each of several might hold one and wait for the other."""
    singles = [start(1, "0,1") for _ in range(2)]
    assert sorted(map(told, singles)) == [["0"], ["1"]]
    jobs = [start(2, "0,1") for _ in range(6)]
    for single in singles:
        time.sleep(2 if single is singles[0] else 1.5 * gpus.EVERY)  # so that another one is the first to look
        end(single)
    for _ in range(len(jobs)):
        first = next(wait_for_some(jobs))
        assert told(first) == ["0", "1"]
        end(first)
        jobs.remove(first)


def wait_for_some(jobs: list[subprocess.Popen[str]]) -> Iterator[subprocess.Popen[str]]:
    """Those that have said something; one at least."""
    ready, _, _ = select.select([job.stdout for job in jobs], [], [], 30)
    assert ready, "nobody has what it wants"
    return (job for job in jobs if job.stdout in ready)


def test_all_or_none_in_the_order_that_was_given(start: Start) -> None:
    ids = "GPU-8f3,MIG-GPU-1/2/0,GPU-77a"
    one = start(1, ids)
    assert told(one) == ["GPU-8f3"]
    assert told(start(2, ids)) == ["MIG-GPU-1/2/0", "GPU-77a"]


def test_a_workflow_that_sees_others_has_others(start: Start) -> None:
    assert {told(job)[0] for job in (start(1, "3"), start(1, "5"))} == {"3", "5"}
    third = start(1, "5,3")
    time.sleep(0.5)
    assert third.poll() is None  # it waits: both are taken


@pytest.mark.parametrize(
    ("given", "ids"),
    [("0", ["0"]), ("2, 0", ["2", "0"]), ("", []), ("-1", []), ("1,-1,2", ["1"]), ("GPU-a,GPU-b", ["GPU-a", "GPU-b"])],
)
def test_what_is_seen_is_what_cuda_would_see(monkeypatch: pytest.MonkeyPatch, given: str, ids: list[str]) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert gpus.seen() == ids


def test_without_the_variable_the_machines_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus.torch.cuda, "device_count", lambda: 3)
    assert gpus.seen() == ["0", "1", "2"]


@pytest.mark.parametrize("wanted", ["3", "-1", "one", ""])
def test_more_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setenv("SNNLIB_GPUS", wanted)
    with pytest.raises(InputError, match=f"SNNLIB_GPUS = {wanted}: must be a whole number up to 2, the GPUs there are"):
        gpus.take()


def test_every_command_takes_what_its_job_is_to_have() -> None:
    more = {"CUDA_VISIBLE_DEVICES": "7", "SNNLIB_GPUS": "2"}
    command = [sys.executable, "-m", "reproduce", "preset"]
    done = subprocess.run(command, env={**os.environ, **more}, cwd=ROOT, capture_output=True, text=True)
    said = "error: SNNLIB_GPUS = 2: must be a whole number up to 1, the GPUs there are\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_none_is_taken_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    for wanted in ("0", None):
        monkeypatch.setenv("SNNLIB_GPUS", wanted) if wanted else monkeypatch.delenv("SNNLIB_GPUS", raising=False)
        gpus.take()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert not list(tmp_path.iterdir())


def test_a_folder_of_somebody_else_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(gpus.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("SNNLIB_GPUS", "1")
    (tmp_path / f"snnlib-gpus-{os.getuid()}").symlink_to(tmp_path)
    with pytest.raises(InputError, match="must be a folder of your own"):
        gpus.take()
