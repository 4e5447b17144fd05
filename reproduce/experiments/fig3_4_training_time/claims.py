"""The claims on the time and memory of training, and how they are decided. The rule stands in docs/verdicts.md.

Training time is steps times the seconds of a step, for which the arms took turns.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pandas as pd

from reproduce.experiments.at_equal_time import LEAST_SHARE, MOST_SHARE, at_equal_time, bound_sign
from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import HALF, NO, YES, Claim, Finding, Item, each_network, exceeds, judged, over
from reproduce.experiments.fig3_4_training_time.paired import (
    CONTRASTS,
    COST,
    FIG4,
    at_own_benchmark,
    step_costs,
    times_faster,
)
from reproduce.experiments.fig3_4_training_time.race import SHARES
from reproduce.experiments.paper import TRAINING_TIME
from reproduce.experiments.tables import NotTestedError, Tables
from reproduce.experiments.titles import TITLES, short_title

FASTER = 3.0  # the lower end of "3-5 times"
STILL_HIGH = 1.0  # points below direct training
MIB = 2**20


def printed_saving(network: str) -> float:
    """Percent of direct training's time that the paper's seconds save with a network (Sec. 3.2)."""
    (seconds,) = (values for (_, name), values in TRAINING_TIME.items() if name == network)
    return 100 * (1 - seconds["ours_seconds"] / seconds["direct_seconds"])


def saved(factor: float) -> float:
    """Percent of a time that is saved where it is divided by a factor."""
    return 100 * (1 - 1 / factor) if factor else -math.inf


def saving(tables: Tables, network: str) -> Finding:
    def judge(label: str, pairs: pd.DataFrame) -> list[Item]:
        data = short_title(pairs.dataset.iloc[0])
        least, part = (1 / (1 - share * printed_saving(network) / 100) for share in (1, HALF))
        return [until_benchmark(f"{label} on {data}", pairs, least, part, ".0f", " %", saved)]

    pairs = at_own_benchmark(tables)
    pairs = pairs[pairs.network == network]
    return Finding(each_network(pairs, judge, (network,)), f"saved until {_goals(pairs)}" if len(pairs) else "")


def _goals(pairs: pd.DataFrame) -> str:
    """The accuracies that are to be reached."""
    return " and ".join(sorted({f"{100 * goal:g} %" for goal in pairs.benchmark}))


def faster(tables: Tables) -> Finding:
    def judge(label: str, pairs: pd.DataFrame) -> list[Item]:
        item = until_benchmark(label, pairs, FASTER, HALF * FASTER)
        return [replace(item, shown=f"{item.shown} to {_goals(pairs)}")]

    return Finding(each_network(at_own_benchmark(tables), judge), "to the benchmark")


def ahead_at_equal_time(tables: Tables) -> Finding:
    """Ours, trained for direct training's time, over it, at shares of that time."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        found = (Effect.of(rows[rows.share == share]) for share in SHARES)
        return [at_equal_time(label, effect, 0, rows.time_share.tolist()) for effect in found]

    table = tables.read(CONTRASTS)
    table = table[table.arm == "equal_time"]
    if table.empty:
        raise NotTestedError("fig3_contrasts.csv has no net with the arm equal_time")
    least, most = (f"{100 * share:.0f}" for share in (table.time_share.min(), table.time_share.max()))
    took = f"{least} %" if least == most else f"{least} to {most} %"
    return Finding(
        each_network(table, judge),
        f"points over direct training when {_percentages()} of each is done, all of ours in {took} of its time",
    )


def accuracy_kept(tables: Tables) -> Finding:
    """Against direct training at the T, of those that it was trained for, where it is most accurate."""

    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        best = rows.groupby("opponent", sort=False).points.mean().idxmin()
        effect = Effect.of(rows[rows.opponent == best])
        at = "10" if best == "direct" else best.removeprefix("direct")
        return [exceeds(label, effect, -STILL_HIGH, shown=f"{effect.shown()} (T = {at})")]

    table = tables.read(CONTRASTS)
    items = each_network(table[(table.arm == "ours") & (table.share == 1)], judge)
    return Finding(items, "points over direct training, at its best T, after as many epochs")


def less_memory(tables: Tables) -> Finding:
    def judge(label: str, cost: pd.DataFrame) -> list[Item]:
        (row,) = cost.itertuples()
        folds = row.timesteps_direct
        item = over(label, row.peak_bytes_direct / row.peak_bytes_ours, folds, HALF * folds)
        tape, peak = (f"{count / MIB:,.0f}" for count in (row.tape_bytes_ours, row.peak_bytes_ours))
        each = row.image_bytes_direct / row.image_bytes_ours
        return [replace(item, shown=f"{item.shown} ({tape} of {peak} MiB the noise tape, {each:.1f}× for each image)")]

    return Finding(each_network(step_costs(tables), judge), "direct training's peak over ours")


def larger_batch(tables: Tables) -> Finding:
    def judge(label: str, cost: pd.DataFrame) -> list[Item]:
        (row,) = cost.itertuples()
        if row.largest_batch_direct < 1:
            raise NotTestedError("fig4_training_cost.csv has a limit below one image")
        larger = row.largest_batch_ours > row.largest_batch_direct
        return [Item(label, f"{row.largest_batch_ours / row.largest_batch_direct:.1f}×", YES if larger else NO)]

    return Finding(each_network(step_costs(tables), judge), "our largest batch over that of direct training")


