"""Anytime inference: an image is done when its running mean is decided, so that easy images take fewer steps.

The prediction after t steps is the largest running sum of outputs, the first class of equal ones, as in
`snnlib.training.evaluation`. Two rules say when it is decided, a lead over the second class (a threshold to choose) and
"cannot be overtaken" (exact: nothing to choose, and no prediction changes).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reproduce.experiments.beyond.pairs import above_zero, interval
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import InputError, whole
from snnlib.data.batches import batches, standardise
from snnlib.data.sets import Dataset
from snnlib.network import Spiking
from snnlib.simulation import simulate
from snnlib.training.seeds import stream

WITHIN = 0.005  # the largest loss of accuracy, a fraction, at which a lead is good enough, means over seeds
FIXED, LEAD, SETTLED = "fixed T", "lead", "cannot be overtaken"
COLUMNS = ["rule", "threshold", "mean_steps", "accuracy", "agreement"]


def outputs_over_time(
    model: Spiking,
    data: Dataset,
    timesteps: int = 10,
    noise_seed: int = 0,
    batch_size: int = 250,
    precision: str = "float32",
) -> Tensor:
    """Outputs [T, N, classes] on the whole test set, with the noise that `accuracy_over_time` draws."""
    whole("timesteps", timesteps, least=1)
    whole("batch_size", batch_size, least=1)
    generator = stream(noise_seed, "evaluation", device=data.test.images.device)
    found = []
    for images, _ in batches(data.test, batch_size):
        pieces = simulate(model, standardise(images, data), generator, timesteps, precision)
        found.append(torch.cat([outputs for _, outputs in pieces]))
    return torch.cat(found, dim=1)


def steps_until_lead(outputs: Tensor, threshold: float) -> Tensor:
    """The first t at which the best running sum leads the second by at least ``threshold``, else T.

    Args:
        outputs: [T, N, classes].
        threshold: in units of the output, spikes with spiking readout; 0 stops at the first step.

    Returns:
        Steps [N], 1 to T.
    """
    best, second = outputs.cumsum(0).topk(2, dim=-1).values.unbind(-1)
    return _first(best - second >= threshold)


def steps_until_settled(outputs: Tensor) -> Tensor:
    """The first t from which on no class can overtake the leader before step T, so that T steps predict the same.

    A class gains at most one spike a step and the leader may gain none. It is settled when a class before it could
    not even draw level, and a class behind it could at most do that: of equal sums, the first class wins.

    Args:
        outputs: spikes, [T, N, classes].

    Returns:
        Steps [N], 1 to T.

    Raises:
        InputError: outputs outside [0, 1]; a potential has no such bound.
    """
    if outputs.min() < 0 or outputs.max() > 1:
        low, high = outputs.min().item(), outputs.max().item()
        raise InputError(f"outputs in [{low:g}, {high:g}]: must be in [0, 1], as with readout = spikes, to be bounded")
    sums = outputs.cumsum(0)
    leader = sums.argmax(-1, keepdim=True)
    left = torch.arange(len(sums) - 1, -1, -1, device=sums.device)[:, None, None]
    lead = sums.gather(-1, leader) - sums  # [T, N, classes], 0 for the leader itself
    classes = torch.arange(sums.shape[-1], device=sums.device)
    safe = torch.where(classes < leader, lead > left, lead >= left) | (classes == leader)
    return _first(safe.all(-1))


def predictions(outputs: Tensor, steps: Tensor) -> Tensor:
    """Predicted classes [N] after ``steps`` [N] of outputs [T, N, classes]."""
    image = torch.arange(len(steps), device=steps.device)
    return outputs.cumsum(0)[steps - 1, image].argmax(-1)


def tradeoff(outputs: Tensor, labels: Tensor) -> pd.DataFrame:
    """Average steps against accuracy: every fixed T, a lead of 0 to T, and the exact rule if it applies.

    Args:
        outputs: [T, N, classes].
        labels: [N].

    Returns:
        Columns rule, threshold (T or the lead; empty for the exact rule), mean_steps, accuracy (a fraction), agreement
        (share of images whose prediction is that of all T steps).
    """
    timesteps, n = outputs.shape[:2]
    rules = [(FIXED, t, torch.full((n,), t, device=outputs.device)) for t in range(1, timesteps + 1)]
    rules += [(LEAD, threshold, steps_until_lead(outputs, threshold)) for threshold in range(timesteps + 1)]
    if outputs.min() >= 0 and outputs.max() <= 1:
        rules.append((SETTLED, np.nan, steps_until_settled(outputs)))
    full = outputs.sum(0).argmax(-1)
    rows = []
    for rule, threshold, steps in rules:
        predicted = predictions(outputs, steps)
        right, same = (predicted == labels).double().mean().item(), (predicted == full).double().mean().item()
        rows.append((rule, threshold, steps.double().mean().item(), right, same))
    return pd.DataFrame(rows, columns=COLUMNS)


def tradeoffs(runs: Iterable[Run], evaluation: Evaluation) -> pd.DataFrame:
    """`tradeoff` of each run for every noise seed; rows of rule "fixed T" are those of `results.accuracy`.

    Returns:
        The runs' columns, noise_seed, and those of `tradeoff`.
    """
    tables, e = [], evaluation
    for run in runs:
        ensure(run.spec)
        model, data, named = evaluation.network(run), run.data(), run.spec.columns()
        with run.spec.recipe.execution():
            for seed in e.noise_seeds:
                outputs = outputs_over_time(model, data, e.timesteps, seed, e.batch_size, run.spec.recipe.precision)
                table = tradeoff(outputs, data.test.labels).assign(**named, noise_seed=seed)
                tables.append(table[[*named, "noise_seed", *COLUMNS]])
    return pd.concat(tables, ignore_index=True)


def by_seed(table: pd.DataFrame) -> pd.DataFrame:
    """mean_steps and accuracy of each training seed, means over its noise seeds, by rule, threshold and seed."""
    keys = ["rule", "threshold", "seed"]
    return table.groupby(keys, dropna=False, sort=False)[["mean_steps", "accuracy"]].mean()


def steps_saved(table: pd.DataFrame) -> str:
    """What the rules save, in words: mean over training seeds ± half of its 95 % interval.

    Args:
        table: from `tradeoffs`, nets of one kind.
    """
    seeds = by_seed(table)
    means = seeds.groupby(["rule", "threshold"], dropna=False, sort=False).mean()
    timesteps, full = means.loc[FIXED].iloc[-1]
    lines = []
    if SETTLED in set(table.rule):
        exact = table[table.rule == SETTLED]
        steps = seeds.loc[SETTLED].mean_steps
        lines.append(
            f"{SETTLED}: {interval(steps)} of {timesteps:.0f} steps on average, "
            f"{'no' if (exact.agreement == 1).all() else 'some'} prediction differs from that of all of them"
        )
    leads = means.loc[LEAD]
    good = leads[leads.accuracy >= full - WITHIN]
    name = f"lead, within {100 * WITHIN:g} points of T = {timesteps:.0f}"
    if good.empty:
        return "\n".join([*lines, f"{name}: none of the thresholds"])
    best = good.mean_steps.idxmin()
    fixed = means.loc[FIXED]
    needed = fixed.index[fixed.accuracy >= full - WITHIN].min()
    steps = seeds.loc[LEAD].loc[best].mean_steps
    lines.append(
        f"{name}: a lead of {best:g} takes {interval(steps)} steps on average, a fixed T {needed:.0f} "
        f"(both read off the test set); fewer: {above_zero(needed - steps)}"
    )
    return "\n".join(lines)


def _first(decided: Tensor) -> Tensor:
    """Steps [N] until decided [T, N] is true for the first time; the last step decides anyway."""
    decided = decided.clone()
    decided[-1] = True
    return decided.int().argmax(0) + 1
