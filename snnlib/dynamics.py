"""What a neuron computes (Eqs. 1-9): its dynamics.

A dynamics is a frozen value with one pure step, ``(current, state, generator) -> (spikes, state)``.
The state before the first step is None; nothing is kept between calls and nothing is reset.
Potentials are dimensionless, in units in which the paper's threshold is 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from snnlib.checks import InputError, between, instance, magnitude, moderate, number, one_of
from snnlib.fast import Currents, in_two_passes, lif_steps, memory_step, noisy_spike
from snnlib.noise import Bounded, Gaussian, Noise
from snnlib.spelling import Value
from snnlib.statistics import Frozen, Layer, Sample, Statistics
from snnlib.surrogate import Derivative, Surrogate, Triangle, spike

FIRST_STEPS = ("noise", "rest")
AT_REST = Frozen(0.0, 0.0)  # of potentials that all agree, whatever statistics are taken of others


class Dynamics(Protocol):
    """What a `Neuron` needs: one step of time, as a pure function.

    One that draws noise may have a property ``quiet``, the same without chance, for `Simulation.quiet`.
    """

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        """Advance by one time step.

        Args:
            current: weighted input sum_i w_i S_i(t), shape [B, ...].
            state: the potential V(t-1) in the same shape, None before the first step.
            generator: where noise is drawn from, on the current's device.

        Returns:
            What the neurons put out, in the current's shape and dtype, and V(t): spikes S(t), 0 or 1, of `IF` 0 or its
            height; of the activations that stand for neurons in training (`Rate`, `QCFS`, `ReLU`) analog values.
        """
        ...


@runtime_checkable
class AtOnce(Dynamics, Protocol):
    """A dynamics that can also take all its steps at once: the same spikes, sooner."""

    def all_steps(
        self, currents: Currents, state: Tensor | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor | None]:
        """Spikes [T·B, ...] of all steps, and V(T); gradients run through the spikes alone."""
        ...


def reset(h: Tensor, s: Tensor, v_reset: float) -> Tensor:
    """V = H (1 - S) + V_reset S (Eq. 3), in one pass: S is 0 or 1, so for finite H interpolating between both is exact.

    The gradient runs through S too, by its surrogate: dV/dH = 1 - S + (V_reset - H) dS/dH.
    """
    return torch.lerp(h, h.new_full((), v_reset), s)


@dataclass(frozen=True)
class SingleStep(Value):
    """The neuron that is trained at T = 1: noise in place of the potential (Eqs. 2, 5).

    Over several steps each step draws its own noise and remembers nothing, which is step 2 of the
    method, the ensemble.
    """

    noise: Noise = field(default_factory=Gaussian)
    surrogate: Surrogate = field(default_factory=Triangle)
    v_th: float = 1.0
    kind: Literal["single_step"] = "single_step"

    def __post_init__(self) -> None:
        instance("noise", self.noise, Bounded, "Gaussian()")
        instance("surrogate", self.surrogate, Derivative, "Triangle()")
        magnitude("v_th", self.v_th)

    @property
    def quiet(self) -> SingleStep:
        """The same neuron with its noise's mean in place of the noise."""
        return replace(self, noise=self.noise.within(self.noise.centre, 0.0))

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, None]:
        noise = self.noise.like(current, generator)
        return noisy_spike(current, noise, self.v_th, self.surrogate), None  # Eqs. 5, 2


