"""What an integrate-and-fire neuron fires in L steps of a constant current, at once: one pass over memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from snnlib.fast import compiled
from snnlib.fast.all_steps import parameters
from snnlib.fast.compiled import flat, wide


def spike_rate(current: Tensor, phase: Tensor, levels: int) -> Tensor:
    """floor(U + L clip(I, 0, 1)) / L, with the gradient of the clip: 1 for I in [0, 1], else 0.

    Args:
        current: I.
        phase: U in [0, 1), in the shape and memory format of I; it gets no gradient.
        levels: L.
    """
    return _SpikeRate.apply(current, phase, levels)


class _SpikeRate(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, current: Tensor, phase: Tensor, levels: int) -> Tensor:
        rate = torch.empty_like(current)
        inside = [torch.empty_like(current)] if ctx.needs_input_grad[0] else []
        # A tensor: as a number, PyTorch 2.13 took the one that a kernel was first compiled for.
        (most,) = parameters(current, levels).unbind()
        if compiled.active(current) and current.stride() == phase.stride():
            inputs = (flat(x, 1)[0] for x in (current, phase, rate))
            compiled.run(count, *inputs, [flat(x, 1)[0] for x in inside], most)
        else:
            count(current, phase, rate, inside, most)
        ctx.save_for_backward(*inside)
        return rate

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (inside,) = ctx.saved_tensors
        return inside * grads[0], None, None  # in the memory format of the first


def count(current: Tensor, phase: Tensor, rate: Tensor, inside: list[Tensor], levels: Tensor) -> None:
    """The rate, and its derivative if there is a tensor for it; in float32, since bfloat16 would round a level away."""
    current = wide(current)
    clipped = current.clamp(0, 1)
    for out in inside:
        out.copy_(clipped == current)
    rate.copy_(torch.addcmul(phase, clipped, levels).floor_().minimum(levels).div_(levels))
