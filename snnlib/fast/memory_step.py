"""A step of the paper's memory in two passes over memory, compiled: its statistics (Eqs. 8-9), and all else.

PyTorch's own operations take some fifteen. The mean is summed in another order, so that N(lambda V) may differ by a
millionth. Gradients need what nobody keeps here: where they are asked for, PyTorch's operations run.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snnlib.fast import compiled
from snnlib.fast.all_steps import channels_last, parameters
from snnlib.fast.compiled import flat, wide


def in_two_passes(*tensors: Tensor) -> bool:
    """Whether a step of such tensors, all of one shape, is compiled: on this machine, without gradients."""
    first = tensors[0]
    return (
        compiled.active(first)
        and not (torch.is_grad_enabled() and any(x.requires_grad for x in tensors))
        and (first.is_contiguous() or channels_last(first))
        and all(x.stride() == first.stride() for x in tensors)
    )


def leaked_statistics(v: Tensor, leak: float, parts: int) -> tuple[Tensor, Tensor]:
    """mu and max|A - mu| of A = leak * v (Eq. 7), [parts, 1] each: of so many equal parts of the batch."""
    a = flat(v, parts)
    mean, peak = torch.empty(2, parts, 1, dtype=torch.promote_types(v.dtype, torch.float32), device=v.device)
    compiled.run(measure, a, mean, peak, parameters(a, leak))
    return mean, peak


def memory_step(
    current: Tensor, noise: Tensor, v: Tensor, statistics: tuple[Tensor, Tensor], settings: tuple[float, ...]
) -> tuple[Tensor, Tensor]:
    """S and V of Eqs. 2, 3 for H of Eqs. 5-9, in the dtype and memory format of ``current``.

    Args:
        noise: N'(t).
        v: V(t-1).
        statistics: mu and max|A - mu|, [parts, 1] each.
        settings: lambda, alpha, beta, the ends of N_noise, V_th, V_reset.
    """
    s, after = torch.empty_like(current), torch.empty_like(current)
    tensors = (flat(x, len(statistics[0])) for x in (current, noise, v, s, after))
    compiled.run(remember, *tensors, *statistics, parameters(s, *settings))
    return s, after


def largest_deviation(low: Tensor, mean: Tensor, high: Tensor) -> Tensor:
    """max|A - mu| from the extremes alone: no copy of A is needed.

    Equal potentials give exactly 0, whatever rounding did to their mean.
    """
    return (high - mean).maximum(mean - low) * (high > low)


def measure(v: Tensor, mean: Tensor, peak: Tensor, settings: Tensor) -> None:
    """mu and max|A - mu| of each row of ``v``."""
    a = settings[0] * wide(v)  # Eq. 7
    low, mu, high = a.amin(1, keepdim=True), a.mean(1, keepdim=True), a.amax(1, keepdim=True)
    mean.copy_(mu)
    peak.copy_(largest_deviation(low, mu, high))


def remember(
    current: Tensor, noise: Tensor, v: Tensor, s: Tensor, after: Tensor, mean: Tensor, peak: Tensor, settings: Tensor
) -> None:
    """`memory_step` on tensors [parts, neurons]; ``s`` and ``after`` are written."""
    leak, alpha, beta, low, high, v_th, v_reset = settings.unbind()
    scale = torch.where(peak > 0, 1 / (alpha * peak), 0.0)
    term = (leak * wide(v) - mean) * scale + beta  # Eqs. 7-9
    term = term.clamp(beta - 1 / alpha, beta + 1 / alpha)
    h = wide(current) + (wide(noise) + term).clamp(low, high)  # Eqs. 5, 6
    fires = h > v_th  # Eq. 2
    s.copy_(torch.where(fires, 1.0, 0.0))
    after.copy_(torch.where(fires, v_reset, h))  # Eq. 3
