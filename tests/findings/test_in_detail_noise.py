"""What noise does, as docs/findings_in_detail.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

from functools import partial
from itertools import chain

import numpy as np
import pytest
from told import CNN, DEEP, details, ends, half, percent, points, says, table

says = partial(says, page=details)
ALL = (CNN, *DEEP)
DENSITY = "density, sigma 0.125, mean 0.5"


def test_triangle_and_density() -> None:
    like = {"choice": "surrogate gradient", "timesteps": 10}
    shown = [
        percent("silent_choices", net=net, value=value, **like)
        for net in ("race_cnn", "race_vgg16") for value in ("triangle, width 1", DENSITY)
    ]  # fmt: skip
    says(
        "the half CNN has {:.1f} % with it, {:.1f} with the density, VGG-16 at an eighth of its width {:.1f} and "
        "{:.1f}, each at the best", *shown,
    )  # fmt: skip
    inside = [
        percent("silent_choices", net=net, value=f"{DENSITY}, gain 0.4, bias 0.25", **like)
        for net in ("race_vgg16", "race_cnn")
    ]
    says("VGG-16 has {:.1f}, at the better of two rates, the CNN {:.1f}, whose rate was not searched.", *inside)


def test_each_surrogate_at_the_best_of_its_rates() -> None:
    for net, epochs in (("race_cnn", 10), ("race_vgg16", 8)):
        for arm in ("ours", "density"):
            rates = table("tuning/tuning", net=net, arm=arm, epochs=epochs)
            assert len(rates) >= 3
            assert rates.accuracy[rates.chosen].item() == rates.accuracy.max()
    assert [*table("tuning/tuning", arm="density_start").net] == ["race_vgg16"] * 2


@pytest.mark.parametrize("readout", ["potential", "spikes"])
@pytest.mark.parametrize(("noise", "words"), [("gaussian", "noise"), ("constant", "½")])
def test_trained_with_noise_and_with_its_mean(readout: str, noise: str, words: str) -> None:
    cells = []
    for net in ALL:
        like = {"network": net, "readout": readout, "noise": noise}
        cells.append(percent("what_noise_does", inference="constant 1/2", timesteps=1, **like))
        cells.append(percent("what_noise_does", inference="step 3", timesteps=10, **like))
    name = "potentials" if readout == "potential" else "spikes"
    says(f"| {name}, trained with {words} |" + " {:.1f}; {:.1f} |" * 3, *cells)


def test_potentials_do_as_well_without_noise() -> None:
    name, like = "what_noise_does_contrasts", {"readout": "potential", "noise": "gaussian", "other_noise": "constant"}
    for net in ALL:
        at_10 = like | {"network": net, "inference": "step 3", "other_inference": "step 3", "timesteps": 10}
        assert abs(points(name, **at_10)) < half(name, **at_10)


def test_noise_ruins_what_never_saw_it() -> None:
    for net in ALL:
        rows = table("what_noise_does", network=net, readout="spikes", noise="constant")
        assert rows.groupby(["inference", "timesteps"]).accuracy.mean().idxmax() == ("constant 1/2", 1)


def test_what_spikes_win_by_noise() -> None:
    like = {"readout": "spikes", "noise": "gaussian", "inference": "step 3", "timesteps": 10, "other_timesteps": 1}
    half_in_place = like | {"other_noise": "constant", "other_inference": "constant 1/2"}
    nothing_in_place = like | {"other_noise": "none", "other_inference": "Eq. 4"}
    sides = [{"network": CNN} | half_in_place, {"network": CNN} | nothing_in_place]
    sides += [{"network": net} | half_in_place for net in DEEP]
    says(
        "wins, at T = 10, {:.1f} ± {:.1f} points with the CNN ({:.1f} ± {:.1f} over Eq. 4, trained with nothing in "
        "place of noise, which was tried with it alone), {:.1f} ± {:.1f} and {:.1f} ± {:.1f} with the deep nets",
        *(part("what_noise_does_contrasts", **side) for side in sides for part in (points, half)),
    )
    assert {*table("what_noise_does_contrasts", **nothing_in_place).network} == {CNN}


def test_the_controls_own_rate() -> None:
    tried = table("tuning/tuning", arm="constant", factor=["1/3", "1"]).set_index(["net", "factor"]).accuracy * 100
    says(
        "a third of it with VGG-16, {:.1f} % of these images in place of {:.1f}, and ResNet-18, {:.1f} in place of "
        "{:.1f}.",
        *(tried[f"race_{net}", factor] for net in DEEP for factor in ("1/3", "1")),
    )


def test_the_cnn_at_one_step_by_seed() -> None:
    like = {"network": CNN, "readout": "spikes", "noise": "gaussian", "inference": "constant 1/2", "timesteps": 1}
    by_seed = [percent("what_noise_does", seed=seed, **like) for seed in range(3)]
    says("its {:.1f} % are {:.1f}, {:.1f} and {:.1f} by seed", percent("what_noise_does", **like), *by_seed)


def test_gaussian_over_uniform() -> None:
    nets = ({"network": CNN, "dataset": "fashion_mnist"}, {"dataset": "mnist"}, *({"network": net} for net in DEEP))
    shown = [part("fig6_gaps", timesteps=t, **net) for net in nets for t in (1, 10) for part in (points, half)]
    says(
        "by {:.1f} ± {:.1f} points at T = 1 and {:.1f} ± {:.1f} at T = 10 with the CNN, {:.1f} ± {:.1f} and "
        "{:.1f} ± {:.1f} on MNIST, {:.1f} ± {:.1f} and {:.1f} ± {:.1f} with VGG-16, {:.1f} ± {:.1f} and "
        "{:.1f} ± {:.1f} with ResNet-18.", *shown,
    )  # fmt: skip
    assert all(points("fig6_gaps", network=n, timesteps=10) > points("fig6_gaps", network=n, timesteps=1) for n in DEEP)
    assert {*table("tuning/tuning", arm="uniform").net} == {"race_cnn"}


def test_how_wide_the_noises_are() -> None:
    wide = []
    for noise in ("uniform", "Gaussian, clipped"):
        drawn = table("method_firing", noise=noise)
        mean = np.average(drawn.current, weights=drawn.derivative)  # the slope of p at V_th - x is the density at x
        wide.append(np.sqrt(np.average((drawn.current - mean) ** 2, weights=drawn.derivative)))
    says("is {:.1f} times as wide, in standard deviation", wide[0] / wide[1])


def test_noise_at_inference() -> None:
    cnn = {"network": CNN, "dataset": "fashion_mnist"}
    deep = {"network": list(DEEP), "width": 0.25}
    nets = (cnn | {"augment": "none"}, cnn | {"augment": "crop_flip"}, deep)
    says(
        "costs a readout that spikes at one step, by training seed, {:.1f} to {:.1f} points with Table 1's CNN on "
        "Fashion-MNIST, {:.1f} to {:.1f} where it was trained with crops and flips, and {:.1f} to {:.1f} with the deep "
        "nets at a quarter of their width,", *chain(*(_costs_of_noise("spikes", **of_net) for of_net in nets)),
    )  # fmt: skip
    says(
        "with potentials {:z.1f} to {:.1f} and {:.1f} to {:.1f}",
        *_costs_of_noise("potential", **cnn), *_costs_of_noise("potential", **deep),
    )  # fmt: skip


def _costs_of_noise(readout: str, **nets: object) -> tuple[float, float]:
    """Points, the least and the most of a training seed, that T = 1 has more without noise."""
    rows = table("fig2_accuracy_vs_timesteps", readout=readout, timesteps=1, ties="first", **nets)
    way = rows.groupby(["inference", "run"]).accuracy.mean()
    return ends(100 * (way["constant"] - way["noise"]))


def _half(net: str, choice: str, value: str, timesteps: int) -> float:
    """As `half`, or three standard errors, whose part of the seeds is not below that of all choices of its kind."""
    rows = table("silent_choices_effects", net=net, timesteps=timesteps)
    converted = ("statistics of Eqs. 8-9", "first step")
    kind = rows[rows.choice.isin(converted) == (choice in converted)]
    pooled = kind.groupby(["choice", "value"]).points.var().mean()
    own = rows[(rows.choice == choice) & (rows.value == value)]
    error = np.sqrt(max(pooled, own.points.var()) / len(own) + own.image_error.iloc[0] ** 2)
    by_t = half("silent_choices_effects", net=net, choice=choice, value=value, timesteps=timesteps)
    return float(np.fmax(by_t, 3 * error))


def _gain(net: str, choice: str, value: str, timesteps: int) -> tuple[float, float]:
    like = {"net": net, "choice": choice, "value": value, "timesteps": timesteps}
    return points("silent_choices_effects", **like), _half(**like)


def _cost(*setting: object) -> tuple[float, float]:
    gain, error = _gain(*setting)
    return -gain, error


def test_what_the_paper_leaves_open() -> None:
    rectangle, no_norm, k_8 = (
        [_cost("race_cnn", choice, value, t) for t in (1, 10)]
        for choice, value in (
            ("surrogate gradient", "rectangle, width 1"), ("batch norm", "none"), ("Gaussian in [0, 1]", "k = 8")
        )
    )  # fmt: skip
    says(
        "costs the half CNN, at T = 1 and 10: a rectangle in place of the triangle {:.1f} ± {:.1f} and {:.1f} ± {:.1f} "
        "points, no batch norm {:.1f} ± {:.1f} and {:.1f} ± {:.1f}, half the spread of the noise (k = 8) nothing and "
        "{:.1f} ± {:.1f}, statistics of each image alone in Eqs. 8-9, at T = 10, {:.1f} ± {:.1f};",
        *rectangle[0], *rectangle[1], *no_norm[0], *no_norm[1], *k_8[1],
        *_cost("race_cnn", "statistics of Eqs. 8-9", "sample", 10),
    )  # fmt: skip
    assert abs(k_8[0][0]) < k_8[0][1]


@pytest.mark.parametrize("timesteps", [1, 10])
@pytest.mark.parametrize(
    ("choice", "value"),
    [
        ("surrogate gradient", "arctan, slope 2"), ("surrogate gradient", "sigmoid, slope 4"),
        ("Gaussian in [0, 1]", "k = 2"), ("Gaussian in [0, 1]", "max_normalised"),
    ],
)  # fmt: skip
def test_what_changes_nothing(choice: str, value: str, timesteps: int) -> None:
    effect, error = _gain("race_cnn", choice, value, timesteps)
    assert abs(effect) < error


def test_a_first_step_at_rest() -> None:
    nets = ("race_cnn", "race_vgg16", "vgg16", "resnet18")
    at_1, at_10 = ([part for net in nets for part in _gain(net, "first step", "rest", t)] for t in (1, 10))
    says(
        "gives {:.1f} ± {:.1f} at T = 1, in VGG-16 at an eighth {:.1f} ± {:.1f}, at a quarter {:.1f} ± {:.1f} and in "
        "ResNet-18 at a quarter {:.1f} ± {:.1f}, and at T = 10 {:z.1f} ± {:.1f}, {:.1f} ± {:.1f}, {:.1f} ± {:.1f} and "
        "{:.1f} ± {:.1f}.", *at_1, *at_10,
    )  # fmt: skip


def test_the_papers_own_recipe() -> None:
    like = {"net": "fashion_mnist", "choice": "recipe", "timesteps": 10}
    theirs, ours = (percent("silent_choices", default=own, **like) for own in (False, True))
    says(
        "has, with spikes at T = 10, {:.1f} % on Fashion-MNIST after 100 of its 200 epochs (one seed), ours {:.1f} "
        "after 15", theirs, ours,
    )  # fmt: skip
    recipe = "12 epochs, adam, batches of 128, warm restarts, 0.0001"
    behind = [part for net in ("vgg16", "resnet18") for part in _cost(net, "recipe", recipe, 10)]
    says("it is in VGG-16 {:.1f} ± {:.1f} and in ResNet-18 {:.1f} ± {:.1f} points behind.", *behind)


def test_other_statistics_change_nothing_at_one_step() -> None:
    """There is no potential yet; where they did, evaluations of different code stood side by side."""
    assert (table("silent_choices_effects", choice="statistics of Eqs. 8-9", timesteps=1).points.abs() < 1e-9).all()


def test_crops_and_flips_after_fifteen_epochs() -> None:
    like = {"net": "fashion_mnist_chosen", "choice": "augmentation", "value": "crop_flip"}
    cost = [-points("silent_choices_effects", timesteps=t, **like) for t in (1, 10)]
    says("Crops and flips cost the full CNN {:.1f} and {:.1f} points after 15 epochs", *cost)


def test_the_length_of_training_on_held_out_images() -> None:
    like = {"net": "fashion_mnist_varied_chosen", "timesteps": 10}
    longest, longer = (
        points("silent_choices_effects", value=f"potential, {epochs} epochs", **like) for epochs in (120, 60)
    )
    tested = {"net": "fashion_mnist_varied", "timesteps": 10}
    after_60, after_120 = (
        points("silent_choices_effects", value=value, **tested) for value in ("potential", "potential, 120 epochs")
    )
    says(
        "it is {:.1f} better after 120 than after the 60 that its nets have on images held out, and {:.1f} worse on "
        "the test set", longest - longer, after_60 - after_120,
    )  # fmt: skip
