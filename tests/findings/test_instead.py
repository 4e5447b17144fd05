"""What docs/findings.md would do instead: numbers are those of the CSV files beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
from told import DEEP, RESNET, VGG, deep_nets_at_four_steps, ends, half, percent, points, says, table

from snnlib.store.paths import DOCS


def test_what_to_do_at_one_step() -> None:
    at = {"choice": "first step", "value": "rest"}
    rest = table("silent_choices_effects", **at).groupby(["net", "timesteps"]).points.mean()
    deep = ("race_vgg16", "vgg16", "resnet18")
    says(
        "gives {:.1f} points with the half CNN, {:.1f} to {:.1f} with the deep nets at a quarter and an eighth, and "
        "takes at most 0.1 at T = 10",
        rest["race_cnn", 1], *ends(rest[n, 1] for n in deep),
    )  # fmt: skip
    assert round(-rest.xs(10, level="timesteps").min(), 1) == 0.1
    like = {"readout": "spikes", "timesteps": 1, "ties": "first"}
    rows = table("fig2_accuracy_vs_timesteps", inference=["constant", "noise"], **like)
    by = ["dataset", "network", "width", "augment", "inference", "seed"]
    accuracies = 100 * rows.groupby(by).accuracy.mean().groupby(by[:-1]).mean().unstack()
    gained = (accuracies.constant - accuracies.noise).dropna()
    assert len(gained) == 4
    says("it gives {:.1f} to {:.1f} points with the nets of Figure 2, but", *ends(gained))


def _equal_time(training: str) -> tuple[pd.Series, pd.Series]:
    """Percent at T = 1, 4 and 10, by the table of docs/benchmarks.md, and their sd over seeds."""
    lines = (DOCS / "benchmarks.md").read_text().splitlines()
    (row,) = (line for line in lines if line.startswith(f"| {training} |"))
    cells = [map(float, cell.split("±")) for cell in row.strip("| ").split("|")[-3:]]
    mean, sd = (pd.Series(values, index=[1, 4, 10]) for values in zip(*cells, strict=True))
    return mean, sd


def test_what_to_do_at_ten_steps() -> None:
    rates, better = {"arm": "rate4"}, {"vgg8": "potential", VGG: "potential_start", RESNET: "potential_start"}
    at_4, at_10 = (
        {
            net: [
                part("one_pass_contrasts", network=net, other_arm=arm, **rates, timesteps=t) for part in (points, half)
            ]
            for net, arm in better.items()
        }
        for t in (4, 10)
    )
    levels = table("record", way="spiking", hold_out=0, arm=["potential", "rate4"])
    by_seed = 100 * levels.groupby(["net", "arm", "timesteps", "seed"]).accuracy.mean()
    mean, sd = (getattr(by_seed.groupby(["net", "arm", "timesteps"]), name)() for name in ("mean", "std"))
    (resnet, sd_of_one), (other, sd_of_other) = map(_equal_time, ("rates of L = 4 steps", "the paper's training"))
    for step, of_net in ((10, at_10), (4, at_4)):
        wide, deeper = (
            by_seed[net, "rate4", step] - by_seed[net, "potential", step] for net in ("record", "record_deeper")
        )
        nets = [*of_net["vgg8"], wide.mean(), wide.std(), resnet[step] - other[step]]
        nets += [np.hypot(sd_of_one[step], sd_of_other[step]), deeper.item(), *of_net[VGG], *of_net[RESNET]]
        says(
            f"| {step} | {{:+.1f}} ± {{:.1f}} |" + " {:+.1f} (sd {:.1f}) |" * 2
            + " {:+.1f} |" + " {:+.1f} ± {:.1f} |" * 2, *nets,
        )  # fmt: skip
    says(
        "The toy CNN loses {:.1f} at T = 10",
        -points("../smoke/one_pass_contrasts", timesteps=10, other_arm="potential", **rates),
    )
    later = [percent("one_pass", network=net, arm="potential_start", timesteps=10) for net in DEEP]
    says(
        "have {:.1f} and {:.1f} % at T = 4; the paper's, which does not wait, {:.1f} and {:.1f}, at T = 10 {:.1f} and "
        "{:.1f}.",
        *deep_nets_at_four_steps(), *later,
    )  # fmt: skip
    says(
        "VGG-5 {:.1f} ± {:.1f} % (sd) after two hours of one thread, a deeper ResNet {:.1f} after nearly six (one "
        "seed); by the paper's noise, run with the exact memory, {:.1f} ± {:.1f} and {:.1f}, the ResNet after four "
        "hours.",
        *(part for arm in ("rate4", "potential") for part in (
            mean["record", arm, 10], sd["record", arm, 10], mean["record_deeper", arm, 10],
        )),
    )  # fmt: skip
    hours = table("record", net="record_deeper").groupby("arm").train_seconds.mean() / 3600
    assert (round(hours["rate4"]), round(hours["potential"])) == (6, 4)


def test_optimiser_and_network() -> None:
    says(
        "the CNN in full has {:.1f} % of Fashion-MNIST after 100 of 200 epochs, by ours {:.1f} after 15",
        *(
            percent("silent_choices", net="fashion_mnist", choice="recipe", default=own, timesteps=10)
            for own in (False, True)
        ),
    )
    trick = table("record_ablation", net="record_narrow").set_index("arm").points
    says(
        "Muon in place of Adam gave {:.1f} points, a shallower net {:.1f}, cross-entropy {:.1f}",
        -trick["adam"], trick["shallow"], -trick["mse"],
    )  # fmt: skip
    best = {"dataset": "fashion_mnist", "augment": "crop_flip", "readout": "potential", "inference": "constant"}
    at_one = 100 * table("fig2_accuracy_vs_timesteps", **best).groupby("seed").accuracy.mean()
    says("potentials, run without noise, three seeds | 1 | | {:.2f} ± {:.2f} % (sd) |", at_one.mean(), at_one.std())
