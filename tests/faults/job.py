"""A job as a batch does it, small: train a run, evaluate it, draw its figure. Run as a program, it can be killed.

``python job.py``; with ``SNNLIB_DIE_AT=n`` it kills itself before the n-th time that it opens a file for writing,
renames or removes one; with ``SNNLIB_POLLUTION=name``, the process is set to something odd before; with
``SNNLIB_NODE=name``, it is on a machine of this name, which sees the locks of no other.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock
from pollution import POLLUTIONS

from reproduce.experiments.fig2_accuracy_vs_timesteps.plot import accuracy_vs_timesteps
from reproduce.experiments.fig2_accuracy_vs_timesteps.table import CONSTANT, NOISE
from reproduce.experiments.outputs import Outputs
from reproduce.runs import checkpoints
from reproduce.runs.evaluations import Conversion
from reproduce.runs.results import predictions
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.store import holders, locks
from snnlib.store.files import check, unseal
from snnlib.store.paths import figures_dir, runs_dir
from snnlib.store.sums import ENDING
from snnlib.training.evaluation import TIES

SPEC = Spec(
    dataset="fashion_mnist_mini",
    network="cnn",
    width=1 / 16,
    recipe={"epochs": 4, "batch_size": 100, "lr": 1e-2, "augment": True, "schedule": "one_cycle"},
)
EVALUATION = Conversion(timesteps=4, noise_seeds=(0, 1))
FIGURE = "job"


def work(spec: Spec = SPEC) -> None:
    """Everything, or what of it is missing."""
    table = predictions(Run(spec), EVALUATION).table
    table = pd.concat(table.assign(ties=ties, inference=inference) for ties in TIES for inference in (NOISE, CONSTANT))
    Outputs(figures_dir() / "faults").write_figure(accuracy_vs_timesteps(table), table, FIGURE)


def results() -> dict[str, bytes]:
    """All that the job leaves and that repeats, by name: weights, history, accuracies, images told right, figure."""
    run = Run(SPEC)
    kept = [run.folder / "weights.safetensors", run.folder / "history.csv", EVALUATION.file(run)]
    kept.append(EVALUATION.file(run).with_suffix(".safetensors"))
    kept += [figures_dir() / "faults" / f"{FIGURE}.{ending}" for ending in ("csv", "svg", "png")]
    return {path.name: path.read_bytes() for path in kept}


def sound(whole: dict[str, bytes]) -> None:
    """Every file under a final name is whole, whatever is missing."""
    for path in [p for p in (*runs_dir().rglob("*"), *figures_dir().rglob("*")) if p.is_file()]:
        if path.name.startswith((".", "lock")) or "damaged" in path.parts:
            continue
        if path.name in whole and path.name != "timing.csv":
            assert path.read_bytes() == whole[path.name], path
        elif path.suffix == ENDING:  # it names files whose bytes tell of the time, too
            assert path.read_text().endswith("\n"), path
        elif path.suffix == ".json":
            unseal(path)
        elif path.name.startswith("checkpoint-"):
            check(path, path.stem.split("-")[2])
        else:
            assert path.name == "timing.csv", path


def _die_before(n: int) -> None:
    left = n

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        writes = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        if (writes or event in ("os.rename", "os.remove")) and _ours(arguments[0]):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def _on_a_machine_of_its_own(name: str) -> None:
    """It looks for others for ``SNNLIB_LOOKS`` seconds, and rests for half a second after each epoch."""
    holders.BEAT, holders.SILENCE = 0.1, float(os.environ["SNNLIB_LOOKS"])
    holders.machine = lambda: name
    locks.FileLock = lambda path, **options: FileLock(f"{path}.{name}", **options)
    save = checkpoints.save_checkpoint

    def save_and_rest(*arguments: Any) -> None:
        save(*arguments)
        time.sleep(0.5)

    checkpoints.save_checkpoint = save_and_rest


def _ours(path: object) -> bool:
    return isinstance(path, (str, Path)) and Path(path).is_relative_to(runs_dir().parent)


if __name__ == "__main__":
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    if die_at := os.environ.get("SNNLIB_DIE_AT"):
        _die_before(int(die_at))
    if node := os.environ.get("SNNLIB_NODE"):
        _on_a_machine_of_its_own(node)
    print("begun", flush=True)
    with POLLUTIONS[os.environ["SNNLIB_POLLUTION"]]() if "SNNLIB_POLLUTION" in os.environ else nullcontext():
        work()
