"""Who holds a lock: told to those who wait, and noticed by other machines where a file system does not share its locks.

A holder touches the file that names it every few seconds. Who is given a lock while such a file of another machine is
still being touched has been given it wrongly, and must leave.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from snnlib.store.files import StoreError, regular, write

log = logging.getLogger("snnlib")

BEAT = 5.0  # seconds between two touches
SILENCE = 20.0  # seconds without one, after which a holder on another machine is taken for dead
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@cache
def machine() -> str:
    """What tells this machine from others, also where all are called localhost: processes of one share its kernel."""
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return f"{uuid.getnode():x}"


@dataclass(frozen=True)
class Holder:
    """A process that holds a lock."""

    process: int
    host: str
    machine: str
    since: str
    what: str = "is at work there"  # it does, such as "trains cnn-s0"; a file of an older version does not say

    def __str__(self) -> str:
        return f"process {self.process} on {self.host} (since {self.since})"

    @property
    def here(self) -> bool:
        """Whether it is on this machine, whose kernel knows its locks."""
        return self.machine == machine()


def me(what: str) -> Holder:
    """This process, from now on."""
    return Holder(os.getpid(), platform.node(), machine(), datetime.now().isoformat(sep=" ", timespec="seconds"), what)


def named(file: Path) -> Holder | None:
    """Who is named in a file; None if nobody is, or it cannot be read."""
    with suppress(StoreError, OSError, ValueError, TypeError):
        return Holder(**json.loads(regular(file).read_text()))
    return None


@contextmanager
def holding(file: Path, what: str) -> Iterator[None]:
    """Be named in the file, with what this process does, and touch it as long as it names this process."""
    own, through = me(what), threading.Event()
    write(file, json.dumps(asdict(own)))

    def beat() -> None:
        while not through.wait(BEAT) and named(file) in (own, None):  # None: it could not be read this time
            with suppress(OSError):
                os.utime(file)

    threading.Thread(target=beat, daemon=True).start()
    try:
        yield
    finally:
        through.set()
        if named(file) == own:
            with suppress(OSError):
                file.unlink()


def look_elsewhere(file: Path) -> None:
    """See that whoever is named in the file of a lock that was free is dead, if it is on another machine.

    Raises:
        StoreError: it is at work, so this file system does not share locks between machines.
    """
    first = named(file), _touched(file)
    if first[0] is None or first[0].here:
        return
    log.warning("%s had this lock and is on another machine: looking for %.0f s whether it is dead", first[0], SILENCE)
    until = time.monotonic() + SILENCE
    while time.monotonic() < until:
        time.sleep(BEAT / 4)
        if (named(file), _touched(file)) != first:
            alone_here(file)
            return


def alone_here(file: Path) -> None:
    """See, while a lock is held, that nobody on another machine holds it too; for just before what counts is written.

    Raises:
        StoreError: somebody does.
    """
    other = named(file)
    if other is not None and not other.here:
        here = platform.node()
        raise StoreError(
            f"{file.parent}: {other} is at work there, though this machine, {here}, was given the lock: this file "
            "system does not share locks between machines; mount it so that it does, or give each machine an "
            "SNNLIB_RUNS of its own (docs/cluster.md)"
        )


def _touched(file: Path) -> float:
    """When, by the file system's clock; over NFS, opening a file asks the server."""
    with suppress(OSError), open(file, "rb") as f:
        return os.fstat(f.fileno()).st_mtime
    return 0.0
