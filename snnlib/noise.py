"""Bounded noise: what stands in for the missing membrane potential at T = 1 (Sec. 2.2, Eq. 5).

The paper wants noise in a range, [0, 1] for N_noise, and calls it Gaussian, but does not say how a
Gaussian gets into a range. `Gaussian` clips a narrow one; `MaxNormalised` does to random numbers
literally what Eqs. 8-9 do to potentials; `Uniform` is the paper's Figure 6.
Every draw comes from a generator that the caller gives, so a seed repeats bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

import torch
from pydantic import Discriminator
from torch import Tensor

from snnlib.checks import InputError, magnitude, moderate
from snnlib.fast import clipped_normal, erf_
from snnlib.spelling import Value


@dataclass(frozen=True)
class Bounded(Value):
    """Noise in [low, high], in units of the potential. The range [0, 1] is the paper's (Sec. 3)."""

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        moderate("noise low", self.low)
        moderate("noise high", self.high)
        if self.low > self.high:
            raise InputError(f"noise range = [{self.low}, {self.high}]: low must not exceed high")

    @property
    def centre(self) -> float:
        return (self.low + self.high) / 2

    @property
    def half_width(self) -> float:
        return (self.high - self.low) / 2

    def within(self, centre: float, half_width: float) -> Self:
        """The same noise in the range centre -/+ half_width."""
        return replace(self, low=centre - half_width, high=centre + half_width)

    def like(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Noise in the shape, dtype, device and memory layout of ``x``; the generator is on its device.

        Not to be written to: it may be a view of numbers that others read too (`fast.noise_tape`).
        """
        # In the order of memory: PyTorch is many times slower where that is not the order of axes.
        layout = torch.empty_like(x, device="meta")
        return self.numbers(x.numel(), x.dtype, generator).as_strided(layout.shape, layout.stride())

    def sample(self, shape: Sequence[int], generator: torch.Generator, dtype: torch.dtype = torch.float32) -> Tensor:
        """Noise of this shape and dtype, on the generator's device."""
        return self.numbers(math.prod(shape), dtype, generator).reshape(tuple(shape)).clone()

    def numbers(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        """n random numbers on the generator's device; not to be written to, as those of `like`."""
        if self.half_width == 0:
            return torch.full((n,), self.centre, dtype=dtype, device=generator.device)
        return self._draw(n, dtype, generator)

    def survival(self, x: Tensor) -> Tensor:
        """P(N > x) = 1 - F(x), with the noise's distribution function F, for each x.

        Raises:
            InputError: the noise has no F of its own, as `MaxNormalised`.
        """
        # Compared and converted in one pass, and no torch.where, which takes thrice as long as erf.
        below_low, below_high = (torch.lt(x, edge, out=torch.empty_like(x)) for edge in (self.low, self.high))
        return self._survival(x).mul_(below_high).maximum(below_low) if self.half_width else below_high

    def density(self, x: Tensor) -> Tensor:
        """dF/dx for each x; 0 at the atoms, where clipped noise has a probability and no density."""
        return self._density(x).mul_((x > self.low) & (x < self.high)) if self.half_width else torch.zeros_like(x)

    def _draw(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        raise NotImplementedError

    def _survival(self, x: Tensor) -> Tensor:
        """`survival` within the range."""
        raise InputError(f"noise = {self.kind}: must be gaussian or uniform; it has no distribution function")

    def _density(self, x: Tensor) -> Tensor:
        """`density` within the range."""
        raise NotImplementedError


@dataclass(frozen=True)
class Gaussian(Bounded):
    """Normal with its mean at the centre and sigma = half-width / k, clipped to the range.

    At k = 4, one draw in 16,000 is clipped.
    """

    k: float = 4.0
    kind: Literal["gaussian"] = "gaussian"

    def __post_init__(self) -> None:
        super().__post_init__()
        magnitude("gaussian k", self.k)

    def _draw(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        return clipped_normal(n, self.centre, self._sigma, self.low, self.high, dtype, generator)

    @property
    def _sigma(self) -> float:
        return self.half_width / self.k

    def _survival(self, x: Tensor) -> Tensor:
        return erf_(torch.sub(x, self.centre).div_(self._sigma * math.sqrt(2))).mul_(-0.5).add_(0.5)

    def _density(self, x: Tensor) -> Tensor:
        z = torch.sub(x, self.centre).div_(self._sigma)
        return z.square_().mul_(-0.5).exp_().div_(self._sigma * math.sqrt(2 * math.pi))


@dataclass(frozen=True)
class MaxNormalised(Bounded):
    """Eqs. 8-9 applied to standard normal draws z: (z - mean) / max|z - mean| * half-width + centre.

    The largest draw touches the range, so sigma depends on how many numbers are drawn at once:
    half-width / 3.4 for a thousand of them, half-width / 5.3 for five million. For the same reason it has no
    distribution function of its own (`survival`).
    """

    kind: Literal["max_normalised"] = "max_normalised"

    def _draw(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        z = torch.empty(n, dtype=dtype, device=generator.device).normal_(generator=generator)
        z -= z.mean()
        # One number alone is its own mean; the floor turns 0 / 0 into the centre.
        peak = z.abs().max().clamp_min(torch.finfo(dtype).tiny)
        return z.mul_(self.half_width / peak).add_(self.centre).clamp_(self.low, self.high)


@dataclass(frozen=True)
class Uniform(Bounded):
    """Uniform over the range (Sec. 3.4, Figure 6)."""

    kind: Literal["uniform"] = "uniform"

    def _draw(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
        drawn = torch.empty(n, dtype=dtype, device=generator.device)
        return drawn.uniform_(self.low, self.high, generator=generator).clamp_(self.low, self.high)

    def _survival(self, x: Tensor) -> Tensor:
        return torch.sub(self.high, x).div_(self.high - self.low).clamp_(0.0, 1.0)

    def _density(self, x: Tensor) -> Tensor:
        return torch.full_like(x, 1 / (self.high - self.low))


Noise = Annotated[Gaussian | MaxNormalised | Uniform, Discriminator("kind")]
