"""The spike function (Eq. 2) and the surrogate gradients that stand in for its derivative.

The paper names no surrogate. Each class below gives dS/dH as a function of x = H - V_th and
integrates to 1 over x, as the derivative of a unit step should. ``derive_`` computes it where x is stored: on a CPU,
memory that is new costs more than the arithmetic.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import torch
from pydantic import Discriminator
from torch import Tensor

from snnlib.checks import magnitude, moderate
from snnlib.spelling import Value


class Derivative(Value):
    """dS/dH as a function of x = H - V_th, of any shape."""

    def __call__(self, x: Tensor) -> Tensor:
        return self.derive_(x.clone())

    def derive_(self, x: Tensor) -> Tensor:
        """The same, in place of x."""
        raise NotImplementedError

    def of_noisy_(self, x: Tensor, noise: Tensor) -> Tensor:
        """In place of x too, a part of which is ``noise``, not to be written to: as drawn, unless a class says else."""
        return self.derive_(x)


@dataclass(frozen=True)
class Triangle(Derivative):
    """``max(0, 1 - |x| / width) / width`` (Esser et al. 2016, PNAS; Bellec et al. 2018, NeurIPS)."""

    width: float = 1.0
    kind: Literal["triangle"] = "triangle"

    def __post_init__(self) -> None:
        magnitude("triangle width", self.width)

    def derive_(self, x: Tensor) -> Tensor:
        return torch.sub(x.new_full((), 1 / self.width), x.abs_(), alpha=1 / self.width**2, out=x).relu_()


@dataclass(frozen=True)
class Rectangle(Derivative):
    """``1 / width`` where ``|x| < width / 2``, else 0 (Wu et al. 2018, Front. Neurosci. 12:331)."""

    width: float = 1.0
    kind: Literal["rectangle"] = "rectangle"

    def __post_init__(self) -> None:
        magnitude("rectangle width", self.width)

    def derive_(self, x: Tensor) -> Tensor:
        return x.abs_().lt_(self.width / 2).div_(self.width)


@dataclass(frozen=True)
class Arctan(Derivative):
    """``slope / 2 / (1 + (pi / 2 * slope * x)^2)`` (Fang et al. 2021, ICCV)."""

    slope: float = 2.0
    kind: Literal["arctan"] = "arctan"

    def __post_init__(self) -> None:
        magnitude("arctan slope", self.slope)

    def derive_(self, x: Tensor) -> Tensor:
        return x.mul_(math.pi / 2 * self.slope).square_().add_(1.0).reciprocal_().mul_(self.slope / 2)


@dataclass(frozen=True)
class Sigmoid(Derivative):
    """``slope * s * (1 - s)``, ``s = 1 / (1 + exp(-slope * x))`` (Wu et al. 2018)."""

    slope: float = 4.0
    kind: Literal["sigmoid"] = "sigmoid"

    def __post_init__(self) -> None:
        magnitude("sigmoid slope", self.slope)

    def derive_(self, x: Tensor) -> Tensor:
        s = x.mul_(self.slope).sigmoid_()
        return s.addcmul_(s, s, value=-1.0).mul_(self.slope)


@dataclass(frozen=True)
class Density(Derivative):
    """The density of a normal, ``exp(-(x / sigma)^2 / 2) / (sigma sqrt(2 pi))``.

    Of a single step (`SingleStep`) the noise that was drawn is taken as its ``mean``. With the sigma and mean of
    Gaussian noise, by default the usual one, this is the noise's own density at V_th - I, the slope of the probability
    with which the neuron fires (Ma et al. 2023, Patterns 4:100831). Neurons with a memory have it at H as it is.
    """

    sigma: float = 0.125
    mean: float = 0.5
    kind: Literal["density"] = "density"

    def __post_init__(self) -> None:
        magnitude("density sigma", self.sigma)
        moderate("density mean", self.mean)

    def derive_(self, x: Tensor) -> Tensor:
        return x.div_(self.sigma).square_().mul_(-0.5).exp_().div_(self.sigma * math.sqrt(2 * math.pi))

    def of_noisy_(self, x: Tensor, noise: Tensor) -> Tensor:
        return self.derive_(x.sub_(noise).add_(self.mean))


Surrogate = Annotated[Triangle | Rectangle | Arctan | Sigmoid | Density, Discriminator("kind")]


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, v_th: float, surrogate: Surrogate) -> Tensor:
        if ctx.needs_input_grad[0]:
            # The derivative, not H, is kept: backward is then one multiplication.
            ctx.save_for_backward(surrogate.derive_(h - v_th))
        return torch.gt(h, v_th, out=torch.empty_like(h))  # compared and converted in one pass

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (derivative,) = ctx.saved_tensors
        return grads[0] * derivative, None, None


def spike(h: Tensor, v_th: float, surrogate: Surrogate) -> Tensor:
    """S = 1 where H > V_th, strictly, else 0 (Eq. 2); backward multiplies by ``surrogate(H - V_th)``.

    Args:
        h: potential before the spike, any shape.
        v_th: threshold, in the units of ``h``.
        surrogate: derivative used in the backward pass.

    Returns:
        Zeros and ones in the shape and dtype of ``h``.
    """
    return _Spike.apply(h, v_th, surrogate)
