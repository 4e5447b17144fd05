"""The first seconds of the command line: Python imports PyTorch, and there is no program yet to say what is wrong."""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
from types import TracebackType

LEAST = 2**30  # bytes; below, PyTorch's libraries do not even load, and some crash
INTERRUPTED = 130  # the exit code that shells expect after Ctrl-C


def in_one_line() -> None:
    """Tell Ctrl-C and what cannot be imported in one line, not in a traceback, until the program has `started`."""
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # else ignored, as nohup has it
        signal.signal(signal.SIGINT, _stop)
    sys.excepthook = _tell
    if (limit := _limit()) < LEAST:
        _refuse(f"memory is limited to {limit / 2**20:.0f} MiB (`ulimit`): PyTorch needs more to start")


def _limit() -> float:
    """Bytes of memory that this process may claim; inf if nobody limits them, or nobody can tell."""
    try:
        import resource  # of Unix
    except ImportError:
        return math.inf
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return min((limit for limit in limits if limit != resource.RLIM_INFINITY), default=math.inf)


def started() -> None:
    """From here on the program sees to both."""
    if signal.getsignal(signal.SIGINT) == _stop:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.excepthook = sys.__excepthook__
    atexit.register(_ended)


def _ended() -> None:
    """The answer is given: what comes while Python clears up, which takes a moment, changes it no more."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if hasattr(signal, name):  # Windows has no SIGHUP
            signal.signal(getattr(signal, name), signal.SIG_IGN)


def _stop(*_: object) -> None:
    os.write(2, b"interrupted before anything was begun\n")
    os._exit(INTERRUPTED)  # in the middle of an import there is nothing to clean up


def _tell(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if not issubclass(kind, MemoryError | ImportError | OSError):
        sys.__excepthook__(kind, error, traceback)
        return
    cause = " ".join(str(error).split()) or "memory is full"
    _refuse(f"{kind.__name__}: {cause[:200]}")


def _refuse(why: str) -> None:
    print(f"error: snnlib cannot start: {why}", file=sys.stderr)
    os._exit(2)
