"""Many runs in one go: one that fails does not stop the others, and what failed is listed at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import torch

from reproduce.batch.estimate import incomplete, to_do
from reproduce.batch.evaluated import evaluations
from reproduce.runs.preset import Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run, default_device
from snnlib.data.checksums import DataError
from snnlib.store.files import StoreError, UnwritableError, newer, regular, write
from snnlib.training.failures import DeviceError, TrainingError
from snnlib.training.ranks import enough_devices

log = logging.getLogger("snnlib")

FAILURE = "failure.txt"  # in the run's folder: why it failed


class BatchError(RuntimeError):
    """Some of a batch failed, the rest is done; the message lists what failed, a line each."""

    def __init__(self, failed: dict[str, str], of: str) -> None:
        lines = [f"  {name}: {message}" for name, message in failed.items()]
        super().__init__("\n".join([f"{len(failed)} of {of} failed; the same command tries them again:", *lines]))


def train_runs(runs: Iterable[Run], preset: Preset) -> None:
    """Train runs, or resume or skip them, and evaluate each as the preset says.

    A failed run does not stop the others, unless nothing can be written or the device is dead, when none can go on.

    Raises:
        BatchError: some failed.
        InputError: one that is left wants more GPUs than there are; nothing is trained then.
    """
    runs, failed, stopped = list(runs), {}, False
    for run in runs:
        if run.spec.recipe.devices > 1 and (left := to_do(run, preset)) and left.epochs:
            enough_devices(run.spec.recipe.devices, torch.device(default_device()))  # else hours later, amid the others
    for run in runs:
        if stopped:
            failed[run.spec.name] = "not tried after that"
            continue
        try:
            for evaluation in evaluations(preset, run):
                accuracy(run, evaluation)
        except (TrainingError, DataError, StoreError) as error:
            log.error("%s", error)
            failed[run.spec.name] = str(error)
            with suppress(StoreError):
                write(_file(run), f"{error}\n")
            stopped = isinstance(error, (DeviceError, UnwritableError))
        else:
            with suppress(OSError):  # none, or a store that can only be read
                _file(run).unlink()
    if failed:
        raise BatchError(failed, f"{len(runs)} runs")


def failure(run: Run, since: float = 0.0) -> str | None:
    """Why a run failed, if it did since then, a time of the system's clock, and has not been done by a batch since."""
    try:
        if _file(run).stat().st_mtime < since:
            return None
        return regular(_file(run)).read_text(encoding="utf-8", errors="replace").strip()
    except (StoreError, OSError):
        return None


def unfinished(preset: Preset, since: float, logs: Mapping[str, Path]) -> dict[str, str]:
    """Why each run of a preset that is not done, or damaged, is not; ``logs``: of their jobs, by name."""

    def why(run: Run) -> str:
        log = logs.get(run.spec.name)  # none where all is published
        return failure(run, since) or (f"not done, see {log}" if log and newer(log, since) else "not tried")

    return {run.spec.name: why(run) for run in incomplete(preset)}


def failed(preset: Preset, since: float) -> dict[str, str]:
    """The runs of a preset that failed since then, and why."""
    reasons = {name: failure(run, since) for name, run in preset.all_runs().items()}
    return {name: reason for name, reason in reasons.items() if reason}


def _file(run: Run) -> Path:
    """Where the reason stands."""
    return run.folder / FAILURE
