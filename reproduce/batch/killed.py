"""Jobs of a workflow that a signal ended: what is killed cannot say so, but leaves an exit code."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

from reproduce.batch.estimate import incomplete
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.train import failure
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from snnlib.store.files import newer

Jobs = Sequence[Sequence[Run]]

TRY = {
    "SIGKILL": "memory may be full (`dmesg` tells): free some, or let fewer runs share it",
    "SIGSEGV": "a fault in a compiled library: its traceback is there",
    "SIGILL": "PyTorch was built for another processor",
}


def log_file(folder: Path, job: str) -> Path:
    """What a job says."""
    return folder / f"{job}.log"


def status_file(folder: Path, job: str) -> Path:
    """The exit code of a job that failed; above 128, a signal ended it."""
    return folder / f"{job}.status"


def training(runs: Sequence[Run]) -> str:
    """The name of the job of these runs, the same wherever and whenever the workflow is read: on a cluster, by each."""
    return f"train_{runs[0].spec.key}"


def logs(trainings: Jobs, folder: Path) -> dict[str, Path]:
    """Where the job of each run says what it does, by the run's name."""
    return {run.spec.name: log_file(folder, training(runs)) for runs in trainings for run in runs}


def killed(preset: Preset, trainings: Jobs, folder: Path, since: float) -> dict[str, str]:
    """Each run and notebook at which a signal ended a job since then: which signal, where to look, and what to try.

    Args:
        trainings: from `reproduce.batch.jobs.jobs`.
        folder: of the jobs' logs.
        since: a time of the system's clock.
    """
    left = {run.spec.name for run in incomplete(preset)}
    found = {name: why for name in NOTEBOOK_FILES if (why := why_killed(folder, name, since))}
    for runs in trainings:
        # They are trained in this order; one that failed by itself was through before the signal.
        at_work = [run for run in runs if run.spec.name in left and failure(run, since) is None]
        if at_work and (why := why_killed(folder, training(runs), since)):
            run, *behind = at_work
            found[run.spec.name] = f"after epoch {epochs_done(run.folder)} of {run.spec.recipe.epochs}, {why}"
            found |= {other.spec.name: "not tried after that" for other in behind}
    return found


def why_killed(folder: Path, job: str, since: float) -> str | None:
    """The signal that ended a job since then, where to look and what to try; None if none did."""
    file = status_file(folder, job)
    if not newer(file, since):
        return None
    code = file.read_text(encoding="utf-8", errors="replace").strip()
    if not code.isdecimal() or int(code) <= 128:
        return None
    try:
        name = signal.Signals(int(code) - 128).name
    except ValueError:
        name = f"signal {int(code) - 128}"
    return f"killed by {name}, see {log_file(folder, job)}" + (f": {TRY[name]}" if name in TRY else "")
