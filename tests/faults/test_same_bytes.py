"""The same spec gives the same bytes: whatever the process was set to, in a notebook, or on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from pollution import POLLUTIONS

from faults import job
from faults.test_kills import environment, look_into

pytestmark = pytest.mark.faults

Record = Callable[[str, object], None]
BEFORE = {
    "another run": "ensure(job.SPEC.model_copy(update={'seed': 7}))",
    "direct training": "ensure(Spec(dataset='fashion_mnist_mini', network='cnn', width=1 / 16, dynamics=LIF(), "
    "timesteps=2, recipe={'epochs': 1, 'batch_size': 100}))",
    "another batch size": "ensure(job.SPEC.model_copy(update={'recipe': Recipe(epochs=1, batch_size=64, lr=1e-2)}))",
}
IMPORTS = """
from faults import job
from snnlib.dynamics import LIF
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.training.recipe import Recipe
"""


def left(folder: Path, *command: str, **more: str) -> dict[str, bytes]:
    """What the job leaves if it is done by this command."""
    subprocess.run(command, env=environment(folder, **more), cwd=folder, check=True, capture_output=True, timeout=180)
    with pytest.MonkeyPatch.context() as patch:
        look_into(folder, patch)
        return job.results()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return left(tmp_path_factory.mktemp("alone"), sys.executable, job.__file__)


@pytest.mark.parametrize("what", POLLUTIONS)
def test_in_a_process_that_was_set_to_something_odd(
    tmp_path: Path, alone: dict[str, bytes], what: str, record_property: Record
) -> None:
    same = left(tmp_path, sys.executable, job.__file__, SNNLIB_POLLUTION=what) == alone
    record_property("fault", ["a process that was set to something odd", 1, int(same)])
    assert same


@pytest.mark.parametrize("what", BEFORE)
def test_after_other_work_in_the_same_process(
    tmp_path: Path, alone: dict[str, bytes], what: str, record_property: Record
) -> None:
    code = f"{IMPORTS}\n{BEFORE[what]}\njob.work()"
    same = left(tmp_path, sys.executable, "-c", code) == alone
    record_property("fault", ["other work before, in the same process", 1, int(same)])
    assert same


def test_in_a_notebook(tmp_path: Path, alone: dict[str, bytes], record_property: Record) -> None:
    cells = [nbformat.v4.new_code_cell(code) for code in (IMPORTS, "import torch; torch.rand(3)", "job.work()")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, tmp_path / "job.ipynb")
    same = left(tmp_path, sys.executable, "-m", "papermill", "job.ipynb", "out.ipynb") == alone
    record_property("fault", ["a notebook instead of the command line", 1, int(same)])
    assert same


def test_under_load_on_every_core(tmp_path: Path, alone: dict[str, bytes], record_property: Record) -> None:
    """Which thread comes first decides nothing."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(os.cpu_count() or 1)]
    try:
        same = left(tmp_path, sys.executable, job.__file__) == alone
    finally:
        for process in busy:
            process.kill()
            process.wait()
    record_property("fault", ["a machine that is busy with other things", 1, int(same)])
    assert same
