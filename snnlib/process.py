"""Process settings, made once, when snnlib is imported: two decide how fast a CPU trains, one that a GPU repeats.

``SNNLIB_KEEP_PROCESS=1`` leaves the process as it is. No setting changes a result that matters:
denormal numbers are below 1e-38, and the allocator only keeps memory it was given.
"""

from __future__ import annotations

import ctypes
import os
import sys

import torch

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
