"""The library's types reach its users: `mypy --strict` accepts a script that uses it, and finds mistakes there."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

from snnlib.store.paths import ROOT

EXAMPLE = Path(__file__).with_name("typed_example.py")


def test_strict_types_of_a_script_that_uses_it(tmp_path: Path) -> None:
    """mypy finds the library on Python's path, as it would an installed one: without ``py.typed`` nothing has types."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(ROOT / ".mypy_cache")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    environment.pop("MYPYPATH", None)
    done = subprocess.run([*command, str(EXAMPLE)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_runs() -> None:
    found = runpy.run_path(str(EXAMPLE))
    assert found["output"].shape == (2, 8, 10)  # steps, images, classes
