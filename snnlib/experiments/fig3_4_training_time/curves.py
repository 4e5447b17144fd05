"""Training against the clock: the tables behind Figs. 3 and 4, and what they say.

The clock runs during training only. Both arms are evaluated at the same epochs, on the same images. What a run's
clock shows depends on what else the machine did; steps times the `cost` of a step hardly does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from snnlib.experiments.fig3_4_training_time.race import tested_at
from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.paper import TRAINING_TIME
from snnlib.experiments.titles import title
from snnlib.runs.preset import Comparison
from snnlib.runs.run import Run, ensure


def learning_curves(races: Iterable[Comparison]) -> pd.DataFrame:
    """Figure 3: test accuracy at every evaluation against the seconds of training so far; trains what is missing.

    Accuracy is at T = timesteps: after conversion for ours, as trained for the others. The seconds of a tuned
    net include the whole run that it comes after.

    Returns:
        The run's columns (`Spec.columns`), then arm, timesteps, device, epoch, steps (of the optimiser, so far),
        train_seconds, accuracy (a fraction).
    """
    tables = []
    for arms in races:
        for arm, runs in arms.items():
            for run in runs:
                tables.append(_learning_curve(ensure(run.spec), arm))
    return pd.concat(tables, ignore_index=True)


def time_to_benchmark(table: pd.DataFrame, benchmark: Mapping[str, float]) -> pd.DataFrame:
    """Figure 4: when each run of `learning_curves` was first evaluated at or above its network's benchmark.

    Returns:
        The run's columns, then arm, benchmark (a fraction), reached, seconds, epoch and steps (empty if never), and
        total_seconds, total_epochs, total_steps, final_accuracy of the whole run.
    """
    rows = []
    for _, run in table.groupby("run", sort=False):
        last, goal = run.loc[run.epoch.idxmax()], benchmark[run.network.iloc[0]]
        there = run[run.accuracy >= goal]
        first = there.loc[there.epoch.idxmin()] if len(there) else pd.Series(np.nan, run.columns)
        rows.append(
            {
                **last[: table.columns.get_loc("timesteps")],
                "benchmark": goal,
                "reached": len(there) > 0,
                "seconds": first.train_seconds,
                "epoch": first.epoch,
                "steps": first.steps,
                "total_seconds": last.train_seconds,
                "total_epochs": last.epoch,
                "total_steps": last.steps,
                "final_accuracy": last.accuracy,
            }
        )
    return pd.DataFrame(rows).astype({"epoch": "Int64", "steps": "Int64"})


def with_step_costs(times: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """The same times by another clock: steps, times the seconds of a step that `cost` measured side by side.

    Returns:
        ``times`` with columns seconds_by_steps and total_seconds_by_steps; empty for tuned nets, whose step was not
        measured.
    """
    merged = times.merge(
        costs[[*ARCHITECTURE, "arm", "step_seconds"]], on=[*ARCHITECTURE, "arm"], how="left", validate="many_to_one"
    )
    return times.assign(
        seconds_by_steps=merged.steps.astype(float) * merged.step_seconds,
        total_seconds_by_steps=merged.total_steps * merged.step_seconds,
    )


def savings(times: pd.DataFrame, clock: str = "seconds") -> pd.DataFrame:
    """What share of direct training's time the method saves, 1 - t_ours / t_direct, seed by seed.

    A run that never reaches the benchmark enters with its whole time, which bounds the saving: from below where it
    is direct training that never does, from above where it is ours. Seeds that bound it from both sides, and a
    seed in which neither arm reaches it, leave it undecided.

    Args:
        times: from `time_to_benchmark`, or `with_step_costs`.
        clock: "seconds", the runs' own, or "seconds_by_steps".

    Returns:
        One row for each pair: dataset, network, width, benchmark, seeds, ours_reached and direct_reached (numbers of
        seeds), ours_seconds and direct_seconds (means, the whole run where never), saving and saving_sd (over seeds;
        fractions), bound ("exact", "at least", "at most", "undecided"), epoch_ratio (seconds an epoch, direct / ours).
    """
    rows = []
    for key, pair in times.groupby(ARCHITECTURE, sort=False):
        ours, direct = (pair[pair.arm == arm].set_index("seed") for arm in ("ours", "direct"))
        t = pd.DataFrame({arm: a[clock].fillna(a[f"total_{clock}"]) for arm, a in (("ours", ours), ("direct", direct))})
        reached = zip(ours.reached, direct.reached[ours.index], strict=True)
        bounds = {_bound(*seed) for seed in reached} - {"exact"}
        saved = 1 - t.ours / t.direct
        rows.append(
            {
                **dict(zip(ARCHITECTURE, key, strict=True)),
                "benchmark": pair.benchmark.iloc[0],
                "seeds": len(t),
                "ours_reached": ours.reached.sum(),
                "direct_reached": direct.reached.sum(),
                "ours_seconds": t.ours.mean(),
                "direct_seconds": t.direct.mean(),
                "saving": saved.mean(),
                "saving_sd": saved.std(),
                "bound": "exact" if not bounds else bounds.pop() if len(bounds) == 1 else "undecided",
                "epoch_ratio": (_epoch_seconds(direct, clock) / _epoch_seconds(ours, clock)).mean(),
            }
        )
    return pd.DataFrame(rows)


def trained_on_several(table: pd.DataFrame) -> str:
    """A line for each pair whose `learning_curves` are from different machines; "" if there is none."""
    lines = []
    for _, pair in table.groupby(ARCHITECTURE, sort=False):
        if len(devices := pair.device.unique()) > 1:
            lines.append(f"{title(pair.iloc[0])}: seconds do not compare, trained on {', '.join(devices)}")
    return "\n".join(lines)


def printed_curves() -> pd.DataFrame:
    """What the paper prints of Figure 4 (Sec. 3.2), and what follows from its seconds: saving and factor."""
    rows = [{"dataset": d, "network": n, **values} for (d, n), values in TRAINING_TIME.items()]
    table = pd.DataFrame(rows).rename(columns={"saving": "saving_printed"})
    return table.assign(
        saving_computed=1 - table.ours_seconds / table.direct_seconds,
        times_faster=table.direct_seconds / table.ours_seconds,
    )


def _learning_curve(run: Run, arm: str) -> pd.DataFrame:
    timing, spec = run.timing, run.spec
    before = Run(spec.after).timing.seconds.sum() if spec.after else 0.0
    steps = (timing.images_per_s * timing.seconds / spec.recipe.batch_size).round().clip(lower=1).astype(int)
    timing = timing.assign(train_seconds=before + timing.seconds.cumsum(), steps=steps.cumsum())
    table = timing.merge(run.history, on="epoch", validate="one_to_one").dropna(subset="test_accuracy")
    table = table.rename(columns={"test_accuracy": "accuracy"})
    first = {**spec.columns(), "arm": arm, "timesteps": tested_at(spec), "device": run.device}
    return table.assign(**first)[[*first, "epoch", "steps", "train_seconds", "accuracy"]]


def _bound(ours_reached: bool, direct_reached: bool) -> str:
    if ours_reached and direct_reached:
        return "exact"
    return "at least" if ours_reached else "at most" if direct_reached else "undecided"


def _epoch_seconds(runs: pd.DataFrame, clock: str) -> pd.Series:
    return runs[f"total_{clock}"] / runs.total_epochs
