"""Accuracies of a run, computed once and kept beside it in the run store."""

from __future__ import annotations

import logging
import time
from typing import Any

import pandas as pd
import torch

from snnlib.fast.process import usable
from snnlib.runs import checkpoints
from snnlib.runs.evaluations import Evaluation
from snnlib.runs.provenance import now, provenance
from snnlib.runs.run import Run, default_device, ensure
from snnlib.store.files import DamagedError, check, explained, seal, set_aside, sha256, unseal, write
from snnlib.store.once import once
from snnlib.store.used import note
from snnlib.training import failures
from snnlib.training.evaluation import accuracy_over_time

log = logging.getLogger("snnlib")


def known(run: Run, evaluation: Evaluation) -> pd.DataFrame | None:
    """What the store holds of this evaluation, None if nothing.

    Raises:
        DamagedError: a file is not as it was written, or of another run, evaluation or training.
    """
    file = evaluation.file(run)
    beside = file.with_suffix(".json")
    with explained(beside):
        if not beside.exists():  # it is written last
            return None
    about = unseal(beside)
    if {name: about.get(name) for name in ("run", "evaluation", "weights")} != _about(run, evaluation):
        raise DamagedError(f"{beside}: belongs to another run, evaluation or training")
    table = pd.read_csv(check(file, about.get("table", "")))
    note(beside, sha256(beside))
    return table


def accuracy(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> pd.DataFrame:
    """Accuracy on the test set at T = 1 ... timesteps for every noise seed; trains the run if need be.

    Computed once, by one process; others that need it wait. What is damaged is moved aside and computed anew.

    Returns:
        The run's columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).

    Raises:
        DataError, TrainingError, StoreError: as `ensure`.
    """

    def read() -> pd.DataFrame | None:
        return None if run.damage() else known(run, evaluation)

    def move_aside(error: DamagedError) -> None:
        file = evaluation.file(run)
        log.warning("%s; moved to %s and computed anew", error, set_aside(file, file.with_suffix(".json")))

    def make() -> pd.DataFrame:
        checkpoints.remove(checkpoints.found(run.folder))  # of a process that was killed at the very end
        return pd.DataFrame() if run.damage() else _compute(run, evaluation, device)

    while True:
        ensure(run.spec, device)
        table = once(read, lambda: run.alone("evaluates"), move_aside, make)
        if len(table):  # else another process has just found the run damaged, and moved it aside
            return table


def _about(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """What an evaluation's numbers depend on."""
    weights = run.metadata["files"]["weights.safetensors"]
    return {"run": run.spec.name, "evaluation": evaluation.spelled, "weights": weights}


def _compute(run: Run, evaluation: Evaluation, device: torch.device | str | None) -> pd.DataFrame:
    device = usable(device or default_device())
    made, began = provenance(device), time.perf_counter()
    with (
        run.spec.recipe.execution(),
        failures.naming_place(
            lambda: f"{run.spec.label}: {type(evaluation).__name__}", "evaluation.batch_size", evaluation.batch_size
        ),
    ):
        table = accuracy_over_time(
            evaluation.network(run, device),
            run.data(device),
            evaluation.timesteps,
            evaluation.noise_seeds,
            evaluation.batch_size,
            run.spec.recipe.precision,
        )
    file = evaluation.file(run)
    write(file, table.assign(**run.spec.columns())[[*run.spec.columns(), *table]].to_csv(index=False))
    made |= {"finished": now(), "wall_seconds": time.perf_counter() - began}
    write(file.with_suffix(".json"), seal({**_about(run, evaluation), "table": sha256(file), "made": made}))
    note(file.with_suffix(".json"), sha256(file.with_suffix(".json")))
    return pd.read_csv(file)
