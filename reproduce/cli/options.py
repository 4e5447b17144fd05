"""What several commands take or print in the same way."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import typer

from reproduce.runs.preset_found import preset_names
from snnlib.checks import InputError, short, shown
from snnlib.store.paths import published_dir


def as_number(text: str) -> float:
    """An option's value; typer's own parsers do not name it when they refuse it."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)}: must be a number") from None


class Numbers(tuple[float, ...]):
    """Several of one option's value; typer would take a mere tuple for as many words."""


def as_numbers(text: str) -> Numbers:
    """Likewise, with commas between them."""
    return Numbers(as_number(part) for part in text.split(","))


def as_whole(text: str) -> int:
    """Likewise."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)}: must be a whole number") from None


PRESETS = f"{', '.join(preset_names())}, or the path of a TOML file"
PresetName = Annotated[str, typer.Option("--preset", help=PRESETS)]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="NAME=VALUE", help="the preset with that, such as width=0.25 or recipe.epochs=2; repeatable"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document instead")]
Out = Annotated[str | None, typer.Option("--out", help="where figures go, as SNNLIB_FIGURES; a folder for each preset")]
Name = Annotated[str, typer.Argument(help="a run's id, or the beginning of its name, see `runs`")]
Names = Annotated[list[str] | None, typer.Argument(help="ids of runs, or beginnings of their names; all if none")]


@contextmanager
def figures_in(out: str | None) -> Iterator[None]:
    """Have figures in this folder, as ``SNNLIB_FIGURES`` would, here and in all that this process starts.

    Raises:
        InputError: it cannot be a folder that is written to, or it is the published one.
    """
    with patch.dict(os.environ, {} if out is None else {"SNNLIB_FIGURES": str(_writable(out))}):
        yield


def as_path(option: str, given: str) -> Path:
    """An option's path, from where the command was given; an `InputError` for what is the name of no file."""
    where = f"{option} {shown(given)}"
    try:
        path = Path(os.path.abspath(Path(given).expanduser()))
        path.exists()
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: ~somebody
        raise InputError(f"{where}: {short(str(error), 300)}") from None
    if not given or not str(path).isprintable():
        raise InputError(f"{where}: must be a path of printable characters")
    return path


def _writable(out: str) -> Path:
    folder, where = as_path("--out", out), f"--out {shown(out)}"
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise InputError(f"{where}: must be a folder that can be written to, or made; {there} cannot")
    if folder.resolve() == published_dir().resolve():
        raise InputError(f"{where}: must not be the published one, to which only `publish` writes")
    return folder


def print_json(document: Mapping[str, Any]) -> None:
    """One JSON document; what is no finite number is null, or "Infinity"."""
    print(json.dumps(_plain(document), indent=2, ensure_ascii=False, allow_nan=False))


def _plain(value: Any) -> Any:
    match value:
        case Mapping():
            return {str(k): _plain(v) for k, v in value.items()}
        case list() | tuple():
            return [_plain(v) for v in value]
        case bool() | int() | str() | None:
            return value
        case float():
            return float(value) if math.isfinite(value) else None
    raise TypeError(f"{type(value).__name__} in a JSON document")
