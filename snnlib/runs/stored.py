"""The run store as it is: every folder in it, whoever trained what is there, and how one is removed."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from snnlib.checks import InputError
from snnlib.runs.run import Run
from snnlib.runs.spec import Spec
from snnlib.store import locks
from snnlib.store.files import StoreError, explained, unseal
from snnlib.store.paths import runs_dir

_NAME = re.compile(r".+-[0-9a-f]{12}")  # `Spec.name`
_REMOVED = ".removed"


def names() -> list[str]:
    """The runs that the store has a folder for: finished, begun or damaged."""
    folder = runs_dir()
    with explained(folder):
        return sorted(p.name for p in folder.iterdir() if _NAME.fullmatch(p.name)) if folder.is_dir() else []


def finished(name: str) -> Run | None:
    """A run by its name; None if it is not there or not finished, or its metadata cannot be read by this version."""
    try:
        run = Run(Spec.model_validate(unseal(runs_dir() / name / "metadata.json").get("spec")))
        return run if run.spec.name == name and run.metadata else None
    except (StoreError, InputError, ValidationError):
        return None


def readable(name: str) -> bool:
    """Whether a run's metadata is as it was written, by whichever version."""
    try:
        return bool(unseal(runs_dir() / name / "metadata.json"))
    except StoreError:
        return False


def remove(name: str) -> Path:
    """Remove a run's folder and all in it; returns where it was.

    It loses its name at once, so that half a run is never taken for one.

    Raises:
        StoreError: a process trains or evaluates it, or it cannot be removed.
    """
    folder = runs_dir() / name
    for left_over in folder.parent.glob(f".*{_REMOVED}"):  # of a process that was killed
        shutil.rmtree(left_over, ignore_errors=True)
    gone = folder.with_name(f".{uuid4().hex[:8]}{_REMOVED}")
    with locks.alone(folder / "lock", f"removes {name}", wait=False), explained(folder):
        folder.rename(gone)
    with explained(gone):
        shutil.rmtree(gone)
    return folder
