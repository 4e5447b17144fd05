"""The files of a data set: are they there, are they the right ones, and what to do if not."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from snnlib.store.files import StoreError, set_aside
from snnlib.store.locks import alone

log = logging.getLogger("snnlib")


class DataError(RuntimeError):
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
    if damaged or (missing and download):
        try:
            with alone(files.folder / ".lock", f"checks or downloads {name}"):
                # Another process may have been downloading: what looked damaged was half written.
                _mend(name, files, download)
        except StoreError as error:  # nothing can be written or moved there
            raise _refusal(name, files, [*damaged, *missing], [*damaged.values(), str(error)]) from error
    elif missing:
        raise _refusal(name, files, missing, [])


def _inspect(files: Files) -> tuple[dict[str, str], list[str]]:
    """What is wrong with each damaged file, by name, and the names of the missing ones."""
    damaged, missing = {}, []
    for file, expected in files.checksums.items():
        path = files.folder / file
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(file)
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(f"{path} cannot be read: {reason}; mend that, or move it away and run again") from error
        else:
            if found != expected:
                damaged[file] = f"{path} is damaged: its sha256 is {found[:12]}..., not {expected[:12]}..."
    return damaged, missing


def _mend(name: str, files: Files, download: Callable[[list[str]], None] | None) -> None:
    """Move damaged files aside and fetch what is missing; what was fetched is checked like any other file."""
    reasons, missing = _clear(files)
    cause = None
    if missing and download:
        try:
            download(missing)
        except (OSError, RuntimeError, HTTPException) as error:
            cause = error
            reasons.append(f"download failed: {' '.join(str(error).split())}")
        wrong, missing = _clear(files)
        reasons += wrong
    if missing:
        raise _refusal(name, files, missing, reasons) from cause


def _clear(files: Files) -> tuple[list[str], list[str]]:
    """Move damaged files aside: a line on each, and the names of all files that are missing then."""
    damaged, missing = _inspect(files)
    if not damaged:
        return [], missing
    place = set_aside(*(files.folder / file for file in damaged))
    lines = [f"{text}; moved to {place}" for text in damaged.values()]
    for line in lines:
        log.warning(line)
    return lines, [*damaged, *missing]


def _refusal(name: str, files: Files, lacking: Iterable[str], reasons: Iterable[str]) -> DataError:
    """One line: what is lacking, why, and the way out."""
    return DataError("; ".join([f"{name}: no intact {', '.join(lacking)} in {files.folder}", *reasons, files.remedy]))
