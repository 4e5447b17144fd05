"""What docs/findings_in_detail.md would do instead: numbers are those of the CSV files beside it."""

from __future__ import annotations

from functools import partial

import pandas as pd
from told import (
    CNN,
    RESNET,
    VGG,
    deep_nets_at_four_steps,
    details,
    epochs,
    half,
    percent,
    points,
    says,
    steps_until,
    table,
)

says = partial(says, page=details)
RATES, PAPERS = "rate4", "potential"


def test_one_step_without_noise() -> None:
    like = {"readout": "spikes", "timesteps": 1, "ties": "first"}
    nets = ({"dataset": "fashion_mnist", "augment": "none"}, {"network": VGG, "width": 0.25})
    figure_2 = [
        percent("fig2_accuracy_vs_timesteps", inference=way, **like, **net)
        for net in nets for way in ("constant", "noise")
    ]  # fmt: skip
    like = {"network": CNN, "readout": "spikes", "noise": "gaussian", "timesteps": 1}
    half_cnn = [percent("what_noise_does", inference=way, **like) for way in ("constant 1/2", "step 2")]
    says(
        "{:.1f} against {:.1f} % with Table 1's CNN, {:.1f} against {:.1f} with VGG-16 at a quarter; with the half CNN "
        "{:.1f} against {:.1f}, but", *figure_2, *half_cnn,
    )  # fmt: skip


def test_how_many_steps_of_the_exact_memory_do_as_well() -> None:
    nets = ((VGG, 0.125), (VGG, 0.25), (RESNET, 0.125))
    as_fresh, as_papers = (
        {*pd.concat(steps_until(*net, "exact memory", other) for net in nets)}
        for other in ("ensemble", "paper's memory")
    )
    assert as_fresh == {4, 5}
    assert as_papers == {5, 6}


def test_rates_of_four_take_little_more() -> None:
    for ratio in table("one_pass_costs", arm=RATES).time:
        says("which takes {:.1f} times the paper's step", ratio)


def _record(net: str, arm: str, timesteps: int) -> pd.Series:
    """Percent of the test set by training seed."""
    like = {"net": net, "arm": arm, "way": "spiking", "hold_out": 0, "timesteps": timesteps}
    return 100 * table("record", **like).groupby("seed").accuracy.mean()


def _over_the_papers(network: str, timesteps: int, papers: str = PAPERS) -> list[float]:
    like = {"network": network, "arm": RATES, "other_arm": papers, "timesteps": timesteps}
    return [part("one_pass_contrasts", **like) for part in (points, half)]


def test_rates_of_four_in_the_deep_nets() -> None:
    says(
        "{:.1f} ± {:.1f} with VGG-16 and {:.1f} ± {:.1f} with ResNet-18 at a quarter after {:.0f}, at the learning "
        "rate that was chosen for noise ({:.1f} ± {:.1f} and {:.1f} ± {:.1f} over the paper's from the start of batch "
        "norm that rates have)",
        *_over_the_papers(VGG, 10), *_over_the_papers(RESNET, 10), *{*epochs("one_pass", network=[VGG, RESNET])},
        *_over_the_papers(VGG, 10, f"{PAPERS}_start"), *_over_the_papers(RESNET, 10, f"{PAPERS}_start"),
    )  # fmt: skip
    (of_vgg, its_half), (of_resnet, other_half) = (_over_the_papers(net, 4) for net in (VGG, RESNET))
    says("lose {:.1f} ± {:.1f} and {:.1f} ± {:.1f} there", -of_vgg, its_half, -of_resnet, other_half)
    says(
        "these two have {:.1f} and {:.1f} %, where the paper's training, from the same start, has {:.1f} and {:.1f} "
        "with the exact memory",
        *deep_nets_at_four_steps(),
    )


def test_starts_of_batch_norm() -> None:
    at_10 = {"network": "vgg8", "way": "spiking", "timesteps": 10}
    lost = [
        percent("one_pass", arm=arm, **at_10) - percent("one_pass", arm=f"{arm}_start", **at_10)
        for arm in (RATES, PAPERS)
    ]
    says("has {:.1f} points less at T = 10 from the paper's, and the paper's training {:.1f} less from that", *lost)
    for_deep = [
        percent("one_pass", arm=f"{PAPERS}_start", **at_10 | {"network": net})
        - percent("one_pass", arm=PAPERS, **at_10 | {"network": net})
        for net in (VGG, RESNET)
    ]
    says("VGG-16 and ResNet-18 have {:.1f} and {:.1f} more from the latter", *for_deep)


def test_rates_of_four_at_ten_steps() -> None:
    vgg8 = _over_the_papers("vgg8", 10)
    in_time = table("../bench/equal_time/equal_time", timesteps=10).set_index("who")
    rates, papers = in_time.loc["rates of L = 4 steps"], in_time.loc["the paper's training"]
    full = ("record", "record_deeper")
    vgg5, deeper = ((_record(net, RATES, 10) - _record(net, PAPERS, 10)).mean() for net in full)
    (of_vgg5,), (of_deeper,) = ({*epochs("record", net=net, arm=[RATES, PAPERS])} for net in full)
    says(
        "{:.1f} ± {:.1f} points with VGG-8 after three epochs, {:.1f} with ResNet-8 after {:.0f} (the paper's {:.0f}, "
        "in the same time), {:.1f} with VGG-5 after {:.0f} and {:.1f} with a deeper ResNet (one seed) after {:.0f},",
        *vgg8, rates.accuracy - papers.accuracy, rates.epochs, papers.epochs, vgg5, of_vgg5, deeper, of_deeper,
    )  # fmt: skip
    like = {"arm": RATES, "other_arm": PAPERS, "timesteps": 10}
    says("and smoke's CNN loses {:.1f} (one seed;", -points("../smoke/one_pass_contrasts", **like))


def test_muon_shallow_and_cross_entropy() -> None:
    trick = table("record_ablation", net="record_narrow").set_index("arm").points
    says(
        "in four epochs of a net at a quarter of its width Muon in place of Adam gave {:.1f} points, a shallower net "
        "(`shallow`) {:.1f}, cross-entropy {:.1f}, one seed each", -trick["adam"], trick["shallow"], -trick["mse"],
    )  # fmt: skip


def test_vgg5_at_six_steps() -> None:
    rates, papers = (_record("record", arm, 6) for arm in (RATES, PAPERS))
    says(
        "{:.1f} ± {:.1f} at T = 6 from rates of four steps, {:.1f} ± {:.1f} from single steps with Gaussian noise",
        rates.mean(), rates.std(), papers.mean(), papers.std(),
    )  # fmt: skip
    hours = table("record", net="record").groupby("arm").train_seconds.mean() / 3600
    assert {round(hours[arm]) for arm in (RATES, PAPERS)} == {2}


def test_the_deeper_net() -> None:
    levels = [_record("record_deeper", arm, t).item() for t in (6, 10) for arm in (RATES, PAPERS)]
    hours = table("record", net="record_deeper").groupby("arm").train_seconds.mean() / 3600
    says(
        "turns that round at T = 6, {:.1f} and {:.1f}, not at T = 10, {:.1f} and {:.1f} (one seed each, {:.1f} and "
        "{:.1f} hours)", *levels, hours[RATES], hours[PAPERS],
    )  # fmt: skip
