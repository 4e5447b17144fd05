"""A recipe: how a network is trained, part of what names a run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from snnlib.checks import InputError
from snnlib.data.batches import AUGMENTATIONS
from snnlib.fast.compiled import compiling
from snnlib.fast.process import PRECISIONS, pinned, threads
from snnlib.spelling import ADDED, Checked, Formerly
from snnlib.training.losses import LOSSES
from snnlib.training.optimizers import OPTIMIZERS, SCHEDULES

MOST_PARTS = 1000  # of an epoch between two evaluations


class Recipe(Checked):
    """How a network is trained. Defaults are the paper's (Sec. 3), or design choices where it is silent."""

    epochs: int = Field(default=100, ge=1, le=100_000)
    batch_size: int = Field(default=128, ge=2, le=65_536)
    loss: Annotated[Literal[tuple(LOSSES)], ADDED] = "mse"
    smoothing: Annotated[float, ADDED] = Field(default=0.0, ge=0, lt=1)  # of the labels in cross_entropy
    optimizer: Annotated[Literal[OPTIMIZERS], ADDED] = "adam"
    lr: float = Field(default=1e-4, gt=0, le=10)  # the optimizer's; the peak, where the schedule has one
    weight_decay: Annotated[float, ADDED] = Field(default=0.0, ge=0, le=1)
    momentum: Annotated[float, ADDED] = Field(default=0.9, ge=0, lt=1)  # of sgd and muon
    # one_cycle is PyTorch's OneCycleLR: it moves Adam's beta_1 too, between 0.85 and 0.95, against the rate.
    # triangle goes up and down in straight lines (Jordan 2024).
    schedule: Literal[SCHEDULES] = "warm_restarts"
    restart_every: int = Field(default=100, ge=1, le=100_000)  # epochs, T_max of Sec. 3
    # Images mirrored or not; crops of them with 4 pixels of zeros around; both; then with a square that is cut out.
    augment: Annotated[Literal[tuple(AUGMENTATIONS)], Formerly(false="none", true="crop_flip")] = "none"
    precision: Literal[PRECISIONS] = "float32"
    threads: int = Field(default=1, ge=1, le=1024)  # on a CPU; part of the recipe, since it decides the last bit
    # Epochs, or a part of one, 1 / a whole number; the last one is evaluated too. 0: none is.
    evaluate_every: int | float = Field(default=1, ge=0, le=100_000)
    test_timesteps: int = Field(default=10, ge=1, le=1000)  # T at which a single-step net is tested, converted (step 3)
    test_batch: Annotated[int, ADDED] = Field(default=250, ge=1, le=65_536)  # images: noise is drawn by the batch
    compile: bool = False  # the neurons (`fast.compiled`): seconds to start, faster then; part of the recipe likewise
    # GPUs, or processes on a CPU, among which each batch is divided; noise is each one's own, so the weights differ.
    devices: Annotated[int, ADDED] = Field(default=1, ge=1, le=64)
    synchronised: Annotated[bool, ADDED] = True  # batch norm, over the whole batch; else over each device's part

    @field_validator("evaluate_every")
    @classmethod
    def _divides(cls, every: float) -> float:
        if float(every).is_integer():
            return int(every)
        parts = 1 / every
        if every > 1 or parts > MOST_PARTS or not math.isclose(parts, round(parts)):
            raise InputError(
                f"evaluate_every = {every}: must be a whole number of epochs, or 1 / a whole number up to {MOST_PARTS}"
            )
        return every

    @model_validator(mode="after")
    def _smooths_labels(self) -> Recipe:
        if self.smoothing and self.loss != "cross_entropy":
            raise InputError(f"smoothing = {self.smoothing}: must be 0 with loss = {self.loss}; it is cross_entropy's")
        return self

    @model_validator(mode="after")
    def _divides_batches(self) -> Recipe:
        if self.batch_size % self.devices:
            raise InputError(
                f"batch_size = {self.batch_size}: must be divisible by devices = {self.devices}, which share a batch"
            )
        if self.devices == 1 and not self.synchronised:
            raise InputError("synchronised = False: must be true with devices = 1, whose part of a batch is all of it")
        return self

    @property
    def parts(self) -> int:
        """Of an epoch, each of them evaluated; 1 where epochs are whole, evaluated or not."""
        return round(1 / self.evaluate_every) if 0 < self.evaluate_every < 1 else 1

    def evaluates(self, epoch: float) -> bool:
        """Whether the net is tested after so many epochs, where a part of one ends."""
        every = self.evaluate_every
        return every > 0 and (every < 1 or epoch % every == 0 or epoch == self.epochs)

    @contextmanager
    def execution(self) -> Iterator[None]:
        """Run as the recipe says, whatever the process was set to: on so many threads, compiled or not."""
        with pinned(), threads(self.threads), compiling(self.compile):
            yield
