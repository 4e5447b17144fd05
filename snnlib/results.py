"""Accuracies of a run, computed once and kept beside it in the run store."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import pandas as pd
import torch
from pydantic import ConfigDict, Field, model_validator
from torch import Tensor

from snnlib import store
from snnlib.ann_conversion import to_spiking
from snnlib.checks import Checked, InputError
from snnlib.conversion import STATISTICS, convert, with_dynamics
from snnlib.evaluation import accuracy_over_time, calibration_images
from snnlib.models import Network
from snnlib.neurons import FIRST_STEPS, LIF, Converted, SingleStep
from snnlib.runs import Run, default_device, ensure

# Raised when the same evaluation would give other numbers.
FORMAT = 2


class Evaluation(Checked):
    """How a trained net is run on the test set. Subclasses say what it is turned into before."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    timesteps: int = Field(10, ge=1, le=10_000)
    noise_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0, 1, 2), min_length=1)
    batch_size: int = Field(250, ge=1)
    calibration: int = Field(500, ge=1)  # training images, for what is measured before

    def network(self, run: Run, device: torch.device | str | None = None) -> Network:
        """The run's network, as it is evaluated."""
        raise NotImplementedError

    def images(self, run: Run, device: torch.device | str | None = None) -> Tensor:
        """The training images [N, C, H, W] to calibrate on, always the same ones."""
        return calibration_images(run.data(device), self.calibration)

    def changed(self, **fields: Any) -> Self:
        """The same evaluation with other fields; an `InputError` for one that cannot be used."""
        return type(self)(**{**self.model_dump(), **fields})

    @property
    def key(self) -> str:
        """Hash of all fields."""
        fields = {"format": FORMAT, "kind": type(self).__name__, **json.loads(self.model_dump_json())}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]

    def file(self, run: Run) -> Path:
        """Where this evaluation of this run is kept."""
        return run.folder / f"accuracy-{self.key}.csv"


class AsTrained(Evaluation):
    """The net as it was trained: an ANN, a directly trained net, the single-step net."""

    def network(self, run: Run, device: torch.device | str | None = None) -> Network:
        return run.model(device)


class AsLIF(Evaluation):
    """The weights in plain LIF neurons (Eqs. 1-3): what conversion is if noise and normalisation are left out."""

    leak: float = Field(0.5, ge=0, le=1)

    def network(self, run: Run, device: torch.device | str | None = None) -> Network:
        trained = run.spec.dynamics
        if not isinstance(trained, SingleStep):
            raise InputError(f"dynamics = {trained.kind}: AsLIF takes the weights of a net trained as single_step")
        return with_dynamics(run.model(device), lambda neuron: LIF(self.leak, v_th=trained.v_th))


class Conversion(Evaluation):
    """Step 3 of the method (step 2 at alpha = inf), for nets trained at a single step."""

    alpha: float = 4.0
    beta: float = 0.5
    leak: float = 0.5
    statistics: Literal[STATISTICS] = "layer"
    first_step: Literal[FIRST_STEPS] = "noise"

    @model_validator(mode="after")
    def _convertible(self) -> Conversion:
        Converted(alpha=self.alpha, beta=self.beta, leak=self.leak)  # refuses with its reason
        return self

    def network(self, run: Run, device: torch.device | str | None = None) -> Network:
        images = self.images(run, device) if self.statistics == "frozen" else None
        return convert(
            run.model(device), self.alpha, self.beta, self.leak, self.statistics, images,
            timesteps=max(self.timesteps, 2), first_step=self.first_step,
        )  # fmt: skip


class AnnConversion(Evaluation):
    """ANN-to-SNN conversion, for relu and qcfs nets; a qcfs net brings its own thresholds."""

    noise_seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field((0,), min_length=1)  # nothing is drawn
    percentile: float = Field(100.0, gt=0, le=100)  # of the activations, as threshold
    v_init: float = Field(0.0, ge=0, le=1)  # in thresholds

    def network(self, run: Run, device: torch.device | str | None = None) -> Network:
        return to_spiking(run.model(device), self.images(run, device), self.percentile, self.v_init)


def accuracy(run: Run, evaluation: Evaluation, device: torch.device | str | None = None) -> pd.DataFrame:
    """Accuracy on the test set at T = 1 ... timesteps for every noise seed; trains the run if need be.

    Returns:
        The run's columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).
    """
    file = evaluation.file(run)
    if not file.exists():
        device = device or default_device()
        ensure(run.spec, device)
        with run.spec.recipe.execution():
            table = accuracy_over_time(
                evaluation.network(run, device),
                run.data(device),
                evaluation.timesteps,
                evaluation.noise_seeds,
                evaluation.batch_size,
                run.spec.recipe.precision,
            )
        store.write(file, table.assign(**run.spec.columns())[[*run.spec.columns(), *table]].to_csv(index=False))
    return pd.read_csv(file)


def three_steps(run: Run, evaluation: Conversion) -> pd.DataFrame:
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
