"""What a notebook may have done to its process before it asks for a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from operator import attrgetter

import numpy as np
import torch


def _setting(change: Callable[[], object], back: Callable[[], object]) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def pollute() -> Iterator[None]:
        change()
        try:
            yield
        finally:
            back()

    return pollute


def _draw() -> None:
    torch.manual_seed(5)
    torch.rand(7)
    np.random.seed(3)
    random.seed(1)
    torch.nn.Linear(1000, 1000)(torch.rand(64, 1000))


POLLUTIONS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "random numbers": _setting(_draw, lambda: None),
    "float64": _setting(lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.float32)),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "denormals": _setting(lambda: torch.set_flush_denormal(False), lambda: torch.set_flush_denormal(True)),
    "fast products": _setting(
        lambda: torch.set_float32_matmul_precision("medium"), lambda: torch.set_float32_matmul_precision("highest")
    ),
    "deterministic": _setting(
        lambda: torch.use_deterministic_algorithms(True), lambda: torch.use_deterministic_algorithms(False)
    ),
    "other threads": _setting(lambda: torch.set_num_threads(2), lambda: torch.set_num_threads(1)),
    "another device": lambda: torch.device("meta"),
    "no oneDNN": _setting(
        lambda: setattr(torch.backends.mkldnn, "enabled", False),
        lambda: setattr(torch.backends.mkldnn, "enabled", True),
    ),
}

# By PyTorch's newer interface (2.9), after which the older one refuses to say what holds.
NEWER = {"cuda.matmul": "tf32", "cudnn.conv": "ieee", "mkldnn": "bf16", "mkldnn.matmul": "bf16", "mkldnn.conv": "bf16"}
if hasattr(torch.backends, "fp32_precision"):
    for owner, precision in NEWER.items():
        backend = attrgetter(owner)(torch.backends)
        POLLUTIONS[f"{owner} in {precision}"] = _setting(
            partial(setattr, backend, "fp32_precision", precision),
            partial(setattr, backend, "fp32_precision", backend.fp32_precision),
        )
    POLLUTIONS["all in tf32"] = _setting(
        lambda: setattr(torch.backends, "fp32_precision", "tf32"),
        lambda: setattr(torch.backends, "fp32_precision", "none"),
    )
