"""An evaluation: how a trained net is run on the test set. A hash of its fields names it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import ConfigDict, Field, field_validator
from torch import Tensor

from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError, shown
from snnlib.network import Spiking
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.spelling import ADDED, Checked
from snnlib.training.evaluation import MOST_NOISE_SEEDS, TIES, calibration_images

# Raised when the same evaluation would give other numbers, or keeps more of them.
FORMAT = 4

NoiseSeeds = Annotated[
    tuple[Annotated[int, Field(strict=True, ge=0, lt=2**63)], ...], Field(min_length=1, max_length=MOST_NOISE_SEEDS)
]


class Evaluation(Checked):
    """How a trained net is run on the test set. Subclasses say what it is turned into before."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    timesteps: int = Field(default=10, ge=1, le=MOST_TIMESTEPS)
    noise_seeds: NoiseSeeds = (0, 1, 2)
    batch_size: int = Field(default=250, ge=1, le=4096)
    calibration: int = Field(default=500, ge=1, le=10_000)  # training images, for what is measured before
    ties: Literal[TIES] = "first"  # the class that wins of several with the largest output
    warm_up: Annotated[int, ADDED] = Field(default=0, ge=0, le=MOST_TIMESTEPS)  # steps whose outputs do not count
    flips: Annotated[bool, ADDED] = False  # each image is seen mirrored too, and outputs are averaged

    @field_validator("noise_seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise InputError(f"noise_seeds = {shown(seeds)}: must each be there once")
        return seeds

    def fits(self, spec: Spec) -> None:
        """Refuse a spec whose net cannot be evaluated so with an `InputError`, before it is trained."""

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        """The run's network, as it is evaluated."""
        raise NotImplementedError

    def images(self, run: Run, device: torch.device | str | None = None) -> Tensor:
        """The training images [N, C, H, W] to calibrate on, always the same ones."""
        return calibration_images(run.data(device), self.calibration)

    @property
    def views(self) -> int:
        """How many images the net sees of each: itself, and with `flips` its mirror image."""
        return 1 + self.flips

    def of(self, images: int) -> int:
        """How many of so many test images it is run on."""
        return images

    def changed(self, **fields: Any) -> Self:
        """The same evaluation with other fields; an `InputError` for one that cannot be used."""
        return type(self)(**{**self.model_dump(), **fields})

    @property
    def spelled(self) -> dict[str, Any]:
        """Its kind and all fields, as JSON has them."""
        return {"kind": type(self).__name__, **json.loads(self.model_dump_json())}

    @property
    def key(self) -> str:
        """Hash of all fields, those `ADDED` only if not at their default."""
        fields = {"format": FORMAT, **self.spelled}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]

    def file(self, run: Run) -> Path:
        """Where this evaluation of this run is kept; the JSON beside it says what it was made with."""
        known = run.place / f"accuracy-{self.key}.csv"
        return known if known.exists() else run.folder / known.name
