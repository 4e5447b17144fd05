"""Notebooks and the workflow: what is committed, and what an interruption leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from snnlib.batch import workflow
from snnlib.batch.notebook_files import NOTEBOOK_FILES
from snnlib.batch.workflow import NOTEBOOKS, WorkflowError
from snnlib.experiments import compare
from snnlib.runs.preset import load_preset
from snnlib.store.paths import ROOT, published_dir


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_is_executed_short_and_has_one_parameters_cell(path: Path) -> None:
    notebook = json.loads(path.read_text())
    cells = notebook["cells"]
    assert len(cells) <= 16
    tagged = [c for c in cells if "parameters" in c["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert all("#" in line for line in tagged[0]["source"])  # a comment each
    assert all(c["execution_count"] for c in cells if c["cell_type"] == "code")
    assert not any(o["output_type"] == "error" for c in cells for o in c.get("outputs", []))
    assert "widgets" not in notebook["metadata"]  # stale state of a kernel that is gone
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def snakefile(name: str) -> dict[str, Any]:
    """What the Snakefile says at a preset, above its first rule."""
    namespace: dict[str, Any] = {"config": {"preset": name}}
    exec((ROOT / "Snakefile").read_text().split("\nrule ")[0], namespace)
    return namespace


def test_every_notebook_is_drawn_and_all_of_its_files_are_published_and_no_others() -> None:
    assert set(NOTEBOOK_FILES) == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    files = [file for notebook in NOTEBOOK_FILES.values() for file in notebook]
    assert len(files) == len(set(files))
    assert set(files) == {path.name for path in (published_dir() / "smoke").iterdir()}
    # What a notebook reads that another one drew has to be drawn first.
    drawn = [file for notebook, own in NOTEBOOK_FILES.items() for file in own if notebook != "claims"]
    csv = {file for file in drawn if file.endswith(".csv")}
    assert {Path(path).name for path in snakefile("smoke")["needed"]("claims")} == csv


def test_the_claims_follow_what_was_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    monkeypatch.setattr(workflow, "_snakemake", lambda *_: 0)
    smoke = load_preset("smoke")
    assert workflow.figures(smoke).startswith("nothing to do")

    def draw(*_: object) -> int:
        (tmp_path / "smoke").mkdir()
        (tmp_path / "smoke" / "claims.csv").write_text("claim,section,verdict\nit rises,3.1,partly\n")
        return 0

    monkeypatch.setattr(workflow, "_snakemake", draw)
    first, file, blank, verdicts, *rest = workflow.figures(smoke).split("\n")
    assert (first[:8], file, blank, verdicts) == ("drawn in", "  claims.csv", "", "partly: it rises (3.1)")
    assert rest[0].startswith("1 partly; measured values: ")
    assert rest[-2:] == [
        compare.report("smoke", compare.UNLIKE).splitlines()[-1],
        "each of these numbers: python -m snnlib compare --preset smoke",
    ]
    monkeypatch.setattr(workflow, "_snakemake", lambda *_: 0)
    assert "verdict" not in workflow.figures(smoke, "trained")  # runs alone were asked for


def test_only_one_workflow_runs_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "BUILD", tmp_path)
    with FileLock(tmp_path / "workflow.lock"), pytest.raises(WorkflowError, match="another `make figures`"):
        workflow.figures(load_preset("smoke"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_workflow_can_be_called_again(tmp_path: Path, how: signal.Signals) -> None:
    held = f"""
import signal, sys
from pathlib import Path
from snnlib.batch import workflow
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
workflow.BUILD = Path({str(tmp_path)!r})
try:
    workflow._snakemake([sys.executable, "-c", "print(1, flush=True); import time; time.sleep(10)"], {{}})
except KeyboardInterrupt:
    print("interrupted", file=sys.stderr)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", held], cwd=ROOT, env={**os.environ}, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "1\n"
    time.sleep(0.2)
    os.killpg(process.pid, how)  # as a terminal does
    _, err = process.communicate(timeout=30)
    assert ("interrupted" in err) == (how == signal.SIGINT)
    FileLock(tmp_path / "workflow.lock").acquire(timeout=0)  # nothing holds it
