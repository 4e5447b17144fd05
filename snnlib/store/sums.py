"""What files should be: fig.sha256 beside fig.csv and fig.png has their SHA-256, as ``sha256sum --check`` reads it.

A picture or table that was cut off, edited or mixed up is told from what was written, and is not believed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from snnlib.store.files import DamagedError, check, digest, explained, sha256, write

ENDING = ".sha256"


def sums(path: Path) -> Path:
    """The file that has the sum of this one, and of those that differ from it in their ending alone."""
    return path.with_suffix(ENDING)


def write_summed(contents: Mapping[Path, bytes | str]) -> None:
    """Write files, and what their sums are now; those of others beside them stay.

    Raises:
        StoreError: as `snnlib.store.files.write`.
    """
    for path, content in contents.items():
        write(path, content)
        record(path, digest(content))


def record(path: Path, found: str | None = None) -> None:
    """Write down what a file's sum is: this one, or that of what is there now."""
    known = {**_read(sums(path)), path.name: found or sha256(path)}
    write(sums(path), "".join(f"{each}  {name}\n" for name, each in sorted(known.items())))


def verified(path: Path) -> Path:
    """The path of a file that is as `write_summed` wrote it; a `DamagedError` if it is not, or is missing."""
    known = _read(sums(path))
    if path.name not in known:
        sha256(path)  # missing, or no file at all: that is said first
        raise DamagedError(f"{path}: nothing says what it should be, {sums(path).name} does not have it")
    return check(path, known[path.name])


def _read(file: Path) -> dict[str, str]:
    """Sums by name; a line that is none has no name, and what is no text has no lines."""
    with explained(file):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else []
    pairs = [line.split("  ", 1) for line in lines if "  " in line]
    return {name: found for found, name in pairs}
