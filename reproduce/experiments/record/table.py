"""What each trick gives at equal epochs, and what the nets reach that have those that help."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from reproduce.experiments.contrasts import Side, level
from reproduce.experiments.one_pass import table as one_pass
from reproduce.experiments.one_pass.table import AT_ONCE, PIPELINED, SPIKING
from reproduce.experiments.over_seeds import over_seeds, percent
from reproduce.experiments.table1_networks import size
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import known
from reproduce.runs.run import Run

NOTEBOOK = "record"
BASE = "potential"  # the paper's training: L = 1, Gaussian noise; read out as potential
# The arms beside it, what is other in them, in words.
TRICKS = {
    "no_shortcuts": "without shortcuts",
    "shallow": "4 wider convolutions, not 7",
    "capped": "256 channels at the end, not 512",
    "adam": "Adam in place of Muon",
    "sgd": "SGD in place of Muon",
    "mse": "MSE in place of cross-entropy",
    "cutout": "squares cut out of images",
    "whitened": "first layer begins whitened",
    "distilled": "taught by its ReLU twin, too",
    "wide": "noise twice as wide, half the epochs",
    "narrowed": "then as it was, the other half",
    "rate1": "uniform noise, clip's gradient",
    "expected": "the expected spike, half the epochs",
    "warmed": "then uniform noise, the other half",
    "rate2": "rates of L = 2 steps",
    "rate4": "rates of L = 4 steps",
    "half4": "the same, U = ½ as in QCFS",
    "qcfs": "QCFS itself, L = 4",
    "direct4_short": "direct training at T = 4, a quarter of the epochs",
    "relu": "its ReLU twin, an ANN",
}
# On CIFAR-10; the paper does not say of which of its networks.
GOALS = {"Table 2:\n92.07 %": 0.9207, "airbench:\n94 %": 0.94}
AT = 6  # T of the goals
# The recipe of cpu's deeper net before.
FIRST = ("nets.record_deeper.recipe.epochs=40", "nets.record_deeper.recipe.augment=crop_flip")
NAMED_NET = ["net", "dataset", "width", "hold_out"]  # by the preset's name for it: the network itself is a trick
NET_AND_ARM = [*NAMED_NET, "arm"]
MIRRORED = "spiking, mirrored too"  # each image of the test set is seen twice


def compared(preset: Preset) -> dict[str, Comparison]:
    """The preset's runs for the notebook, by net and arm."""
    return preset.comparison(NOTEBOOK, must=(BASE,), may=tuple(TRICKS))


def evaluations(preset: Preset, run: Run, timesteps: Sequence[int] = one_pass.AT) -> list[tuple[str, Evaluation]]:
    """Those of `one_pass`; nets that are tested on the test set see its images mirrored too, which is told apart."""
    found = one_pass.evaluations(preset, run, timesteps)
    if run.spec.hold_out:
        return found
    return [*found, *((MIRRORED, e.changed(flips=True)) for way, e in found if way == SPIKING)]


def accuracies(preset: Preset, timesteps: int = AT) -> pd.DataFrame:
    """Accuracy of every net in every way; trains what is missing.

    Args:
        timesteps: T of the goals, which is there beside those of `one_pass`.

    Returns:
        The columns of `reproduce.experiments.one_pass.table.accuracies`, then net (the preset's name for it),
        train_seconds, `operations` and hold_out (training images in place of the test set, 0 where accuracy is the test
        set's).
    """
    nets = compared(preset)
    table = one_pass.accuracies(preset, nets, sorted({*one_pass.AT, timesteps}), evaluations)
    runs = {run.spec.name: run for arms in nets.values() for runs in arms.values() for run in runs}
    return table.assign(
        net=table.run.map({r.spec.name: net for net, arms in nets.items() for runs in arms.values() for r in runs}),
        train_seconds=table.run.map({name: seconds(run) for name, run in runs.items()}),
        operations=table.run.map({name: operations(run) for name, run in runs.items()}),
        hold_out=table.run.map({name: run.spec.hold_out for name, run in runs.items()}),
    )


