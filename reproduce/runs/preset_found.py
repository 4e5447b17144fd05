"""Where a preset is: one that ships, or a file of the reader's own."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from reproduce.runs.preset_file import read_toml
from snnlib.checks import InputError, shown

FOLDER = Path(__file__).parent / "presets"  # of those that ship
NAME = r"\w[\w.-]{0,99}"  # of a preset, and so of its folder under figures/
TAKEN = (  # folders beside those of the presets, under figures/ or build/: some are removed and made anew
    "bench", "browser", "faults", "jupyter_execute", "nbval", "release", "site", "site-pages", "site-source", "slurm",
)  # fmt: skip


def preset_names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def shipped(file: Path) -> bool:
    """Whether a preset's file is one that ships."""
    return file.parent == FOLDER


def read(given: str) -> tuple[Path, dict[str, Any]]:
    """A preset's file and what it holds, not yet checked; errors are those of `load_preset`."""
    names = preset_names()
    if given in names:
        return FOLDER / f"{given}.toml", read_toml(FOLDER / f"{given}.toml")
    where = f"preset = {shown(given)}"
    if not (isinstance(given, str) and (os.sep in given or given.endswith(".toml"))):
        raise InputError(f"{where}: must be one of {', '.join(names)}, or the path of a TOML file")
    try:
        file = Path(os.path.abspath(Path(given).expanduser()))
        if not re.fullmatch(rf"{NAME}\.toml", file.name) or file.stem.casefold() in TAKEN:
            allowed = f"letters, digits, dots, - and _, then .toml, and not {', '.join(TAKEN)}, which have other uses"
            raise InputError(f"must be the path of a file whose name is {allowed}")
        if not str(file).isprintable():
            raise InputError("must be a path of printable characters")
        content = read_toml(file)
    except (InputError, RuntimeError) as error:  # RuntimeError: ~somebody
        raise InputError(f"{where}: {error}") from None
    ships = {name.casefold(): FOLDER / f"{name}.toml" for name in names}.get(file.stem.casefold())
    if ships is None or ships == file:
        return file, content
    if read_toml(ships) != content:
        raise InputError(f"{where}: has the name of preset {ships.stem}, which ships, and differs from it; rename it")
    return ships, content
