"""Every notebook's numbers are the same on one thread and on two, but for what is measured in seconds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from reproduce.batch.notebook_files import NOTEBOOK_FILES
from snnlib.store.paths import ROOT

pytestmark = pytest.mark.faults

MEASURED = ("seconds", "time_factor", "time_share", "images_per_s")  # in the names of columns that rest on a clock


def tables(notebook: str, folder: Path, threads: int) -> dict[str, pd.DataFrame]:
    """What a notebook writes, drawn from the runs of smoke."""
    settings = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "SNNLIB_FIGURES": str(folder)}
    folder.mkdir()
    subprocess.run(
        [sys.executable, "-m", "papermill", f"notebooks/{notebook}.ipynb", folder / "out.ipynb", "--cwd", "notebooks"],
        cwd=ROOT, env={**os.environ, **settings, "TQDM_DISABLE": "1"}, check=True, capture_output=True,
    )  # fmt: skip
    found = {path.name: pd.read_csv(path, dtype=str) for path in (folder / "smoke").glob("*.csv")}
    kept = {name: [c for c in table if not any(word in c for word in MEASURED)] for name, table in found.items()}
    return {name: table[kept[name]] for name, table in found.items()}


@pytest.mark.parametrize("notebook", [name for name in NOTEBOOK_FILES if name != "claims"])  # which computes nothing
def test_the_number_of_threads_changes_nothing(
    notebook: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    same = False
    try:
        one, two = (tables(notebook, tmp_path / str(threads), threads) for threads in (1, 2))
        assert one.keys() == two.keys()
        for name, table in one.items():
            pd.testing.assert_frame_equal(table, two[name])
        same = True
    finally:
        record_property("fault", ["a notebook on another number of threads", 1, int(same)])