def levels(preset: Preset, timesteps: int = AT) -> pd.DataFrame:
    """Accuracy in percent at the goals' T, of the nets that take steps.

    Args:
        timesteps: T of the goals, or as far as the preset goes.

    Returns:
        Columns net, dataset, network, width, readout, hold_out, arm, way, timesteps, then those of `contrasts.level`.
    """
    tables, at = [], min(timesteps, preset.evaluation.timesteps)
    for net, arms in compared(preset).items():
        for arm, runs in arms.items():
            spec = runs[0].spec
            for way, evaluation in evaluations(preset, runs[0], (at,)):
                if way != AT_ONCE:
                    found = level(Side(runs, evaluation, evaluation.timesteps if way == PIPELINED else at))
                    keys = {"net": net} | {name: spec.columns()[name] for name in one_pass.NET}
                    keys |= {"hold_out": spec.hold_out, "arm": arm, "way": way, "timesteps": at}
                    tables.append(found.assign(**keys)[[*keys, *found.columns]])
    return pd.concat(tables, ignore_index=True)


def so_far(preset: Preset) -> pd.DataFrame:
    """What is known of a preset's nets, here or published, without training any.

    Returns:
        Accuracy in percent on what each is tested on: a row for each net, arm, seed and way, a column for each T.
    """
    rows = [
        (net, arm, run.spec.seed, way, getattr(evaluation, "levels", t), 100 * at)
        for net, arms in compared(preset).items()
        for arm, runs in arms.items()
        for run in runs
        if (run.done or run.published) and not run.damage()
        for way, evaluation in evaluations(preset, run)
        if (held := known(run, evaluation)) is not None
        for t, at in held.table.groupby("timesteps").accuracy.mean().items()
    ]
    found = pd.DataFrame(rows, columns=["net", "arm", "seed", "way", "T", "accuracy"])
    found = found[found["T"].isin(one_pass.AT)]
    return found.pivot(index=["net", "arm", "seed", "way"], columns="T", values="accuracy")


def seconds(run: Run) -> float:
    """Of training, without evaluation; with that of the runs that it comes after."""
    return run.metadata["train_seconds"] + sum(seconds(Run(spec)) for spec in run.spec.before)


def operations(run: Run) -> int:
    """Of training, multiplications and additions apart, with those of the runs that it comes after.

    Two for each multiply-accumulate of convolutions and linear layers, three times: forward, and backward for inputs
    and for weights. A net that is trained through time has them at each step; a teacher is run forward alone.
    """
    spec = run.spec
    images = spec.images[0] * spec.recipe.epochs
    passes = 6 * size(spec.network, spec.width)[1] * spec.timesteps * images
    taught = 2 * size(spec.teacher.network, spec.teacher.width)[1] * images if spec.teacher else 0
    return passes + taught + sum(operations(Run(before)) for before in spec.before)


def ablation(table: pd.DataFrame, timesteps: int = AT) -> pd.DataFrame:
    """What each arm reaches, and how many points it is above its net's base, means over training seeds.

    Args:
        table: of `accuracies`, or its CSV.
        timesteps: T of the goals.

    Returns:
        Columns net, dataset, width, hold_out, arm; accuracies in percent one_step (spiking, T = 1), spiking and
        pipelined (at the goals' T, or the table's last), at_once (an ANN), empty where there is no such way; of each
        its sd, one_step_sd and so on; points (of spiking, above the same seed's base), sd (of these), seeds; minutes
        of training, operations (of training), runs.
    """
    steps = table.timesteps[table.timesteps < math.inf]
    last, spiking = min(timesteps, steps.max()), table.way == SPIKING
    ways = {
        "one_step": spiking & (table.timesteps == 1),
        "spiking": spiking & (table.timesteps == last),
        "pipelined": (table.way == PIPELINED) & (table.timesteps == last),
        "at_once": table.way == AT_ONCE,
    }
    of_seeds = {way: over_seeds(percent(table[rows], *NET_AND_ARM)) for way, rows in ways.items()}
    found = pd.DataFrame({way: of_way["mean"] for way, of_way in of_seeds.items()})
    found = found.join(pd.DataFrame({f"{way}_sd": of_way.sd for way, of_way in of_seeds.items()}))
    by_arm = table.groupby(NET_AND_ARM, sort=False)
    return (
        found.reindex(by_arm.size().index)
        .join(over_seeds(_points(percent(table[ways["spiking"]], *NET_AND_ARM))).rename(columns={"mean": "points"}))
        .assign(
            minutes=by_arm.train_seconds.mean() / 60,
            operations=by_arm.operations.mean(),
            runs=by_arm.run.unique().map(" ".join),
        )
        .reset_index()
    )


def _points(spiking: pd.Series) -> pd.Series:
    """Of each arm and seed, above the base of the same net and seed."""
    return spiking - spiking.xs(BASE, level="arm").reindex(spiking.index.droplevel("arm")).set_axis(spiking.index)
