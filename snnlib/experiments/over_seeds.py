"""Accuracies by training seed, and how a mean with its spread is written."""

from __future__ import annotations

import pandas as pd

from snnlib.experiments.titles import TITLES

NET = ["dataset", "network", "width", "readout", "noise"]


def by_seed(table: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Accuracy in percent of each training seed, averaged over its noise seeds.

    Args:
        table: columns of `snnlib.runs.results.accuracy`, and ``arm``, what is compared.

    Returns:
        A row for each seed, indexed by NET, ``arm`` and seed; a column for each T, ascending.
    """
    index = list(dict.fromkeys([*NET, arm, "seed"]))
    percent = table.groupby([*index, "timesteps"], sort=False).accuracy.mean() * 100
    return percent.unstack("timesteps", sort=False).sort_index(axis=1)


def title(net: pd.Series | dict) -> str:
    """Data set and network, for readers."""
    return f"{TITLES[net['dataset']]}, {TITLES[net['network']]}"


def plus_minus(values: pd.Series, form: str = "+.2f") -> str:
    """Mean ± standard deviation over training seeds; one seed has no spread."""
    mean = f"{values.mean():{form}}"
    return f"{mean} ± {values.std():.2f}" if len(values) > 1 else mean
