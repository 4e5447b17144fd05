"""Figure 2 in numbers: accuracy at every T with either readout, ties of the output, and what T adds."""

from __future__ import annotations

import pandas as pd

from snnlib.experiments.contrasts import Side, contrast
from snnlib.runs.evaluations import Conversion
from snnlib.runs.preset import Comparison, Preset
from snnlib.runs.results import predictions
from snnlib.training.evaluation import TIES

NOTEBOOK = "fig2_accuracy_vs_timesteps"
STEPS = ((5, 1), (10, 5), (10, 1))  # later and earlier T


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of Figure 2, each net with either readout."""
    return preset.comparison(NOTEBOOK, must=("ours", "potential"))


def accuracies(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at every T, ties won by the first class and by chance; trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then ties ("first" or "random"), noise_seed, timesteps, accuracy, tied
        (images of which several classes have the largest output), silent (whose outputs are all 0), fractions.
    """
    tables = []
    for runs in _arms(nets):
        for run in runs:
            for ties in TIES:
                table = predictions(run, evaluation.changed(ties=ties)).table
                named = run.spec.columns()
                tables.append(table.assign(ties=ties)[[*named, "ties", *(c for c in table if c not in named)]])
    return pd.concat(tables, ignore_index=True)


def gains(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """What more time steps add, in points.

    Returns:
        Columns dataset, network, width, readout, noise, ties, later and earlier (T), then those of `contrast`.
    """
    tables = []
    for runs in _arms(nets):
        for ties in TIES:
            e = evaluation.changed(ties=ties)
            for later, earlier in STEPS:
                table = contrast(Side(runs, e, later), Side(runs, e, earlier))
                named = {**_net(runs[0].spec.columns()), "ties": ties, "later": later, "earlier": earlier}
                tables.append(table.assign(**named)[[*named, *table]])
    return pd.concat(tables, ignore_index=True)


def _arms(nets: dict[str, Comparison]) -> list[list]:
    return [runs for arms in nets.values() for runs in arms.values()]


def _net(columns: dict) -> dict:
    return {name: columns[name] for name in ("dataset", "network", "width", "readout", "noise")}
