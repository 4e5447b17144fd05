"""Files that stand whole or not at all, show by their hash that they are what was written, and are never deleted."""

from __future__ import annotations

import errno
import glob
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import Timeout

from snnlib.checks import OneLine

_ELSEWHERE = "SNNLIB_RUNS, SNNLIB_FIGURES, SNNLIB_DATA and SNNLIB_BUILD name other folders"
_WAY_OUT = {
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room",
    errno.EROFS: _ELSEWHERE,
    errno.ENOTDIR: "a file is in the place of a folder; move it away",
    errno.EEXIST: "a file is in the place of a folder; move it away",
    errno.ENOLCK: _ELSEWHERE,
    errno.EACCES: f"see who may read and write there; {_ELSEWHERE}",
    errno.EPERM: f"see who may read and write there; {_ELSEWHERE}",
}
_LEFT_OVER = 3600  # seconds after which nobody is still writing a file


class StoreError(OneLine, RuntimeError):
    """A file cannot be written or read; the message is one line, names it and says what to do."""


class UnwritableError(StoreError):
    """Nothing can be written to that file system."""


class DamagedError(StoreError):
    """A file is not what was written, is missing, or belongs to something else."""


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """An error of the operating system becomes a `StoreError` that names the file and the way out."""
    try:
        yield
    except Timeout:  # of a lock, whose caller knows
        raise
    except FileNotFoundError as error:
        raise DamagedError(f"{error.filename or path}: missing") from error
    except IsADirectoryError as error:
        where = error.filename2 or error.filename or path  # the second one, where a file was to get its name
        raise DamagedError(f"{where}: a folder, where a file belongs; move it away") from error
    except OSError as error:
        where = error.filename or path
        way_out = _WAY_OUT.get(error.errno, "mend that")
        kind = UnwritableError if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS) else StoreError
        raise kind(
            f"{where}: {error.strerror or error}: {way_out}; what was finished before stays, "
            "and the same command goes on from there"
        ) from error


def write(path: Path, content: bytes | str) -> None:
    """Write a file that exists whole or not at all, also when the process dies or the machine loses power half-way.

    Raises:
        StoreError: no room, no permission, or any other error of the file system; what stood there before still does.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    try:
        with explained(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):  # of a writer that was killed
                with suppress(FileNotFoundError):  # or of one that is at work, and was through just now
                    if left_over.stat().st_mtime < time.time() - _LEFT_OVER:
                        left_over.unlink()
            with open(partial, "wb") as f:
                f.write(_bytes(content))
                f.flush()
                os.fsync(f.fileno())
            os.replace(partial, path)
            _sync(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink()


def _bytes(content: bytes | str) -> bytes:
    return content.encode() if isinstance(content, str) else content


def _sync(folder: Path) -> None:
    """The new name too survives a power cut; some file systems cannot do that for a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def regular(path: Path) -> Path:
    """The path of a file; a `DamagedError` for a folder, and for a pipe or a device, which might never end."""
    with explained(path):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise DamagedError(f"{path}: a pipe or a device, where a file belongs")
    return path


def newer(file: Path, since: float) -> bool:
    """Whether there is such a file, written since then, a time of the system's clock."""
    return file.is_file() and file.stat().st_mtime >= since


def digest(content: bytes | str) -> str:
    """SHA-256 of what a file is to hold, as `sha256` finds it."""
    return hashlib.sha256(_bytes(content)).hexdigest()


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with explained(path), open(regular(path), "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def check(path: Path, expected: str) -> Path:
    """The path, if its bytes have this SHA-256; else a `DamagedError`."""
    found = sha256(path)
    if found != expected:
        raise DamagedError(f"{path}: damaged, its sha256 is {found[:12]}..., not {expected[:12]}...")
    return path


def seal(content: dict[str, Any]) -> str:
    """JSON that ends with the SHA-256 of all before."""
    return json.dumps({**content, "sha256": digest(json.dumps(content))}, indent=2) + "\n"


def unseal(path: Path) -> dict[str, Any]:
    """What `seal` was given; a `DamagedError` if a byte of the file is another one, or it is missing."""
    with explained(path):
        found = regular(path).read_bytes()
    try:
        content = json.loads(found)
        del content["sha256"]
        intact = seal(content).encode() == found
    except (ValueError, TypeError, KeyError, RecursionError):
        intact = False
    if not intact:
        raise DamagedError(f"{path}: damaged, or not written by this version")
    return content


def set_aside(*paths: Path) -> Path:
    """Move those of these files that are there to the next free number in ``damaged/`` beside them; returns it."""
    parent = paths[0].parent / "damaged"
    with explained(parent):
        parent.mkdir(exist_ok=True)
        number = 1 + max((int(p.name) for p in parent.iterdir() if p.name.isdecimal()), default=0)
        folder = parent / str(number)
        folder.mkdir()
        for path in paths:
            with suppress(FileNotFoundError):
                os.replace(path, folder / path.name)
    return folder
