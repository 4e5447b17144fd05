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

    What is computed from such tensors is one too. Axis 0 has to stay that of the batch.
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
            if timesteps > 1 and _across_the_batch(func, args, kwargs):
                raise InputError(
                    f"{func.__name__} along axis 0: that axis holds {timesteps} steps of the batch here, one after "
                    "another, and would be taken for the batch; where that is meant, use snnlib.in_time.plain(x)"
                )
            result = func(*args, **kwargs)
        return tree_map_only(Tensor, lambda x: in_time(x, timesteps), result) if _has_tensor(result) else result


def in_time(x: Tensor, timesteps: int) -> Tensor:
    """``x`` marked as holding so many steps; 0 for what is the same at every step."""
    with torch._C.DisableTorchFunctionSubclass():
        marked = x if isinstance(x, InTime) else x.as_subclass(InTime)
        marked.timesteps = timesteps
    return marked


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


# Functions that reorder or pick along an axis: where their arguments have it, and which it is if none is given. Sums
# and means are not among them: statistics over the batch are over time too, as batch norm's.
_ALONG: dict[str, tuple[int, int | None]] = {
    **dict.fromkeys(("cat", "concat", "concatenate", "stack", "unbind"), (1, 0)),
    **dict.fromkeys(("chunk", "split", "tensor_split"), (2, 0)),
    **dict.fromkeys(("roll", "topk"), (2, None)),
    **dict.fromkeys(("flip", "cumsum", "cumprod", "softmax", "log_softmax", "sort"), (1, None)),
}


def _across_the_batch(func: Callable, args: tuple, kwargs: Mapping[str, Any]) -> bool:
    """Whether it reorders, or picks from, what lies along axis 0."""
    name = func.__name__
    if name == "__getitem__":
        first = args[1][0] if isinstance(args[1], tuple) and args[1] else args[1]
        return isinstance(first, list | Tensor) or (isinstance(first, slice) and first != slice(None))
    if name not in _ALONG or not args:
        return False
    position, dim = _ALONG[name]
    dim = args[position] if len(args) > position else dim
    for word in ("dim", "dims", "axis"):
        dim = kwargs.get(word, dim)
    x = args[0][0] if isinstance(args[0], tuple | list) and args[0] else args[0]
    axes = getattr(x, "ndim", 0)
    axes += axes > 0 and name == "stack"  # numbers have no batch
    return axes > 0 and any(
        isinstance(d, int) and d % axes == 0 for d in (dim if isinstance(dim, tuple | list) else [dim])
    )


def _writes(func: Callable) -> bool:
    """Whether it changes its first argument, and what it returns may not be looked at."""
    name = func.__name__
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))


def _has_tensor(result: Any) -> bool:
    return isinstance(result, Tensor) or (isinstance(result, tuple | list) and any(map(_has_tensor, result)))
