"""Several papermill processes that need the same run: one trains it; if it dies, another goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from faults import job
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec

pytestmark = pytest.mark.faults

CROWD = 3
RECIPE = job.SPEC.recipe.model_copy(update={"epochs": 25})
CELL = """
import time
from pathlib import Path
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from faults import job
run = Run(Spec.model_validate_json({spec!r}))
Path({name!r}).touch()
while len(list(Path().glob("asks-*"))) < {crowd}:  # all ask at once
    time.sleep(0.01)
print(accuracy(run, job.EVALUATION).accuracy.tolist())
"""
WAITING = re.compile(r"waiting for process (\d+) on \S+ \(since [^)]*\), which trains (\S+)")


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Spec:
    """A run that takes some seconds, in a store of its own."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("PYTHONPATH", str(Path(job.__file__).parents[1]))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    return job.SPEC.model_copy(update={"recipe": RECIPE})


def ask(folder: Path, spec: Spec, name: str, crowd: int = 1) -> subprocess.Popen[bytes]:
    """papermill, on a notebook that needs the run, as soon as so many have begun."""
    code = CELL.format(spec=spec.model_dump_json(), name=f"asks-{name}", crowd=crowd)
    cells = [nbformat.v4.new_code_cell(code)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, folder / f"{name}.ipynb")
    command = [sys.executable, "-m", "papermill", str(folder / f"{name}.ipynb"), str(folder / f"{name}.out.ipynb")]
    return subprocess.Popen(
        command, cwd=folder, env=dict(os.environ), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def said(folder: Path, name: str) -> str:
    """All that a reader sees in the executed notebook so far."""
    path = folder / f"{name}.out.ipynb"
    cells = nbformat.read(path, 4).cells if path.exists() and path.stat().st_size else []
    return "".join(out.get("text", "") for cell in cells for out in cell.get("outputs", []))


def until(true: Callable[[], bool], seconds: float = 90) -> float:
    """Wait; how many seconds that took."""
    began = time.monotonic()
    while not true():
        assert time.monotonic() - began < seconds
        time.sleep(0.02)
    return time.monotonic() - began


def numbers(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("[")]


def test_a_crowd_trains_once(tmp_path: Path, spec: Spec, record_property: Callable[[str, object], None]) -> None:
    crowd = {name: ask(tmp_path, spec, name, CROWD) for name in map(str, range(CROWD))}
    errors = {name: process.communicate(timeout=180)[1] for name, process in crowd.items()}
    assert not any(process.returncode for process in crowd.values()), errors
    run = Run(spec)
    words = [said(tmp_path, name) for name in crowd]
    waited = [WAITING.findall(text) for text in words]
    (sitting,) = run.metadata["sittings"]
    well = (
        sitting["epochs"] == [1, RECIPE.epochs]
        and sum(map(bool, waited)) == CROWD - 1
        and {name for found in waited for _, name in found} == {spec.name}
        and len({pid for found in waited for pid, _ in found}) == 1  # all waited for the same one
        and {line for text in words for line in numbers(text)} == {str(accuracy(run, job.EVALUATION).accuracy.tolist())}
    )
    record_property("fault", [f"{CROWD} papermills that need one run at once", CROWD, CROWD * well])
    assert well, words


@pytest.mark.parametrize("victim", ["papermill", "its kernel", "both"])
def test_when_the_one_that_trains_is_killed_another_goes_on_at_once(
    tmp_path: Path, spec: Spec, victim: str, record_property: Callable[[str, object], None]
) -> None:
    """Where papermill alone is killed, its kernel ends once it notices."""
    run, survived = Run(spec), 0
    try:
        first = ask(tmp_path, spec, "first")
        until(lambda: epochs_done(run.folder) >= 1)
        kernel = holder(run)
        second = ask(tmp_path, spec, "second")
        until((tmp_path / "asks-second").exists)
        time.sleep(1)  # it waits by now
        assert not run.done, "too fast to be killed"
        for pid in {"papermill": [first.pid], "its kernel": [kernel]}.get(victim, [first.pid, kernel]):
            os.kill(pid, signal.SIGKILL)
        seconds = until(lambda: holder(run) not in (None, kernel), 30)
        first.communicate()
        _, errors = second.communicate(timeout=120)
        assert second.returncode == 0, errors
        assert WAITING.findall(said(tmp_path, "second")) == [(str(kernel), spec.name)]
        one, two = run.metadata["sittings"]
        assert (one["epochs"][0], two["epochs"]) == (1, [one["epochs"][1] + 1, RECIPE.epochs])
        assert seconds < 10
        survived = 1
    finally:
        record_property("fault", ["the papermill that trains is killed, another one waits", 1, survived])


def holder(run: Run) -> int | None:
    """The process that holds the run's lock, by its own account."""
    try:
        return json.loads((run.folder / "lock.holder").read_text())["process"]
    except FileNotFoundError:
        return None
