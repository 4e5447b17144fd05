"""What it costs to run a net, as docs/findings.md and its details tell it: numbers are those of the CSV files."""

from __future__ import annotations

import pandas as pd
from told import details, half_of_seeds, says, table

PICOJOULES = {"mac": 4.6, "accumulate": 0.9}  # Horowitz 2014, 45 nm; nothing else is priced
RELU = "ReLU net"


def _accuracies(net: str) -> pd.DataFrame:
    """Percent, a row for each seed, a column for each T."""
    rows = table("beyond_equal_accuracy", net=net)
    return 100 * rows.groupby(["seed", "timesteps"]).accuracy.mean().unstack()


def _proxies(net: str) -> pd.DataFrame:
    rows = table("beyond_operations", net=net, operation=[*PICOJOULES])
    spent = rows.per_image * rows.operation.map(PICOJOULES)
    return spent.groupby([rows.seed, rows.timesteps]).sum().unstack()


def test_accuracy_and_energy_beside_a_relu_net() -> None:
    ours, relu = _accuracies("converted net"), _accuracies(RELU)[1]
    less = ours.rsub(relu, axis=0)
    assert ours.mean().idxmax() == 9
    assert less.mean().min() > 0.5
    share, of_skipping = (
        _proxies("converted net").div(_proxies(net)[1], axis=0) for net in (RELU, f"{RELU}, zeros skipped")
    )
    says(
        "has, at two steps, {:.1f} points less for {:.2f} of its energy, at nine, where it is best, {:.1f} less for "
        "{:.2f} times as much", less[2].mean(), share[2].mean(), less[9].mean(), share[9].mean(),
    )  # fmt: skip
    says("if the ReLU net skips zeros, it is {:.2f} and {:.1f} of its energy", *of_skipping.mean()[[2, 9]])
    says(
        "At nine steps the CNN has {:.1f} ± {:.1f} points less, and {:.2f} ± {:.2f} of its energy",
        less[9].mean(), half_of_seeds(less[9]), share[9].mean(), half_of_seeds(share[9]), page=details,
    )  # fmt: skip
    says("if the ReLU net skips zeros, {:.1f} times.", of_skipping[9].mean(), page=details)
    says(
        "At two steps it has {:.1f} points less for {:.2f} of the energy, {:.2f} if zeros are skipped",
        less[2].mean(), share[2].mean(), of_skipping[2].mean(), page=details,
    )  # fmt: skip


def test_stopping_at_a_lead() -> None:
    by = ["rule", "threshold", "seed"]
    curves = table("beyond_anytime").groupby(by, dropna=False)[["mean_steps", "accuracy"]].mean()
    last = 100 * curves.accuracy["fixed T", 10].mean()
    near = {
        rule: min(n for n, rows in curves.loc[rule].groupby("threshold") if 100 * rows.accuracy.mean() >= last - 0.5)
        for rule in ("lead", "fixed T")
    }
    assert near == {"lead": 2, "fixed T": 4}
    steps = curves.mean_steps["lead", 2]
    says("Stopping once a class leads by two spikes takes {:.1f} steps for the accuracy of ten", steps.mean())
    says(
        "An image that stops once a class leads by two spikes takes {:.1f} ± {:.1f} steps",
        steps.mean(), half_of_seeds(steps), page=details,
    )  # fmt: skip
    says("within half a point, for which a fixed T takes four", page=details)


def test_noise_on_the_images() -> None:
    rows = table("beyond_robustness", input_noise=0.5, timesteps=[1, 10])
    by = rows.assign(accuracy=100 * rows.accuracy).groupby(["net", "timesteps", "seed"]).accuracy.mean()
    ours, relu = by["converted net", 10], by[RELU].droplevel(0)
    says(
        "half that of the training pixels it has {:.0f} ± {:.0f} %, the ReLU net {:.0f} ± {:.0f}",
        ours.mean(), half_of_seeds(ours), relu.mean(), half_of_seeds(relu), page=details,
    )  # fmt: skip
