"""Commands that train and evaluate."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from reproduce.batch.train import train_runs
from reproduce.cli import choose
from reproduce.cli.options import (
    Changes,
    Json,
    Name,
    Names,
    Numbers,
    PresetName,
    as_number,
    as_numbers,
    as_whole,
    print_json,
)  # fmt: skip
from reproduce.runs.evaluations import Phased
from reproduce.runs.preset import load_preset
from reproduce.runs.results import accuracy
from snnlib.checks import InputError, one_of, shown, whole
from snnlib.data.sets import DATASETS, load_dataset
from snnlib.training.evaluation import MOST_NOISE_SEEDS


def train_preset(names: Names = None, preset: PresetName = "smoke", changes: Changes = None) -> None:
    """Train runs of a preset, or resume or skip them, and evaluate each as the preset says."""
    p = load_preset(preset, changes or ())
    runs = choose.several(names, p)
    train_runs(runs, p)
    print(f"{len(runs)} run{'s' * (len(runs) > 1)}: trained and evaluated")


def evaluate_run(
    name: Name,
    preset: PresetName = "smoke",
    changes: Changes = None,
    alpha: Annotated[
        Numbers | None,
        typer.Option(
            parser=as_numbers, metavar="A[,A]...", help="range of the potential term, 2 to inf (step 2); or several"
        ),
    ] = None,
    beta: Annotated[float | None, typer.Option(parser=as_number, help="its mean, 0 to 1")] = None,
    leak: Annotated[float | None, typer.Option(parser=as_number, help="lambda, 0 to 1")] = None,
    statistics: Annotated[str | None, typer.Option(help="layer, sample or frozen")] = None,
    first_step: Annotated[str | None, typer.Option(help="noise or rest")] = None,
    memory: Annotated[
        str,
        typer.Option(
            help="potential, the paper's (none with --alpha inf), or exact, which keeps the law of training in hidden "
            "layers; a readout that spikes begins near 1/2"
        ),
    ] = "potential",
    spread: Annotated[
        float | None,
        typer.Option(parser=as_number, help="of the exact memory's first phases, 0 to 1, in hidden layers"),
    ] = None,
    readout_spread: Annotated[
        float | None, typer.Option(parser=as_number, help="likewise, in a readout that spikes")
    ] = None,
    percentile: Annotated[
        float | None, typer.Option(parser=as_number, help="of activations, as threshold (relu nets)")
    ] = None,
    v_init: Annotated[
        float | None, typer.Option(parser=as_number, help="V(0) in thresholds (relu and qcfs nets)")
    ] = None,
    timesteps: Annotated[int | None, typer.Option(parser=as_whole, help="accuracy at every T up to this one")] = None,
    noise_seeds: Annotated[int | None, typer.Option(parser=as_whole, help="how many")] = None,
    as_json: Json = False,
) -> None:
    """Accuracy of one run at every T, mean and standard deviation over noise seeds, in percent.

    The run is one of the preset, or any of the store. Single-step nets are converted by alpha, beta, leak, statistics
    and first step, or with the exact memory by its spreads, relu and qcfs nets by percentile and v_init. Options that
    are not given come from the preset.
    """
    one_of("--memory", memory, ("potential", "exact"))
    if noise_seeds is not None:
        whole("--noise-seeds", noise_seeds, 1, MOST_NOISE_SEEDS)
    if alpha is not None and len(set(alpha)) < len(alpha):
        raise InputError(f"--alpha = {shown(alpha)}: must each be there once")
    p = load_preset(preset, changes or ())
    run = choose.one(name, p)
    seeds = None if noise_seeds is None else tuple(range(noise_seeds))
    given = {
        "beta": beta, "leak": leak, "statistics": statistics, "first_step": first_step,
        "spread": spread, "readout_spread": readout_spread, "percentile": percentile, "v_init": v_init,
        "timesteps": timesteps, "noise_seeds": seeds,
    }  # fmt: skip
    usual = p.evaluations(run)[-1]
    usual = Phased.beside(usual) if memory == "exact" else usual
    usual = usual.changed(**{k: v for k, v in given.items() if v is not None})
    ways = {f"alpha = {a:g}": usual.changed(alpha=a) for a in alpha} if alpha else {"": usual}
    for evaluation in ways.values():
        evaluation.fits(run.spec)
    tables = {way: accuracy(run, evaluation) for way, evaluation in ways.items()}
    if as_json:
        columns = ["noise_seed", "timesteps", "accuracy"]
        print_json({
            "run": run.spec.name,
            "label": run.label,
            "evaluations": [
                {"evaluation": ways[way].spelled, "accuracy": table[columns].to_dict("records")}
                for way, table in tables.items()
            ],
        })  # fmt: skip
        return
    (first, *others), several = ways.values(), len(usual.noise_seeds) > 1
    common = " ".join(f"{name}={value!r}" for name, value in first if not (others and name == "alpha"))
    print(f"{run.spec.name}\n{type(first).__name__}: {common}")
    if not others:
        (table,) = tables.values()
        percent = table.accuracy.mul(100).groupby(table.timesteps).agg(["mean", "std"] if several else ["mean"])
        print(percent.to_markdown(floatfmt=".2f"))
    else:
        columns = {way: _percent(table, several) for way, table in tables.items()}
        print(pd.DataFrame(columns).to_markdown(disable_numparse=True, stralign="right"))


def tune_rates(
    nets: Annotated[list[str] | None, typer.Argument(help="nets of the preset; all if none is given")] = None,
    preset: PresetName = "smoke",
    epochs: Annotated[
        int | None, typer.Option(parser=as_whole, help="of each net, for a shorter search; arms keep their ratio to it")
    ] = None,
) -> None:
    """Choose the peak learning rate of each arm: the best of three on held-out training images.

    Arms that take another's rate are left out. Prints what the preset's file is to have, but does not change it.
    """
    from reproduce.batch.tune import tune  # brings matplotlib

    print(tune(load_preset(preset), nets or (), epochs))


def get_data(name: Annotated[str, typer.Argument(help=", ".join(DATASETS))]) -> None:
    """Download a data set, or check the one that is there."""
    d = load_dataset(name)
    print(f"{name}: {len(d.train):,} training and {len(d.test):,} test images, checksums right")


def _percent(table: pd.DataFrame, several: bool) -> pd.Series:
    """Accuracy in percent at every T: its mean, and its standard deviation over several noise seeds."""
    by_steps = table.accuracy.mul(100).groupby(table.timesteps)
    if not several:
        return by_steps.mean().map("{:.2f}".format)
    return by_steps.agg(lambda a: f"{a.mean():.2f} ± {a.std():.2f}")
