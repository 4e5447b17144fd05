"""What stops a run: its user, numbers that are no longer finite, memory that is full, a device that died."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from snnlib.checks import OneLine


class TrainingError(OneLine, RuntimeError):
    """A run cannot go on; the message is one line: where it stopped and what to try. Its last checkpoint stays."""


class DeviceError(TrainingError):
    """The device failed, so nothing that needs it can go on in this process."""


class Interrupted(OneLine, KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button, in the midst of what goes on from there when it is asked for again."""


@contextmanager
def resumable() -> Iterator[None]:
    """An interruption says what has become of the work; it is a `KeyboardInterrupt` still."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt:
        raise Interrupted("the same call goes on from the last finished epoch") from None


_DEVICE = (getattr(torch, "AcceleratorError", ()), getattr(torch.cuda, "DeferredCudaCallError", ()))
_DEVICE_WORDS = ("CUDA error", "CUDNN_STATUS", "CUBLAS_STATUS", "NCCL error", "CUDA driver")


@contextmanager
def naming_place(where: Callable[[], str], field: str, batch_size: int) -> Iterator[None]:
    """Name where it happened and what to try, if memory runs out or the device fails; other errors pass.

    Args:
        where: called when it happens; the run, the epoch, the step.
        field: that says how many images are computed at once; of the recipe, or of the evaluation.
        batch_size: its value.

    Raises:
        TrainingError: out of memory; it suggests half of the field's value.
        DeviceError: the device failed.
    """
    try:
        yield
    except TrainingError:
        raise
    except (RuntimeError, MemoryError) as error:
        cause = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        if _memory_is_full(error):
            way_out = f"try {batch_size // 2}" if batch_size > 1 else "it must be had from other programs"
            raise TrainingError(f"{where()}: out of memory at {field} = {batch_size}: {way_out} ({cause})") from error
        if isinstance(error, _DEVICE) or any(words in str(error) for words in _DEVICE_WORDS):
            way_out = "see that it works (nvidia-smi), then run the same command again"
            raise DeviceError(f"{where()}: the device failed: {way_out} ({cause})") from error
        raise


def _memory_is_full(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    # On a CPU PyTorch raises a plain RuntimeError.
    return any(words in str(error) for words in ("DefaultCPUAllocator", "not enough memory", "can't allocate memory"))
