"""What the memory is worth, as docs/findings_in_detail.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

from functools import partial
from itertools import chain

import pandas as pd
import pytest
from scipy import stats
from told import (
    CNN,
    DEEP,
    RESNET,
    VGG,
    details,
    ends,
    half,
    over_fresh_noise,
    percent,
    points,
    says,
    steps_until,
    table,
)

says = partial(says, page=details)
DEEP_NETS = ((VGG, 0.125), (RESNET, 0.125))
SPIKING = ((CNN, 0.5), (CNN, 1.0), *DEEP_NETS, (VGG, 0.25), (RESNET, 0.25))
FULL = {"network": CNN, "width": 1.0, "dataset": "fashion_mnist"}
READ = {"readout": "potential", "timesteps": 10}
EXACT, PAPERS = "exact memory", "paper's memory"


def test_sigma_and_leak_cancel() -> None:
    term = table("fig5_cancellation")
    assert term.difference.max() < 1e-12
    assert (term.groupby("layer").sd.agg(lambda sd: sd.max() - sd.min()) < 1e-12).all()
    assert {*term.sigma} == {"divided by", "left out"}
    assert term.leak.nunique() > 1


def test_how_far_both_terms_spread() -> None:
    spread = table("fig5_memory", alpha=4).set_index(["network", "layer", "term"]).sd.unstack()
    share = spread["N(λV) + N'"] / spread["N_noise"]
    output = {CNN: "layer 5", VGG: "layer 14", RESNET: "layer 18"}
    low, high = ends(share.drop([*output.items()]))
    assert (round(2 * low), round(3 * high)) == (1, 2)  # half to two thirds


def test_what_step_3_owes_to_the_other_images() -> None:
    by = ["net", "value", "timesteps"]
    at = table("silent_choices_effects", choice="statistics of Eqs. 8-9").groupby(by).points.mean()
    ten = at.xs(10, level="timesteps")
    less, deep = -ten.xs("sample", level="value"), ten.index.unique("net").str.contains("vgg16|resnet18")
    read = less.index.str.endswith("potentials")
    says(
        "With each image scaled alone, deep nets have up to {:.1f} points less at T = 10, the CNN with spikes up to "
        "{:.1f},",
        less[deep].max(), less[~deep & ~read].max(),
    )  # fmt: skip
    assert less[~deep & read].abs().max() < 0.1
    assert ten.xs("frozen", level="value").abs().max() < 0.2


def test_step_3_of_the_cnn() -> None:
    helped = (0.5, "none", "spikes", "uniform", 2), (1.0, "crop_flip", "spikes", "gaussian", 2)
    by = ["width", "augment", "readout", "noise", "timesteps"]
    by_net = table("fig5_lossless", network=CNN).groupby(["dataset", *by]).points.mean()
    within = by_net.drop([("fashion_mnist", *net) for net in helped]).abs().max()
    says("at T = 2, 5 and 10 step 3 is within {:.1f} points of step 2", within)
    nets = ({"network": CNN, "dataset": "fashion_mnist"} | dict(zip(by, net, strict=True)) for net in helped)
    says(
        "with uniform noise, which it helps by {:.1f} ± {:.1f}, and at full width with crops and flips, by {:.1f} ± "
        "{:.1f}.", *(part("fig5_lossless", **net) for net in nets for part in (points, half)),
    )  # fmt: skip


def test_the_memories_of_the_full_cnn() -> None:
    nets = (("fashion_mnist", "none"), ("fashion_mnist", "crop_flip"), ("mnist", "none"), ("mnist", "crop"))
    whole, varied, *mnist = (
        [
            percent("memories", memory=memory, **FULL | {"dataset": dataset}, augment=augment, **READ)
            for memory in (PAPERS, "ensemble", EXACT)
        ]
        for dataset, augment in nets
    )
    says("On MNIST the three have {:.2f}, {:.2f} and {:.2f} %, with crops {:.2f}, {:.2f} and {:.2f}", *chain(*mnist))
    says("it has {:.2f} %, step 2 {:.2f} and the exact memory, explained below, {:.2f},", *whole)
    says("with crops and flips {:.2f}, {:.2f} and {:.2f}", *varied)


@pytest.mark.parametrize(
    ("readout", "noise", "words"),
    [
        ("potential", "gaussian", "potentials"),
        ("spikes", "gaussian", "spikes"),
        ("spikes", "uniform", "spikes, uniform noise"),
    ],
)
@pytest.mark.parametrize(("net", "name"), [(VGG, "VGG-16"), (RESNET, "ResNet-18")])
def test_step_3_less_step_2(net: str, name: str, readout: str, noise: str, words: str) -> None:
    like = {"network": net, "width": 0.125, "readout": readout, "noise": noise}
    cells = [part("fig5_lossless", timesteps=t, **like) for t in (2, 5, 10) for part in (points, half)]
    says(f"| {name}, {words} |" + " {:+.1f} ± {:.1f} |" * 3, *cells)


@pytest.mark.parametrize(("readout", "words"), [("potential", "potentials"), ("spikes", "spikes")])
@pytest.mark.parametrize(("net", "name"), [(VGG, "VGG-16"), (RESNET, "ResNet-18")])
def test_step_3_at_a_quarter(net: str, name: str, readout: str, words: str) -> None:
    like = {"network": net, "width": 0.25, "readout": readout}
    cells = [part("fig5_lossless", timesteps=t, **like) for t in (2, 5, 10) for part in (points, half)]
    says(f"| {name} at a quarter, {words} |" + " {:+.1f} ± {:.1f} |" * 3, *cells)


def test_the_papers_memory_in_one_layer() -> None:
    readout, hidden = (
        {t: [over_fresh_noise(*net, f"paper's, {where}", t) for net in DEEP_NETS] for t in range(2, 11)}
        for where in ("readout", "hidden layers")
    )
    assert all((seeds < 0).all() for seeds in readout[2])
    assert all((seeds > 0).all() for seeds in hidden[2])
    later = [seeds.mean() for t in (5, 10) for seeds in readout[t]]
    says(
        "Memory there alone: {:+.1f} (VGG-16) and {:+.1f} points (ResNet-18) at T = 2, below step 2 in both nets and "
        "all three seeds, and {:+.1f} to {:+.1f} at T = 5 and 10.",
        *(seeds.mean() for seeds in readout[2]), *ends(later),
    )  # fmt: skip
    after = max(abs(seeds.mean()) for t in range(3, 11) for seeds in hidden[t])
    for at_2 in hidden[2]:
        says(
            "Memory in the hidden layers alone: {:+.1f} at T = 2, above in both and all three, and within {:.1f} "
            "points after.",
            at_2.mean(), after,
        )  # fmt: skip


@pytest.mark.parametrize("net", DEEP_NETS)
def test_its_two_parts_do_not_add_up(net: tuple[str, float]) -> None:
    both, *parts = (
        over_fresh_noise(*net, memory, 2).mean() for memory in (PAPERS, "paper's, readout", "paper's, hidden layers")
    )
    assert both < min(parts)


def _over_4(net: str, alpha: float) -> float:
    return points("fig5_effects", network=net, effect="over 4", alpha=alpha)


def test_which_alpha() -> None:
    low, high = ends(_over_4(CNN, alpha) for alpha in (2.5, 4, 8, float("inf")))
    below = [-_over_4(net, alpha) for net in DEEP for alpha in (2.5, float("inf"))]
    says(
        "With spikes read, α hardly matters from 2.5 to ∞ in the CNN, within {:.1f} points at T = 10, nor from 4 to 8 "
        "in the deep nets; there 2.5 and ∞ are {:.1f} to {:.1f} points below 4 in the mean.", high - low, *ends(below),
    )  # fmt: skip
    assert all(abs(_over_4(net, 8)) < 0.2 for net in DEEP)


def test_without_the_noise_of_step_3() -> None:
    gain = table("fig5_effects", effect="gain").groupby(["network", "alpha"]).points.mean()
    for net in DEEP:
        says(
            "Without N', α = 2, the gain from T = 1 to 10 falls from {:.1f} to {:.1f} points in the CNN and from about "
            "{:.0f} to {:.1f} in the deep nets", gain[CNN, 4], gain[CNN, 2], gain[net, 4], gain[net, 2],
        )  # fmt: skip
        before, after = (percent("fig5_alpha", network=net, alpha=2, timesteps=t) for t in (3, 4))
        assert after - before > gain[net, 2] / 2


@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("CNN, half", {"network": CNN, "width": 0.5}), ("CNN, full width", {**FULL, "augment": "none"}),
        ("the same, crops and flips", {**FULL, "augment": "crop_flip"}),
        ("the same, MNIST", {**FULL, "dataset": "mnist", "augment": "none"}),
        ("the same, MNIST, crops", {**FULL, "dataset": "mnist", "augment": "crop"}),
        ("VGG-16, an eighth", {"network": VGG, "width": 0.125}),
        ("VGG-16, a quarter", {"network": VGG, "width": 0.25}),
        ("ResNet-18, an eighth", {"network": RESNET, "width": 0.125}),
        ("ResNet-18, a quarter", {"network": RESNET, "width": 0.25}),
    ],
)  # fmt: skip
def test_the_exact_memory_over_step_2(name: str, net: dict[str, object]) -> None:
    like = net | {"readout": "spikes", "other_memory": "ensemble"}
    cells = [part("memories_contrasts", timesteps=t, **like) for t in (1, 2, 5, 10) for part in (points, half)]
    says(f"| {name} |" + " {:+.1f} ± {:.1f} |" * 4, *(round(cell, 1) + 0 for cell in cells))  # never -0.0


def _by_chance(points_by_seed: pd.Series) -> bool:
    return bool(stats.ttest_1samp(points_by_seed, 0).pvalue > 0.05)


def test_uniform_phases() -> None:
    by_t = {t: [over_fresh_noise(*net, "exact, spread 1", t).mean() for net in DEEP_NETS] for t in (1, 2, 10)}
    says(
        "with uniform phases the deep nets gain nothing and {:.1f} to {:.1f} there, and {:.1f} to {:.1f} at T = 10",
        *ends(by_t[2]), *ends(by_t[10]),
    )  # fmt: skip
    assert all(_by_chance(over_fresh_noise(*net, "exact, spread 1", 1)) for net in DEEP_NETS)


def test_how_soon_it_has_what_ten_steps_have() -> None:
    steps = [steps_until(*net, EXACT, "ensemble").mean() for net in SPIKING]
    steps += [steps_until(CNN, 1.0, EXACT, "ensemble", augment="crop_flip").mean()]
    says(
        "It reaches the accuracy of ten steps of fresh noise after {:.1f} to {:.1f} steps, but on MNIST, where "
        "three seeds show no lead", *ends(steps),
    )  # fmt: skip
    for augment in ("none", "crop"):
        like = FULL | {"dataset": "mnist", "augment": augment, "readout": "spikes", "other_memory": "ensemble"}
        for t in (1, 2, 5, 10):
            over = [part("memories_contrasts", timesteps=t, **like) for part in (points, half)]
            assert abs(over[0]) < over[1]


def test_the_exact_memory_over_the_papers() -> None:
    nets = ((VGG, 0.125), (VGG, 0.25), (RESNET, 0.125), (RESNET, 0.25))
    like = {"readout": "spikes", "other_memory": PAPERS, "timesteps": 10}
    shown = [
        part("memories_contrasts", network=net, width=width, **like) for net, width in nets for part in (points, half)
    ]
    says(
        "at T = 10 {:.1f} ± {:.1f} points in VGG-16, {:.1f} ± {:.1f} at a quarter of its width, {:.1f} ± {:.1f} in "
        "ResNet-18 and {:.1f} ± {:.1f} at a quarter.", *shown,
    )  # fmt: skip
    for net, width in SPIKING:
        at_1 = {"network": net, "width": width, "readout": "spikes", "timesteps": 1}
        papers, fresh = (points("memories_contrasts", other_memory=other, **at_1) for other in (PAPERS, "ensemble"))
        assert papers == pytest.approx(fresh)


@pytest.mark.parametrize(
    ("net", "width", "name"), [(CNN, 0.5, "race_cnn"), (VGG, 0.125, "race_vgg16"), (VGG, 0.25, "vgg16")]
)
def test_a_first_step_at_rest_does_as_well(net: str, width: float, name: str) -> None:
    rest = points("silent_choices_effects", net=name, choice="first step", value="rest", timesteps=1)
    like = {"network": net, "width": width, "readout": "spikes", "other_memory": PAPERS, "timesteps": 1}
    assert rest > points("memories_contrasts", **like) - half("memories_contrasts", **like)


@pytest.mark.parametrize("net", [(CNN, 0.5), *DEEP_NETS])
def test_the_exact_memory_in_one_layer(net: tuple[str, float]) -> None:
    for t in range(1, 11):
        everywhere, output, hidden = (
            over_fresh_noise(*net, memory, t).mean() for memory in (EXACT, "exact, readout", "exact, hidden layers")
        )
        assert abs(output - everywhere) < 0.5
        assert abs(hidden) < 0.5


def test_even_noise() -> None:
    nets = (*DEEP_NETS, (VGG, 0.25), (RESNET, 0.25))
    share = [
        100 * over_fresh_noise(*net, "even noise", 10).mean() / over_fresh_noise(*net, EXACT, 10).mean() for net in nets
    ]
    says("(*even noise*), has {:.0f} to {:.0f} % of the gain at T = 10 in the deep nets", *ends(share))
    assert all(_by_chance(over_fresh_noise(*net, "even noise", 1)) for net in nets)


def test_the_exact_memory_with_potentials() -> None:
    for other, words in (("ensemble", "over fresh noise at T = 10,"), (PAPERS, "over the paper's memory;")):
        like = {"width": 0.25, "other_memory": other, **READ}
        shown = [part("memories_contrasts", network=net, **like) for net in DEEP for part in (points, half)]
        says(f"{{:.1f}} ± {{:.1f}} and {{:.1f}} ± {{:.1f}} {words}", *shown)
    full = {**FULL, "readout": "potential", "augment": "none", "other_memory": PAPERS}
    by_t = {t: points("memories_contrasts", timesteps=t, **full) for t in range(1, 11)}
    for t in range(6, 11):
        says("over the paper's memory, at full width, {:.1f} points from T = 6 on, sure at T = 8 alone", by_t[t])
    assert [t for t in by_t if by_t[t] > half("memories_contrasts", timesteps=t, **full)] == [8]
    for width in (0.5, 1.0):
        fresh = full | {"width": width, "other_memory": "ensemble"}
        for t in range(1, 11):
            name, like = "memories_contrasts", fresh | {"timesteps": t}
            assert points(name, **like) < half(name, **like)


def test_the_potential_does_not_swing() -> None:
    without_input = table("fig7_potential_dynamics", panel="d", series="a")
    says("without input its autocorrelation is nowhere below {:.2f}", without_input.value.min())
