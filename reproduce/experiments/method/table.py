"""Figure 1 in numbers: the accuracy after each of the method's three steps, and the figure's one CSV."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproduce.runs.evaluations import Conversion
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run

NOISE_SEEDS = (0, 1, 2)  # whatever the preset has: the mean is to have a spread


def three_steps(run: Run, evaluation: Conversion) -> pd.DataFrame:
    """Accuracy after each step of the method: T = 1, the ensemble (alpha = inf), and the conversion.

    Returns:
        Columns step, timesteps, mean, std (percent, over noise seeds), noise_seeds.
    """
    rows = []
    for step, timesteps, alpha in (
        (1, 1, math.inf),
        (2, evaluation.timesteps, math.inf),
        (3, evaluation.timesteps, evaluation.alpha),
    ):
        table = accuracy(run, evaluation.changed(alpha=alpha))
        percent = table[table.timesteps == timesteps].accuracy * 100
        rows.append((step, timesteps, percent.mean(), percent.std(), len(percent)))
    return pd.DataFrame(rows, columns=["step", "timesteps", "mean", "std", "noise_seeds"])


def options(noise_seeds: Sequence[int]) -> list[str]:
    """Those of ``python -m reproduce evaluate`` for these noise seeds: how many, where they begin with 0."""
    if list(noise_seeds) == [*range(len(noise_seeds))]:
        return ["--noise-seeds", str(len(noise_seeds))]
    return ["--set", f"evaluation.noise_seeds={','.join(map(str, noise_seeds))}"]


def tidy(steps: pd.DataFrame, densities: pd.DataFrame, net: dict) -> pd.DataFrame:
    """The figure's one CSV: the run's columns, then those of the two tables that it is drawn from.

    Column panel tells them apart: "accuracy" or "terms".
    """
    table = pd.concat([steps.assign(panel="accuracy"), densities.assign(panel="terms")], ignore_index=True)
    return table.assign(**net)[[*net, *table]]
