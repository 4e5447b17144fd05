"""All time steps of a layer of leaky neurons at once: to the same spikes as step by step, and gradients written out.

Step by step, each operation waits for memory, since a layer is larger than a cache. Here a piece of the layer takes
all its steps before the next piece starts. Backpropagation through time needs H and S of each step and keeps nothing
else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from snnlib.checks import InputError
from snnlib.fast import compiled
from snnlib.fast.compiled import SurrogateDerivative, flat

PIECE = 2**19  # neurons: 1 MiB in bfloat16; smaller ones fit the cache better, but each operation costs some 10 us


@dataclass(frozen=True)
class Currents:
    """Currents of T steps: ``values`` is [T·B, ...], or [B, ...] if they are the same at each step (``constant``)."""

    values: Tensor
    timesteps: int
    constant: bool = False

    def __post_init__(self) -> None:
        if len(self.values) % self.held:
            raise InputError(f"currents of {len(self.values)} images and steps: must be a multiple of T = {self.held}")

    @property
    def held(self) -> int:
        """For how many steps ``values`` holds currents."""
        return 1 if self.constant else self.timesteps

    def steps(self) -> Sequence[Tensor]:
        """[B, ...] for each step."""
        return self.values.unflatten(0, (self.held, -1)).expand(self.timesteps, *[-1] * self.values.ndim)

    def flat(self, x: Tensor) -> Tensor:
        """What belongs to the neurons of one step, [B, ...], in the order in which `lif_steps` takes them."""
        return flat(x if dense(self.values) is self.values else x.contiguous(), 1)[0]


def lif_steps(
    currents: Currents, state: Tensor | None, leak: float, v_th: float, v_reset: float, surrogate: SurrogateDerivative,
    noise: Sequence[Tensor] = (), bias: tuple[float, float] = (0.0, 0.0),
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """H = lambda V(t-1) + I + noise + bias (Eq. 1), S = 1 where H > V_th (Eq. 2), V = H (1 - S) + V_reset S (Eq. 3).

    Args:
        currents: I.
        state: V(0), [B, ...] in the memory format of the currents; None for 0.
        noise: for each step as many numbers as neurons, in the order of memory, without gradient.
        bias: of the first step from rest, and of any other.

    Returns:
        Spikes [T·B, ...] in the currents' dtype and memory format, and V(T) without gradient.
    """
    return _LIFSteps.apply(currents.values, currents, state, leak, v_th, v_reset, surrogate, noise, bias)


class _LIFSteps(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, currents: Currents, state: Tensor | None, leak: float, v_th: float, v_reset: float,
        surrogate: SurrogateDerivative, noise: Sequence[Tensor], bias: tuple[float, float],
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        timesteps, held = currents.timesteps, currents.held
        values = dense(values)
        spikes, last = like(values, timesteps, held), like(values, 1, held)
        i, s = flat(values, held).expand(timesteps, -1), flat(spikes, timesteps)
        (v,) = flat(last, 1)
        if state is not None:
            last.copy_(state)
        h = torch.empty_like(s) if ctx.needs_input_grad[0] else None
        if compiled.active(s):
            _compiled_forward(i[:held], noise, s, h, v, state is None, parameters(s, leak, v_th, v_reset, *bias))
        else:
            _forward(i, noise, s, h, v, state is None, leak, v_th, v_reset, bias)
        if h is not None:
            ctx.save_for_backward(spikes, h)
            ctx.settings = timesteps, held, leak, v_th, v_reset, surrogate
        ctx.mark_non_differentiable(last)
        ctx.set_materialize_grads(False)  # else zeros are made for V(T)
        return spikes, last

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        """dL/dH = dL/dS dS/dH + lambda dL/dH(t+1) dV/dH, where dV/dH = 1 - S + (V_reset - H) dS/dH."""
        if grads[0] is None:
            return (None,) * 9
        spikes, h = ctx.saved_tensors
        timesteps, held, leak, v_th, v_reset, surrogate = ctx.settings
        upstream = grads[0] if grads[0].stride() == spikes.stride() else torch.empty_like(spikes).copy_(grads[0])
        result = like(spikes, held, timesteps)
        s, ds, di = flat(spikes, timesteps), flat(upstream, timesteps), flat(result, held)
        if compiled.active(s):
            _compiled_backward(ds, s, h, di, parameters(s, leak, v_th, v_reset), surrogate)
        else:
            _backward(ds, s, h, di, leak, v_th, v_reset, surrogate)
        return result, *[None] * 8


def _forward(
    i: Tensor, noise: Sequence[Tensor], s: Tensor, h: Tensor | None, v: Tensor, rest: bool,
    leak: float, v_th: float, v_reset: float, bias: tuple[float, float],
) -> None:  # fmt: skip
    """What `compiled.forward` does, piece by piece. All but v are [T, n]."""
    end = v.new_full((), v_reset)
    first_bias, later_bias = bias
    for piece in pieces(v):
        v_t = v[piece]
        for t in range(len(s)):
            h_t = v_t if h is None else h[t, piece]
            if t == 0 and rest:
                h_t.copy_(i[t, piece])
                offset = first_bias
            else:
                torch.mul(v_t, leak, out=h_t).add_(i[t, piece])  # Eq. 1; rounded twice, as a compiled kernel does
                offset = later_bias
            if noise:
                h_t += noise[t][piece]
            if offset:
                h_t += offset
            torch.gt(h_t, v_th, out=s[t, piece])  # Eq. 2
            torch.lerp(h_t, end, s[t, piece], out=v_t)  # Eq. 3


def _backward(
    ds: Tensor,
    s: Tensor,
    h: Tensor,
    di: Tensor,
    leak: float,
    v_th: float,
    v_reset: float,
    surrogate: SurrogateDerivative,
) -> None:
    """What `compiled.backward` does, piece by piece. All are [T, n], di perhaps [1, n]."""
    room = s.new_empty(3, min(PIECE, s.shape[1]) if s.device.type == "cpu" else s.shape[1])
    for piece in pieces(s[0]):
        derivative, dh, later = room[:, : piece.stop - piece.start]
        for t in reversed(range(len(s))):
            surrogate.derive_(torch.sub(h[t, piece], v_th, out=derivative))
            if t == len(s) - 1:
                torch.mul(ds[t, piece], derivative, out=dh)
            else:
                torch.addcmul(ds[t, piece], later, h[t, piece], value=-leak, out=dh)
                if v_reset:
                    dh.add_(later, alpha=leak * v_reset)
                dh.mul_(derivative).add_(later, alpha=leak).addcmul_(later, s[t, piece], value=-leak)
            if len(di) == len(s):
                di[t, piece] = dh
            elif t == len(s) - 1:
                di[0, piece] = dh
            else:
                di[0, piece] += dh  # one current for all steps
            dh, later = later, dh


def _compiled_forward(
    i: Tensor, noise: Sequence[Tensor], s: Tensor, h: Tensor | None, v: Tensor, rest: bool, settings: Tensor
) -> None:
    """`_forward` compiled. i is [T, n] or [1, n]."""
    parts = spans(len(s))
    potential = v if len(parts) == 1 else v.to(settings.dtype)  # not rounded from span to span
    for steps in parts:
        currents = i[steps] if len(i) == len(s) else i
        kept = [] if h is None else list(h[steps])
        first = rest and steps.start == 0
        compiled.run(
            compiled.forward, list(currents), list(noise[steps]), list(s[steps]), kept, potential, first, settings
        )
    if potential is not v:
        v.copy_(potential)


def _compiled_backward(
    ds: Tensor, s: Tensor, h: Tensor, di: Tensor, settings: Tensor, surrogate: SurrogateDerivative
) -> None:
    """`_backward` compiled."""
    later: list[Tensor] = []
    for steps in reversed(spans(len(s))):
        earlier = [h.new_empty(h.shape[1], dtype=settings.dtype)] if steps.start else []
        currents = di[steps] if len(di) == len(s) else di
        lists = (list(x) for x in (ds[steps], s[steps], h[steps], currents))
        compiled.run(compiled.backward, *lists, later, earlier, settings, surrogate)
        later = earlier


def spans(timesteps: int, most: int | None = None) -> list[slice]:
    """The steps in spans of at most as many as a kernel takes, `compiled.STEPS` if not given."""
    most = compiled.STEPS if most is None else most
    return [slice(t, min(t + most, timesteps)) for t in range(0, timesteps, most)]


def parameters(x: Tensor, *values: float) -> Tensor:
    """Numbers that a kernel is not compiled anew for."""
    return _parameters(values, torch.promote_types(x.dtype, torch.float32), x.device)


@lru_cache  # a copy to a GPU waits for it
def _parameters(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=device)


def pieces(v: Tensor) -> Iterator[slice]:
    """The neurons of v, [n], in pieces; all at once on a GPU, where each operation is a kernel to launch."""
    size = PIECE if v.device.type == "cpu" else len(v)
    return (slice(i, min(i + size, len(v))) for i in range(0, len(v), size))


def channels_last(x: Tensor) -> bool:
    return x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def dense(x: Tensor) -> Tensor:
    """``x``, or a contiguous copy if it is neither contiguous nor channels_last."""
    return x if channels_last(x) else x.contiguous()


def like(x: Tensor, steps: int, of: int, dtype: torch.dtype | None = None) -> Tensor:
    """An uninitialised tensor [steps·B, ...] in the dtype, or another, and memory format of ``x``, [of·B, ...]."""
    memory_format = torch.channels_last if channels_last(x) else torch.contiguous_format
    shape = (len(x) // of * steps, *x.shape[1:])
    return torch.empty(shape, dtype=dtype or x.dtype, device=x.device, memory_format=memory_format)
