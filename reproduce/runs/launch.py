"""A run over several devices: a process for each of them, started and watched by PyTorch's torchrun."""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from unittest.mock import patch

import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from reproduce.runs.spec import Spec
from snnlib.checks import InputError, short
from snnlib.data.checksums import DataError
from snnlib.store.files import DamagedError, StoreError, UnwritableError
from snnlib.training.failures import DeviceError, TrainingError

_CPP = "TORCH_CPP_LOG_LEVEL"  # of ranks, which would warn of each connection that ends

# What a rank may say of itself: it comes back as what it was.
_ERRORS = {
    error.__name__: error
    for error in (InputError, TrainingError, DeviceError, StoreError, UnwritableError, DamagedError, DataError)
}


def train_on_ranks(spec: Spec, label: str, device: torch.device) -> None:
    """Train a run, or go on with it, whose lock this process holds.

    Ranks find each other through a port of this machine, which torchrun chooses and which is open as long as they
    train. If one dies, torchrun ends the others.

    Args:
        label: what progress and errors call it.
        device: of any number; each rank takes the one of its own.

    Raises:
        TrainingError: a rank failed, or something ended it; the last checkpoint stays.
        DataError, StoreError: as from a run on one device.
    """
    with tempfile.TemporaryDirectory(prefix="snnlib-ranks-") as folder, _as_before():
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=spec.recipe.devices, max_restarts=0,
            rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost",  # whatever this machine is called
            run_id=spec.key, logs_specs=DefaultLogsSpecs(log_dir=folder),
        )  # fmt: skip
        rank = elastic_launch(config, entrypoint=sys.executable)
        try:
            rank("-m", "reproduce.runs.rank", str(os.getpid()), spec.model_dump_json(), label, device.type)
        except SignalException:
            raise KeyboardInterrupt from None
        except ChildFailedError as error:
            raise _what_happened(label, error.failures) from None


def _what_happened(label: str, failures: Mapping[int, ProcessFailure]) -> Exception:
    """What ended the first rank, as an error of one line."""
    said = {rank: _said(failure) for rank, failure in failures.items()}
    for kind, message in said.values():
        if kind in _ERRORS:
            return _ERRORS[kind](message)
    rank, failure = _first(failures)
    failed = failure.exitcode > 0
    why = f"failed ({short(': '.join(said[rank]), 200)})" if failed else f"was ended by {failure.signal_name()}"
    way_out = "the same command goes on from the last finished epoch"
    return TrainingError(f"{label}: rank {rank} of its devices, process {failure.pid}, {why}: {way_out}")


def _first(failures: Mapping[int, ProcessFailure]) -> tuple[int, ProcessFailure]:
    """The cause of the others: once a rank is gone, they lose their connection to it, and torchrun ends them."""
    in_time = sorted(failures.items(), key=lambda item: item[1].timestamp)
    killed = [item for item in in_time if item[1].exitcode < 0 and item[1].exitcode != -signal.SIGTERM]
    failed = [item for item in in_time if item[1].exitcode > 0]
    return [*killed, *failed, *in_time][0]


def _said(failure: ProcessFailure) -> tuple[str, str]:
    """What kind of error ended a rank, and its message, as far as it could say so."""
    data = failure.error_file_data.get("message")
    kind, _, message = (data.get("message", "") if isinstance(data, dict) else "").partition(": ")
    return kind, message


@contextmanager
def _as_before() -> Iterator[None]:
    """torchrun takes over signals, and tells at length what one line will say."""
    elastic = logging.getLogger("torch.distributed.elastic")
    level = elastic.level
    main = threading.current_thread() is threading.main_thread()
    kinds = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT") if hasattr(signal, name)]
    handlers = {kind: signal.getsignal(kind) for kind in kinds} if main else {}
    elastic.setLevel(logging.CRITICAL + 1)
    try:
        with patch.dict(os.environ, {_CPP: os.environ.get(_CPP) or "ERROR"}):
            yield
    finally:
        elastic.setLevel(level)
        for kind, handler in handlers.items():
            signal.signal(kind, handler)
