"""Whose a preset's folder is: those that ship have one of their name; a file of the reader's own marks it as its own.

The mark is a copy of the file, so that what was drawn says from what; the sums beside it say where the file lay.
"""

from __future__ import annotations

from pathlib import Path

from reproduce.runs.preset import Preset
from snnlib.checks import InputError
from snnlib.store.files import digest, explained
from snnlib.store.paths import figures_dir, from_root
from snnlib.store.sums import made_from, write_summed

COPY = "preset.toml"


def figures_of(preset: Preset) -> Path:
    """Where a preset's figures are, drawn or not; an `InputError` if another one of the same name has them there."""
    return _checked(figures_dir() / preset.name, preset)


def claimed(folder: Path, preset: Preset) -> Path:
    """A folder that a preset is about to write to, marked as its own.

    Raises:
        InputError: it is marked by another file of the same name, whose content is another one.
        StoreError: it cannot be written to.
    """
    _checked(folder, preset)
    if preset.own:
        content = _bytes(preset.file)
        write_summed({folder / COPY: content}, {preset.file: digest(content)})
    return folder


def _checked(folder: Path, preset: Preset) -> Path:
    copy = folder / COPY
    if preset.own and copy.is_file():
        origins = [Path(folder.resolve(), name).resolve() for name in made_from(copy)]
        if preset.file.resolve() not in origins and _bytes(copy) != _bytes(preset.file):
            raise InputError(
                f"{from_root(folder)}: belongs to another preset of the name {preset.name}, "
                f"{', '.join(map(str, origins))}; rename {preset.file}, or remove that folder"
            )
    return folder


def _bytes(file: Path) -> bytes:
    with explained(file):
        return file.read_bytes()
