"""What files should be: fig.sha256 beside fig.csv and fig.png has their SHA-256, as ``sha256sum --check`` reads it.

It also has the sums of what they were made from, by their paths from there: evaluations and runs of the store, tables
of other notebooks. A picture or table that was cut off, edited, mixed up or is of another store is told from what was
written, and is not believed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from snnlib.store.files import DamagedError, check, digest, explained, sha256, write

ENDING = ".sha256"


def sums(path: Path) -> Path:
    """The file that has the sum of this one, and of those that differ from it in their ending alone."""
    return path.with_suffix(ENDING)


def write_summed(contents: Mapping[Path, bytes | str], made_from: Mapping[Path, str] | None = None) -> None:
    """Write files, and what their sums are now; those of others beside them stay.

    Args:
        contents: by path.
        made_from: sums of the files that they rest on.

    Raises:
        StoreError: as `snnlib.store.files.write`.
    """
    for path, content in contents.items():
        write(path, content)
        record(path, digest(content), made_from)


def record(path: Path, found: str | None = None, made_from: Mapping[Path, str] | None = None) -> None:
    """Write down what a file's sum is: this one, or that of what is there now."""
    folder = path.parent.resolve()
    rests_on = {_path(source, folder): each for source, each in (made_from or {}).items()}
    before = {name: each for name, each in _read(sums(path)).items() if not _elsewhere(name)}
    known = {**before, **rests_on, path.name: found or sha256(path)}
    write(sums(path), _lines(known))


def verified(path: Path) -> Path:
    """The path of a file that is as `write_summed` wrote it, as is what it was made from; else a `DamagedError`."""
    known = _read(sums(path))
    if path.name not in known:
        sha256(path)  # missing, or no file at all: that is said first
        raise DamagedError(f"{path}: nothing says what it should be, {sums(path).name} does not have it")
    check(path, known[path.name])
    for name in made_from(path):
        source = (path.parent / name).resolve()
        if sha256(source) != known[name]:
            raise DamagedError(f"{source}: damaged, or newer than {path}, which was made from it: then make that again")
    return path


def made_from(path: Path) -> list[str]:
    """The files that this one was made from, by their paths from there."""
    return [name for name in _read(sums(path)) if _elsewhere(name)]


def stand_alone(folder: Path) -> None:
    """Let the files of a folder rest on nothing outside of it: whoever gets a copy of it has no more."""
    whole = folder.resolve()
    for file in whole.rglob(f"*{ENDING}"):
        known = _read(file)
        inside = {name: found for name, found in known.items() if (file.parent / name).resolve().is_relative_to(whole)}
        if inside != known:
            write(file, _lines(inside))


def _path(source: Path, folder: Path) -> str:
    """From there; of a file that is there itself, such that it is told from what these sums are for."""
    name = os.path.relpath(source, folder)
    return name if _elsewhere(name) else os.path.join(os.curdir, name)


def _lines(known: Mapping[str, str]) -> str:
    return "".join(f"{found}  {name}\n" for name, found in sorted(known.items()))


def _elsewhere(name: str) -> bool:
    return os.sep in name


def _read(file: Path) -> dict[str, str]:
    """Sums by name; a line that is none has no name, and what is no text has no lines."""
    with explained(file):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    pairs = [line.split("  ", 1) for line in lines if "  " in line]
    return {name: found for found, name in pairs}
