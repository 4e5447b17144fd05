"""What the operations of a converted net and of a ReLU net would cost: an energy proxy, and what it leaves open.

Arithmetic alone is priced, no memory and no data movement, which dominate in real machines. What a draw of noise costs
depends on the machine, from almost nothing (a noisy device) to many sums (a generator and a Gaussian from it), so the
proxy is given as a function of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from snnlib.deploy.operations import ACCUMULATE, DRAW, MAC, SPIKE, UPDATE, count
from snnlib.experiments.beyond.pairs import ANN, CONVERTED, Pair
from snnlib.runs.evaluations import AsTrained, Conversion
from snnlib.runs.run import ensure

SKIPPING = f"{ANN}, zeros skipped"

# 32-bit floating-point arithmetic at 45 nm, pJ: 3.7 for the product and 0.9 for the sum. Horowitz 2014, ISSCC,
# doi 10.1109/ISSCC.2014.6757323.
PICOJOULES = {MAC: 4.6, ACCUMULATE: 0.9}


def operation_counts(pairs: Iterable[Pair], evaluation: Conversion) -> pd.DataFrame:
    """Operations of converted nets and of ReLU nets, the latter also with products by zero left out.

    One noise seed, the evaluation's first: counts are means over the whole test set.

    Args:
        pairs: a single-step and a ReLU run each.

    Returns:
        The runs' columns, net, and those of `count`.
    """
    tables = []
    for snn, ann in pairs:
        nets = {
            CONVERTED: (snn, evaluation, {}),
            ANN: (ann, AsTrained(timesteps=1), {}),
            SKIPPING: (ann, AsTrained(timesteps=1), {"skip_zeros": True}),
        }
        for net, (run, e, options) in nets.items():
            ensure(run.spec)
            with run.spec.recipe.execution():
                table = count(
                    e.network(run), run.data(), e.timesteps, evaluation.noise_seeds[0], evaluation.batch_size,
                    run.spec.recipe.precision, **options,
                )  # fmt: skip
            tables.append(table.assign(**run.spec.columns(), net=net)[[*run.spec.columns(), "net", *table]])
    return pd.concat(tables, ignore_index=True)


def spikes_per_step(table: pd.DataFrame) -> pd.Series:
    """Spikes per neuron and step up to T, by layer and T, from counts of one net."""
    by = table.set_index(["part", "timesteps"])
    return by[by.operation == SPIKE].per_image / by[by.operation == UPDATE].per_image


def energy(table: pd.DataFrame, draw: float = 0.0) -> pd.Series:
    """Energy proxy per image in pJ, by T, of one net's counts, if a draw of noise costs ``draw`` pJ."""
    price = {**PICOJOULES, DRAW: draw, SPIKE: 0.0, UPDATE: 0.0}
    return (table.per_image * table.operation.map(price)).groupby(table.timesteps).sum()


def break_even(snn: pd.DataFrame, ann: pd.DataFrame) -> pd.Series:
    """What a draw may cost, in pJ by T, for the SNN's proxy to be the ANN's; below 0 it is above the ANN's anyway."""
    draws = snn[snn.operation == DRAW].groupby("timesteps").per_image.sum()
    return (energy(ann).iloc[0] - energy(snn)) / draws


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


def cheaper_until(table: pd.DataFrame) -> str:
    """Up to which T the energy proxy of the converted net is below the ReLU net's, if a draw costs nothing, in words.

    Args:
        table: from `operation_counts`.
    """
    lines = []
    for ann, pairs in affordable_draws(table).groupby("net", sort=False):
        last = [int(pair.index[pair > 0].max()) if (pair > 0).any() else 0 for _, pair in pairs.iterrows()]
        low, high = min(last), max(last)
        until = f"up to T = {low}" if low else "at no T"
        if low < high:
            until += f" in one training seed, up to T = {high} in another"
        known = f"{len(last)} training seeds" if len(last) > 1 else "one seed cannot tell how much this varies"
        lines.append(f"with free noise, the {CONVERTED}'s proxy is below that of the {ann} {until} ({known})")
    return "\n".join(lines)
