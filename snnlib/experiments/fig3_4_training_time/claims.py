"""How claims on the time and memory of training are decided. Thresholds stand here, fixed before there were numbers.

What a function tests is said in words by its claim in `snnlib.experiments.claims`.
Arms are compared seed by seed: the same net, data order and first weights. Training time is steps times the seconds
of a step, for which both arms took turns: what a run's own clock showed depends on what else the machine did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from snnlib.experiments.claims_accuracy import NETWORKS
from snnlib.experiments.evidence import HALF, NO, PART, UNCLEAR, YES, Finding, Item, exceeds, missing, networks, over
from snnlib.experiments.tables import NET, NotTestedError, Tables, plain

SLACK = 5.0  # points of a saving: the paper's printed seconds save 1 to 2 points less than it rounds them to
FASTER = 3.0  # the lower end of "3-5 times"
LARGER = 2.0  # times the batch of direct training
SHARES = (0.25, 0.5, 1.0)  # of the longer run's time
STILL_HIGH = 1.0  # points below direct training
COSTED = ["dataset", "network", "width"]  # what a training step's cost depends on, of `NET`


def saving(tables: Tables, network: str, claimed: float) -> Finding:
    """``claimed`` is the paper's saving in percent."""
    least = claimed - SLACK
    items, goals = [], set()
    for label, pairs in networks(_to_benchmark(tables), (network,)):
        if pairs is None:
            items.append(missing(label))
        elif pairs.index.get_level_values("network")[0] == network:
            data = plain(pairs.index.get_level_values("dataset")[0])
            own = f"[{100 * (1 - pairs.ours_own / pairs.direct_own).mean():.0f}]"
            saved = 100 * (1 - pairs.ours / pairs.direct)
            items.append(_races(f"{label} on {data}", saved, pairs, least, "{:.0f} %", own))
            goals |= {f"{100 * goal:g} %" for goal in pairs.benchmark}
    return Finding(items, f"saved until {' and '.join(sorted(goals))} [runs' own clock]" if goals else "")


def times_faster(tables: Tables) -> Finding:
    items = []
    for label, pairs in networks(_to_benchmark(tables), NETWORKS):
        if pairs is None:
            items.append(missing(label))
        else:
            own = f"[{(pairs.direct_own / pairs.ours_own).mean():.1f}]"
            items.append(_races(label, pairs.direct / pairs.ours, pairs, FASTER, "{:.1f}×", own))
    return Finding(items, "to the benchmark [runs' own clock]")


def ahead_at_equal_time(tables: Tables) -> Finding:
    """At `SHARES` of the longer run's time, by steps; an arm that has ended keeps its last accuracy."""
    table, costs = tables.read("fig3_training_speed"), _costs(tables).set_index(COSTED)
    ratio = costs.step_seconds_direct / costs.step_seconds_ours  # both arms have as many steps in an epoch
    arms = dict(list(table.groupby([*NET, "seed", "arm"], sort=False)))
    rows = []
    for key in _last_accuracy(table).index:
        if key[:3] in ratio.index:
            ours, direct = (_by_time(arms[*key, arm], step) for arm, step in (("ours", 1), ("direct", ratio[key[:3]])))
            end, both = max(ours.index[-1], direct.index[-1]), max(ours.index[0], direct.index[0])
            times = [max(share * end, both) + 1e-9 for share in SHARES]
            rows.append((*key, *(100 * (ours[:t].iloc[-1] - direct[:t].iloc[-1]) for t in times)))
    if not rows:
        raise NotTestedError("fig3_training_speed.csv and fig4_training_cost.csv have no net in common")
    items = []
    for label, net in networks(pd.DataFrame(rows, columns=[*NET, "seed", *SHARES]), NETWORKS):
        items += [missing(label)] if net is None else [exceeds(label, net[share], 0) for share in SHARES]
    return Finding(items, f"points ahead at {percentages(SHARES)} of the longer run's time")


def percentages(shares: Sequence[float]) -> str:
    *first, last = (f"{100 * share:g}" for share in shares)
    return f"{', '.join(first)} and {last} %"


def accuracy_kept(tables: Tables) -> Finding:
    items = []
    for label, last in networks(_last_accuracy(tables.read("fig3_training_speed")), NETWORKS):
        items.append(missing(label) if last is None else exceeds(label, 100 * (last.ours - last.direct), -STILL_HIGH))
    return Finding(items, "points over direct training, both at their last epoch")


