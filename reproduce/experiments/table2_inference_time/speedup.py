"""How many steps a conversion needs to be as accurate as ours, training seed by training seed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproduce.experiments.over_seeds import ARCHITECTURE, percent
from reproduce.experiments.paper import OUR_TIMESTEPS
from reproduce.experiments.table2_inference_time.claims import HALF_THRESHOLD, QCFS_NET, REFERENCES, WITHIN
from reproduce.experiments.table2_inference_time.table import LINE, power_of_two


def speedup(table: pd.DataFrame, timesteps: Sequence[int] = OUR_TIMESTEPS, within: float = WITHIN) -> pd.DataFrame:
    """How many steps a conversion needs to come ``within`` these points of ours, or above, for each seed and T of ours.

    ``steps_needed`` is the first T at which it does; ``steps_to_stay`` the first from which it does at every later T
    too. Both are empty if there is none up to ``last_timesteps``; then ``reached`` is false, and step_factor, which is
    steps_needed / our_timesteps, is last_timesteps / our_timesteps instead: the true one is larger.

    Returns:
        Columns `NET` and our_variant (of ours), seed, our_timesteps, our_accuracy (percent),
        opponent (`opponent_kind`), variant, ann_accuracy (percent, before conversion), last_timesteps, within_points,
        reached, steps_needed, steps_to_stay, step_factor, run (of ours) and other_run.
    """
    rows = []
    at = percent(table, *LINE, "run", "timesteps").reset_index()
    for net, lines in at.groupby(ARCHITECTURE, sort=False):
        ann = lines[lines.method == "ann"].set_index(["training", "seed"]).accuracy
        ours = lines[(lines.method == "ours") & lines.timesteps.isin(timesteps)]
        opponents = lines[lines.method.isin(["conversion", "qcfs"])]
        opponents = opponents.groupby(["method", "variant", "training", "seed", "run"], sort=False)
        for our in ours.sort_values(["timesteps"], kind="stable").itertuples():
            for (method, variant, training, seed, run), line in opponents:
                if seed != our.seed:
                    continue
                near = line.set_index("timesteps").accuracy.sort_index() >= our.accuracy - within - 1e-9
                first, last = _first(near), int(near.index.max())
                rows.append({
                    **dict(zip(ARCHITECTURE, net, strict=True)), "readout": our.readout, "our_variant": our.variant,
                    "seed": seed, "our_timesteps": our.timesteps, "our_accuracy": our.accuracy,
                    "opponent": opponent_kind(method, variant), "variant": variant,
                    "ann_accuracy": ann[training, seed], "last_timesteps": last, "within_points": within,
                    "reached": bool(near.any()), "steps_needed": first,
                    "steps_to_stay": _first(near[::-1].cummin()[::-1]),
                    "step_factor": min(first, last) / our.timesteps, "run": our.run, "other_run": run,
                })  # fmt: skip
    steps = ["steps_needed", "steps_to_stay"]
    return pd.DataFrame(rows).replace(dict.fromkeys(steps, math.inf), pd.NA).astype(dict.fromkeys(steps, "Int64"))


def opponent_kind(method: str, variant: str) -> str:
    """Whether a conversion is as in the paper's references, starts from half a threshold, or is of a QCFS net."""
    if method == "qcfs":
        return QCFS_NET
    return HALF_THRESHOLD if variant.endswith("V(0) = 1/2") else REFERENCES


def thinned(table: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The curves that a picture needs: T up to 16, powers of two, the last, and each T that `speedup` ``found``."""
    named = pd.concat([found.our_timesteps, found.steps_needed, found.steps_to_stay]).dropna()
    last = table.groupby([*LINE, "seed"]).timesteps.transform("max")
    t = table.timesteps
    return table[(t <= 16) | power_of_two(t) | (t == last) | t.isin(named)].reset_index(drop=True)


def _first(reached: pd.Series) -> float:
    """The first T at which it is reached, inf if it never is."""
    return reached.idxmax() if reached.any() else math.inf
