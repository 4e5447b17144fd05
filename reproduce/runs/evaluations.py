"""What a trained net is turned into before it is tested, each kind an `Evaluation`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator

from reproduce.runs.evaluation import Evaluation, NoiseSeeds
from reproduce.runs.run import Run
from reproduce.runs.spec import ANNS, Spec
from snnlib.baselines.ann_to_snn import to_spiking
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError, one_of
from snnlib.conversion import STATISTICS, convert, with_dynamics
from snnlib.dynamics import FIRST_STEPS, LIF, Converted, Dynamics, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.models import without_last_neurons
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Noise
from snnlib.rate import Rate, integrated
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.spelling import ADDED

OUTPUTS = ("trained", "quiet", "current")
LAYERS = ("all", "hidden", "readout")
MOST_AT_ONCE = 100_000  # images and time steps in one pass: gigabytes in the wider nets


class AsTrained(Evaluation):
    """The net as it was trained: an ANN, a directly trained net, the single-step net."""

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        return run.model(device)


class AsLIF(Evaluation):
    """The weights in plain LIF neurons (Eqs. 1-3): what conversion is if noise and normalisation are left out."""

    leak: float = Field(default=0.5, ge=0, le=1)

    def fits(self, spec: Spec) -> None:
        if not isinstance(spec.dynamics, SingleStep):
            kind = spec.dynamics.kind
            raise InputError(f"dynamics = {kind}: AsLIF takes the weights of a net trained as single_step")

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        return with_dynamics(run.model(device), lambda neuron: LIF(self.leak, v_th=run.spec.dynamics.v_th))


class Conversion(Evaluation):
    """Step 3 of the method (step 2 at alpha = inf), for nets trained at a single step."""

    alpha: float = 4.0
    beta: float = 0.5
    leak: float = 0.5
    statistics: Literal[STATISTICS] = "layer"
    first_step: Literal[FIRST_STEPS] = "noise"
    noise: Noise | None = None  # N_noise, where it is not that of training
    # Where spikes are read: those of neurons with their noise's mean in place of noise and memory, or their currents.
    output: Annotated[Literal[OUTPUTS], ADDED] = "trained"
    layers: Annotated[Literal[LAYERS], ADDED] = "all"  # with a memory; the others draw all their noise, as in step 2

    @model_validator(mode="after")
    def _convertible(self) -> Conversion:
        Converted(self.noise or Gaussian(), self.alpha, self.beta, self.leak)  # refuses with its reason
        images = self.calibration * self.timesteps
        if self.statistics == "frozen" and images > MOST_AT_ONCE:
            raise InputError(
                f"calibration x timesteps = {images}: must be at most {MOST_AT_ONCE} with statistics = frozen, "
                "which are measured in one pass"
            )
        return self

    def fits(self, spec: Spec) -> None:
        trained = spec.dynamics
        if not isinstance(trained, SingleStep):
            raise InputError(f"dynamics = {trained.kind}: only a net trained as single_step can be converted by alpha")
        if self.output != "trained" and spec.readout != "spikes":
            raise InputError(f"output = {self.output}: {spec.label} has no spikes there; readout = {spec.readout}")
        _parted(self.layers, spec)
        if self.layers != "all" and self.output != "trained":
            raise InputError(f"layers = {self.layers}: must be all with output = {self.output}")
        noise = self.noise or trained.noise
        try:
            Converted(noise, self.alpha, self.beta, self.leak)
        except InputError as error:
            raise InputError(f"{spec.label}, noise low and high = {noise.low} and {noise.high}: {error}") from None

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        images = self.images(run, device) if self.statistics == "frozen" else None
        model = run.model(device)
        if self.output == "current":
            model = without_last_neurons(model)
        alphas = [self.alpha if here else math.inf for here in _chosen(self.layers, run.spec, model).values()]
        converted = convert(
            model, alphas, self.beta, self.leak, self.statistics, images,
            timesteps=None if images is None else max(self.timesteps, 2), first_step=self.first_step, noise=self.noise,
        )  # fmt: skip
        if self.output != "quiet":
            return converted
        *_, (_, last) = converted.neurons()
        return with_dynamics(converted, lambda neuron: last.dynamics.quiet if neuron is last else neuron.dynamics)

    @property
    def at_mean(self) -> Conversion:
        """The same net at T = 1 with the constant 1/2 in place of N_noise, its mean: nothing is drawn."""
        half = Gaussian(low=0.5, high=0.5)
        return self.changed(alpha=math.inf, beta=half.centre, noise=half, timesteps=1, noise_seeds=(0,))


class Phased(Evaluation):
    """Phases in place of noise, for nets trained at a single step: the exact memory, or a control without one.

    In the ``layers`` that are named; the others draw noise, as in step 2.
    """

    memory: Literal["exact", "none"] = "exact"  # none: `LowDiscrepancy`
    spread: float = 1.0  # of the exact memory's first phases in hidden layers: the law of training is kept
    readout_spread: float = 0.5  # in a readout that spikes, whose chance nobody needs
    layers: Literal[LAYERS] = "all"

    @model_validator(mode="after")
    def _possible(self) -> Phased:
        for spread in (self.spread, self.readout_spread):
            ExactMemory(spread=spread)  # refuses with its reason
        return self

    @classmethod
    def beside(cls, other: Evaluation, **fields: Any) -> Self:
        """As long as another evaluation, with the same noise seeds, batches and ties."""
        shared = other.model_dump(include={"timesteps", "noise_seeds", "batch_size", "ties"})
        return cls(**shared, **fields)

    def fits(self, spec: Spec) -> None:
        if not isinstance(spec.dynamics, SingleStep):
            raise InputError(f"dynamics = {spec.dynamics.kind}: only a net trained as single_step has noise to replace")
        _parted(self.layers, spec)
        self._of(spec.dynamics, self.spread)

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        model = run.model(device)
        chosen, reads_out = (_chosen(layers, run.spec, model) for layers in (self.layers, "readout"))

        def change(neuron: Neuron) -> Dynamics:
            spread = self.readout_spread if reads_out[neuron] else self.spread
            return self._of(neuron.dynamics, spread) if chosen[neuron] else neuron.dynamics

        return with_dynamics(model, change)

    def _of(self, trained: SingleStep, spread: float) -> Dynamics:
        if self.memory == "none":
            return LowDiscrepancy(trained.noise, trained.v_th)
        return ExactMemory(trained.noise, spread, trained.v_th)


class AnnConversion(Evaluation):
    """ANN-to-SNN conversion, for relu and qcfs nets; a qcfs net brings its own thresholds."""

    noise_seeds: NoiseSeeds = (0,)  # nothing is drawn
    percentile: float = Field(default=100.0, gt=0, le=100)  # of the activations, as threshold
    v_init: float = Field(default=0.0, ge=0, le=1)  # in thresholds
    tested: Annotated[int | None, ADDED] = Field(default=None, ge=1)  # so many test images, the first ones; None: all

    def fits(self, spec: Spec) -> None:
        kind = spec.dynamics.kind
        if kind not in ANNS:
            raise InputError(f"dynamics = {kind}: only a net trained as relu or qcfs can be converted by percentile")
        if kind == "qcfs" and self.percentile != 100:
            raise InputError(
                f"percentile = {self.percentile}: must be 100 for a qcfs net, which brings its own thresholds"
            )

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        return to_spiking(run.model(device), self.images(run, device), self.percentile, self.v_init)

    def of(self, images: int) -> int:
        return min(self.tested or images, images)


class Integrated(Evaluation):
    """A net trained on rates as one that spikes: IF neurons from the same phases (`snnlib.rate.integrated`)."""

    def fits(self, spec: Spec) -> None:
        _trained_on_rates(spec)

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        return integrated(run.model(device))


class Pipelined(Evaluation):
    """The same, each layer waiting for all of its input's steps: the net as it was trained, at any number of levels.

    One pass is a run of so many steps in each layer, one layer after another.
    """

    timesteps: Literal[1] = 1
    levels: int = Field(default=4, ge=1, le=MOST_TIMESTEPS)  # T of each layer

    def fits(self, spec: Spec) -> None:
        _trained_on_rates(spec)

    def network(self, run: Run, device: torch.device | str | None = None) -> Spiking:
        self.fits(run.spec)
        return integrated(run.model(device), self.levels)


def _parted(layers: str, spec: Spec) -> None:
    """Refuse a readout alone where it has no neurons."""
    if layers == "readout" and spec.readout != "spikes":
        raise InputError(f"layers = readout: {spec.label} has no spikes there; readout = {spec.readout}")


def _chosen(layers: str, spec: Spec, model: Spiking) -> dict[Neuron, bool]:
    """Whether each layer of neurons is meant; a readout of potentials has none, so that the hidden ones are all."""
    neurons = [neuron for _, neuron in model.neurons()]
    hidden = len(neurons) - (spec.readout == "spikes")
    return {neuron: layers == "all" or (layers == "hidden") == (i < hidden) for i, neuron in enumerate(neurons)}


def _trained_on_rates(spec: Spec) -> None:
    if not isinstance(spec.dynamics, Rate):
        raise InputError(f"dynamics = {spec.dynamics.kind}: only a net trained as rate can be integrated")


KINDS = {cls.__name__: cls for cls in (AsTrained, AsLIF, Conversion, Phased, AnnConversion, Integrated, Pipelined)}


def read(spelled: Mapping[str, Any]) -> Evaluation:
    """The evaluation that was `Evaluation.spelled` so; an `InputError` if this version has none of that kind."""
    fields = dict(spelled)
    kind = fields.pop("kind", None)
    one_of("evaluation", kind, KINDS)
    return KINDS[kind](**fields)
