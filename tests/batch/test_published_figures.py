"""What is published of a preset's runs is enough to draw its figures again, with the same numbers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproduce.experiments.compare import AGREES, IDENTICAL, compare
from reproduce.runs.preset import load_preset
from snnlib.store.files import unseal
from snnlib.store.paths import ROOT

PUBLISHED = ROOT / "figures" / "cpu"
NOTEBOOKS = sorted(path.stem for path in PUBLISHED.glob("*.ipynb") if path.stem != "claims")  # which has no figure


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_published_figure_is_drawn_in_a_fresh_clone_without_training(notebook: str, tmp_path: Path) -> None:
    """Where it looks into nets too, that takes their images: it is skipped if these are not on the machine."""
    runs = [run.spec.name for run in load_preset("cpu").runs(notebook)]
    if missing := [name for name in runs if not (ROOT / "data" / "pretrained" / name).is_dir()]:
        pytest.skip(f"published without {len(missing)} of the preset's {len(runs)} runs, which are not trained yet")
    own = {"RUNS": tmp_path / "runs", "FIGURES": tmp_path / "figures", "BUILD": tmp_path / "build"}
    environment = {**os.environ, **{f"SNNLIB_{name}": str(path) for name, path in own.items()}}
    environment.pop("SNNLIB_PRETRAINED", None)  # the repository's own
    draw = [sys.executable, "-m", "reproduce", "draw", notebook, "--preset", "cpu"]
    done = subprocess.run(draw, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600)
    if "DataError" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert done.returncode == 0, done.stderr
    trained = [path.parent.name for path in own["RUNS"].glob("*/metadata.json") if "published" not in unseal(path)]
    assert not trained
    table, *_ = compare(own["FIGURES"] / "cpu", PUBLISHED)
    assert set(table.outcome) <= {IDENTICAL, AGREES}