def until_benchmark(
    label: str, pairs: pd.DataFrame, least: float, part: float, form: str = ".1f", unit: str = "×",
    told: Callable[[float], float] = float,
) -> Item:  # fmt: skip
    """Whether the opponent takes more than ``least`` times as long, or in part more than ``part`` times.

    Where direct training never gets to the benchmark, its seconds are a lower bound, and the factor can only be
    larger: that never says no. Where ours never does it can only be smaller: that never says yes.

    Args:
        pairs: of `seconds_to_benchmark`.
        form, unit, told: how a factor is written, and as what.
    """
    factor = times_faster(pairs)
    low, high = factor.interval
    more, less = not pairs.other_reached.all(), not pairs.ours_reached.all()
    says = judged(0 if less else low, math.inf if more else high, least, part)
    shown = f"{bound_sign(more, less)}{factor.shown(form, unit, told)}"
    return Item(label, shown, says, len(pairs), told(factor.mean))


def _percentages() -> str:
    *first, last = (f"{100 * share:g}" for share in SHARES)
    return f"{', '.join(first)} and {last} %"


def _saving(dataset: str, network: str, quote: str) -> Claim:
    printed = TRAINING_TIME[dataset, network]
    least = printed_saving(network)
    return Claim(
        f"saves_{network}",
        f"{100 * printed['saving']:.0f} % less training time, {TITLES[dataset]}/{TITLES[network]}",
        "3.2, Fig. 4",
        quote,
        f"steps until the benchmark accuracy, times the seconds of a step, whatever {TITLES[network]}'s data here: "
        f"over {least:.1f} % less than direct training (T = 10) with the same seed, as the printed seconds have it; "
        f"in part above {HALF * least:.1f} %; mean and interval are those of the ratio's logarithm, and as a time is "
        "known between two tests, the interval reaches to both ends of what they leave open",
        f"{100 * printed['saving']:.0f} % ({printed['ours_seconds']:,} of {printed['direct_seconds']:,} s)",
        (FIG4,),
        partial(saving, network=network),
    )


CLAIMS = (
    _saving(
        "fashion_mnist", "cnn",
        "on FashionMNIST our method takes only 135s to reach the benchmark accuracy when SNN(T=10) takes 528s, which "
        "saves about 75% of the time",
    ),
    _saving(
        "cifar10", "vgg16",
        "In CIFAR10/VGG-16, our method requires 3132s, whereas SNN(T=10) requires 9900s, a time savings of about 70%",
    ),
    _saving(
        "cifar10", "resnet18",
        "In CIFAR10/ResNet-18, our model requires 7290s while SNN(T=10) requires 19998s, a time savings of "
        "approximately 65%",
    ),
    Claim(
        "faster", "3-5 times faster than direct training", "1",
        "our method is 3-5 times faster for training than the surrogate-gradient based method",
        f"direct training (T = 10) takes more than {FASTER:g} times as long to the benchmark accuracy, by the "
        f"same clock as above; in part above {HALF * FASTER:g}",
        ", ".join(
            f"{TITLES[network]} {said['direct_seconds'] / said['ours_seconds']:.1f}× to {100 * said['benchmark']:g} %"
            for (_, network), said in TRAINING_TIME.items()
        ), (FIG4,), faster,
    ),
    Claim(
        "equal_time", "at equal time ours is more accurate", "3.2, Fig. 3",
        "in the same amount of time, it achieves higher accuracy",
        "ours, trained for as long as direct training (T = 10) takes by the same clock as above, over direct training: "
        f"accuracy at T = 10 above it at {_percentages()} of that time; where ours took less than "
        f"{100 * LEAST_SHARE:g} % of it, or more than {100 * MOST_SHARE:g} %, a bound",
        "higher", (CONTRASTS,), ahead_at_equal_time,
    ),
    Claim(
        "accuracy_kept", "accuracy stays high", "abstract",
        "our method considerably reduces the training and inference times of SNNs while maintaining their high "
        "accuracy",
        f"at T = 10 and after the same number of epochs, less than {STILL_HIGH:g} point below direct training, at "
        "T = 10, 4 or 2, whichever is most accurate",
        "92.07 %, direct 84.67 to 93.5 % (CIFAR-10)", (CONTRASTS,), accuracy_kept,
    ),
    Claim(
        "memory", "far less memory", "2.2",
        "training a SNN with large T directly would increase not only the training and inference time but also the "
        "memory by T folds … The approach that we suggest can instantly construct a SNN model with large T with much "
        "less memory cost",
        "peak memory of direct training's step over ours, same batch, noise tape counted: at least T, the T folds; "
        f"in part from {HALF:g} T",
        "T folds: 10×", (COST,), less_memory,
    ),
    Claim(
        "batch", "a larger batch fits", "3.2",
        "with single-step SNN, we can choose a larger batch size",
        "largest batch in the same memory above that of direct training (T = 10)",
        "larger", (COST,), larger_batch,
    ),
)  # fmt: skip
