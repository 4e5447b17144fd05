"""Seconds and bytes of a piece of work, taken in one way wherever they are taken."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def seconds(work: Callable[[], object], device: torch.device, calls: int = 1) -> float:
    """Seconds of a call, the mean of so many; the device has finished them.

    On one CPU thread that is processor time: wall time less what other programs take. Else it is wall time.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    _finish(device)
    began = clock()
    for _ in range(calls):
        work()
    _finish(device)
    return (clock() - began) / calls


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_bytes(work: Callable[[], Any], device: torch.device) -> int:
    """Most bytes of tensors that ``work`` holds at one time, beyond what there was before.

    On a GPU this is the allocator's own count. A CPU keeps none, so the storages that operations return are
    counted until they are freed; what one operation claims and frees inside itself is not seen.
    """
    if device.type == "cuda":
        gc.collect()  # else garbage from before could be freed meanwhile
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    with Storages() as counted:
        work()
    return counted.peak


class Storages(TorchDispatchMode):
    """Counts the bytes of all storages that are made inside it, and their peak.

    Attributes:
        live: bytes alive now.
        peak: most bytes that were alive at one time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._known: dict[int, weakref.ref] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        self._meet((args, kwargs), new=False)
        out = func(*args, **kwargs)
        self._meet(out, new=True)
        return out

    def _meet(self, values: Any, new: bool) -> None:
        for tensor in tree_leaves(values):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                if storage._cdata not in self._known:  # neither counted nor there before
                    self._count(storage, storage.nbytes() if new else 0)

    def _count(self, storage: torch.UntypedStorage, size: int) -> None:
        key = storage._cdata

        def freed(_: weakref.ref) -> None:
            self.live -= size
            del self._known[key]

        self._known[key] = weakref.ref(storage, freed)
        self.live += size
        self.peak = max(self.peak, self.live)