def less_memory(tables: Tables) -> Finding:
    items = []
    for label, cost in networks(_costs(tables), NETWORKS):
        if cost is None:
            items.append(missing(label))
        else:
            (row,) = cost.itertuples()
            folds = row.timesteps_direct
            items.append(over(label, row.peak_bytes_direct / row.peak_bytes_ours, HALF * folds, HALF**2 * folds))
    return Finding(items, "direct training's peak over ours")


def larger_batch(tables: Tables) -> Finding:
    items = []
    for label, cost in networks(_costs(tables), NETWORKS):
        if cost is None:
            items.append(missing(label))
        elif (cost.largest_batch_direct < 1).any():
            raise NotTestedError("fig4_training_cost.csv has a limit below one image")
        else:
            (row,) = cost.itertuples()
            items.append(over(label, row.largest_batch_ours / row.largest_batch_direct, LARGER, 1))
    return Finding(items, "our largest batch over that of direct training")


def _to_benchmark(tables: Tables) -> pd.DataFrame:
    """Seconds until the benchmark, a row for each net and seed with both arms.

    Columns ours (nan where it never gets there) and direct; ours_own and direct_own, by the runs' own clock;
    benchmark; and bound: whether direct never gets there, and its seconds are those of its whole training, which bound
    the true ones from below.
    """
    table = tables.read("fig4_time_to_accuracy")
    table = table[table.arm.isin(["ours", "direct"])]
    clocks = {"": "seconds_by_steps", "_own": "seconds"}
    whole = table[[f"total_{clock}" for clock in clocks.values()]].notna().all(axis=1)
    reached = table[clocks.values()].notna().all(axis=1) | ~table.reached
    if not (whole & reached).all() or table.duplicated([*NET, "seed", "arm"]).any():
        raise NotTestedError("fig4_time_to_accuracy.csv lacks the seconds of a run, or has a run twice")
    arms = table.set_index([*NET, "seed"])
    ours, direct = (arms[arms.arm == arm] for arm in ("ours", "direct"))
    pairs = ours[["benchmark"]].join((~direct.reached).rename("bound"), how="inner")
    if pairs.empty:
        raise NotTestedError("fig4_time_to_accuracy.csv has no net with both arms")
    for suffix, clock in clocks.items():
        pairs[f"ours{suffix}"] = ours[clock].where(ours.reached)
        pairs[f"direct{suffix}"] = direct[clock].where(direct.reached, direct[f"total_{clock}"])
    return pairs


def _races(label: str, values: pd.Series, pairs: pd.DataFrame, least: float, form: str, own: str) -> Item:
    got_there = values.dropna()
    if got_there.empty:
        return Item(label, "never reached by ours", NO if len(values) > 1 else UNCLEAR, len(values))
    item = exceeds(label, got_there, least, HALF * least, form, bound=bool(pairs.bound.any()))
    shown = f"{item.shown} {own}"
    if len(got_there) == len(values):
        return replace(item, shown=shown)
    shown += f" where ours gets there, {len(got_there)} of {len(values)} seeds"
    return Item(label, shown, {YES: PART, PART: UNCLEAR}.get(item.says, item.says), len(values))


def _by_time(run: pd.DataFrame, step: float) -> pd.Series:
    """Accuracy of one run (a fraction) at its tested epochs, indexed by time, in epochs of ours."""
    tested = run.dropna(subset="accuracy").sort_values("epoch")
    return tested.set_index(tested.epoch * step).accuracy


def _last_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy at the last epoch (a fraction), a row for each net and seed, columns ours and direct."""
    last = table.loc[table.groupby([*NET, "seed", "arm"], sort=False).epoch.idxmax()].set_index([*NET, "seed", "arm"])
    at = last.accuracy.unstack("arm", sort=False).reindex(columns=["ours", "direct"]).dropna()
    if at.empty:
        raise NotTestedError("fig3_training_speed.csv has no net with both arms tested at the last epoch")
    return at


def _costs(tables: Tables) -> pd.DataFrame:
    table = tables.read("fig4_training_cost")
    ours, direct = (table[table.arm == arm] for arm in ("ours", "direct"))
    pairs = ours.merge(direct, on=[*COSTED, "batch_size"], suffixes=("_ours", "_direct"))
    if pairs.empty:
        raise NotTestedError("fig4_training_cost.csv has no net with both arms")
    if pairs.duplicated(COSTED).any():
        raise NotTestedError("fig4_training_cost.csv has a net twice")
    return pairs
