"""Notebooks in batch: one by papermill, all of them by Snakemake."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
from filelock import FileLock, Timeout

from snnlib.batch import train as batch
from snnlib.batch.estimate import incomplete
from snnlib.batch.readme import verdict_counts
from snnlib.checks import one_of
from snnlib.experiments import compare
from snnlib.runs.preset import Preset
from snnlib.store import locks
from snnlib.store.files import explained
from snnlib.store.paths import NOTEBOOKS, ROOT, figures_dir

BUILD = ROOT / "build"


class WorkflowError(RuntimeError):
    """A notebook or the workflow failed; the message says which, and where to look."""


def draw_notebook(name: str, preset: Preset) -> Path:
    """Execute a notebook at a preset; returns the executed copy, in an ignored folder.

    papermill writes its copy anew after every cell: it gets its name once the last one is done.

    Raises:
        InputError: no such notebook.
        WorkflowError: a cell failed.
        StoreError: the copy cannot be written.
    """
    import papermill  # only batch work needs the `notebooks` extra

    one_of("notebook", name, sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
    notebook, copy = NOTEBOOKS / f"{name}.ipynb", BUILD / preset.name / f"{name}.ipynb"
    # Without a cell tagged `parameters`, which a new notebook may lack, papermill ignores the value.
    one_of(f"{notebook.name}, parameter", "preset", papermill.inspect_notebook(notebook))
    so_far = copy.with_name(f"{name}.unfinished.ipynb")
    with locks.alone(copy.with_suffix(".lock"), f"draws {name} at {preset.name}"), explained(copy):
        try:
            papermill.execute_notebook(
                notebook, so_far, {"preset": preset.name}, cwd=NOTEBOOKS, coalesce_streams=True, progress_bar=False
            )
        except papermill.PapermillExecutionError as error:
            cause = f"{error.ename}: {error.evalue}".splitlines()[0]
            raise WorkflowError(f"{name}: cell {error.exec_count}: {cause} (see {so_far})") from None
        os.replace(so_far, copy)
    return copy


def environment() -> dict[str, str]:
    """That of jobs and notebooks: `python` is this one, whether or not its environment is activated; and no bars."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # A bar for each of several jobs would be a mess; a line an epoch is not.
    return {**os.environ, "PATH": path, "TQDM_DISABLE": "1"}


def _snakemake(command: list[str], environment: dict[str, str]) -> int:
    """Exit code of Snakemake, which runs once at a time; the lock is free again when its holder dies.

    Snakemake and its jobs are a process group of their own, so that whatever interrupts this process is passed on to
    all of them, once.
    """
    try:
        with explained(BUILD):
            BUILD.mkdir(exist_ok=True)
        with (
            explained(BUILD),
            FileLock(BUILD / "workflow.lock", timeout=0),
            subprocess.Popen(command, cwd=ROOT, env=environment, process_group=0) as snakemake,
        ):
            try:
                return snakemake.wait()
            except KeyboardInterrupt:
                os.killpg(snakemake.pid, signal.SIGINT)
                snakemake.wait()
                raise
    except Timeout:
        raise WorkflowError("another `make figures` or `make test` is at work here; wait for it") from None


def figures(preset: Preset, *targets: str) -> str:
    """Run the Snakefile at a preset.

    Returns:
        What was drawn, where, and how long it took; the verdicts on the claims; the key numbers beside the published.

    Raises:
        BatchError: jobs failed; it lists them.
        WorkflowError: another one is at work.
    """
    began, start = time.perf_counter(), time.time() - 0.1  # files' times lag behind by a tick of the kernel
    # Targets first: --config would take them for settings. No lock of Snakemake's: it outlives a killed Snakemake.
    command = [sys.executable, "-m", "snakemake", *targets, "--profile", "profiles/local", "--nolock"]
    command += ["--config", f"preset={preset.name}", "--forcerun", *_not_as_they_look(preset)]
    if _snakemake(command, environment()):
        of_all = set(targets) <= {"all", "trained"}
        failed = (batch.unfinished if of_all else batch.failed)(preset, start) | _undrawn(preset, start)
        notebooks = len(list(NOTEBOOKS.glob("*.ipynb")))
        of = f"{len(preset.all_runs())} runs and {notebooks} notebooks"
        raise batch.BatchError(failed or {"Snakemake": "failed, see above"}, of)
    took = f"{time.perf_counter() - began:.0f} s"
    if targets:
        return f"{', '.join(targets)}: done ({took})"
    folder = figures_dir() / preset.name
    drawn = sorted(path.name for path in folder.glob("*") if path.stat().st_mtime >= start)
    lines = [f"drawn in {took}, in {folder}:", *(f"  {name}" for name in drawn)]
    if not drawn:
        lines = [f"nothing to do: everything in {folder} is up to date ({took})"]
    if (claims := folder / "claims.csv").exists():
        table = pd.read_csv(claims, keep_default_na=False)
        lines += ["", *(f"{row.verdict}: {row.claim} ({row.section})" for row in table.itertuples())]
        lines += [f"{verdict_counts(table)}; measured values: {claims.with_suffix('.md')}"]
    lines += ["", compare.report(preset.name, listed=compare.UNLIKE)]
    lines += [f"each of these numbers: python -m snnlib compare --preset {preset.name}"]
    return "\n".join(lines)


def _not_as_they_look(preset: Preset) -> list[str]:
    """Evaluations of runs that are damaged or incomplete: Snakemake looks at times alone, and takes them for done."""
    runs = incomplete(preset)
    files = [evaluation.file(run) for run in runs for evaluation in preset.evaluations(run)]
    return [str(file) for file in files if file.exists()]


def _undrawn(preset: Preset, start: float) -> dict[str, str]:
    """Why each notebook that was begun since then has no finished copy, from its log's last line."""
    found = {}
    for log in sorted((BUILD / preset.name).glob("*.log")):
        last = (log.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]
        if log.stat().st_mtime >= start and not last.endswith(f"{log.stem}.ipynb"):
            message = last.removeprefix("error: ")
            found[log.stem] = message if message != last else f"not done, see {log}"
    return found
