"""What a real kernel shows when a cell fails: one line, and still a failed cell to whatever runs the notebook."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tiny_runs import spec

from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.run import Run
from snnlib.store.paths import ROOT

LONG = spec(recipe={"epochs": 1000, "batch_size": 500, "lr": 1e-3, "evaluate_every": 0})
# An error of each kind that the command line says in one line.
FAILS = {
    "InputError": "from reproduce.runs.preset import load_preset\nload_preset('big')",
    "DataError": "from snnlib.data.sets import load_dataset\nload_dataset('cifar10')",
    "DamagedError": f"from reproduce.runs.run import Run, Spec\nRun(Spec(**{LONG.model_dump(mode='json')})).metadata",
    "TrainingError": "from snnlib.training.failures import TrainingError\nraise TrainingError('cnn: try a smaller lr')",
}
SAID = {
    "InputError": "preset = 'big': must be one of cpu, paper, smoke, or the path of a TOML file",
    "TrainingError": "cnn: try a smaller lr",
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NotebookClient]:
    """A client with a kernel of its own, an empty run store and no data set that could be had."""
    folder = tmp_path_factory.mktemp("kernel")
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    client = NotebookClient(nbformat.v4.new_notebook(metadata=metadata), timeout=120)
    here = {"SNNLIB_RUNS": str(folder), "SNNLIB_DATA": "/proc/nowhere", "PYTHONPATH": str(ROOT)}
    with client.setup_kernel(env={**os.environ, **here}, cwd=str(ROOT)):
        yield client


def failed(client: NotebookClient, source: str) -> nbformat.NotebookNode:
    """Run a cell; the output that says how it failed."""
    cell = nbformat.v4.new_code_cell(source)
    client.nb.cells.append(cell)
    with pytest.raises(CellExecutionError):
        client.execute_cell(cell, len(client.nb.cells) - 1)
    (error,) = (output for output in cell.outputs if output.output_type == "error")
    return error


@pytest.mark.parametrize("name", FAILS)
def test_an_error_that_says_it_all_is_one_line(kernel: NotebookClient, name: str) -> None:
    error = failed(kernel, FAILS[name])
    assert error.ename == name
    assert error.evalue == SAID.get(name, error.evalue)
    assert error.traceback == [f"{name}: {error.evalue}"]
    assert "\n" not in error.evalue


def test_any_other_error_keeps_its_traceback(kernel: NotebookClient) -> None:
    assert len(failed(kernel, "[][0]").traceback) > 1


def test_an_interrupted_training_says_what_has_become_of_it(kernel: NotebookClient, tmp_path: Path) -> None:
    """The stop button, as JupyterLab has it: the kernel is sent a signal."""
    folder = tmp_path / "store"
    source = f"""
import os
import signal
import threading
os.environ["SNNLIB_RUNS"] = {str(folder)!r}
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
ensure(Spec(**{LONG.model_dump(mode="json")}))
"""
    stop = threading.Thread(target=interrupt_once_begun, args=(kernel, folder / LONG.name))
    stop.start()
    error = failed(kernel, source)
    stop.join()
    assert error.traceback == ["Interrupted: the same call goes on from the last finished epoch"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(folder))
        assert 0 < epochs_done(Run(LONG).folder) < LONG.recipe.epochs


def interrupt_once_begun(kernel: NotebookClient, folder: Path) -> None:
    until = time.monotonic() + 60
    while not epochs_done(folder) and time.monotonic() < until:
        time.sleep(0.05)
    os.kill(kernel.km.provisioner.pid, signal.SIGINT)
