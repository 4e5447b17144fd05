"""Accuracies of a run, computed once and kept beside it in the run store."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import torch
from pydantic import ConfigDict, Field, model_validator

from snnlib import store
from snnlib.checks import Checked
from snnlib.conversion import STATISTICS, convert
from snnlib.evaluation import accuracy_over_time, calibration_images, threads
from snnlib.models import Network
from snnlib.neurons import Converted, SingleStep
from snnlib.runs import Run, default_device, ensure

# Raised when the same evaluation would give other numbers.
FORMAT = 1


class Evaluation(Checked):
    """How a run is converted (step 3) and for how long, how often and how it is evaluated."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    alpha: float = 4.0  # inf: step 2
    beta: float = 0.5
    leak: float = 0.5
    statistics: Literal[STATISTICS] = "layer"
    calibration: int = Field(500, ge=1)  # training images, for frozen statistics
    timesteps: int = Field(10, ge=1, le=10_000)
    noise_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0, 1, 2), min_length=1)
    batch_size: int = Field(250, ge=1)

    @model_validator(mode="after")
    def _convertible(self) -> Evaluation:
        Converted(alpha=self.alpha, beta=self.beta, leak=self.leak)  # refuses with its reason
        return self

    def changed(self, **fields: Any) -> Evaluation:
        """The same evaluation with other fields; an `InputError` for one that cannot be used."""
        return Evaluation(**{**self.model_dump(), **fields})

    @property
    def key(self) -> str:
        """Hash of all fields."""
        canonical = json.dumps({"format": FORMAT, **json.loads(self.model_dump_json())}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    def file(self, run: Run) -> Path:
        """Where this evaluation of this run is kept."""
        return run.folder / f"accuracy-{self.key}.csv"


def converted(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> Network:
    """The run's network as the evaluation wants it: converted if it was trained at a single step."""
    model = run.model(device)
    if not isinstance(run.spec.dynamics, SingleStep):
        return model
    e = evaluation
    images = calibration_images(run.data(device), e.calibration) if e.statistics == "frozen" else None
    return convert(model, e.alpha, e.beta, e.leak, e.statistics, images, max(e.timesteps, 2))


def accuracy(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> pd.DataFrame:
    """Accuracy on the test set at T = 1 ... timesteps for every noise seed; trains the run if need be.

    Returns:
        The run's columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).
    """
    file = evaluation.file(run)
    if not file.exists():
        device = device or default_device()
        ensure(run.spec, device)
        with threads(run.spec.recipe.threads):
            table = accuracy_over_time(
                converted(run, evaluation, device),
                run.data(device),
                evaluation.timesteps,
                evaluation.noise_seeds,
                evaluation.batch_size,
                run.spec.recipe.precision,
            )
        store.write(file, table.assign(**run.spec.columns())[[*run.spec.columns(), *table]].to_csv(index=False))
    return pd.read_csv(file)


def three_steps(run: Run, evaluation: Evaluation) -> pd.DataFrame:
    """Accuracy after each step of the method: T = 1, the ensemble (alpha = inf), and the conversion.

    Returns:
        Columns step, timesteps, mean, std (percent, over noise seeds), noise_seeds.
    """
    rows = []
    for step, timesteps, alpha in (
        (1, 1, math.inf),
        (2, evaluation.timesteps, math.inf),
        (3, evaluation.timesteps, evaluation.alpha),
    ):
        table = accuracy(run, evaluation.changed(alpha=alpha))
        percent = table[table.timesteps == timesteps].accuracy * 100
        rows.append((step, timesteps, percent.mean(), percent.std(), len(percent)))
    return pd.DataFrame(rows, columns=["step", "timesteps", "mean", "std", "noise_seeds"])
