"""Snakemake, as a process that holds the workflow's lock and ends with the one that started it.

``python -m snnlib.batch.engine LOCK ...`` passes the rest on to Snakemake. The lock is this process's own, not its
parent's: if that is killed, nobody else begins while this one is still at work.
"""

from __future__ import annotations

import sys

from filelock import FileLock, Timeout

from snnlib.batch.parent import BUSY, end_with_parent
from snnlib.batch.starting import started


def main(lock: str, *arguments: str) -> None:
    """Run Snakemake alone with these arguments."""
    held = FileLock(lock, fallback_to_soft=False)  # free again when its holder dies, which a soft lock would not be
    try:
        held.acquire(timeout=0)
    except Timeout:
        sys.exit(BUSY)
    end_with_parent()
    started()
    from snakemake.cli import main as snakemake  # only batch work needs the `notebooks` extra

    snakemake(list(arguments))


if __name__ == "__main__":
    main(*sys.argv[1:])
