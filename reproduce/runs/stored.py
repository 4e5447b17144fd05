"""The run store as it is: every folder in it, whoever trained what is there, and how one is removed."""

from __future__ import annotations

import re
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from reproduce.runs import pretrained
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
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
    """A run by its name, of the store or published; None if it is neither, or its metadata cannot be read."""
    for folder in (runs_dir() / name, pretrained.folder(name)):
        with suppress(StoreError, InputError, ValidationError):
            run = Run(Spec.model_validate(unseal(folder / pretrained.METADATA).get("spec")))
            if run.spec.name == name and run.metadata:
                return run
    return None


def readable(name: str) -> bool:
    """Whether a run's metadata is as it was written, by whichever version."""
    try:
        return bool(unseal(runs_dir() / name / pretrained.METADATA))
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
