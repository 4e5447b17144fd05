"""How long runs take on a GPU that is not at hand: their FLOP and bytes over the GPU's published peaks.

A kernel takes at least as long as its arithmetic at the peak rate, and as its traffic at the peak bandwidth (the
roofline of Williams, Waterman and Patterson 2009); what trainings reach is a fraction of it. Launching it takes a
while too, whatever it computes. Nothing here was measured on a GPU.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from torch import nn

from reproduce.batch.estimate import estimate
from reproduce.experiments.table1_networks import Layer, layers_of
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Preset
from reproduce.runs.run import build_for
from reproduce.runs.spec import Spec
from snnlib.neurons import Neuron


@dataclass(frozen=True)
class Gpu:
    """Published peaks: FLOP a second by precision, float32 as TF32 where there is one; bytes a second of its memory."""

    name: str
    float32: float
    bfloat16: float
    bandwidth: float


H100 = Gpu("H100", 494.7e12, 989.4e12, 3.35e12)  # SXM, NVIDIA's data sheet, without sparsity

# Of ResNet-50's roofline, trainings that NVIDIA published reach 0.35 to 0.57 (DeepLearningExamples, PyTorch, A100 and
# V100, TF32, float32 and mixed precision; tests/batch/test_roofline.py). Ours draw noise, and images are small.
LIKELY = (0.2, 0.6)

LAUNCH = 5e-6  # seconds from one kernel to the next, at best
KERNELS = 10  # of a module in a training step, forward, backward and update; a third of them in a test


@dataclass(frozen=True)
class Work:
    """What one image at one time step costs in a forward pass, and a step of training whatever its images."""

    macs: int  # multiply-accumulates of convolutions and linear layers
    numbers: int  # that modules write; neurons thrice as many, with their noise and what they compare
    modules: int
    neurons: int
    parameters: int

    @classmethod
    def of(cls, model: nn.Module, found: Sequence[Layer]) -> Work:
        """Of a model whose layers (`reproduce.experiments.table1_networks.layers`) these are."""
        neurons = sum(isinstance(layer.module, Neuron) for layer in found)
        written = [layer for layer in found if not isinstance(layer.module, nn.Flatten | nn.Identity)]
        return cls(
            macs=sum(layer.macs for layer in found),
            numbers=sum(layer.outputs * (3 if isinstance(layer.module, Neuron) else 1) for layer in written),
            modules=len(found),
            neurons=neurons,
            parameters=sum(p.numel() for p in model.parameters()),
        )

    def training(self, gpu: Gpu, precision: str, batch_size: int, timesteps: int = 1) -> tuple[float, float]:
        """Seconds for an image at the GPU's peaks, and of launches, which no fraction touches.

        A backward pass computes twice as much as a forward one. What a module writes is read once forward and once
        backward, its gradient written and read, and as much again where the backward pass needs both.
        """
        update = 10 * 4 * self.parameters / batch_size  # float32: weights read thrice, Adam's seven, once a batch
        seconds = max(
            6 * self.macs * timesteps / getattr(gpu, precision),
            (6 * self.numbers * timesteps * _SIZE[precision] + update) / gpu.bandwidth,
        )
        return seconds, LAUNCH * KERNELS * (self.modules + self.neurons * (timesteps - 1)) / batch_size

    def testing(self, gpu: Gpu, precision: str, batch_size: int, timesteps: int) -> tuple[float, float]:
        """The same of all steps of a forward pass alone."""
        seconds = max(
            2 * self.macs * timesteps / getattr(gpu, precision),
            2 * self.numbers * timesteps * _SIZE[precision] / gpu.bandwidth,
        )
        return seconds, LAUNCH * KERNELS / 3 * (self.modules + self.neurons * timesteps) / batch_size


_SIZE = {"float32": 4, "bfloat16": 2}  # bytes


@dataclass(frozen=True)
class Roofline:
    """`reproduce.batch.estimate.Rates` of a GPU of which trainings reach this fraction."""

    gpu: Gpu
    fraction: float

    def training(self, spec: Spec) -> float:
        """Seconds of a training step, for each image of its batch."""
        r = spec.recipe
        size = min(r.batch_size, spec.images[0]) // r.devices
        seconds = self._seconds(*_work(_net(spec)).training(self.gpu, r.precision, size, spec.timesteps))
        if spec.teacher:
            seconds += self._seconds(*_work(_net(spec.teacher)).testing(self.gpu, r.precision, size, timesteps=1))
        return seconds

    def testing(self, spec: Spec, evaluation: Evaluation) -> float:
        """Seconds of all time steps of an evaluation's pass, for each image."""
        size, steps, views = evaluation.batch_size, evaluation.timesteps, evaluation.views
        return views * self._seconds(*_work(_net(spec)).testing(self.gpu, spec.recipe.precision, views * size, steps))

    def _seconds(self, at_peak: float, launches: float) -> float:
        return max(at_peak / self.fraction, launches)


BASIS = (
    f"a model: each run's FLOP and bytes at {LIKELY[0]:.0%} to {LIKELY[1]:.0%} of the GPU's published peaks, or its "
    "launches; not run on a GPU"
)


def estimates(preset: Preset) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds that each unfinished run of a preset takes on an H100, at best and at worst."""
    worst, best = (estimate(preset, Roofline(H100, fraction)) for fraction in LIKELY)
    return best, worst


def _net(spec: Spec) -> Spec:
    """What decides the work, as one spec for all that share it."""
    return Spec(
        dataset=spec.dataset, network=spec.network, width=spec.width, readout="potential", batch_norm=spec.batch_norm
    )


@cache
def _work(spec: Spec) -> Work:
    net = build_for(spec)
    return Work.of(net, layers_of(net))
