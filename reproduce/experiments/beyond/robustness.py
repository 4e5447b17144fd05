"""Robustness: the same nets on noisy images, and without the noise of their own."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pandas as pd
import torch

from reproduce.experiments.beyond.pairs import ANN, CONVERTED, Pair, above_zero, interval
from reproduce.experiments.over_seeds import counted, percent
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AsTrained, Conversion
from reproduce.runs.results import accuracy, predicted
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import between
from snnlib.data.sets import Dataset, Split
from snnlib.deploy.folding import fold, without_noise
from snnlib.training.seeds import stream

ENSEMBLE = "step 2"
WITH, WITHOUT = "with noise", "without noise"
DEVIATIONS = (0, 0.25, 0.5, 1)  # of the noise on the images; 1 is that of the training pixels


def noisy(data: Dataset, deviation: float, seed: int) -> Dataset:
    """The data set with Gaussian noise on its test images, drawn once for each image, not for each time step.

    Args:
        deviation: standard deviation, in units of the standardised image (1 is that of the training pixels). The
            same seed draws the same pattern at every deviation. Pixels are not clipped to their range.

    Raises:
        InputError: a negative deviation, or one above 1,000.
    """
    between("input noise", deviation, 0, 1000)
    images = data.test.images
    generator = stream(seed, "evaluation", index=1, device=images.device)  # index 0 is the neurons' own noise
    drawn = torch.randn(images.shape, generator=generator, device=images.device)
    # Standardising divides by 255 and by the deviation of the pixels.
    return replace(data, test=Split(images + drawn * (255 * deviation * data.std), data.test.labels))


def accuracy_under_noise(run: Run, evaluation: Evaluation, deviations: Iterable[float]) -> pd.DataFrame:
    """Accuracy at T = 1 ... timesteps with noise of each deviation on the test images.

    Each noise seed draws both the input noise and the neurons' own.

    Returns:
        The run's columns, input_noise (the deviation), noise_seed, timesteps, accuracy (a fraction).
    """
    deviations = tuple(deviations)
    ensure(run.spec)
    model, data = evaluation.network(run), run.data()
    tables = [
        predicted(run, evaluation.changed(noise_seeds=(seed,)), noisy(data, deviation, seed), model).table.assign(
            input_noise=deviation
        )
        for deviation in deviations
        for seed in evaluation.noise_seeds
    ]
    table = pd.concat(tables, ignore_index=True).assign(**run.spec.columns())
    return table[[*run.spec.columns(), "input_noise", "noise_seed", "timesteps", "accuracy"]]


def accuracies_under_noise(pairs: Iterable[Pair], evaluation: Conversion, deviations: Iterable[float]) -> pd.DataFrame:
    """`accuracy_under_noise` of the converted net with frozen statistics, of step 2 and of the ReLU net.

    Args:
        pairs: a single-step and a ReLU run each.

    Returns:
        The runs' columns, net, and those of `accuracy_under_noise`.
    """
    e, deviations, tables = evaluation, tuple(deviations), []
    for snn, ann in pairs:
        nets = {
            CONVERTED: (snn, e.changed(statistics="frozen")),
            ENSEMBLE: (snn, e.changed(alpha=math.inf)),
            ANN: (ann, AsTrained(timesteps=1, noise_seeds=e.noise_seeds, batch_size=e.batch_size)),
        }
        for net, (run, how) in nets.items():
            table, named = accuracy_under_noise(run, how, deviations), list(run.spec.columns())
            tables.append(table.assign(net=net)[[*named, "net", *table.columns.drop(named)]])
    return pd.concat(tables, ignore_index=True)


def accuracy_without_noise(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at T = 1 ... timesteps of nets with frozen statistics, and of the same with their noise at the mean.

    Returns:
        The runs' columns, net ("with noise" or "without noise"), noise_seed (without noise: 0), timesteps,
        accuracy (a fraction).
    """
    e, tables = evaluation.changed(statistics="frozen"), []
    for run in runs:
        named = run.spec.columns()
        found = [accuracy(run, e).assign(net=WITH)]
        silent = without_noise(fold(e.network(run)))
        table = predicted(run, e.changed(noise_seeds=(0,)), run.data(), silent).table
        found.append(table.assign(**named, net=WITHOUT))
        tables += [table[[*named, "net", "noise_seed", "timesteps", "accuracy"]] for table in found]
    return pd.concat(tables, ignore_index=True)


def points_lost(table: pd.DataFrame) -> str:
    """Accuracies under input noise and what it costs, in words, pair by pair: mean ± half the 95 % interval over seeds.

    Args:
        table: from `accuracies_under_noise`; of each net, the last T counts.
    """
    at = {}
    for name in (CONVERTED, ANN):
        rows = table[table.net == name]
        at[name] = percent(rows[rows.timesteps == rows.timesteps.max()], "input_noise").unstack("seed")
    ours, theirs = at[CONVERTED], at[ANN]
    lines = [f"accuracy in %, and points lost to input noise ({counted([theirs.shape[1]], 'training seed')}):"]
    for d in theirs.index:
        shown = [
            interval(x.loc[d]) + (f" ({interval(x.loc[0.0] - x.loc[d])} lost)" if d else "") for x in (ours, theirs)
        ]
        line = f"  at {d:g}: {CONVERTED} {shown[0]}, {ANN} {shown[1]}; {CONVERTED} above: "
        line += above_zero(ours.loc[d] - theirs.loc[d])
        if d:
            lost = (theirs.loc[0.0] - theirs.loc[d]) - (ours.loc[0.0] - ours.loc[d])
            line += f", loses fewer: {above_zero(lost)}"
        lines.append(line)
    return "\n".join(lines)


def points_of_noise(table: pd.DataFrame) -> str:
    """What the noise of the neurons adds at the last T, in words, mean ± half the 95 % interval over training seeds.

    Args:
        table: from `accuracy_without_noise`.
    """
    last = table.timesteps.max()
    at = percent(table[table.timesteps == last], "net").unstack("seed")
    added = at.loc[WITH] - at.loc[WITHOUT]
    shown = ", ".join(f"{interval(at.loc[net])} % {net}" for net in (WITH, WITHOUT))
    seeds = counted([len(added)], "training seed")
    return f"at T = {last} {shown}: noise adds {interval(added, '+.2f')} points ({seeds}); above 0: {above_zero(added)}"
