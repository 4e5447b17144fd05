"""Settings of the process: what is made once, when snnlib is imported, and what holds while a run is computed.

``SNNLIB_KEEP_PROCESS=1`` leaves the process as it is. No setting changes a result that matters:
denormal numbers are below 1e-38, and the allocator only keeps memory it was given.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

from snnlib.checks import one_of

PRECISIONS = ("float32", "bfloat16")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # names and values of glibc's <malloc.h>


def configure() -> None:
    """Flush denormals to zero, let glibc keep large blocks, and have cuDNN choose algorithms that repeat.

    Most surrogate gradients vanish, so Adam's second moments decay into denormal numbers, on which
    a CPU computes many times slower. And glibc hands each large activation back to the kernel,
    which then has to fault in and clear its pages again for the next layer.
    """
    if os.environ.get("SNNLIB_KEEP_PROCESS") == "1":
        return
    torch.set_flush_denormal(True)
    torch.backends.cudnn.deterministic = True
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # absent where libc is not glibc
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)
            mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
            mallopt(_M_TOP_PAD, 256 * 2**20)


@contextmanager
def pinned() -> Iterator[None]:
    """Compute the same bytes whatever the process was set to: a notebook may hold anything.

    Gradients on, float32, the CPU, no autocast, oneDNN with float32 products, cuDNN with algorithms that repeat.
    """
    with ExitStack() as settings:
        settings.callback(torch.set_default_dtype, torch.get_default_dtype())
        settings.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
        settings.callback(setattr, torch.backends.mkldnn, "enabled", torch.backends.mkldnn.enabled)
        torch.set_default_dtype(torch.float32)
        torch.set_float32_matmul_precision("highest")
        torch.backends.mkldnn.enabled = True
        settings.enter_context(torch.inference_mode(False))
        settings.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":  # only then: it slows every call of PyTorch
            settings.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            settings.enter_context(torch.autocast(kind, enabled=False))
        settings.enter_context(
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=True)
        )
        yield


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Convolutions and linear layers in this precision; weights stay float32."""
    one_of("precision", precision, PRECISIONS)
    # No cache of cast weights: it is emptied only when the outermost autocast ends, and there may be one around this:
    # a forward pass would go on with weights that training has changed. Each is cast once in a pass anyway.
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run on ``n`` CPU threads: how a sum is split among them decides its last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
