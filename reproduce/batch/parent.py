"""What a workflow started ends with it: also if it is killed, and can tell nobody."""

from __future__ import annotations

import os
import platform
import signal
import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import psutil

VARIABLE = "SNNLIB_PARENT"  # the process that this one ends with, and where it runs
BUSY = 75  # the exit code of a process that there may be only one of, and there is another


def ending_with_this(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for processes that are to end with this one."""
    return {**environment, VARIABLE: f"{os.getpid()} {_place()}"}


def end_with_parent() -> None:
    """Interrupt this process, as Ctrl-C would, once the one is gone that its environment names; if it names one.

    A script's background jobs ignore Ctrl-C, and their children with them: not here, where it is the workflow's word.

    A cluster's jobs inherit the environment of the process that submits them, but do not end with it: its number means
    nothing on another machine, and Slurm's jobs are Slurm's to end.

    A thread waits for it. What is killed cannot tell its children, and Linux' own way (``PR_SET_PDEATHSIG``) reaches
    children alone, while Snakemake and a shell stand between.
    """
    pid, _, place = os.environ.get(VARIABLE, "").partition(" ")
    if pid.isdecimal() and place == _place():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        threading.Thread(target=_interrupt_after, args=[int(pid)], daemon=True).start()


def _place() -> str:
    """This machine, and the job of Slurm that this process belongs to, if it does to one."""
    return f"{platform.node()} {os.environ.get('SLURM_JOB_ID', '')}"


def _interrupt_after(pid: int) -> None:
    """Look five times a second: ``Process.wait`` would take for alive what has died and nobody has asked after."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)
