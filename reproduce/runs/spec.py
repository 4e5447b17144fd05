"""A spec says all that decides a training run's weights, and its hash names the run."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, field_validator, model_validator

from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.checks import InputError
from snnlib.data.sets import DATASETS, SIZES
from snnlib.dynamics import LIF, Converted, SingleStep
from snnlib.models import INPUT_SHAPES, NETWORKS, READOUTS, check_width
from snnlib.rate import Rate
from snnlib.spelling import ADDED, Checked
from snnlib.training.recipe import Recipe

IN_TIME = ("lif", "if")  # trained directly, through time
ANNS = ("relu", "qcfs")  # no neurons fire

# Raised when the same spec would train to other weights, so that no older run passes for a new one.
FORMAT = 3


class Spec(Checked):
    """All that decides a run's weights.

    Unknown fields and values out of range are refused with an `InputError` of one line.
    """

    dataset: Literal[DATASETS]
    network: Literal[tuple(NETWORKS)]
    width: float = 1.0
    readout: Literal[READOUTS] = "spikes"
    batch_norm: bool = True
    dynamics: Annotated[SingleStep | LIF | IF | ReLU | QCFS | Rate, Discriminator("kind")] = SingleStep()
    timesteps: int = Field(default=1, ge=1, le=1000)  # T of training; if not given, 10 for lif and if, 1 for all others
    recipe: Recipe = Recipe()
    seed: int = Field(default=0, ge=0, lt=2**31)
    after: Spec | None = None  # the run whose last weights are this one's first: fine-tuning
    teacher: Annotated[Spec | None, ADDED] = None  # the run of an ANN, whose outputs this one learns beside the labels
    # Gain and bias that batch norm begins with: at 1 and 0 most currents lie outside of the range that `Rate` counts.
    norm_start: Annotated[tuple[float, float], ADDED] = (1.0, 0.0)
    whitened: Annotated[bool, ADDED] = False  # the first layer begins with whitening filters (`training.whitening`)
    hold_out: Annotated[int, ADDED] = Field(default=0, ge=0, lt=1_000_000)  # training images in place of the test set

    @model_validator(mode="before")
    @classmethod
    def _usual_timesteps(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "timesteps" not in fields:
            dynamics = fields.get("dynamics")
            kind = dynamics.get("kind") if isinstance(dynamics, dict) else getattr(dynamics, "kind", None)
            return {**fields, "timesteps": 10 if kind in IN_TIME else 1}
        return fields

    @field_validator("width")
    @classmethod
    def _leaves_channels(cls, width: float) -> float:
        check_width(width)
        return width

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        kind = self.dynamics.kind
        if kind not in IN_TIME and self.timesteps != 1:
            raise InputError(f"timesteps = {self.timesteps}: {kind} nets train at 1; convert them afterwards")
        if kind in ANNS and self.readout != "potential":
            raise InputError(f"readout = {self.readout}: must be potential for {kind} nets, whose output is analog")
        if self.dataset == "cifar10" and INPUT_SHAPES[self.network][0] == 1:
            fit = ", ".join(name for name, shape in INPUT_SHAPES.items() if shape[0] == 3)
            raise InputError(f"network = {self.network}: must be one of {fit} for cifar10, whose images have colours")
        if self.hold_out >= SIZES[self.dataset][0]:
            raise InputError(
                f"hold_out = {self.hold_out}: must be fewer than the {SIZES[self.dataset][0]} training images"
            )
        if self.recipe.devices > 1 and self.recipe.batch_size > self.images[0]:
            raise InputError(
                f"recipe.batch_size = {self.recipe.batch_size}: must be at most {self.images[0]}, the training images, "
                f"where devices = {self.recipe.devices} share it"
            )
        if self.noisy:
            noise = self.dynamics.noise
            try:
                Converted(noise)  # as it is tested between epochs
            except InputError as error:
                raise InputError(f"noise low and high = {noise.low} and {noise.high}: converted, {error}") from None
        for name in ("dataset", "network", "width", "readout", "batch_norm", "norm_start", "whitened", "hold_out"):
            if self.after is not None and getattr(self, name) != getattr(self.after, name):
                wanted = getattr(self.after, name)
                raise InputError(
                    f"{name} = {getattr(self, name)}: must be {wanted}, as in the run that this is `after`"
                )
        if self.teacher is not None:
            self._taught(self.teacher)
        return self

    def _taught(self, teacher: Spec) -> None:
        """Refuse a teacher that sees other images, or is no ANN."""
        if teacher.dynamics.kind not in ANNS:
            raise InputError(f"teacher.dynamics = {teacher.dynamics.kind}: must be {' or '.join(ANNS)}, an ANN")
        seen = {"images": INPUT_SHAPES[self.network], "dataset": self.dataset, "hold_out": self.hold_out}
        others = {"images": INPUT_SHAPES[teacher.network], "dataset": teacher.dataset, "hold_out": teacher.hold_out}
        for name, wanted in seen.items():
            if others[name] != wanted:
                raise InputError(f"teacher.{name} = {others[name]}: must be {wanted}, as of the run that it teaches")

    @property
    def before(self) -> tuple[Spec, ...]:
        """The runs that have to be trained first: which this one is `after`, and its `teacher`."""
        return tuple(spec for spec in (self.after, self.teacher) if spec is not None)

    @property
    def key(self) -> str:
        """Hash of all fields, those `ADDED` only if not at their default; the same for specs that are equal."""
        canonical = json.dumps({"format": FORMAT, **self.model_dump(mode="json")}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def training(self) -> str:
        """What was trained, in a word: single_step, lif10 (directly, T = 10), relu, qcfs8, rate4, half4, tuned_lif4,
        taught_single_step.

        half4 is rate4 with U = 1/2 in place of random phases.
        """
        d = self.dynamics
        kind = "half" if d.kind == "rate" and not d.spread else d.kind
        number = self.timesteps if d.kind in IN_TIME else getattr(d, "levels", "")
        return f"{'taught_' if self.teacher else ''}{'tuned_' if self.after else ''}{kind}{number}"

    @property
    def noise(self) -> str:
        """The noise it was trained with: a kind, constant (a number other than 0 in its place), or none."""
        d = self.dynamics
        if not isinstance(d, SingleStep) or not (d.noise.half_width or d.noise.centre):
            return "none"
        return d.noise.kind if d.noise.half_width else "constant"

    @property
    def noisy(self) -> bool:
        """Whether noise was drawn in training."""
        return self.noise not in ("none", "constant")

    @property
    def tested_at(self) -> int:
        """T at which it is tested while it trains: converted, where noise was drawn, else as it was trained."""
        return self.recipe.test_timesteps if self.noisy else self.timesteps

    @property
    def images(self) -> tuple[int, int]:
        """How many are trained on, and how many tested on."""
        training, test = SIZES[self.dataset]
        return training - self.hold_out, self.hold_out or test

    @property
    def label(self) -> str:
        """What a reader needs to tell runs apart."""
        noise = "no_noise" if self.noise == "none" else self.noise
        what = self.training.replace("single_step", noise)
        held_out = f"-held_out{self.hold_out}" if self.hold_out else ""
        return f"{self.dataset}-{self.network}-w{self.width:g}-{self.readout}-{what}{held_out}-s{self.seed}"

    @property
    def name(self) -> str:
        """Folder in the run store."""
        return f"{self.label}-{self.key}"

    def columns(self) -> dict[str, Any]:
        """This run's columns in a figure's CSV."""
        return {
            "run": self.name, "dataset": self.dataset, "network": self.network, "width": self.width,
            "augment": self.recipe.augment, "readout": self.readout, "training": self.training, "noise": self.noise,
            "seed": self.seed,
        }  # fmt: skip
