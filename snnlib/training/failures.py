"""What stops a run besides its user: numbers that are no longer finite, memory that is full, a device that died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class TrainingError(RuntimeError):
    """A run cannot go on; the message is one line: where it stopped and what to try. Its last checkpoint stays."""


class DeviceError(TrainingError):
    """The device failed, so nothing that needs it can go on in this process."""


_DEVICE = (getattr(torch, "AcceleratorError", ()), getattr(torch.cuda, "DeferredCudaCallError", ()))
_DEVICE_WORDS = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "NCCL error", "CUDA driver")


@contextmanager
def naming_place(where: Callable[[], str], batch_size: int) -> Iterator[None]:
    """Name where it happened and what to try, if memory runs out or the device fails; other errors pass.

    Args:
        where: called when it happens; the run, the epoch, the step.
        batch_size: of what was computed.

    Raises:
        TrainingError: out of memory; it suggests half the batch size.
        DeviceError: the device failed.
    """
    try:
        yield
    except TrainingError:
        raise
    except (RuntimeError, MemoryError) as error:
        cause = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        if _memory_is_full(error):
            half = max(batch_size // 2, 1)
            raise TrainingError(f"{where()}: out of memory at batch_size {batch_size}: try {half} ({cause})") from error
        if isinstance(error, _DEVICE) or any(words in str(error) for words in _DEVICE_WORDS):
            way_out = "see that it works (nvidia-smi), then run the same command again"
            raise DeviceError(f"{where()}: the device failed: {way_out} ({cause})") from error
        raise


def _memory_is_full(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # On a CPU PyTorch raises a plain RuntimeError.
    return any(words in str(error) for words in ("DefaultCPUAllocator", "not enough memory", "can't allocate memory"))
