"""What the operations of a converted net and of a ReLU net would cost: an energy proxy, and what it leaves open.

Arithmetic alone is priced, no memory and no data movement, which dominate in real machines. What a draw of noise costs
depends on the machine, from almost nothing (a noisy device) to many sums (a generator and a Gaussian from it), as does
what a look-up of a firing probability costs, so the proxy is given as a function of both. It is never told without the
accuracy that it buys: fewer steps cost less, and are worth less.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reproduce.experiments.beyond.pairs import ANN, CONVERTED, Pair, above_zero, interval
from reproduce.experiments.over_seeds import at_timesteps, counted
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AsTrained, Conversion
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.deploy.operations import ACCUMULATE, DRAW, LOOKUP, MAC, SPIKE, UPDATE, count

SKIPPING = f"{ANN}, zeros skipped"
EQUAL = 0.5  # points below the ReLU net that still count as equal

# 32-bit floating-point arithmetic at 45 nm, pJ: 3.7 for the product and 0.9 for the sum. Horowitz 2014, ISSCC,
# doi 10.1109/ISSCC.2014.6757323.
PICOJOULES = {MAC: 4.6, ACCUMULATE: 0.9}


def operation_counts(pairs: Iterable[Pair], evaluation: Conversion) -> pd.DataFrame:
    """Operations of converted nets and of ReLU nets, the latter also with products by zero left out.

    Args:
        pairs: a single-step and a ReLU run each.

    Returns:
        The runs' columns, net, and those of `count`.
    """
    once = AsTrained(timesteps=1, noise_seeds=evaluation.noise_seeds, batch_size=evaluation.batch_size)
    tables = []
    for snn, ann in pairs:
        nets = {
            CONVERTED: counts_of(snn, evaluation),
            ANN: counts_of(ann, once),
            SKIPPING: counts_of(ann, once, skip_zeros=True),
        }
        for net, table in nets.items():
            table.insert(len(snn.spec.columns()), "net", net)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def counts_of(run: Run, evaluation: Evaluation, data: Dataset | None = None, skip_zeros: bool = False) -> pd.DataFrame:
    """The run's columns and those of `count`, with the evaluation's first noise seed: means over the test set.

    Args:
        data: with other test images than the run's.
        skip_zeros: as of `count`.
    """
    ensure(run.spec)
    e = evaluation
    with run.spec.recipe.execution():
        table = count(
            e.network(run), data or run.data(), e.timesteps, e.noise_seeds[0], e.batch_size, run.spec.recipe.precision,
            skip_zeros,
        )  # fmt: skip
    named = run.spec.columns()
    return table.assign(**named)[[*named, *table]]


def spikes_per_step(table: pd.DataFrame) -> pd.Series:
    """Spikes per neuron and step up to T, by layer and T, from counts of one net."""
    by = table.set_index(["part", "timesteps"])
    return by[by.operation == SPIKE].per_image / by[by.operation == UPDATE].per_image


def energy(table: pd.DataFrame, draw: float = 0.0, lookup: float = 0.0) -> pd.Series:
    """Energy proxy per image in pJ, by T, of one net's counts, if a draw of noise costs ``draw`` pJ, and so on."""
    price = {**PICOJOULES, DRAW: draw, LOOKUP: lookup, SPIKE: 0.0, UPDATE: 0.0}
    return (table.per_image * table.operation.map(price)).groupby(table.timesteps).sum()


def break_even(snn: pd.DataFrame, other: pd.DataFrame, operation: str = DRAW) -> pd.Series:
    """What a draw (or a look-up) costs, in pJ by T, where the SNN's proxy is the other net's, at its only T.

    If the SNN has more of them, each may cost at most that (below 0 its proxy is above the other's anyway); if it has
    fewer, at least that (below 0 its proxy is below the other's anyway). What else is drawn or looked up is free.
    """
    own, others = (
        net.per_image.where(net.operation == operation, 0.0).groupby(net.timesteps).sum() for net in (snn, other)
    )
    return (energy(other).iloc[0] - energy(snn)) / (own - others.iloc[0])


def affordable_draws(table: pd.DataFrame) -> pd.DataFrame:
    """`break_even` of each pair: a row for each kind of ReLU net and training seed, a column for each T.

    Args:
        table: from `operation_counts`.
    """
    rows = {}
    for ann in (ANN, SKIPPING):
        for seed, pair in table.groupby("seed"):
            rows[ann, seed] = break_even(pair[pair.net == CONVERTED], pair[pair.net == ann])
    return pd.DataFrame(rows).T.rename_axis(["net", "seed"])


def accuracy_of_pairs(pairs: Iterable[Pair], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy of the nets whose `operation_counts` are taken: converted, at every T, and ReLU, at T = 1.

    Returns:
        The runs' columns, net, noise_seed, timesteps, accuracy (a fraction).
    """
    e = evaluation
    once = AsTrained(timesteps=1, noise_seeds=(0,), batch_size=e.batch_size, calibration=e.calibration)
    tables = []
    for snn, ann in pairs:
        for net, run, how in ((CONVERTED, snn, e), (ANN, ann, once)):
            named = list(run.spec.columns())
            tables.append(accuracy(run, how).assign(net=net)[[*named, "net", "noise_seed", "timesteps", "accuracy"]])
    return pd.concat(tables, ignore_index=True)


def at_equal_accuracy(accuracies: pd.DataFrame) -> tuple[int, bool]:
    """The first T at which the converted net is within `EQUAL` points of the ReLU net, and whether there is one.

    In the mean over seeds. If there is none, it is the T at which the converted net is most accurate.
    """
    at = at_timesteps(accuracies, "net")
    ours, ann = at.loc[CONVERTED].mean(), at.loc[ANN][1].mean()
    enough = ours >= ann - EQUAL - 1e-9
    return (int(enough.idxmax()), True) if enough.any() else (int(ours.idxmax()), False)


def cost_at_equal_accuracy(counts: pd.DataFrame, accuracies: pd.DataFrame) -> str:
    """Accuracy and energy proxy of both nets, in words, at the T of `at_equal_accuracy`: mean ± half the 95 % interval.

    Args:
        counts: from `operation_counts`.
        accuracies: from `accuracy_of_pairs`.
    """
    t, equal = at_equal_accuracy(accuracies)
    at = at_timesteps(accuracies, "net")
    ours, ann = at.loc[CONVERTED][t], at.loc[ANN][1]
    least = f"T = {t} is the first" if equal else f"at no T up to {at.columns[-1]}, most accurate at T = {t}"
    seeds = counted([len(ann)], "training seed")
    lines = [
        f"the {CONVERTED} within {EQUAL:g} points of the {ANN}: {least} ({seeds})",
        f"  accuracy there: {interval(ours)} % against {interval(ann)} %, {interval(ours - ann, '+.2f')} points",
    ]
    by = {net: {seed: energy(rows) for seed, rows in nets.groupby("seed")} for net, nets in counts.groupby("net")}
    allowed = affordable_draws(counts)[t]
    for net in (ANN, SKIPPING):
        share = pd.Series({seed: proxy[t] / by[net][seed].iloc[0] for seed, proxy in by[CONVERTED].items()})
        lines.append(
            f"  its proxy there, with free noise: {interval(share)} of that of the {net}; less: "
            f"{above_zero(1 - share)}; equal if a draw costs {interval(allowed.loc[net], '.1f')} pJ"
        )
    return "\n".join(lines)
