"""Over what Eqs. 8-9 take mu and max|A - mu|: the paper does not say.

Each class maps leaked potentials A, shape [B, ...], to the pair (mu, max|A - mu|), broadcastable
to A; `of_leaked` has them of A = leak * v by a compiled kernel, [1, 1] or [B, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Discriminator
from torch import Tensor

from snnlib.checks import between, finite
from snnlib.fast import largest_deviation, leaked_statistics
from snnlib.spelling import Value


@dataclass(frozen=True)
class Layer(Value):
    """Over the whole layer and batch: a prediction depends on the other images of its batch."""

    kind: Literal["layer"] = "layer"

    def __call__(self, a: Tensor) -> tuple[Tensor, Tensor]:
        low, high = a.aminmax()
        mean = a.mean()
        return mean, largest_deviation(low, mean, high)

    def of_leaked(self, v: Tensor, leak: float) -> tuple[Tensor, Tensor]:
        return leaked_statistics(v, leak, 1)


@dataclass(frozen=True)
class Sample(Value):
    """Over the layer, for each image alone."""

    kind: Literal["sample"] = "sample"

    def __call__(self, a: Tensor) -> tuple[Tensor, Tensor]:
        if a.ndim == 1:  # a neuron for each image is its own mean
            return a, torch.zeros_like(a)
        axes = tuple(range(1, a.ndim))
        mean = a.mean(axes, keepdim=True)
        return mean, largest_deviation(a.amin(axes, keepdim=True), mean, a.amax(axes, keepdim=True))

    def of_leaked(self, v: Tensor, leak: float) -> tuple[Tensor, Tensor]:
        return leaked_statistics(v, leak, len(v))


@dataclass(frozen=True)
class Frozen(Value):
    """Constants, measured once per layer on training images (`snnlib.conversion.convert`)."""

    mean: float
    peak: float
    kind: Literal["frozen"] = "frozen"

    def __post_init__(self) -> None:
        finite("frozen mean", self.mean)
        finite("frozen peak", self.peak)
        between("frozen peak", self.peak, 0, math.inf)

    def __call__(self, a: Tensor) -> tuple[Tensor, Tensor]:
        return a.new_full((), self.mean), a.new_full((), self.peak)

    def of_leaked(self, v: Tensor, leak: float) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(v.dtype, torch.float32)
        return v.new_full((1, 1), self.mean, dtype=wide), v.new_full((1, 1), self.peak, dtype=wide)


Statistics = Annotated[Layer | Sample | Frozen, Discriminator("kind")]
