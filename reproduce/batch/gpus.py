"""Several GPUs in one machine: each job of a workflow takes some for itself, until its process ends.

A GPU is a lock of the kernel's, which ends with its holder, so that two workflows of a user share none either.
A cluster hands out its GPUs itself: there nothing is taken.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from snnlib.checks import InputError

log = logging.getLogger("snnlib")

VARIABLE = "SNNLIB_GPUS"  # how many this process is to take
VISIBLE = "CUDA_VISIBLE_DEVICES"
EVERY = 0.2  # seconds a GPU is looked for

_locks: list[FileLock] = []  # until the process ends


def seen() -> list[str]:
    """The ids of the GPUs that this process may use: those of ``CUDA_VISIBLE_DEVICES``, else a number for each.

    CUDA is not initialised by that, which reads the variable only once.
    """
    given = os.environ.get(VISIBLE)
    if given is None:
        return [str(i) for i in range(torch.cuda.device_count())]
    ids = [name.strip() for name in given.split(",")]
    bad = next((i for i, name in enumerate(ids) if name in ("", "-1")), len(ids))  # CUDA looks no further either
    return list(dict.fromkeys(ids[:bad]))


def take() -> None:
    """Take as many GPUs as ``SNNLIB_GPUS`` says, and see no others; wait until there are so many.

    To be called before anything is computed. Who waits holds what it has got, but one process at a time waits, the
    others behind it: several that want two cannot hold one each for ever.

    Raises:
        InputError: it is no number, or there are fewer GPUs.
    """
    given = os.environ.pop(VARIABLE, "0")  # what this process starts has these, and takes no others
    if given == "0":
        return
    ids = seen()
    if not given.isdecimal() or int(given) > len(ids):
        raise InputError(f"{VARIABLE} = {given}: must be a whole number up to {len(ids)}, the GPUs there are")
    n, folder = int(given), _folder()
    turn, held = _lock(folder / "next"), []
    with suppress(Timeout):
        turn.acquire(timeout=0)
        held = _take(folder, ids, n, [])
    if len(held) < n:
        log.info("waiting for %d of the GPUs %s, on which others are at work", n, ", ".join(ids))
    with turn:
        while len(held) < n:
            time.sleep(EVERY)
            held = _take(folder, ids, n, held)
    turn.release(force=True)
    os.environ[VISIBLE] = ",".join(name for name in ids if name in held)


def _take(folder: Path, ids: list[str], n: int, held: list[str]) -> list[str]:
    """Those held, and as many of the free ones as are wanted."""
    for name in ids:
        lock = _lock(folder / name.replace("/", "_"))  # as in the names of a GPU's parts
        if len(held) < n and name not in held:
            with suppress(Timeout):
                lock.acquire(timeout=0)
                _locks.append(lock)
                held = [*held, name]
    return held


def _lock(place: Path) -> FileLock:
    return FileLock(f"{place}.lock", fallback_to_soft=False)  # a soft lock would outlive its holder


def _folder() -> Path:
    """Where this user's locks lie, on this machine's own disk: home folders are often shared by several machines."""
    folder = Path(tempfile.gettempdir()) / f"snnlib-gpus-{os.getuid() if hasattr(os, 'getuid') else 'user'}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
        raise InputError(f"{folder}: must be a folder of your own; it is another user's")
    return folder
