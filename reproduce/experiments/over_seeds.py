"""Accuracies in percent by training seed, their mean and spread over seeds, and how those are written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from snnlib.checks import positive

NET = ["dataset", "network", "width", "augment", "readout"]
ARCHITECTURE = ["dataset", "network", "width", "augment"]  # and how its images are varied in training
CONFIDENCE = 0.95


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


def counted(counts: Iterable[int], of: str) -> str:
    """How many there are of what, where panels may have different numbers of it: "1 or 3 seeds"."""
    different = sorted({int(n) for n in counts})
    return f"{' or '.join(map(str, different))} {of}{'s' * (different != [1])}"


def mean_and_sd(seeds: Iterable[int], what: str = "mean ± sd") -> str:
    """What points and bars are, by how many training seeds there are: of one there is neither mean nor spread."""
    seeds = list(seeds)
    return (f"{what} of " if max(seeds) > 1 else "") + counted(seeds, "training seed")


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


def geometric_interval(ratios: Sequence[float]) -> tuple[float, float, float]:
    """Geometric mean of a ratio over training seeds, and the 95 % interval of that mean.

    A ratio of two times is never below 0, and its inverse is as good a ratio. So the interval is one of its logarithm,
    mean ± t(0.975, n - 1) s / sqrt(n), transformed back: a part 1 - ratio that is saved stays below 1, and the
    interval of the inverse is the inverse of the interval.

    Args:
        ratios: one for each of the n training seeds.

    Returns:
        centre, low, high; one seed bounds nothing: 0 and inf.

    Raises:
        InputError: a ratio that is not above 0, or none.
    """
    positive("number of ratios", len(ratios))
    for ratio in ratios:
        positive("ratio", ratio)
    n, logs = len(ratios), np.log(np.asarray(ratios, np.float64))
    centre = float(np.exp(logs.mean()))
    if n == 1:
        return centre, 0.0, math.inf
    factor = float(np.exp(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * logs.std(ddof=1) / math.sqrt(n)))
    return centre, centre / factor, centre * factor


def plus_minus(mean: float, sd: float, form: str = "+.2f") -> str:
    """Mean ± standard deviation over training seeds; one seed has none (nan)."""
    return f"{mean:{form}}" if math.isnan(sd) else f"{mean:{form}} ± {sd:{form.removeprefix('+')}}"