@dataclass(frozen=True)
class Converted(Value):
    """Step 3 of the method: leaked potential, normalised, in place of part of the noise (Eqs. 2, 3, 6-9).

    The potential term N(leak * V(t-1)) lies in beta -/+ 1/alpha, the remaining noise N' around
    c - beta with half-width r - 1/alpha, where c -/+ r is the range of N_noise: together they keep
    that range. The first step has no V(0): it takes the full N_noise ("noise"), or a potential at rest
    ("rest"), whose term is beta, with N'.

    Raises:
        InputError: alpha below 1/r (2 for the paper's [0, 1]), beta outside the noise's range, a
            leak outside [0, 1].
    """

    noise: Noise = field(default_factory=Gaussian)  # N_noise, as it was in training
    alpha: float = 4.0
    beta: float = 0.5
    leak: float = 0.5  # lambda of Eqs. 1 and 7
    statistics: Statistics = field(default_factory=Layer)  # the paper's, as it seems; `convert` has Sample
    surrogate: Surrogate = field(default_factory=Triangle)
    v_th: float = 1.0
    v_reset: float = 0.0
    first_step: Literal[FIRST_STEPS] = "noise"
    kind: Literal["converted"] = "converted"

    def __post_init__(self) -> None:
        instance("noise", self.noise, Bounded, "Gaussian()")
        instance("surrogate", self.surrogate, Derivative, "Triangle()")
        instance("statistics", self.statistics, Layer | Sample | Frozen, "Layer()")
        least = 1 / self.noise.half_width if self.noise.half_width else math.inf
        number("alpha", self.alpha, f"at least {least:g}, or inf")
        if self.alpha < least:
            allowed = f"at least {least:g}, or inf" if math.isfinite(least) else "inf with noise of no width"
            raise InputError(
                f"alpha = {self.alpha}: must be {allowed}; below that the potential's "
                f"range -/+ 1/alpha is wider than the noise it replaces and N' would need a negative width"
            )
        between("beta", self.beta, self.noise.low, self.noise.high)
        between("leak", self.leak, 0, 1)
        magnitude("v_th", self.v_th)
        moderate("v_reset", self.v_reset)
        one_of("first_step", self.first_step, FIRST_STEPS)

    @property
    def quiet(self) -> Converted:
        """The neuron that the trained one is with its noise's mean in place of the noise, without a memory."""
        centre = self.noise.centre
        return replace(self, noise=self.noise.within(centre, 0.0), alpha=math.inf, beta=centre)

    @property
    def residual(self) -> Noise:
        """N' of Eq. 6: what is left of N_noise beside the potential term."""
        n = self.noise
        return n.within(n.centre - self.beta, max(n.half_width - 1 / self.alpha, 0.0))

    def memory(self, v: Tensor) -> Tensor:
        """N(leak * V(t-1)) of Eqs. 7-9, clamped to beta -/+ 1/alpha; beta where all potentials agree.

        sigma of Eq. 8 cancels in Eq. 9, so only mu and max|A - mu| are needed.
        """
        a = self.leak * v  # Eq. 7
        mean, peak = self.statistics(a)
        apart = peak > 0
        scale = apart / (self.alpha * torch.where(apart, peak, 1.0))  # no 1/0, whose gradient would be NaN
        term = (a - mean) * scale + self.beta  # Eqs. 8, 9
        return term.clamp_(self.beta - 1 / self.alpha, self.beta + 1 / self.alpha)

    def forgets(self, first: bool) -> bool:
        """Whether a step, the first or a later one, has no potential term, and so all of N_noise."""
        return math.isinf(self.alpha) or (first and self.first_step == "noise")

    def draw(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> Tensor:
        """The noise of a step, N' beside a potential term, else N_noise; arguments as of `step`."""
        return (self.noise if self.forgets(state is None) else self.residual).like(current, generator)

    def potential(self, current: Tensor, noise: Tensor, state: Tensor | None) -> Tensor:
        """H of Eq. 5, from a step's current and noise and the V before it."""
        if self.forgets(state is None):
            return current + noise
        memory = self.beta if state is None else self.memory(state)
        # The sum is clamped since rounding may carry it past the range, and so past V_th without input.
        return current + (noise + memory).clamp_(self.noise.low, self.noise.high)  # Eq. 6

    def fire(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """S and V from H (Eqs. 2, 3)."""
        s = spike(h, self.v_th, self.surrogate)
        return s, reset(h, s, self.v_reset)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        noise = self.draw(current, state, generator)
        if in_two_passes(current, noise, *([] if state is None else [state])):
            return self._in_two_passes(current, noise, state)
        return self.fire(self.potential(current, noise, state))

    def _in_two_passes(self, current: Tensor, noise: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.forgets(state is None):
            drawn = noise.as_strided((noise.numel(),), (1,))  # in the order of memory
            return lif_steps(Currents(current, 1), None, 0.0, self.v_th, self.v_reset, self.surrogate, [drawn])
        v, over = (torch.zeros_like(current), AT_REST) if state is None else (state, self.statistics)
        settings = (self.leak, self.alpha, self.beta, self.noise.low, self.noise.high, self.v_th, self.v_reset)
        return memory_step(current, noise, v, over.of_leaked(v, self.leak), settings)


@dataclass(frozen=True)
class LIF(Value):
    """The leaky integrate-and-fire neuron with hard reset (Eqs. 1-3), V(0) = 0."""

    leak: float = 0.5  # lambda of Eq. 1
    surrogate: Surrogate = field(default_factory=Triangle)
    v_th: float = 1.0
    v_reset: float = 0.0
    kind: Literal["lif"] = "lif"

    def __post_init__(self) -> None:
        instance("surrogate", self.surrogate, Derivative, "Triangle()")
        between("leak", self.leak, 0, 1)
        magnitude("v_th", self.v_th)
        moderate("v_reset", self.v_reset)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        # A copy at the first step: a view would keep the currents of all steps until the backward pass.
        h = current.clone() if state is None else self.leak * state + current  # Eq. 1
        s = spike(h, self.v_th, self.surrogate)  # Eq. 2
        return s, reset(h, s, self.v_reset)

    def all_steps(self, currents: Currents, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return lif_steps(currents, state, self.leak, self.v_th, self.v_reset, self.surrogate)
