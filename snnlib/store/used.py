"""What this process has read that its results rest on: files of the run store, tables of other notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

_read: dict[Path, str] = {}


def note(path: Path, sha256: str) -> Path:
    """Say that a file of this sum was read; returns its path."""
    _read[path.resolve()] = sha256
    return path


def used() -> Mapping[Path, str]:
    """The files read so far, with their sums."""
    return MappingProxyType(_read)


def forget() -> None:
    """Nothing was read yet: a notebook begins."""
    _read.clear()
