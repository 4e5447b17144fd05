"""Figure 6: nets trained with Gaussian and with uniform noise, seed by seed (Sec. 3.4)."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reproduce.experiments import eq6_terms
from reproduce.experiments.contrasts import Side, contrast
from reproduce.experiments.nets import named
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from snnlib.dynamics import Converted
from snnlib.training.seeds import stream

NOTEBOOK = "fig6_noise_type"
ARMS, NOISES = ("ours", "uniform"), ("gaussian", "uniform")
DRAWS = 1_000_000


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of Figure 6, each net trained with either noise, at the best rate for it; nothing else differs.

    Raises:
        InputError: a net without one of the two arms, or with another one.
    """
    return preset.comparison(NOTEBOOK, must=ARMS)


def noise_runs(nets: dict[str, Comparison]) -> list[Run]:
    """First all with Gaussian, then all with uniform noise."""
    return [run for arm in ARMS for arms in nets.values() for run in arms[arm]]


def accuracy_by_noise(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at T = 1 and at the last T; trains what is missing. A converted net keeps its noise's kind in N'.

    Returns:
        The runs' columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).
    """
    table = pd.concat([accuracy(run, evaluation) for run in runs], ignore_index=True)
    return table[table.timesteps.isin([1, evaluation.timesteps])].reset_index(drop=True)


def noises(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """N_noise, and N' after conversion, of the first net with each noise: kind, range and drawn standard deviation."""
    first = {run.spec.noise: run for run in reversed(list(runs))}
    rows = []
    for name in NOISES:
        trained = first[name].spec.dynamics.noise
        dynamics = Converted(trained, evaluation.alpha, evaluation.beta, evaluation.leak)
        for term, noise in ((eq6_terms.NOISE, dynamics.noise), (eq6_terms.RESIDUAL, dynamics.residual)):
            sd = noise.sample((DRAWS,), stream(0, "noise")).std().item()
            rows.append((name, term, noise.kind, noise.low, noise.high, round(sd, 3)))
    return pd.DataFrame(rows, columns=["trained with", "term", "kind", "low", "high", "sd"])


def gaps(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """Gaussian over uniform noise at T = 1 and at the last T, in points.

    Returns:
        Columns `NET`, noise (Gaussian), timesteps, then those of `contrast`.
    """
    tables = []
    for arms in nets.values():
        for t in sorted({1, evaluation.timesteps}):
            table = contrast(*(Side(arms[arm], evaluation, t) for arm in ARMS))
            tables.append(named(arms[ARMS[0]][0], table, timesteps=t))
    return pd.concat(tables, ignore_index=True)
