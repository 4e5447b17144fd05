"""All time steps of a layer of neurons with exact memory: one pass over memory, no noise.

Phases and firing probabilities are multiples of `GRID`, of which float32 adds any two below 1 exactly. So nothing is
lost however many steps there are, a phase stays below 1, and p = 0 never fires where p = 1 always does.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from snnlib.fast import compiled
from snnlib.fast.all_steps import Currents, dense, like, pieces, spans
from snnlib.fast.compiled import flat, wide
from snnlib.fast.noise_tape import whole_numbers

GRID = 2.0**-23  # the last bit of float32 numbers from 1 to 2
# That a kernel takes of a constant current. There a step has nothing to read of its own, so the compiler writes out h
# anew at each use of it, in each step once more: 2^T times.
HELD_STEPS = 5


class Law(Protocol):
    """What this package needs of a noise."""

    def survival(self, x: Tensor) -> Tensor:
        """P(N > x)."""
        ...

    def density(self, x: Tensor) -> Tensor:
        """The derivative of its negative."""
        ...


def phases(currents: Currents, spread: float, generator: torch.Generator) -> Tensor:
    """U(0), [B, ...]: uniform over the multiples of `GRID` within 1/2 -/+ spread/2; just below 1/2 if spread is 0.

    On a CPU read from a tape (`noise_tape`): independent within a layer of up to half of it, while two wide layers may
    share numbers, at different neurons.
    """
    drawn = like(currents.values, 1, currents.held, torch.float32)
    (u,) = flat(drawn, 1)
    half, each_side = round(0.5 / GRID), max(round(spread * 0.5 / GRID), 1)
    low = half - each_side
    torch.mul(whole_numbers(len(u), low, half + (each_side if spread else 0), generator), GRID, out=u)
    return drawn


def phase_steps(currents: Currents, phase: Tensor, v_th: float, law: Law) -> tuple[Tensor, Tensor]:
    """S = 1 where U(t-1) + p >= 1, U(t) = U(t-1) + p - S, with p = P(N > V_th - I); dS/dI is dp/dI.

    Args:
        currents: I.
        phase: U(0), [B, ...], multiples of `GRID` in [0, 1).
        law: of the noise N.

    Returns:
        Spikes [T·B, ...] in the currents' dtype and memory format, and U(T) in float32, without gradient.
    """
    return _PhaseSteps.apply(currents.values, currents, phase, v_th, law)


class _PhaseSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, currents: Currents, phase: Tensor, v_th: float, law: Law
    ) -> tuple[Tensor, Tensor]:
        timesteps, held = currents.timesteps, currents.held
        values = dense(values)
        spikes, last = like(values, timesteps, held), like(values, 1, held, torch.float32)
        last.copy_(phase)
        i, s, u = flat(values, held), flat(spikes, timesteps), flat(last, 1)[0]
        if compiled.active(s):
            for steps in spans(timesteps, HELD_STEPS if held == 1 else None):
                compiled.run(integrate, list(i[steps] if held > 1 else i), list(s[steps]), u, v_th, law)
        else:
            _forward(i, s, u, v_th, law)
        ctx.save_for_backward(*([values] if ctx.needs_input_grad[0] else []))
        ctx.settings = timesteps, held, v_th, law
        ctx.mark_non_differentiable(last)
        ctx.set_materialize_grads(False)  # else zeros are made for U(T)
        return spikes, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        if grads[0] is None:
            return (None,) * 5
        (values,) = ctx.saved_tensors
        timesteps, held, v_th, law = ctx.settings
        upstream = grads[0] if held == timesteps else grads[0].unflatten(0, (timesteps, -1)).sum(0)
        return law.density(v_th - wide(values)).to(values.dtype) * upstream, *[None] * 4


def _forward(i: Tensor, s: Tensor, u: Tensor, v_th: float, law: Law) -> None:
    """Piece by piece. i is [T, n] or [1, n], s [T, n], u [n]."""
    for piece in pieces(u):
        u_t = u[piece]
        for t in range(len(s)):
            if t < len(i):
                p = firing_probability(i[t, piece], v_th, law)
            u_t += p
            torch.ge(u_t, 1.0, out=s[t, piece])
            u_t.frac_()


def integrate(currents: list[Tensor], s: list[Tensor], u: Tensor, v_th: float, law: Law) -> None:
    """`_forward` to be compiled, the lists over time."""
    u_t = u
    for t in range(len(s)):
        if t < len(currents):
            p = firing_probability(currents[t], v_th, law)
        h = u_t + p
        spike = torch.where(h >= 1.0, 1.0, 0.0)
        s[t].copy_(spike)
        u_t = h - spike
    u.copy_(u_t)


def firing_probability(current: Tensor, v_th: float, law: Law) -> Tensor:
    """p in float32, rounded to a multiple of `GRID`."""
    p = law.survival(v_th - wide(current)).float()
    return p.add_(1.0).sub_(1.0)
