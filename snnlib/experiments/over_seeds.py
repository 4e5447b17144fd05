"""Accuracies in percent by training seed, their mean and spread over seeds, and how those are written."""

from __future__ import annotations

import math

import pandas as pd

NET = ["dataset", "network", "width", "readout"]
ARCHITECTURE = ["dataset", "network", "width"]


def percent(table: pd.DataFrame, *by: str) -> pd.Series:
    """Accuracy in percent of each training seed, averaged over its noise seeds; indexed by ``by`` and seed."""
    return table.groupby([*by, "seed"], sort=False).accuracy.mean() * 100


def at_timesteps(table: pd.DataFrame, *by: str) -> pd.DataFrame:
    """`percent` with a column for each T, ascending."""
    return percent(table, *by, "timesteps").unstack("timesteps", sort=False).sort_index(axis=1)


def over_seeds(values: pd.Series) -> pd.DataFrame:
    """Columns mean, sd (nan for one seed) and seeds, over the level "seed" of the index."""
    by = [name for name in values.index.names if name != "seed"]
    return values.groupby(by, sort=False).agg(mean="mean", sd="std", seeds="count")


def gains(table: pd.DataFrame, by: str, timesteps: int | None = None) -> pd.DataFrame:
    """Points from T = 1 to ``timesteps``, the last T if not given, and accuracy there in percent, over training seeds.

    Returns:
        Indexed by NET and ``by``: columns gain, gain_sd, final, final_sd, seeds.
    """
    at = at_timesteps(table, *NET, by)
    last = at[at.columns[-1] if timesteps is None else timesteps]
    gain, final = over_seeds(last - at[1]), over_seeds(last)
    return pd.DataFrame(
        {"gain": gain["mean"], "gain_sd": gain.sd, "final": final["mean"], "final_sd": final.sd, "seeds": gain.seeds}
    )


def plus_minus(mean: float, sd: float, form: str = "+.2f") -> str:
    """Mean ± standard deviation over training seeds; one seed has none (nan)."""
    return f"{mean:{form}}" if math.isnan(sd) else f"{mean:{form}} ± {sd:{form.removeprefix('+')}}"
