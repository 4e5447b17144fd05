"""Both arms side by side, from the CSV files of Figs. 3 and 4, seed by seed: same net, data order and first weights."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from snnlib.experiments.over_seeds import ARCHITECTURE, NET
from snnlib.experiments.tables import NET_COLUMNS, NotTestedError, Table, Tables

FIG3 = Table(
    "fig3_training_speed",
    {
        **NET_COLUMNS, "seed": "number", "arm": "text", "epoch": "number",
        "train_seconds": "positive", "accuracy": "fraction?",
    },
)  # fmt: skip
FIG4 = Table(
    "fig4_time_to_accuracy",
    {
        **NET_COLUMNS, "seed": "number", "arm": "text", "benchmark": "fraction", "reached": "bool",
        "seconds": "positive?", "total_seconds": "positive",
        "seconds_by_steps": "positive?", "total_seconds_by_steps": "positive?",
    },
)  # fmt: skip
COST = Table(
    "fig4_training_cost",
    {
        "dataset": "text", "network": "text", "width": "positive", "batch_size": "positive", "arm": "text",
        "timesteps": "positive", "step_seconds": "positive", "peak_bytes": "positive", "largest_batch": "number",
    },
)  # fmt: skip


def seconds_to_benchmark(tables: Tables) -> pd.DataFrame:
    """Seconds until the benchmark, a row for each net and seed with both arms.

    Columns ours (nan where it never gets there) and direct; ours_own and direct_own, by the runs' own clock;
    benchmark; and bound: whether direct never gets there, and its seconds are those of its whole training, which bound
    the true ones from below.
    """
    table = tables.read(FIG4)
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


def at_equal_time(table: pd.DataFrame, step: pd.Series, shares: Sequence[float]) -> pd.DataFrame:
    """How many points ours is ahead after the same time: an arm has the accuracy of its last evaluation by then.

    An arm whose training is over keeps its last accuracy, though it could go on: that favours the slower arm. Before
    both have been evaluated, nothing is compared, so a share that ends sooner counts from there.

    Args:
        table: of Figure 3.
        step: how many times as long a step of direct training takes as one of ours, by `ARCHITECTURE`. Both arms
            have as many steps in an epoch.
        shares: of the longer run's time, at which accuracies are compared.

    Returns:
        A row for each net and seed with both arms: NET, seed, and for each of ``shares`` the points.
    """
    arms = dict(list(table.groupby([*NET, "seed", "arm"], sort=False)))
    rows = []
    for net in last_accuracy(table).index:
        if net[:3] in step.index:
            ours, direct = _by_time(arms[*net, "ours"], 1.0), _by_time(arms[*net, "direct"], step[net[:3]])
            end, both = max(ours.index[-1], direct.index[-1]), max(ours.index[0], direct.index[0])
            times = [max(share * end, both) + 1e-9 for share in shares]
            rows.append((*net, *(100 * (ours[:t].iloc[-1] - direct[:t].iloc[-1]) for t in times)))
    return pd.DataFrame(rows, columns=[*NET, "seed", *shares])


def _by_time(run: pd.DataFrame, step: float) -> pd.Series:
    """Accuracy of one run (a fraction) at its tested epochs, indexed by time, in epochs of ours."""
    tested = run.dropna(subset="accuracy").sort_values("epoch")
    return tested.set_index(tested.epoch * step).accuracy


def last_accuracy(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy at the last epoch (a fraction), a row for each net and seed, columns ours and direct."""
    last = table.loc[table.groupby([*NET, "seed", "arm"], sort=False).epoch.idxmax()].set_index([*NET, "seed", "arm"])
    at = last.accuracy.unstack("arm", sort=False).reindex(columns=["ours", "direct"]).dropna()
    if at.empty:
        raise NotTestedError("fig3_training_speed.csv has no net with both arms tested at the last epoch")
    return at


def step_costs(tables: Tables) -> pd.DataFrame:
    """The cost of a step, a row for each `ARCHITECTURE`, columns with endings _ours and _direct."""
    table = tables.read(COST)
    ours, direct = (table[table.arm == arm] for arm in ("ours", "direct"))
    pairs = ours.merge(direct, on=[*ARCHITECTURE, "batch_size"], suffixes=("_ours", "_direct"))
    if pairs.empty:
        raise NotTestedError("fig4_training_cost.csv has no net with both arms")
    if pairs.duplicated(ARCHITECTURE).any():
        raise NotTestedError("fig4_training_cost.csv has a net twice")
    return pairs
