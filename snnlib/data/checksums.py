"""The files of a data set: are they there, are they the right ones, and what to do if not."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from snnlib.checks import OneLine
from snnlib.store.files import DamagedError, StoreError, set_aside, sha256
from snnlib.store.locks import alone
from snnlib.store.once import once

log = logging.getLogger("snnlib")


class DataError(OneLine, RuntimeError):
    """A data set is missing or damaged; the message is one line and says what to do."""


@dataclass(frozen=True)
class Files:
    """Where the files of a set lie, what they must be, and how to come by them."""

    folder: Path
    checksums: dict[str, str]  # file name -> SHA-256
    remedy: str  # when they cannot be had otherwise


def require(name: str, files: Files, download: Callable[[list[str]], None] | None) -> None:
    """Return once every file is there and intact; what is damaged is moved into ``damaged/`` beside it, and logged.

    Args:
        name: of the data set, for messages.
        files: what must be there.
        download: fetches the files of these names; None if they are not to be, or cannot be, fetched.

    Raises:
        DataError: a file is unreadable, or is missing or damaged and cannot be had anew.
    """
    damaged, missing = _inspect(files)
    if not (damaged or missing):
        return
    if missing and not (damaged or download):
        raise _refusal(name, files, missing, [])
    reasons: list[str] = []

    def read() -> bool | None:
        damaged, missing = _inspect(files)
        if damaged:  # or, by another process that downloads, half written: once it is through, this is asked again
            raise DamagedError("; ".join(damaged.values()))
        return None if missing else True

    def move_aside(_: DamagedError) -> None:
        reasons.extend(_clear(files))

    def fetch() -> bool:
        cause = None
        _, missing = _inspect(files)
        if download:
            try:
                download(missing)
            except (OSError, RuntimeError, HTTPException) as error:
                cause = error
                reasons.append(f"download failed: {' '.join(str(error).split())}")
            reasons.extend(_clear(files))  # what was fetched is checked like any other file
            _, missing = _inspect(files)
        if missing:
            raise _refusal(name, files, missing, reasons) from cause
        return True

    try:
        once(read, lambda: alone(files.folder / ".lock", f"checks or downloads {name}"), move_aside, fetch)
    except StoreError as error:  # nothing can be written or moved there
        raise _refusal(name, files, [*damaged, *missing], [*damaged.values(), str(error)]) from error


def _inspect(files: Files) -> tuple[dict[str, str], list[str]]:
    """What is wrong with each damaged file, by name, and the names of the missing ones."""
    damaged, missing = {}, []
    for file, expected in files.checksums.items():
        path = files.folder / file
        try:
            found = sha256(path)
        except StoreError as error:
            if isinstance(error.__cause__, FileNotFoundError | NotADirectoryError):
                missing.append(file)
            elif error.__cause__ is None:  # a pipe or a device
                damaged[file] = str(error)
            else:
                reason = getattr(error.__cause__, "strerror", None) or error
                raise DataError(f"{path} cannot be read: {reason}; mend that, or move it away and run again") from error
        else:
            if found != expected:
                damaged[file] = f"{path} is damaged: its sha256 is {found[:12]}..., not {expected[:12]}..."
    return damaged, missing


def _clear(files: Files) -> list[str]:
    """Move damaged files aside; a line on each."""
    damaged, _ = _inspect(files)
    if not damaged:
        return []
    place = set_aside(*(files.folder / file for file in damaged))
    lines = [f"{text}; moved to {place}" for text in damaged.values()]
    for line in lines:
        log.warning(line)
    return lines


def _refusal(name: str, files: Files, lacking: Iterable[str], reasons: Iterable[str]) -> DataError:
    """One line: what is lacking, why, and the way out."""
    return DataError("; ".join([f"{name}: no intact {', '.join(lacking)} in {files.folder}", *reasons, files.remedy]))
