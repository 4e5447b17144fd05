"""Two machines on one store whose locks do not see each other: one of them leaves, and nothing is spoilt."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from faults import job
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.run import Run

pytestmark = pytest.mark.faults

TOLD = "this file system does not share locks between machines"


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], subprocess.Popen[str]]:
    """Starts the job on a machine of this name, which looks for others for so many seconds."""
    for variable in ("RUNS", "FIGURES"):
        monkeypatch.setenv(f"SNNLIB_{variable}", str(tmp_path / variable.lower()))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    command = [sys.executable, str(Path(job.__file__))]

    def start(name: str, looks: float) -> subprocess.Popen[str]:
        path = os.pathsep.join(map(str, Path(job.__file__).parents[:2]))
        environment = {**os.environ, "SNNLIB_NODE": name, "SNNLIB_LOOKS": str(looks), "PYTHONPATH": path}
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code, and the last line that was said."""
    _, said = process.communicate(timeout=120)
    return process.returncode, said.strip().splitlines()[-1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("RUNS", "FIGURES"):
            patch.setenv(f"SNNLIB_{variable}", str(tmp_path_factory.mktemp(variable.lower())))
        job.work()
        return job.results()


def test_who_comes_later_leaves(
    node: Callable[[str, float], subprocess.Popen[str]],
    undisturbed: dict[str, bytes],
    record_property: Callable[[str, object], None],
) -> None:
    first = node("one", 1.0)
    until = time.monotonic() + 90
    while not epochs_done(Run(job.SPEC).folder):
        assert time.monotonic() < until
        time.sleep(0.02)
    code, said = ended(node("two", 30.0))
    assert code == 1
    assert TOLD in said
    assert ended(first)[0] == 0
    assert job.results() == undisturbed
    record_property("fault", ["a second machine that does not see the first one's lock", 1, 1])


def test_of_two_that_come_at_once_one_leaves(
    node: Callable[[str, float], subprocess.Popen[str]],
    undisturbed: dict[str, bytes],
    record_property: Callable[[str, object], None],
) -> None:
    both = [node(name, 0.0) for name in ("one", "two")]  # neither looks, as if both had looked too early
    ends = dict(sorted(map(ended, both)))
    assert list(ends) == [0, 1]
    assert TOLD in ends[1]
    job.sound(undisturbed)
    job.work()
    assert job.results() == undisturbed
    record_property("fault", ["two machines at once that do not see each other's lock", 1, 1])
