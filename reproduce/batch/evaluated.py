"""How the runs of a preset are evaluated before figures are drawn: as the notebooks do that have them."""

from __future__ import annotations

from reproduce.experiments.one_pass import table as one_pass
from reproduce.experiments.record import table as record
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run

OWN = {one_pass.NOTEBOOK: one_pass.evaluations, record.NOTEBOOK: record.evaluations}


def of_notebook(notebook: str, preset: Preset, run: Run) -> list[Evaluation]:
    """The preset's (`Preset.evaluations`) for most notebooks, for some of them their own."""
    return [e for _, e in OWN[notebook](preset, run)] if notebook in OWN else preset.evaluations(run)


def evaluations(preset: Preset, run: Run) -> list[Evaluation]:
    """Those of all notebooks that have the run, each once; the preset's for a run that none has."""
    notebooks = preset.notebooks_of(run) or [""]
    found = {e.key: e for notebook in notebooks for e in of_notebook(notebook, preset, run)}
    return list(found.values())


def usual(preset: Preset, run: Run) -> Evaluation:
    """The one by which readers are told how good a run is."""
    found, last = evaluations(preset, run), preset.evaluations(run)[-1]
    return last if last in found else found[0]
