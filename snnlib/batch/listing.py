"""The runs of a preset for readers: what is done, begun, failed, damaged or missing."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from snnlib.batch import train as batch
from snnlib.runs.preset import Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run


def states(preset: Preset, left: Mapping[str, float]) -> pd.DataFrame:
    """A row for each run, all columns text: run, net and arm, state, accuracies of its last evaluation, seconds.

    Args:
        preset: whose runs.
        left: seconds that each unfinished run will still take, from `snnlib.batch.estimate.estimate`.
    """
    uses = preset.uses()
    return pd.DataFrame([_row(run, preset, left.get(name), uses[name]) for name, run in preset.all_runs().items()])


def _row(run: Run, preset: Preset, left: float | None, use: str) -> dict[str, str]:
    """A line of the list; ``left``: seconds that the run will still take, None if it is done; ``use``: net and arm."""
    row = {"run": run.spec.name, "net, arm": use, "state": "missing", "T = 1, %": "", "T = last, %": ""}
    if left is None:
        at = accuracy(run, preset.evaluations(run)[-1]).groupby("timesteps").accuracy.mean() * 100
        row |= {"state": "done", "T = 1, %": f"{at.iloc[0]:.2f}", "T = last, %": f"{at.iloc[-1]:.2f}"}
        return row | {"seconds": f"{run.metadata['train_seconds']:.0f}"}
    if run.folder.exists():
        row["state"] = _state(run)
    return row | {"seconds": f"~{left:.0f}"}


def _state(run: Run) -> str:
    if run.done:
        return "damaged" if run.damage() else "trained"
    return "failed" if batch.failure(run) else "begun"
