"""Snakemake, as a process that holds the workflow's lock and ends with the one that started it.

``python -m reproduce.batch.engine FOLDER ...`` passes the rest on to Snakemake. The lock is this process's own, not its
parent's: if that is killed, nobody else begins while this one is still at work. What Snakemake says is for a log:
readers are told by `reproduce.batch.tell`, from the files that its jobs leave.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from reproduce.batch.parent import BUSY, end_with_parent
from reproduce.batch.starting import started
from snnlib.store.files import write

LOCK, LOG, PLAN = "workflow.lock", "snakemake.log", "plan.json"  # in the folder


class _Planned(logging.Handler):
    """Writes down which jobs Snakemake is going to run, once it knows."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(record, "event", None) == "run_info":
            write(self._file, json.dumps(list(record.stats)))


def main(folder: str, *arguments: str) -> None:
    """Run Snakemake alone with these arguments."""
    held = FileLock(Path(folder) / LOCK, fallback_to_soft=False)  # a soft lock would outlive its holder
    try:
        held.acquire(timeout=0)
    except Timeout:
        sys.exit(BUSY)
    end_with_parent()
    started()
    from snakemake.cli import main as snakemake  # only batch work needs the `notebooks` extra

    (Path(folder) / PLAN).unlink(missing_ok=True)
    logging.getLogger("snakemake").addHandler(_Planned(Path(folder) / PLAN))
    with open(Path(folder) / LOG, "w") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())  # of this process, and of its jobs
        os.dup2(log.fileno(), sys.stderr.fileno())
    snakemake(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
