"""A disk that is full, read-only or forbidden: one clear error, nothing lost, and it goes on once that is mended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import unprivileged

from faults import job
from reproduce.runs import run as runs
from reproduce.runs.run import Run
from snnlib.data.sets import Dataset
from snnlib.store.files import StoreError

pytestmark = pytest.mark.faults

HERE = Path(__file__).parent
NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]  # where anybody may mount


@pytest.mark.parametrize("fault", ["disk full", "no more files", "read-only file system"])
def test_a_real_disk_that_refuses(fault: str, tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    if subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", str(tmp_path)], capture_output=True).returncode:
        pytest.skip("this system lets nobody but root mount a file system")
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent), "TQDM_DISABLE": "1"}
    driver = subprocess.run(
        [*NAMESPACE, sys.executable, str(HERE / "disk.py"), fault, str(tmp_path)],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert driver.returncode == 0, driver.stderr
    found = json.loads(driver.stdout)
    record_property("fault", [fault, found["tries"], found["survived"]])
    assert found["survived"] == found["tries"] > 0, found["lost"]
    assert not [line for line in driver.stderr.splitlines() if "Traceback" in line]


@pytest.mark.parametrize("place", ["the store", "the run's folder", "the weights", "the figures"])
def test_a_place_that_is_forbidden(
    place: str, small: Dataset, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    survived = 0
    try:
        with tempfile.TemporaryDirectory() as name:  # other users can reach it
            folder = Path(name)
            os.chmod(folder, 0o777)
            monkeypatch.setattr(runs, "load_dataset", lambda *_, **__: small)
            monkeypatch.setenv("SNNLIB_RUNS", str(folder / "runs"))
            monkeypatch.setenv("SNNLIB_FIGURES", str(folder / "figures"))
            run = Run(job.SPEC)
            with unprivileged():
                if place == "the run's folder":
                    run.folder.mkdir(parents=True)
                elif place != "the store":
                    job.work()
                    whole = job.results()
            forbidden = {
                "the store": folder,
                "the run's folder": run.folder,
                "the weights": run.folder / "weights.safetensors",
                "the figures": folder / "figures" / "faults",
            }[place]
            mode = forbidden.stat().st_mode
            os.chmod(forbidden, 0 if place == "the weights" else 0o555)
            with unprivileged():
                with pytest.raises(StoreError) as error:
                    job.work()
                assert str(forbidden) in str(error.value)
                assert "Permission denied: see who may read and write there" in str(error.value)
                assert "\n" not in str(error.value)
            os.chmod(forbidden, mode)
            with unprivileged():
                job.work()
                assert run.damage() is None
                assert not list(folder.rglob("damaged"))
                if place in ("the weights", "the figures"):
                    assert job.results() == whole
        survived = 1
    finally:
        record_property("fault", ["no permission", 1, survived])
