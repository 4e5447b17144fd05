"""One process at a time: a lock that is free again the moment its holder dies, and says who holds it."""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from snnlib.store.files import StoreError, explained, regular, write

log = logging.getLogger("snnlib")

A_MOMENT = 0.3  # seconds; by then the holder has written who it is


@contextmanager
def alone(lock: Path, what: str, wait: bool = True, untold: float = A_MOMENT) -> Iterator[None]:
    """Hold the lock of this file. If another process has it, wait, and say in one line for which one.

    The lock is the kernel's (``flock``): it ends with its process, however that ends, and a lock file that is left
    behind means nothing. Over NFS the server holds it for all machines, unless the file system is mounted with
    ``nolock`` or ``local_lock`` (man nfs; flock(2), "NFS details").

    Args:
        lock: a file beside what is to be written; its folder is made.
        what: what the holder does, which those who wait are told: "trains cnn-s0".
        wait: else a holder is an error.
        untold: seconds; of a shorter wait nothing is said.

    Raises:
        StoreError: the folder cannot be written to, or its file system has no locks, or another process has the lock
            and this one is not to wait.
    """
    holder = lock.with_name(f"{lock.name}.holder")
    held = FileLock(lock, fallback_to_soft=False)  # a soft lock, a file that is there, would outlive its holder
    try:
        _acquire(held, lock, holder, what, wait, untold)
        now = datetime.now().isoformat(sep=" ", timespec="seconds")
        write(holder, json.dumps({"process": os.getpid(), "host": socket.gethostname(), "since": now}))
        yield
    finally:
        try:
            if held.is_locked:
                with suppress(OSError):
                    holder.unlink()
        finally:  # also if Ctrl-C comes once more
            held.release()


def _acquire(held: FileLock, lock: Path, holder: Path, what: str, wait: bool, untold: float) -> None:
    with explained(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=untold)
        except Timeout:
            other = _read(holder)
            if not wait:
                raise StoreError(f"{lock.parent}: {other} is at work there; nothing was done") from None
            log.warning("waiting for %s, which %s", other, what)
            held.acquire()
            log.warning("%s is through, or gone: on with it here", other)
        except OSError as error:
            if error.errno == errno.ENOSYS:  # flock is missing
                raise OSError(errno.ENOLCK, "no locks", str(lock)) from None
            raise


def _read(holder: Path) -> str:
    """Who holds the lock; what a killed process left is overwritten by the next holder."""
    try:
        by = json.loads(regular(holder).read_text())
        return f"process {by['process']} on {by['host']} (since {by['since']})"
    except (StoreError, OSError, ValueError, KeyError, TypeError):
        return "another process"
