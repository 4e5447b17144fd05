"""The error function, in a compiled kernel by a formula of few operations: there it would be half of the time."""

from __future__ import annotations

import torch
from torch import Tensor

# Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.28: wrong by 3e-7 at most.
A = (0.0705230784, 0.0422820123, 0.0092705272, 0.0001520143, 0.0002765672, 0.0000430638)


def erf_(x: Tensor) -> Tensor:
    """2/sqrt(pi) times the integral of exp(-t^2) from 0 to x; elsewhere than in a compiled kernel in place of x."""
    return _few_operations(x) if torch.compiler.is_dynamo_compiling() else x.erf_()


def _few_operations(x: Tensor) -> Tensor:
    """1 - 1 / (1 + A_1 |x| + ... + A_6 |x|^6)^16, with the sign of x."""
    size, power = x.abs(), 0.0
    for a in reversed(A):
        power = (power + a) * size
    power = power + 1.0
    for _ in range(4):
        power = power * power
    return torch.copysign(1.0 - power.reciprocal(), x)
