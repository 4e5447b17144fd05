"""A disk that is full, read-only or forbidden: one clear error, nothing lost, and it goes on once that is mended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

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
