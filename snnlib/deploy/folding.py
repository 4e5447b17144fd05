"""A converted net with frozen statistics is a plain leaky integrate-and-fire net with noise.

With constants mu and M = max|A - mu|, Eqs. 7-9 are affine in V(t-1), sigma cancels, and Eq. 5 with Eq. 6 reads

    H = lambda' V(t-1) + sum_i w_i S_i + b + N',   lambda' = lambda / (alpha M),   b = beta - mu / (alpha M)

which is Eq. 1 with a leak and a bias for each layer, and N' as input noise. It holds where the converted net's clamps
do not act: constants are no bound of potentials, so some potential terms may leave beta -/+ 1/alpha and be clamped
there. `clamped` counts them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from snnlib.baselines.ann_to_snn import fold_batch_norm
from snnlib.checks import InputError, between, finite, instance, magnitude, moderate, whole
from snnlib.conversion import with_dynamics
from snnlib.dynamics import LIF, Converted, reset
from snnlib.fast import Currents, lif_steps
from snnlib.layers import CurrentShortcut, Residual
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Bounded, Gaussian, Noise
from snnlib.simulation import MOST_TIMESTEPS, Simulation, evaluating
from snnlib.spelling import Value
from snnlib.statistics import Frozen
from snnlib.surrogate import Derivative, Surrogate, Triangle, spike

# What a constant that is added before leaves as it came, average pools where they are plain means.
PASSED = (nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.Identity, nn.Flatten, nn.Unflatten, nn.Dropout)
IN_ORDER = (nn.Sequential, Residual, CurrentShortcut)  # modules that call theirs in the order of `Module.modules`


@dataclass(frozen=True)
class NoisyLIF(Value):
    """Leaky integrate and fire (Eqs. 1-3) with a bias and noise on its input.

    The first step has no potential, and ``first`` and ``first_bias``: the converted net's first step.
    """

    leak: float = 0.5
    bias: float = 0.0
    noise: Noise = field(default_factory=Gaussian)  # N' of Eq. 6
    first: Noise = field(default_factory=Gaussian)  # of the first step
    surrogate: Surrogate = field(default_factory=Triangle)
    v_th: float = 1.0
    v_reset: float = 0.0
    first_bias: float = 0.0
    kind: Literal["noisy_lif"] = "noisy_lif"

    def __post_init__(self) -> None:
        instance("noise", self.noise, Bounded, "Gaussian()")
        instance("first", self.first, Bounded, "Gaussian()")
        instance("surrogate", self.surrogate, Derivative, "Triangle()")
        finite("leak", self.leak)
        between("leak", self.leak, 0, math.inf)
        finite("bias", self.bias)
        finite("first_bias", self.first_bias)
        magnitude("v_th", self.v_th)
        moderate("v_reset", self.v_reset)

    @property
    def quiet(self) -> NoisyLIF:
        """The same neuron with the mean of either noise in place of the noise."""
        first, noise = (kind.within(kind.centre, 0.0) for kind in (self.first, self.noise))
        return replace(self, first=first, noise=noise)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if state is None:
            h = current + self.first.like(current, generator) + self.first_bias
        else:
            h = self.leak * state + current + self.noise.like(current, generator) + self.bias  # Eq. 1
        s = spike(h, self.v_th, self.surrogate)  # Eq. 2
        return s, reset(h, s, self.v_reset)  # Eq. 3

    def all_steps(self, currents: Currents, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        rest = state is None
        draws = [self.first if rest and t == 0 else self.noise for t in range(currents.timesteps)]
        noise = [currents.flat(d.like(i, generator)) for d, i in zip(draws, currents.steps(), strict=True)]
        bias = self.first_bias, self.bias
        return lif_steps(currents, state, self.leak, self.v_th, self.v_reset, self.surrogate, noise, bias)


def fold(model: Spiking) -> Spiking:
    """The `NoisyLIF` network that a converted network with frozen statistics is, noise draw by noise draw.

    It shares the weights of ``model``.

    Raises:
        InputError: a neuron that is not `Converted` with `Frozen` statistics: the others' depend on the batch.
    """
    return with_dynamics(model, _folded)


def _folded(neuron: Neuron) -> NoisyLIF:
    d = neuron.dynamics
    if not isinstance(d, Converted):
        raise InputError(f"dynamics = {getattr(d, 'kind', d)}: only a converted net can be folded")
    if not isinstance(d.statistics, Frozen):
        raise InputError(f"statistics = {d.statistics.kind}: must be frozen; others depend on the images of the batch")
    mean, peak = d.statistics.mean, d.statistics.peak
    scale = 1 / (d.alpha * peak) if peak else 0.0  # as in `Converted.memory`
    noise = d.residual
    # At rest the potential term is beta, beside N'.
    first = d.noise if d.first_step == "noise" else noise.within(noise.centre + d.beta, noise.half_width)
    return NoisyLIF(d.leak * scale, d.beta - mean * scale, noise, first, d.surrogate, d.v_th, d.v_reset)


def absorb(model: Spiking) -> Spiking:
    """The same net with each neuron's bias, and batch norm, in the layer before it: convolution, neuron, nothing else.

    The first step had no bias, so it gets as much the other way. A copy.

    Raises:
        InputError: neurons that are not `NoisyLIF`, or that no convolution or linear layer stands before; modules whose
            own code calls others, except `snnlib.layers`'.
    """
    model = fold_batch_norm(_noisy(model))
    for neuron, add in _before(model):
        d = neuron.dynamics
        add(d.bias)
        neuron.dynamics = replace(d, bias=0.0, first_bias=d.first_bias - d.bias)
    return model


def without_noise(model: Spiking) -> Spiking:
    """The plain `LIF` net that is left if a folded net's noise is replaced by its mean: a leak per layer, and weights.

    Its first step gets the bias and the mean of N' like the others, as there is no N_noise to start with. A copy.

    Raises:
        InputError: as of `absorb`, or a leak above 1.
    """
    model = absorb(model)
    for neuron, add in _before(model):
        d = neuron.dynamics
        add(d.noise.centre)
        neuron.dynamics = LIF(d.leak, d.surrogate, d.v_th, d.v_reset)
    return model


def clamped(model: Spiking, images: Tensor, generator: torch.Generator, timesteps: int = 10) -> pd.DataFrame:
    """How often the clamp of a frozen net acts: the share of potential terms outside beta -/+ 1/alpha.

    Args:
        model: converted, with frozen statistics.
        images: standardised, [B, C, H, W].
        generator: on the images' device.
        timesteps: T; a layer has (T - 1) * B * neurons potential terms.

    Returns:
        Columns layer, leak, bias (of the folded net), share (0 to 1), beyond (by how much the term farthest out leaves
        the range, in units of its half-width 1/alpha; 0 if none does).
    """
    whole("timesteps", timesteps, 2, MOST_TIMESTEPS)  # the first has no potential
    folded = dict(fold(model).neurons())
    found: dict[Neuron, list[tuple[float, float]]] = defaultdict(list)

    def observe(neuron: Neuron, t: int, spikes: Tensor, v: Tensor) -> None:
        if t < timesteps:
            d = neuron.dynamics
            # A peak of 0 leaves no memory, and so nothing to clamp.
            deviation = (d.leak * v - d.statistics.mean).abs() / (d.statistics.peak or math.inf)
            found[neuron].append(((deviation > 1).cpu().double().mean().item(), deviation.max().item()))

    with evaluating(model), torch.no_grad():
        model(images, simulation=Simulation(generator, timesteps, observe))
    rows = []
    for name, neuron in model.neurons():
        shares, largest = zip(*found[neuron], strict=True)
        d = folded[name].dynamics
        rows.append((name, d.leak, d.bias, sum(shares) / len(shares), max(max(largest) - 1, 0.0)))
    return pd.DataFrame(rows, columns=["layer", "leak", "bias", "share", "beyond"])


def _noisy(model: Spiking) -> Spiking:
    for _, neuron in model.neurons():
        if not isinstance(neuron.dynamics, NoisyLIF):
            raise InputError(f"dynamics = {getattr(neuron.dynamics, 'kind', neuron.dynamics)}: must be a folded net")
    return model


def _before(model: Spiking) -> Iterator[tuple[Neuron, Callable[[float], None]]]:
    """Each neuron, and what adds a constant to its current, in the last layer before it; a shortcut's will do.

    Where that layer's output passes by the neuron (`CurrentShortcut`), the layer behind it takes the constant away.

    Raises:
        InputError: something else stands between, or nobody knows what does.
    """
    layer = behind = other = None
    for module in model.model.modules():
        if len(model.functions.calls) or (any(module.children()) and not isinstance(module, IN_ORDER)):
            raise InputError(
                f"layer = {type(module).__name__}: what its code calls before a neuron is not known; layers must stand "
                "in nn.Sequential, Residual or CurrentShortcut"
            )
        if isinstance(module, nn.Conv2d | nn.Linear):
            layer = module
        elif isinstance(module, CurrentShortcut):
            behind = next(m for m in module.main if isinstance(m, nn.Conv2d))
        elif isinstance(module, Neuron):
            if layer is None:
                raise InputError(
                    f"layer = {other or 'the input'}: stands before a neuron, whose bias cannot pass it; must be a "
                    "linear layer or a convolution, this with batch norm right behind it at most, then plain pools"
                )
            yield module, partial(_shift, layer, behind)
            layer, behind, other = None, None, module
        elif not (isinstance(module, PASSED + IN_ORDER) and _plain(module)):
            layer, other = None, module


def _plain(module: nn.Module) -> bool:
    return not isinstance(module, nn.AvgPool2d) or not (module.divisor_override or np.any(module.padding))


@torch.no_grad()
def _shift(layer: nn.Module, behind: nn.Module | None, constant: float) -> None:
    for each, change in ((layer, constant), (behind, -constant)):
        if each is not None:
            if each.bias is None:
                each.bias = nn.Parameter(each.weight.new_zeros(len(each.weight)))
            each.bias += change
