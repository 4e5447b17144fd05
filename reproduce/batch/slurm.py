"""Jobs that a workflow left in Slurm's queue: one that was killed could not take them out, and they go on."""

from __future__ import annotations

import hashlib
import logging
import re
import shutil
import subprocess
import time
from collections.abc import Callable

from reproduce.runs.preset import Preset
from snnlib.checks import InputError
from snnlib.store.paths import ROOT, build_dir, runs_dir

log = logging.getLogger("snnlib")

EVERY = 10.0  # seconds the queue is looked at
LISTED = 20  # jobs that one line names


def name_prefix(preset: Preset) -> str:
    """How the names of a workflow's jobs begin: with the preset's, and what is the same for every call of this clone.

    Only one workflow is at work in a clone and its folder, so what has such a name before one begins was left by
    another.
    """
    word = re.sub(r"[^A-Za-z0-9]+", "-", preset.name)[:25].strip("-")
    return f"snnlib-{word}-{_clone()}"


def left_over() -> list[str]:
    """The numbers of this clone's jobs that are in the queue, waiting or running.

    Raises:
        InputError: Slurm cannot be asked.
    """
    if shutil.which("squeue") is None:
        raise InputError("profile slurm: needs Slurm's commands, and there is no squeue on the PATH of this machine")
    command = ["squeue", "--me", "--noheader", "--format=%A|%j"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        said = done.stderr.strip().splitlines() or ["no reason given"]
    except subprocess.TimeoutExpired:
        done, said = None, ["no answer for two minutes"]
    if done is None or done.returncode:
        raise InputError(f"profile slurm: squeue cannot tell what is in the queue: {said[-1]}")
    jobs = [line.split("|", 1) for line in done.stdout.splitlines() if "|" in line]
    return sorted((number for number, name in jobs if re.match(rf"snnlib-.*-{_clone()}_", name)), key=int)


def wait_for_left_over(queue: Callable[[], list[str]] = left_over) -> None:
    """Wait until no job of an earlier call is left: a second one for the same run would wait for it, with a node."""
    told = False
    while jobs := queue():
        if not told:
            named = " ".join(jobs[:LISTED])
            more = f" (and {len(jobs) - LISTED} more)" if len(jobs) > LISTED else ""
            log.info(
                "waiting for %d job%s of an earlier call that %s still in the queue; not to wait: scancel %s%s",
                len(jobs), "s" * (len(jobs) > 1), "are" if len(jobs) > 1 else "is", named, more,
            )  # fmt: skip
            told = True
        time.sleep(EVERY)


def _clone() -> str:
    """Eight letters for this clone, its run store, and the folder in which one workflow is at work."""
    return hashlib.sha256(f"{ROOT}\n{runs_dir()}\n{build_dir()}".encode()).hexdigest()[:8]
