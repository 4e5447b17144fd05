"""Snakemake, from the process that starts it: it runs once at a time, and ends with this one, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from reproduce.batch.engine import LOCK, LOG
from reproduce.batch.parent import BUSY, ending_with_this
from snnlib.store.files import StoreError, explained
from snnlib.store.paths import ROOT, build_dir

ANOTHER = "another `make figures` or `make test` is at work here; wait for it"
EVERY = 1.0  # second is looked at what a workflow has done


class WorkflowError(RuntimeError):
    """A notebook or the workflow failed; the message says which, and where to look."""


def environment() -> dict[str, str]:
    """That of jobs and notebooks: `python` is this one, whether or not its environment is activated; and no bars."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # A bar for each of several jobs would be a mess; a line an epoch is not.
    return {**os.environ, "PATH": path, "TQDM_DISABLE": "1"}


def snakemake(arguments: list[str], look: Callable[[], None] = lambda: None) -> int:
    """Exit code of Snakemake, which runs once at a time and ends with this process, however that ends.

    What it says goes to its log; ``look`` is called every second meanwhile, and once more when it is through.

    Snakemake and its jobs are a process group of their own, so that whatever interrupts this process is passed on to
    all of them, once.
    """
    folder = _folder()
    with explained(folder):
        for name in (LOCK, LOG):
            (folder / name).touch()  # it can be written: else this says why not
    command = [sys.executable, "-m", "reproduce.batch.engine", str(folder), *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=ending_with_this(environment()), process_group=0) as engine:
        try:
            code = None
            while code is None:
                with suppress(subprocess.TimeoutExpired):
                    code = engine.wait(EVERY)
                with suppress(OSError, StoreError):  # what cannot be told stops nothing
                    look()
        except KeyboardInterrupt:
            with suppress(ProcessLookupError):  # it is through, and this was the last look
                os.killpg(engine.pid, signal.SIGINT)
            engine.wait()
            raise
    if code == BUSY:
        raise WorkflowError(ANOTHER)
    return code


def now() -> float:
    """The time by the clock of the file system, which another machine may keep; a tick earlier."""
    log = _folder() / LOG
    with explained(log):
        log.touch()
        return log.stat().st_mtime - 0.1


def refuse_a_second() -> None:
    """Whose jobs are in the queue, or what may be moved aside, while another one is at work here is no question.

    Raises:
        WorkflowError: one is.
        StoreError: that cannot be seen, since the lock cannot be written.
    """
    lock = _folder() / LOCK
    try:
        with explained(lock):
            FileLock(lock, fallback_to_soft=False).acquire(timeout=0).lock.release()
    except Timeout:
        raise WorkflowError(ANOTHER) from None


def _folder() -> Path:
    with explained(build_dir()):
        build_dir().mkdir(parents=True, exist_ok=True)
    return build_dir()
