"""One process at a time: a lock that is free again the moment its holder dies, and says who holds it."""

from __future__ import annotations

import errno
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from snnlib.store import holders
from snnlib.store.files import StoreError, explained

log = logging.getLogger("snnlib")

A_MOMENT = 0.3  # seconds; by then the holder has written who it is


def holder_of(lock: Path) -> Path:
    """The file that names who has the lock."""
    return lock.with_name(f"{lock.name}.holder")


@contextmanager
def alone(lock: Path, what: str, wait: bool = True, untold: float = A_MOMENT) -> Iterator[None]:
    """Hold the lock of this file. If another process has it, wait, and say in one line for which one.

    The lock is the kernel's (``flock``): it ends with its process, however that ends, and a lock file that is left
    behind means nothing. Over NFS the server holds it for all machines, unless the file system is mounted with
    ``nolock`` or ``local_lock`` (man nfs; flock(2), "NFS details"): then `holders` notices.

    Args:
        lock: a file beside what is to be written; its folder is made.
        what: what the holder does, which those who wait are told: "trains cnn-s0".
        wait: else a holder is an error.
        untold: seconds; of a shorter wait nothing is said.

    Raises:
        StoreError: the folder cannot be written to, or its file system has no locks or does not share them with another
            machine that is at work there, or another process has the lock and this one is not to wait.
    """
    holder = holder_of(lock)
    held = FileLock(lock, fallback_to_soft=False)  # a soft lock, a file that is there, would outlive its holder
    try:
        _acquire(held, lock, holder, wait, untold)
        holders.look_elsewhere(holder)
        with holders.holding(holder, what):
            yield
    finally:
        held.release()  # also if Ctrl-C comes once more


def _acquire(held: FileLock, lock: Path, holder: Path, wait: bool, untold: float) -> None:
    with explained(lock):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire(timeout=untold)
        except Timeout:
            known = holders.named(holder)
            other = known or "another process"
            if not wait:
                raise StoreError(f"{lock.parent}: {other} is at work there; nothing was done") from None
            log.warning("waiting for %s", f"{known}, which {known.what}" if known else other)
            held.acquire()
            log.warning("%s is through, or gone: on with it here", other)
        except OSError as error:
            if error.errno == errno.ENOSYS:  # flock is missing
                raise OSError(errno.ENOLCK, "no locks", str(lock)) from None
            raise
