"""Training against the clock: the tables behind Figs. 3 and 4.

There is one clock, the same for all arms: steps of the optimiser, times the seconds of a step, for which the arms took
turns (`cost`). What a run's own clock showed depends on what else the machine did. Evaluation is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from reproduce.experiments.fig3_4_training_time.cost import SAME_STEP
from reproduce.experiments.fig3_4_training_time.race import MUST
from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.paper import TRAINING_TIME
from reproduce.runs.preset import Comparison
from reproduce.runs.run import Run
from reproduce.runs.trained import with_curves

FIRST = 20  # percent: twice what guessing gets


def learning_curves(races: Iterable[Comparison], costs: pd.DataFrame) -> pd.DataFrame:
    """Figure 3: test accuracy at every evaluation against the seconds of training so far; trains what is missing.

    Accuracy is at T = timesteps: after conversion for ours, as trained for the others. The seconds of a tuned
    net include the whole run that it comes after.

    Args:
        costs: from `cost.training_cost`, of the same races.

    Returns:
        The run's columns (`Spec.columns`), then arm, timesteps, device, epoch (a part of one where it is tested
        within), steps (of the optimiser, so far), seconds and flop (steps times those of a step), own_seconds (the
        run's own clock), accuracy (a fraction).
    """
    step = costs.set_index([*ARCHITECTURE, "arm"])[["step_seconds", "step_flop"]].sort_index()
    tables = []
    for arms in races:
        for arm, runs in arms.items():
            for run in runs:
                net = step.loc[tuple(run.spec.columns()[name] for name in ARCHITECTURE)]
                tables.append(_learning_curve(with_curves(run.spec), arm, net))
    return pd.concat(tables, ignore_index=True)


def time_to_benchmark(table: pd.DataFrame, benchmark: Mapping[str, float]) -> pd.DataFrame:
    """Figure 4: when each run of `learning_curves` was first evaluated at or above a benchmark accuracy.

    Benchmarks are the network's own, and every whole percent, from `FIRST` on, between the lowest and the best accuracy
    of the arms that every race has.

    Returns:
        A row for each benchmark and run: the run's columns, then arm, timesteps, benchmark (a fraction), chosen
        (whether it is the network's own), reached, seconds and epoch (empty if never), seconds_before (of the
        evaluation before that one: the accuracy came between the two; 0 if there is none), total_seconds, total_epochs.
    """
    rows = []
    for _, net in table.groupby(ARCHITECTURE, sort=False):
        own = benchmark[net.network.iloc[0]]
        racing = net[net.arm.isin(MUST)].accuracy
        lowest = max(math.ceil(100 * racing.min()), FIRST)
        goals = {n / 100 for n in range(lowest, math.floor(100 * racing.max()) + 1)} | {own}
        for _, run in net.groupby("run", sort=False):
            run = run.sort_values("epoch")
            last = run.iloc[-1]
            for goal in sorted(goals):
                there = run[run.accuracy >= goal]
                first = there.iloc[0] if len(there) else pd.Series(np.nan, run.columns)
                before = run[run.epoch < first.epoch].seconds.max() if first.epoch > run.epoch.min() else 0.0
                rows.append(
                    {
                        **last[: table.columns.get_loc("device")],
                        "benchmark": goal,
                        "chosen": goal == own,
                        "reached": len(there) > 0,
                        "seconds": first.seconds,
                        "seconds_before": before if len(there) else np.nan,
                        "epoch": first.epoch,
                        "total_seconds": last.seconds,
                        "total_epochs": last.epoch,
                    }
                )
    return pd.DataFrame(rows)


def printed_curves() -> pd.DataFrame:
    """What the paper prints of Figure 4 (Sec. 3.2), and what follows from its seconds: saving and factor."""
    rows = [{"dataset": d, "network": n, **values} for (d, n), values in TRAINING_TIME.items()]
    table = pd.DataFrame(rows).rename(columns={"saving": "saving_printed"})
    return table.assign(
        saving_computed=1 - table.ours_seconds / table.direct_seconds,
        times_faster=table.direct_seconds / table.ours_seconds,
    )


def _learning_curve(run: Run, arm: str, step: pd.DataFrame) -> pd.DataFrame:
    """``step``: seconds and FLOP of a step, by arm."""
    spec = run.spec
    each, before, own_before = step.loc[SAME_STEP.get(arm, arm)], 0 * step.loc["ours"], 0.0
    if spec.after:
        first = Run(spec.after)
        before = _steps(first).sum() * step.loc["ours"]
        own_before = first.timing.seconds.sum()
    steps = _steps(run).cumsum()
    timing = run.timing.assign(
        steps=steps,
        seconds=before.step_seconds + steps * each.step_seconds,
        flop=before.step_flop + steps * each.step_flop,
        own_seconds=own_before + run.timing.seconds.cumsum(),
    )
    table = timing.merge(run.history, on="epoch", validate="one_to_one").dropna(subset="test_accuracy")
    table = table.rename(columns={"test_accuracy": "accuracy"})
    named = {**spec.columns(), "arm": arm, "timesteps": spec.tested_at, "device": run.device}
    return table.assign(**named)[[*named, "epoch", "steps", "seconds", "flop", "own_seconds", "accuracy"]]


def _steps(run: Run) -> pd.Series:
    """Of the optimiser, between two evaluations or epochs."""
    timing = run.timing
    return (timing.images_per_s * timing.seconds / run.spec.recipe.batch_size).round().clip(lower=1).astype(int)
