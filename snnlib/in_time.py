"""Tensors that know how many time steps they hold, so that what is the same at every step is computed once.

Between neurons a network sees ordinary tensors [T·B, ...], time outermost. What depends on a constant input alone is
[B, ...] instead, and is repeated only where it meets the other kind: a skip from the image joins time there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_iter, tree_map_only

from snnlib.checks import InputError
from snnlib.simulation import current_pass


class InTime(Tensor):
    """A tensor [T·B, ...] of ``timesteps`` = T steps, or, at 0, [B, ...], which is the same at every step.

    What is computed from such tensors is one too. Whether axis 0 stays that of the batch, `snnlib.step_by_step` finds.
    """

    timesteps: int

    @classmethod
    def __torch_function__(
        cls, func: Callable, types: Iterable[type], args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        inputs = [x for x in tree_iter((args, kwargs)) if isinstance(x, InTime)]
        timesteps = max((x.timesteps for x in inputs), default=0)
        if any(x.timesteps != timesteps for x in inputs):
            if _writes(func) and inputs[0].timesteps < timesteps and inputs[0] is args[0]:
                raise InputError(
                    f"{func.__name__}: cannot write spikes of {timesteps} steps into what is the same at every step; "
                    "write x = x + y in place of x += y, and so on"
                )
            args, kwargs = tree_map_only(InTime, lambda x: repeated(x, timesteps), (args, kwargs))
        with torch._C.DisableTorchFunctionSubclass():
            result = func(*args, **kwargs)
        return tree_map_only(Tensor, lambda x: in_time(x, timesteps), result) if _has_tensor(result) else result


def in_time(x: Tensor, timesteps: int) -> Tensor:
    """``x`` marked as holding so many steps; 0 for what is the same at every step."""
    with torch._C.DisableTorchFunctionSubclass():
        marked = x if isinstance(x, InTime) else x.as_subclass(InTime)
        marked.timesteps = timesteps
    return marked


def marked_as(x: Tensor, y: Tensor) -> Tensor:
    """``y`` marked as ``x`` is, of which code that PyTorch does not look into has made it; as it is if x is not."""
    return in_time(y, x.timesteps) if isinstance(x, InTime) else y


def plain(x: Tensor) -> Tensor:
    """``x`` as an ordinary tensor."""
    with torch._C.DisableTorchFunctionSubclass():
        return x.as_subclass(Tensor) if isinstance(x, InTime) else x


def repeated(x: InTime, timesteps: int) -> Tensor:
    """``x`` for each of ``timesteps`` steps, an ordinary tensor [T·B, ...]; what has lost the batch stays as it is."""
    held, under_way = plain(x), current_pass()
    batch = under_way.batch if under_way else None
    if x.timesteps or not held.ndim or (batch is not None and len(held) != batch):
        return held
    return held.repeat(timesteps, *[1] * (held.ndim - 1))


def _writes(func: Callable) -> bool:
    """Whether it changes its first argument, and what it returns may not be looked at."""
    name = func.__name__
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _has_tensor(result: Any) -> bool:
    return isinstance(result, Tensor) or (isinstance(result, tuple | list) and any(map(_has_tensor, result)))
