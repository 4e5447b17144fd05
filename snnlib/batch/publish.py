"""What the repository publishes of a preset: its figures, and what committed notebooks, README and docs show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection

from snnlib.batch import first_cell, readme
from snnlib.batch.executed import executed
from snnlib.batch.notebook_files import NOTEBOOK_FILES
from snnlib.batch.workflow import NOTEBOOKS, WorkflowError, environment, figures
from snnlib.checks import InputError, one_of
from snnlib.experiments.made_with import made_with
from snnlib.experiments.outputs import Outputs
from snnlib.runs.preset import FOLDER, Preset
from snnlib.store.paths import ROOT, from_root, published_dir
from snnlib.store.published import copy
from snnlib.store.sums import write_summed

SHOWN = "smoke"  # the preset that the committed notebooks and the README show


def publish_preset(preset: Preset, *notebooks: str) -> str:
    """Draw what is missing or out of date, and copy the reader's own results to the published ones; returns where.

    Of `SHOWN` the committed notebooks are executed in place too, since they are to show what is published: times are
    measured anew each time. The claims come last: they are shown beside what is published, which must be new by then.
    Of other presets the executed copies are published beside the figures.

    Args:
        notebooks: whose files are published, all if none is given; those of others stay as they are.

    Raises:
        BatchError: something could not be drawn; nothing is published then.
        WorkflowError: a committed notebook failed, or another workflow is at work.
        InputError: a preset of the reader's own, a file that is missing, or a README that lacks its markers.
    """
    if preset.own:
        raise InputError(f"preset = {preset.given}: must be one that ships, in {from_root(FOLDER)}, to be published")
    for name in notebooks:
        one_of("notebook", name, NOTEBOOK_FILES)
    names, decides = notebooks or (*NOTEBOOK_FILES,), not notebooks or "claims" in notebooks
    if preset.name == SHOWN:
        first_cell.renew_all()
    figures(preset, *notebooks)
    if preset.name == SHOWN:
        others = [name for name in names if name != "claims"]
        if others:
            _execute(*others)
        if decides:
            _copy(preset, others)  # those of before were decided from other times
            _execute("claims")
    folder = _copy(preset, names)
    if preset.name == SHOWN:
        folder += ", in notebooks/"
        if decides:
            readme.update(preset.name)
            folder += ", README.md and docs/claims.md"
    return f"published in {folder}; commit it"


def _copy(preset: Preset, notebooks: Collection[str]) -> str:
    """Publish these notebooks' files, and a ``runs.csv`` of the runs that all there name; returns the folder."""
    files = [file for name in notebooks for file in NOTEBOOK_FILES[name]]
    copies = {name: f"{name}.ipynb" for name in NOTEBOOK_FILES if preset.name != SHOWN}
    to = published_dir() / preset.name
    texts = {to / file: executed(name, preset, to) for name, file in copies.items() if name in notebooks}
    others = [file for name in NOTEBOOK_FILES for file in NOTEBOOK_FILES[name]]
    folder = copy(preset.name, files, [*others, *copies.values()])
    write_summed(texts)
    Outputs(folder).write_csv(made_with(folder), "runs")
    return from_root(folder)


def _execute(*names: str) -> None:
    """Execute committed notebooks in place; one that fails stays as it was."""
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    command += ["--ExecutePreprocessor.record_timing=False", "--ExecutePreprocessor.store_widget_state=False"]
    command += [str(NOTEBOOKS / f"{name}.ipynb") for name in names]
    if subprocess.run(command, cwd=ROOT, env=environment(), check=False).returncode:
        raise WorkflowError(f"{', '.join(names)}: not executed, see above")
