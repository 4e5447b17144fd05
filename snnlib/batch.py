"""Many runs in one go: one that fails does not stop the others, and what failed is listed at the end."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from snnlib.disk import StoreError, write
from snnlib.failures import DeviceError, TrainingError
from snnlib.files import DataError
from snnlib.preset import Preset
from snnlib.results import accuracy
from snnlib.runs import Run

log = logging.getLogger("snnlib")


class BatchError(RuntimeError):
    """Some of a batch failed, the rest is done; the message lists what failed, a line each."""

    def __init__(self, failed: dict[str, str], of: str) -> None:
        lines = [f"  {name}: {message}" for name, message in failed.items()]
        super().__init__("\n".join([f"{len(failed)} of {of} failed; the same command tries them again:", *lines]))


def failure(run: Run) -> Path:
    """Where the reason why a run failed stands, until it is done."""
    return run.folder / "failure.txt"


def train(runs: Iterable[Run], preset: Preset) -> None:
    """Train runs, or resume or skip them, and evaluate each as the preset says.

    A failed run does not stop the others, unless the store cannot be used or the device is dead, when none can go on.

    Raises:
        BatchError: some failed.
    """
    runs, failed = list(runs), {}
    stopped: Exception | None = None
    for run in runs:
        if stopped:
            failed[run.spec.name] = "not tried after that"
            continue
        try:
            for evaluation in preset.evaluations(run):
                accuracy(run, evaluation)
        except (TrainingError, DataError, StoreError) as error:
            log.error("error: %s", error)
            failed[run.spec.name] = str(error)
            with suppress(StoreError):
                write(failure(run), f"{error}\n")
            stopped = error if isinstance(error, (DeviceError, StoreError)) else None
        else:
            with suppress(OSError):  # a store that only can be read has none
                failure(run).unlink()
    if failed:
        raise BatchError(failed, f"{len(runs)} runs")


def unfinished(preset: Preset, since: float) -> dict[str, str]:
    """Why each run of a preset that is not done is not, or failed since then, a time of the system's clock."""
    found = {}
    for name, run in preset.all_runs().items():
        if failure(run).exists() and failure(run).stat().st_mtime >= since:
            found[name] = failure(run).read_text(encoding="utf-8").strip()
        elif not run.done:
            begun = run.folder.exists()
            found[name] = "its process was killed; out of memory?" if begun else "not begun"
    return found
