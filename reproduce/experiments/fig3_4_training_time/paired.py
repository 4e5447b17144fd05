"""Both arms side by side, from the CSV files of Figs. 3 and 4, seed by seed: same net, data order and first weights."""

from __future__ import annotations

import pandas as pd

from reproduce.experiments.effects import Factor
from reproduce.experiments.over_seeds import ARCHITECTURE, NET
from reproduce.experiments.tables import CONTRAST_COLUMNS, NET_COLUMNS, NotTestedError, Table, Tables

FIG3 = Table(
    "fig3_training_speed",
    {**NET_COLUMNS, "seed": "number", "arm": "text", "epoch": "number", "accuracy": "fraction"},
)
CONTRASTS = Table(
    "fig3_contrasts",
    {**CONTRAST_COLUMNS, "arm": "text", "opponent": "text", "share": "fraction", "time_share": "positive"},
)
FIG4 = Table(
    "fig4_time_to_accuracy",
    {
        **NET_COLUMNS, "seed": "number", "arm": "text", "benchmark": "fraction", "chosen": "bool", "reached": "bool",
        "seconds": "positive?", "seconds_before": "number?", "total_seconds": "positive",
    },
)  # fmt: skip
COST = Table(
    "fig4_training_cost",
    {
        "dataset": "text", "network": "text", "width": "positive", "augment": "text", "batch_size": "positive",
        "arm": "text", "timesteps": "positive", "peak_bytes": "positive", "tape_bytes": "number",
        "image_bytes": "positive", "largest_batch": "number",
    },
)  # fmt: skip


def seconds_to_benchmark(times: pd.DataFrame, opponent: str = "direct") -> pd.DataFrame:
    """Seconds until each benchmark, a row for each net, seed and benchmark with both arms.

    They are those of the first evaluation there; the accuracy came somewhere between that and the one before. A run
    that never gets there has the seconds of its whole training, which bound the true ones from below: what is saved is
    at least, or at most, what they say.

    Args:
        times: the table of Figure 4.
        opponent: the arm that ours is compared with.

    Returns:
        Columns NET, seed, benchmark, chosen, ours and other (seconds), ours_before and other_before (those of the
        evaluation before), ours_reached and other_reached, and saved (percent of the opponent's).
    """
    key = [*NET, "seed", "benchmark"]
    ours, other = (times[times.arm == arm].set_index(key) for arm in ("ours", opponent))
    pairs = ours[["chosen"]].join(_spent(ours, "ours")).join(_spent(other, "other"), how="inner")
    return pairs.assign(saved=100 * (1 - pairs.ours / pairs.other)).reset_index()


def times_faster(pairs: pd.DataFrame) -> Factor:
    """How many times as long the opponent takes, of the rows of `seconds_to_benchmark` at one benchmark.

    As each time is known between two evaluations, the interval reaches from the low end of the least ratios that they
    leave open to the high end of the largest.
    """
    ratios = (pairs.other / pairs.ours, pairs.other_before / pairs.ours, pairs.other / pairs.ours_before)
    return Factor(*(ratio.tolist() for ratio in ratios))


def at_own_benchmark(tables: Tables) -> pd.DataFrame:
    """`seconds_to_benchmark` at each network's own benchmark, of the CSV file."""
    table = tables.read(FIG4)
    known = table[["seconds", "seconds_before"]].notna().all(axis=1)
    if (table.reached & ~known).any() or table.duplicated([*NET, "seed", "arm", "benchmark"]).any():
        raise NotTestedError("fig4_time_to_accuracy.csv lacks the seconds of a run, or has a run twice")
    pairs = seconds_to_benchmark(table[table.chosen])
    if pairs.empty:
        raise NotTestedError("fig4_time_to_accuracy.csv has no net with both arms")
    return pairs


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


def _spent(runs: pd.DataFrame, name: str) -> pd.DataFrame:
    """Seconds until the benchmark, of the whole run where it never was."""
    seconds, before = (runs[at].where(runs.reached, runs.total_seconds) for at in ("seconds", "seconds_before"))
    return pd.DataFrame({name: seconds, f"{name}_before": before, f"{name}_reached": runs.reached})
