"""The neuron's steps with one pass over memory each: compiled by PyTorch, where asked for and where a compiler is.

PyTorch's own operations write each intermediate result to memory, which is most of their time. But compiling takes
half a minute once per machine, and seconds in each process, so it is a choice: `snnlib.training.recipe.Recipe.compile`.
Without a compiler PyTorch's own operations run, after one line in the log.

Narrower tensors are computed with in float32: a compiled bfloat16 net rounds H once, to be kept, not at each
operation. In float32, spikes are bit for bit those of PyTorch's operations, but for two: the error function has a
shorter formula (`error_function`), so that the exact memory's p with Gaussian noise differs by up to a millionth; and
of the paper's memory the mean is summed in another order (`memory_step`).

A kernel takes neurons in the order of memory, [n], in lists over time, and writes into tensors it is given. Time is
unrolled, `STEPS` at most: the time to compile grows faster than the steps.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import torch
from torch import Tensor

log = logging.getLogger("snnlib")

STEPS = 10


class SurrogateDerivative(Protocol):
    """What this package needs of a surrogate: dS/dH as a function of H - V_th, and perhaps of the noise in it."""

    def __call__(self, x: Tensor) -> Tensor: ...

    def derive_(self, x: Tensor) -> Tensor:
        """The same, in place of x."""
        ...

    def of_noisy_(self, x: Tensor, noise: Tensor) -> Tensor:
        """In place of x too, of which the noise, which is not written to, is a part."""
        ...


_asked = False


@contextmanager
def compiling(on: bool) -> Iterator[None]:
    """Compile the kernels in here, or do not."""
    global _asked
    before, _asked = _asked, on
    try:
        yield
    finally:
        _asked = before


def active(x: Tensor) -> bool:
    """Whether kernels are compiled for such a tensor."""
    return _asked and x.numel() > 0 and available(x.device.type)


@cache
def available(device: str) -> bool:
    """Whether this machine can compile; tried once."""
    try:
        zero, one = torch.zeros(64, device=device), torch.ones(64, device=device)
        run(fire, one, one, zero, [], 1.0, torch.abs)
        return bool(zero.all())
    except Exception as error:  # whatever a missing or broken compiler raises
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        log.warning("not compiled, PyTorch's own operations are used instead (%s)", reason)
        return False


def run(kernel: Callable[..., None], *arguments: Any) -> None:
    """Run a kernel compiled; the first call with other lengths of its lists, or other dtypes, compiles it."""
    _compiled(kernel)(*arguments)


@cache
def _compiled(kernel: Callable[..., None]) -> Callable[..., None]:
    if capability := os.environ.get("ATEN_CPU_CAPABILITY"):
        from torch._inductor.runtime.cache_dir_utils import cache_dir  # a second, which only compiling takes

        # What PyTorch 2.13 has kept for other instructions of this machine it would run for these too, wrongly.
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.join(cache_dir(), capability))
    # Lengths and dtypes are more than the 8 after which PyTorch gives up.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, 512)
    logging.getLogger("torch._library.triton").setLevel(logging.ERROR)  # "not available", on any CPU
    return torch.compile(kernel, dynamic=True, fullgraph=True)


def wide(x: Tensor) -> Tensor:
    return x.float() if x.dtype.itemsize < 4 else x


def flat(x: Tensor, steps: int) -> Tensor:
    """A dense tensor [steps·B, ...] as [steps, neurons], the neurons in the order of memory."""
    return x.as_strided((steps, x.numel() // steps), (x.numel() // steps, 1))


def fire(
    current: Tensor, noise: Tensor, s: Tensor, derivative: list[Tensor], v_th: float, surrogate: SurrogateDerivative
) -> None:
    """S of Eq. 2 for H = current + noise, and dS/dH if there is a tensor for it."""
    noise = wide(noise)
    x = wide(current) + noise - v_th
    s.copy_(torch.where(x > 0, 1.0, 0.0))
    for out in derivative:
        out.copy_(surrogate.of_noisy_(x, noise))


def forward(
    currents: list[Tensor], noise: list[Tensor], s: list[Tensor], h: list[Tensor], v: Tensor, rest: bool,
    parameters: Tensor,
) -> None:  # fmt: skip
    """Eqs. 1-3, with noise if there is any.

    Args:
        currents: T, or one for all steps.
        noise: T, or none.
        s, h: T each, to be written, h only if it is to be kept.
        v: V(0), and then V(T).
        rest: V(0) is 0, whatever ``v`` holds.
        parameters: lambda, V_th, V_reset, and the bias of the first step from rest and of any other.
    """
    leak, v_th, v_reset, first_bias, bias = parameters.unbind()
    v_t = None if rest else wide(v)
    for t in range(len(s)):
        h_t = wide(currents[t] if len(currents) > 1 else currents[0])
        if v_t is not None:
            h_t = h_t + leak * v_t
        if noise:
            h_t = h_t + wide(noise[t])
        h_t = h_t + (first_bias if t == 0 and rest else bias)
        fires = h_t > v_th
        s[t].copy_(torch.where(fires, 1.0, 0.0))
        if h:
            h[t].copy_(h_t)
        v_t = torch.where(fires, v_reset, h_t)
    v.copy_(v_t)


def backward(
    ds: list[Tensor], s: list[Tensor], h: list[Tensor], di: list[Tensor], later: list[Tensor], earlier: list[Tensor],
    parameters: Tensor, surrogate: SurrogateDerivative,
) -> None:  # fmt: skip
    """Backpropagation through time of `forward`: dL/dI from dL/dS.

    Args:
        ds, s, h: T each.
        di: T, to be written, or one, to which the sum over all steps is added.
        later: dL/dH of the step after these, none if there is none.
        earlier: where dL/dH of the first step is written, if that is wanted.
        parameters: lambda, V_th, V_reset.
    """
    leak, v_th, v_reset = parameters.unbind()
    after, total = (later[0] if later else None), None
    for t in reversed(range(len(h))):
        h_t = wide(h[t])
        derivative = surrogate(h_t - v_th)
        if after is None:
            dh = wide(ds[t]) * derivative
        else:
            dv = leak * after
            dh = (wide(ds[t]) + dv * (v_reset - h_t)) * derivative + dv * (1 - wide(s[t]))
        if len(di) == len(h):
            di[t].copy_(dh)
        total = dh if total is None else total + dh
        after = dh
    if len(di) != len(h):
        di[0].copy_(total + wide(di[0]) if later else total)
    for out in earlier:
        out.copy_(after)
