"""Predictions of a run's net for the test set, computed once and kept beside it in the run store."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reproduce.runs import checkpoints
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import read
from reproduce.runs.pretrained import WEIGHTS
from reproduce.runs.provenance import now, provenance
from reproduce.runs.run import Run, default_device
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.fast.process import usable
from snnlib.network import Spiking
from snnlib.store.files import DamagedError, check, explained, seal, set_aside, sha256, unseal, write
from snnlib.store.once import once
from snnlib.store.tensors import load_tensors, save_tensors
from snnlib.store.used import note
from snnlib.training import failures
from snnlib.training.evaluation import Predictions, predict

log = logging.getLogger("snnlib")


def known(run: Run, evaluation: Evaluation) -> Predictions | None:
    """What the store holds of this evaluation, None if nothing.

    Raises:
        DamagedError: a file is not as it was written, or of another run, evaluation or training.
    """
    table, right, about = _files(run, evaluation)
    with explained(about):
        if not about.exists():  # it is written last
            return None
    said = unseal(about)
    if {name: said.get(name) for name in ("run", "evaluation", "weights")} != _about(run, evaluation):
        raise DamagedError(f"{about}: belongs to another run, evaluation or training")
    for file, digest in zip((table, right), said.get("files", ("", "")), strict=True):
        check(file, digest)
    note(about, sha256(about))
    return Predictions(_table(run, table), _unpacked(*load_tensors(right)))


def evaluated(run: Run) -> list[tuple[Evaluation, pd.DataFrame]]:
    """Every evaluation of a run that the store holds intact, with its table; nothing is computed."""
    found = []
    for about in sorted(run.place.glob("accuracy-*.json")):
        with suppress(DamagedError, InputError):
            evaluation = read(unseal(about).get("evaluation", {}))
            held = known(run, evaluation)
            if held is not None and evaluation.file(run) == about.with_suffix(".csv"):
                found.append((evaluation, held.table))
    return found


def accuracy(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> pd.DataFrame:
    """Accuracy on the test set at T = 1 ... timesteps for every noise seed; of `predictions`.

    Returns:
        The run's columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).
    """
    return predictions(run, evaluation, device).table.drop(columns=["tied", "silent"])


@failures.resumable()
def predictions(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> Predictions:
    """What the run's net says of the test set at T = 1 ... timesteps for every noise seed; trains the run if need be.

    Computed once, by one process; others that need it wait. What is damaged is moved aside and computed anew.

    Returns:
        Its table with the run's columns (`Spec.columns`) before the others.

    Raises:
        DataError, TrainingError, StoreError, Interrupted: as `ensure`.
    """

    def read() -> Predictions | None:
        held = None if run.damage() else known(run, evaluation)
        if held is not None:
            log.debug("%s: evaluated before, in %s", run.label, evaluation.file(run))
        return held

    def move_aside(error: DamagedError) -> None:
        log.warning("%s; moved to %s and computed anew", error, set_aside(*_files(run, evaluation)))

    def make() -> Predictions | None:
        if not run.done or run.damage():  # another process moved it aside, and may have begun it anew
            return None
        checkpoints.remove(checkpoints.found(run.folder))  # of a process that was killed at the very end
        return _compute(run, evaluation, device)

    if not run.done and run.published and run.mend():
        with suppress(DamagedError):
            if (found := read()) is not None:
                return found
    while True:
        ensure(run.spec, device, run.label)
        found = once(read, lambda: run.alone("evaluates", untold=10.0), move_aside, make)
        if found is not None:  # else another process has just found the run damaged, and moved it aside
            return found


def _files(run: Run, evaluation: Evaluation) -> tuple[Path, Path, Path]:
    """The table, which images are right, and what vouches for both."""
    table = evaluation.file(run)
    return table, table.with_suffix(".safetensors"), table.with_suffix(".json")


def _about(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """What an evaluation's numbers depend on."""
    weights = run.metadata["files"][WEIGHTS]
    return {"run": run.spec.name, "evaluation": evaluation.spelled, "weights": weights}


def predicted(run: Run, evaluation: Evaluation, data: Dataset, model: Spiking | None = None) -> Predictions:
    """What a net predicts of test images in the way of an evaluation; nothing is kept.

    Args:
        data: on the device where it is to happen.
        model: what was made of the evaluation's net; itself if not given.
    """
    e, recipe = evaluation, run.spec.recipe
    with recipe.execution():
        net = e.network(run, data.test.images.device) if model is None else model
        return predict(
            net, data, e.timesteps, e.noise_seeds, e.batch_size, recipe.precision, e.ties, e.warm_up, e.flips
        )


def _compute(run: Run, evaluation: Evaluation, device: torch.device | str | None) -> Predictions:
    device = usable(device or default_device())
    made, began = provenance(device), time.perf_counter()
    with failures.naming_place(
        lambda: f"{run.label}: {type(evaluation).__name__}", "evaluation.batch_size", evaluation.batch_size
    ):
        data = run.data(device)
        found = predicted(run, evaluation, data.first(evaluation.of(len(data.test))))
    named = {**run.spec.columns(), **found.table}
    table, right, about = _files(run, evaluation)
    run.still_alone()
    write(table, found.table.assign(**named)[[*named]].to_csv(index=False))
    save_tensors(right, *_packed(found.right))
    made |= {"finished": now(), "wall_seconds": time.perf_counter() - began}
    write(about, seal({**_about(run, evaluation), "files": [sha256(table), sha256(right)], "made": made}))
    note(about, sha256(about))
    return Predictions(_table(run, table), found.right)


def _table(run: Run, file: Path) -> pd.DataFrame:
    """What a table holds, with the run's columns as they are today: older ones have fewer."""
    table, named = pd.read_csv(file), run.spec.columns()
    return table.assign(**named)[[*named, *(name for name in table if name not in named)]]


def _packed(right: Tensor) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Eight images in a byte, and how many there are."""
    return {"right": torch.from_numpy(np.packbits(right.numpy(), axis=-1))}, {"images": right.shape[-1]}


def _unpacked(tensors: dict[str, Tensor], info: dict[str, Any]) -> Tensor:
    """bool [noise seeds, T, N]."""
    return torch.from_numpy(np.unpackbits(tensors["right"].numpy(), axis=-1, count=info["images"])).bool()
