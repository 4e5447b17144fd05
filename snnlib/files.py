"""The files of a data set: are they there, are they the right ones, and what to do if not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

from filelock import FileLock


class DataError(RuntimeError):
    """A data set is missing or damaged; the message is one line and says what to do."""


@dataclass(frozen=True)
class Files:
    """Where the files of a set lie, what they must be, and how to come by them."""

    folder: Path
    algorithm: str  # of the checksums
    checksums: dict[str, str]  # file name -> hexadecimal digest
    remedy: str  # when files are missing
    repair: str = "move it away or delete it and run again"  # when one is damaged


def inspect(files: Files) -> tuple[list[str], list[str]]:
    """What is wrong with each damaged file, and the names of the missing ones."""
    damaged, missing = [], []
    for file, expected in files.checksums.items():
        path = files.folder / file
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, files.algorithm).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(file)
        except OSError as error:
            damaged.append(f"{path} cannot be read: {error.strerror}")
        else:
            if found != expected:
                damaged.append(f"{path} is damaged: its {files.algorithm} is {found}, not {expected}")
    return damaged, missing


def require(name: str, files: Files, download: Callable[[list[str]], None] | None) -> None:
    """Return once every file is there and intact; raise ``DataError`` if that cannot be had.

    ``download`` fetches the files of these names; None if they are not to be, or cannot be, fetched.
    """
    cause: Exception | None = None
    damaged, missing = inspect(files)
    if (damaged or missing) and download:
        try:
            files.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(files.folder / ".lock"):
                # Another process may have been downloading: what looked damaged was half written.
                damaged, missing = inspect(files)
                if missing and not damaged:
                    download(missing)
                    damaged, missing = inspect(files)
        except (OSError, RuntimeError, HTTPException) as error:
            cause = error
    if damaged:
        raise DataError(f"{damaged[0]}; {files.repair}") from cause
    if missing:
        failure = f" (download failed: {' '.join(str(cause).split())})" if cause else ""
        raise DataError(f"{name}: no {', '.join(missing)} in {files.folder}{failure}; {files.remedy}") from cause
