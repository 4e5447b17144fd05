"""A neuron's one step at T = 1, Eqs. 5 and 2, with as little memory as its backward pass allows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnlib.fast import compiled
from snnlib.fast.compiled import SurrogateDerivative


def noisy_spike(current: Tensor, noise: Tensor, v_th: float, surrogate: SurrogateDerivative) -> Tensor:
    """S = 1 where current + noise > V_th, else 0 (Eqs. 5, 2); backward multiplies by ``surrogate.of_noisy_``.

    Nobody else reads H, so the derivative takes its place. The noise gets no gradient.
    """
    return _NoisySpike.apply(current, v_th, surrogate, noise)


class _NoisySpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, current: Tensor, v_th: float, surrogate: SurrogateDerivative, noise: Tensor) -> Tensor:
        if compiled.active(current) and current.stride() == noise.stride():
            s = torch.empty_like(current)
            derivative = [torch.empty_like(current)] if ctx.needs_input_grad[0] else []
            inputs = (compiled.flat(x, 1)[0] for x in (current, noise, s))
            compiled.run(compiled.fire, *inputs, [compiled.flat(d, 1)[0] for d in derivative], v_th, surrogate)
        else:
            h = current + noise
            s = torch.gt(h, v_th, out=torch.empty_like(h))
            derivative = [surrogate.of_noisy_(h.sub_(v_th), noise)] if ctx.needs_input_grad[0] else []
        ctx.save_for_backward(*derivative)
        return s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (derivative,) = ctx.saved_tensors
        return derivative * grads[0], None, None, None  # in the memory format of the first
