"""Ours for as long as direct training takes: how many epochs that is, and how many points it is above."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from reproduce.experiments.contrasts import COLUMNS, Side, contrast, unpaired_error
from reproduce.experiments.fig3_4_training_time.race import OPPONENTS, PARTS, SHARES
from reproduce.experiments.nets import named
from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.run import Run


def contrasts(races: Iterable[Comparison], curves: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Points over direct training: of ours after as many epochs as at each T, and for as long as T = 10 takes.

    At the end accuracies are those of the last weights with the preset's noise seeds, paired over images. Before,
    they are those of the learning curve, of which it is not kept which images were right.

    Args:
        curves: from `curves.learning_curves`, of the same races.

    Returns:
        Columns `NET`, noise, arm ("ours" or "equal_time"), opponent ("direct", or for ours
        "direct4" and "direct2" too, each tested at its own T), share (of the opponent's epochs; at `SHARES` for
        equal_time), time_share (the arm's seconds at that point over the opponent's), then those of `contrast`.
    """
    tables = []
    for arms in races:
        compared = [("ours", opponent, 1.0) for opponent in OPPONENTS]
        compared += [("equal_time", "direct", share) for share in SHARES]
        for arm, opponent, share in compared:
            if arm not in arms or opponent not in arms:
                continue
            times = [_at(curves, runs, share).seconds.mean() for runs in (arms[arm], arms[opponent])]
            if share == 1:
                found = contrast(*(_side(arms[a], preset) for a in (arm, opponent)))
            else:
                found = _unpaired(curves, arms[arm], arms[opponent], share)
            race = {"arm": arm, "opponent": opponent, "share": share, "time_share": times[0] / times[1]}
            tables.append(named(arms[arm][0], found, **race))
    return pd.concat(tables, ignore_index=True)


def epochs_by_ratio(races: Iterable[Comparison], costs: pd.DataFrame) -> pd.DataFrame:
    """How many epochs of ours take as long as direct training, by the measured seconds of a step.

    Args:
        costs: from `cost.training_cost`.

    Returns:
        A row for each net: `ARCHITECTURE`, epochs (of direct training), ratio (a step of direct training over
        one of ours), equal_time (epochs times ratio, rounded down to what has a quarter), preset (the epochs of
        its arm, 0 if it has none).
    """
    step = costs.set_index([*ARCHITECTURE, "arm"]).step_seconds
    rows = []
    for arms in races:
        spec = arms["direct"][0].spec
        net = tuple(spec.columns()[name] for name in ARCHITECTURE)
        ratio = step[*net, "direct"] / step[*net, "ours"]
        has = arms["equal_time"][0].spec.recipe.epochs if "equal_time" in arms else 0
        whole = int(spec.recipe.epochs * ratio) // PARTS * PARTS
        rows.append((*net, spec.recipe.epochs, ratio, whole, has))
    return pd.DataFrame(rows, columns=[*ARCHITECTURE, "epochs", "ratio", "equal_time", "preset"])


def _side(runs: list[Run], preset: Preset) -> Side:
    (evaluation,) = preset.evaluations(runs[0])
    return Side(runs, evaluation, runs[0].spec.tested_at)


def _unpaired(curves: pd.DataFrame, runs: list[Run], others: list[Run], share: float) -> pd.DataFrame:
    """As `contrast`, of learning curves."""
    one, other = (_at(curves, side, share) for side in (runs, others))
    error = unpaired_error(one.accuracy.mean(), other.accuracy.mean(), runs[0].spec.images[1])
    points = 100 * (one.accuracy.to_numpy() - other.accuracy.to_numpy())
    rows = zip(one.seed, points, [error] * len(one), one.run, other.run, strict=True)
    return pd.DataFrame(rows, columns=COLUMNS)


def _at(curves: pd.DataFrame, runs: list[Run], share: float) -> pd.DataFrame:
    """The rows of these runs, in their order, after exactly this share of their epochs."""
    rows = curves.set_index("run", drop=False).loc[[run.spec.name for run in runs]]
    return rows[np.isclose(rows.epoch, share * runs[0].spec.recipe.epochs)]
