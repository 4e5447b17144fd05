"""How claims on inference, and Table 2, are decided. Thresholds stand here, fixed before there were numbers.

What a function tests is said in words by its claim in `snnlib.experiments.claims`.
The paper does not say which readout its networks have, so the one that makes ours more accurate at T = 10 counts.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from snnlib.experiments.claims_accuracy import CLOSE, NETWORKS, percent
from snnlib.experiments.evidence import (
    ERRORS,
    HALF,
    OPEN,
    UNCLEAR,
    YES,
    Finding,
    Item,
    exceeds,
    judged,
    missing,
    networks,
)
from snnlib.experiments.paper import TABLE2_OURS
from snnlib.experiments.table2_inference_time.table import CLAIMED, WITHIN
from snnlib.experiments.tables import NET, SCALE, NotTestedError, Tables, plain

LIKE_PAPER, NEAR_PAPER = 1.1, 1.5  # times the paper's test error


def inference_speed(tables: Tables, opponent: str) -> Finding:
    return _hundredfold(tables, opponent, "time_factor", "wall time over ours")


def inference_steps(tables: Tables, opponent: str) -> Finding:
    return _hundredfold(tables, opponent, "step_factor", "steps over ours")


def as_accurate_as_conversion(tables: Tables) -> Finding:
    table = tables.read("table2_accuracy_vs_timesteps")
    ours = _best_readout(table[(table.method == "ours") & (table.timesteps == 10)])
    theirs = table[table.method == "conversion"]
    if ours.empty or theirs.empty:
        raise NotTestedError("no nets of ours at T = 10, or none converted from ANNs")
    key = ["dataset", "network", "width", "seed"]
    theirs = theirs[theirs.timesteps == theirs.timesteps.max()]
    means = theirs.groupby([*key[:3], "variant"], as_index=False, sort=False).accuracy.mean()
    best = means.loc[means.groupby(key[:3], sort=False).accuracy.idxmax()]
    theirs = theirs.merge(best[[*key[:3], "variant"]]).groupby(key).accuracy.mean()
    ours = ours.groupby(["readout", *key], sort=False).accuracy.mean().reset_index()
    pairs = ours.merge(theirs.reset_index(), on=key, suffixes=("", "_conversion"))
    pairs["points"] = 100 * (pairs.accuracy - pairs.accuracy_conversion)
    if pairs.empty:
        raise NotTestedError("no net of ours has one converted from an ANN beside it")
    items = []
    for label, pair in networks(pairs, NETWORKS):
        items.append(missing(label) if pair is None else exceeds(label, pair.points, -CLOSE))
    return Finding(items, "points over conversion at its last T")


def fewer_steps_than_direct(tables: Tables) -> Finding:
    table = tables.read("table2_accuracy_vs_timesteps")
    key = [*NET, "seed", "timesteps"]
    ours, direct = (table[table.method == m].groupby(key, sort=False).accuracy.mean() for m in ("ours", "direct"))
    at = pd.concat({"ours": ours, "direct": direct}, axis=1, join="inner")
    if at.empty:
        raise NotTestedError("no net of ours has a directly trained one beside it")
    items = []
    for label, net in networks(at, NETWORKS):
        if net is None:
            items.append(missing(label))
            continue
        seeds = [seed.droplevel([*NET, "seed"]).sort_index() for _, seed in net.groupby("seed")]
        # Without every T from 1 on, the first that is enough cannot be known.
        seeds = [seed for seed in seeds if seed.index[0] == 1 and (np.diff(seed.index) == 1).all()]
        steps = pd.DataFrame([_steps_to_high(seed) for seed in seeds], columns=["ours", "direct"])
        if steps.empty:
            items.append(missing(label, "not at every T"))
        else:
            shown = f"{steps.ours.mean():.1f} against {steps.direct.mean():.1f}"
            items.append(exceeds(label, steps.direct - steps.ours, 0, shown=shown))
    return Finding(items, "steps of ours and of direct training")


def table2_accuracy(tables: Tables, dataset: str) -> Finding:
    table = tables.read("table2_accuracy_vs_timesteps")
    ours = table[(table.method == "ours") & (table.dataset == dataset)]
    full = ours[ours.width == 1]
    if full.empty:
        there = percent(ours, (5, 10)) if len(ours) else None
        widths = f", here {plain(dataset)} at width {ours.width.max():g}" if len(ours) else ""
        best = "" if there is None else f": {_best(there)[10].mean():.2f} % at T = 10"
        raise NotTestedError(f"needs {plain(dataset)} at full width{widths}{best}", SCALE)
    at = _best(percent(full, (5, 10)))
    items = []
    for t, printed in TABLE2_OURS[dataset].items():
        error = 100 - printed
        form = "{:.2f} %"
        items.append(exceeds("", at[t], 100 - LIKE_PAPER * error, 100 - NEAR_PAPER * error, form))
    (label, _), *_ = networks(at)
    return Finding(items, f"T = 5 and 10, {label}, readout {at.index.get_level_values('readout')[0]}")


def _hundredfold(tables: Tables, opponent: str, column: str, lead: str) -> Finding:
    """Against the best variant, with the readout that makes ours more accurate at T = 10, at each T of ours."""
    table = tables.read("table2_speedup")
    table = table[table.opponent == opponent]
    ours = table.rename(columns={"our_timesteps": "timesteps", "our_accuracy": "accuracy"})
    if not (ours.timesteps == 10).any():
        raise NotTestedError(f"table2_speedup.csv has no {opponent} against ours at T = 10")
    table = table.merge(_best_readout(ours)[NET].drop_duplicates(), on=NET)
    items = []
    for label, net in networks(table, NETWORKS):
        if net is None:
            items.append(missing(label))
            continue
        for t, rows in net.groupby("our_timesteps"):
            reached = rows.dropna(subset=column)
            if reached.empty:
                longest = rows.last_timesteps.max()
                far = column == "step_factor" and longest / t > CLAIMED and rows.steps_least.isna().all()
                says = YES if far else OPEN
                shown = f"not within {longest:g} steps at T = {t:g}"
            else:
                best = reached.loc[reached[column].idxmin()]
                if column == "time_factor":
                    error = ERRORS * best.time_factor_sd
                    low, high, spread = best.time_factor - error, best.time_factor + error, best.time_factor_sd
                else:  # in the opponent's quickest and slowest seed; the slowest may never get there
                    most = np.inf if np.isnan(best.steps_most) else best.steps_most / t
                    low, high, spread = min(best.step_factor, best.steps_least / t), max(best.step_factor, most), None
                says = judged(low, high, CLAIMED, HALF * CLAIMED)
                shown = f"{best[column]:.1f}{'' if spread is None else f' ± {spread:.1f}'}× at T = {t:g}"
            seeds = int(rows.seeds.min())
            items.append(Item(label, shown, UNCLEAR if says != OPEN and seeds < 2 else says, seeds))
    return Finding(items, lead)


def _steps_to_high(at: pd.DataFrame) -> tuple[int, int]:
    """First T at which ours and direct training come within `WITHIN` points of the lower of their last accuracies.

    Args:
        at: accuracies (fractions), columns ours and direct, indexed by T.
    """
    high = min(at.ours.iloc[-1], at.direct.iloc[-1]) - WITHIN / 100
    return tuple(int(at.index[np.argmax(at[arm].to_numpy() >= high)]) for arm in ("ours", "direct"))


def _best_readout(table: pd.DataFrame, at: int = 10) -> pd.DataFrame:
    """Of each net of a table the better readout at T = ``at``, in the mean over seeds: the paper names none."""
    means = table[table.timesteps == at].groupby(NET, sort=False).accuracy.mean().reset_index()
    chosen = means.loc[means.groupby(["dataset", "network", "width"], sort=False).accuracy.idxmax(), NET]
    return table.merge(chosen, on=NET)


def _best(at: pd.DataFrame) -> pd.DataFrame:
    """The seeds of the net, and readout, that is best at T = 10: the paper does not say which one it printed."""
    means = at[10].groupby(NET).mean()
    chosen = dict(zip(NET, means.idxmax(), strict=True))
    return at[np.logical_and.reduce([at.index.get_level_values(name) == value for name, value in chosen.items()])]
