"""What the exact memory is hoped to do, beyond the paper, and how that is decided. The rule: docs/verdicts.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from reproduce.experiments.effects import Effect, Factor
from reproduce.experiments.evidence import Claim, Finding, Item, each_network, exceeds, judged, missing
from reproduce.experiments.memories.table import ENSEMBLE, EXACT
from reproduce.experiments.over_seeds import percent
from reproduce.experiments.tables import CONTRAST_COLUMNS, RUN_COLUMNS, Table, Tables

ACCURACIES = Table("memories", {**RUN_COLUMNS, "memory": "text"})
CONTRASTS = Table("memories_contrasts", {**CONTRAST_COLUMNS, "other_memory": "text", "timesteps": "number"})
TIMESTEPS = 10  # at which the ensemble has the accuracy that is asked for


def fewer_steps(tables: Tables) -> Finding:
    items = each_network(tables.read(ACCURACIES), partial(_of_each_noise, _fewer))
    return Finding(items, "steps of the ensemble and of the exact memory")


def best_everywhere(tables: Tables) -> Finding:
    items = each_network(tables.read(CONTRASTS), partial(_of_each_noise, _above_all))
    return Finding(items, "points over the best of the others, at the worst T")


def _of_each_noise(judge: Callable[[str, pd.DataFrame], Item], label: str, rows: pd.DataFrame) -> list[Item]:
    noises = dict(list(rows.groupby("noise", sort=False)))
    return [judge(f"{label}, {noise}" if len(noises) > 1 else label, of_noise) for noise, of_noise in noises.items()]


def _fewer(label: str, rows: pd.DataFrame) -> Item:
    """A seed in which the exact memory does not get there by `TIMESTEPS` has a smaller factor than is taken for it."""
    rows = rows[rows.memory.isin([ENSEMBLE, EXACT]) & (rows.timesteps <= TIMESTEPS)]
    at = percent(rows, "memory", "timesteps").unstack("memory").reindex(columns=[ENSEMBLE, EXACT]).dropna()
    seeds = [seed.droplevel("seed").sort_index() for _, seed in at.groupby("seed")]
    # Without every T the first that is enough cannot be known.
    seeds = [seed for seed in seeds if np.array_equal(seed.index, range(1, TIMESTEPS + 1))]
    if not seeds:
        return missing(label, f"not at every T up to {TIMESTEPS}")
    enough = [seed >= seed.loc[TIMESTEPS, ENSEMBLE] - 1e-9 for seed in seeds]
    reached = all(seed[EXACT].any() for seed in enough)
    steps = pd.DataFrame([seed.idxmax().where(seed.any(), TIMESTEPS) for seed in enough])
    factor = Factor((steps[ENSEMBLE] / steps[EXACT]).tolist())
    low, high = factor.interval
    means, bound = steps.mean(), "" if reached else "≤ "
    shown = f"{means[ENSEMBLE]:.1f} against {means[EXACT]:.1f}, {bound}{factor.shown()}"
    return Item(label, shown, judged(low if reached else 0, high, 1, 1), len(seeds), factor.mean)


def _above_all(label: str, rows: pd.DataFrame) -> Item:
    """Over the best of the others at each T, where that is least: the least of all means over seeds."""
    if not set(range(1, TIMESTEPS + 1)) <= {*rows.timesteps}:
        return missing(label, f"not at every T up to {TIMESTEPS}")
    least = rows.groupby(["timesteps", "other_memory"], sort=False).points.mean()
    t, other = least.idxmin()
    effect = Effect.of(rows[(rows.timesteps == t) & (rows.other_memory == other)])
    return exceeds(label, effect, 0, shown=f"{effect.shown()} at T = {t:g} ({other})")


BEYOND = (
    Claim(
        "memory_steps", "the exact memory needs fewer steps than the ensemble", "2.2", "",
        f"in each training seed the first T at which it is as accurate as the ensemble is at T = {TIMESTEPS}: the "
        "ensemble's over that of the exact memory, above 1; where the exact memory never is, an upper bound",
        "not compared", (ACCURACIES,), fewer_steps,
    ),
    Claim(
        "memory_best", "the exact memory is the best of all at every T", "2.2", "",
        f"at each T from 1 to {TIMESTEPS}, over the best of the ensemble, the paper's memory and even noise (phases "
        "without memory), with each readout: above 0 points, at the T where it is least",
        "not compared", (CONTRASTS,), best_everywhere,
    ),
)  # fmt: skip
