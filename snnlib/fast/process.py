"""Settings of the process: what is set once, with the first import that computes, and what holds during a run.

``SNNLIB_KEEP_PROCESS=1`` leaves the process as it is. No setting changes a result that matters:
denormal numbers are below 1e-38, and the allocator only keeps memory it was given.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from operator import attrgetter
from typing import Any

import torch

from snnlib.checks import InputError, one_of, short, shown, whole

PRECISIONS = ("float32", "bfloat16")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # names and values of glibc's <malloc.h>
_OMP_PAUSE_SOFT = 1  # of OpenMP's <omp.h>


def usable(device: torch.device | str) -> torch.device:
    """The device of this name, if tensors can be kept there; else an `InputError`."""
    try:
        found = torch.device(device)
        torch.empty(0, device=found)
    except (RuntimeError, TypeError, ValueError, AssertionError) as error:  # NotImplementedError is a RuntimeError
        why = short(str(error).partition("\n")[0])
        raise InputError(f"device = {shown(device)}: must be cpu, or a GPU that PyTorch sees ({why})") from None
    one_of("device", found.type, ("cpu", "cuda", "mps", "xpu"))
    return found


def cores() -> int:
    """How many this process may use, as Snakemake counts them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def configure() -> None:
    """Flush denormals to zero, let glibc keep large blocks, and have cuDNN choose algorithms that repeat.

    Most surrogate gradients vanish, so Adam's second moments decay into denormal numbers, on which
    a CPU computes many times slower. And glibc hands each large activation back to the kernel,
    which then has to fault in and clear its pages again for the next layer.

    How denormals are treated is a thread's own, inherited by those that it starts: OpenMP's, which PyTorch may have
    started already, are ended here and started anew when next they are needed.
    """
    if os.environ.get("SNNLIB_KEEP_PROCESS") == "1":
        return
    torch.set_flush_denormal(True)
    if (pause := _function("omp_pause_resource_all")) is not None:
        pause(_OMP_PAUSE_SOFT)
    torch.backends.cudnn.deterministic = True
    if (mallopt := _function("mallopt")) is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**31 - 1)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 256 * 2**20)


def _function(name: str) -> Callable[..., int] | None:
    """A function of the C libraries of this process; None where there is no Linux, or they do not have it."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


@contextmanager
def pinned() -> Iterator[None]:
    """Compute the same bytes whatever the process was set to: a notebook may hold anything.

    Gradients on, float32, the CPU, no autocast, oneDNN with float32 products, cuDNN with algorithms that repeat.
    """
    cudnn = torch.backends.cudnn
    with ExitStack() as settings:
        settings.callback(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float32)
        settings.enter_context(_products())
        for backend, name, value in (
            (torch.backends.mkldnn, "enabled", True),
            (cudnn, "enabled", True), (cudnn, "benchmark", False), (cudnn, "deterministic", True),
        ):  # fmt: skip
            settings.callback(setattr, backend, name, getattr(backend, name))
            setattr(backend, name, value)
        settings.enter_context(torch.inference_mode(False))
        settings.enter_context(torch.enable_grad())
        if torch.get_default_device().type != "cpu":  # only then: it slows every call of PyTorch
            settings.enter_context(torch.device("cpu"))
        for kind in ("cpu", "cuda"):
            settings.enter_context(torch.autocast(kind, enabled=False))
        yield


@contextmanager
def _products() -> Iterator[None]:
    """Products of float32 in float32, but for cuDNN's convolutions, in TF32, which is PyTorch's default.

    PyTorch has two interfaces for this. Where its user has spoken by the newer one (2.9), the older one refuses to
    say what holds, and it refuses to compute where both are set and differ. So both are set, and both given back.
    """
    older = [
        (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision, "highest"),
        (
            lambda: torch.backends.cudnn.allow_tf32,
            lambda value: setattr(torch.backends.cudnn, "allow_tf32", value),
            True,
        ),
    ]
    with ExitStack() as before:
        with suppress(AttributeError):  # before 2.9
            inherited = {"cuda": torch.backends.fp32_precision, "mkldnn": torch.backends.mkldnn.fp32_precision}
            for name in ("cuda.matmul", "cudnn.conv", "cudnn.rnn", "mkldnn.matmul", "mkldnn.conv", "mkldnn.rnn"):
                owner, operations = name.split(".")[0], attrgetter(name)(torch.backends)
                found = operations.fp32_precision
                # What it says may be what is said above it, and then it had said nothing itself.
                own = ("none", found) if found == inherited.get(owner) else (found,)
                before.callback(_give_back, operations, *own)
                if owner == "mkldnn":  # of which the older interface knows matmul alone
                    operations.fp32_precision = "ieee"
        for read, write, value in older:
            with suppress(RuntimeError):  # it refuses to say: then what the newer one says is all there is
                before.callback(write, read())
            write(value)
        yield


def _give_back(operations: Any, own: str, *otherwise: str) -> None:
    """Set what was set before, or if that does not make it what it was, that itself."""
    operations.fp32_precision = own
    if otherwise and operations.fp32_precision != otherwise[0]:
        operations.fp32_precision = otherwise[0]


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Convolutions and linear layers in this precision; weights stay float32."""
    one_of("precision", precision, PRECISIONS)
    # No cache of cast weights: it is emptied only when the outermost autocast ends, and there may be one around this:
    # a forward pass would go on with weights that training has changed. Each is cast once in a pass anyway.
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run on ``n`` CPU threads: how a sum is split among them decides its last bit."""
    whole("threads", n, 1, 1024)
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
