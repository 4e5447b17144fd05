"""What the repository publishes of a preset: its figures, and what committed notebooks, README and docs show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from reproduce.batch import readme
from reproduce.batch.executed import executed
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.process import WorkflowError, environment
from reproduce.batch.workflow import figures
from reproduce.experiments.made_with import made_with
from reproduce.experiments.outputs import Outputs
from reproduce.runs.preset import Preset
from reproduce.runs.preset_found import FOLDER
from snnlib.checks import InputError, one_of
from snnlib.store.paths import NOTEBOOKS, ROOT, from_root, published_dir
from snnlib.store.published import copy
from snnlib.store.sums import stand_alone, write_summed

SHOWN = "smoke"  # the preset that the committed notebooks show
CLAIMS = "claims"


def publish_preset(preset: Preset, *notebooks: str) -> str:
    """Draw what is missing or out of date, and copy the reader's own results to the published ones; returns where.

    Of `SHOWN` the committed notebooks are executed in place too, since they are to show what is published: times are
    measured anew each time. Of other presets the executed copies are published beside the figures. The claims come
    last, decided from what is published by then, whichever notebooks are; they go to README and docs.

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
    others = [name for name in notebooks or NOTEBOOK_FILES if name != CLAIMS]
    decides = not notebooks or CLAIMS in notebooks
    folder = published_dir() / preset.name
    if others:
        figures(preset, *others)
        if preset.name == SHOWN:
            _execute(*others)
        _copy(preset, others)
    if decides:
        _decide(preset, folder)
    stand_alone(folder)
    told = [from_root(folder)]
    if preset.name == SHOWN:
        told += ["notebooks/"]
    if decides:
        readme.update()
        told += ["README.md and docs/claims.md"]
    return f"published in {', '.join(told)}; commit it"


def _copy(preset: Preset, notebooks: Collection[str]) -> None:
    """Publish these notebooks' files, and a ``runs.csv`` of the runs that all there name."""
    files = [file for name in notebooks for file in NOTEBOOK_FILES[name]]
    copies = {name: f"{name}.ipynb" for name in NOTEBOOK_FILES if preset.name != SHOWN}
    to = published_dir() / preset.name
    texts = {to / file: executed(name, preset, to) for name, file in copies.items() if name in notebooks}
    others = [file for name in NOTEBOOK_FILES for file in NOTEBOOK_FILES[name]]
    folder = copy(preset.name, files, [*others, *copies.values()])
    write_summed(texts)
    Outputs(folder).write_csv(made_with(folder), "runs")


def _decide(preset: Preset, folder: Path) -> None:
    """Let the notebook of claims read and write what is published."""
    there = {"SNNLIB_FIGURES": str(published_dir())}
    if preset.name == SHOWN:
        _execute(CLAIMS, variables=there)
        return
    _run(CLAIMS, ["-m", "reproduce", "draw", CLAIMS, "--preset", preset.name], there)
    write_summed({folder / f"{CLAIMS}.ipynb": executed(CLAIMS, preset, folder)})


def _execute(*names: str, variables: Mapping[str, str] = MappingProxyType({})) -> None:
    """Execute committed notebooks in place; one that fails stays as it was."""
    command = ["-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    command += ["--ExecutePreprocessor.record_timing=False", "--ExecutePreprocessor.store_widget_state=False"]
    _run(", ".join(names), [*command, *(str(NOTEBOOKS / f"{name}.ipynb") for name in names)], variables)


def _run(what: str, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Run Python with these arguments and environment variables."""
    if subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment() | variables, check=False).returncode:
        raise WorkflowError(f"{what}: not executed, see above")
