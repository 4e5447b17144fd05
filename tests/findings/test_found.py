"""What was found, as docs/findings.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

import numpy as np
from told import (
    CNN,
    DEEP,
    RESNET,
    VGG,
    ends,
    factors,
    half,
    half_of_seeds,
    over_fresh_noise,
    percent,
    points,
    says,
    table,
)

from snnlib.experiments.paper import TABLE2_OURS, TRAINING_TIME


def test_gains_from_one_step_to_ten() -> None:
    gains = table("fig2_gains", earlier=1, later=10, ties="first", inference="noise")
    by_net = gains.groupby(["readout", "network", "width", "dataset", "augment"]).points.mean()
    spikes, potential = by_net["spikes"], by_net["potential"]
    says(
        "nets whose output spikes gain {:.1f} to {:.1f} points with the CNN, {:.1f} with VGG-16 and {:.1f} with "
        "ResNet-18; nets read by potentials, whose output layer does not spike (its "
        "weighted input, averaged over steps, is the output), gain {:.1f} to {:.1f}, {:.1f} and {:.1f}.",
        *ends(spikes[CNN]), spikes[VGG, 0.25].item(), spikes[RESNET].item(),
        *ends(potential[CNN]), potential[VGG, 0.25].item(), potential[RESNET].item(),
    )  # fmt: skip
    says(
        "VGG-16 in full, one seed, gains {:.1f} with spikes and {:.1f} with potentials.",
        spikes[VGG, 1.0].item(), potential[VGG, 1.0].item(),
    )  # fmt: skip


def test_gains_beyond_their_interval() -> None:
    nets = ["readout", "network", "width", "dataset", "augment"]
    sure = {}
    for earlier, later in ((1, 5), (5, 10)):
        like = {"earlier": earlier, "later": later, "ties": "first", "inference": "noise"}
        seeds = table("fig2_gains", **like).groupby(nets).size()
        three = [like | dict(zip(nets, net, strict=True)) for net in seeds[seeds >= 3].index]
        sure[later] = [points("fig2_gains", **net) > half("fig2_gains", **net) for net in three]
    assert (len(sure[5]), sum(sure[5]), sum(sure[10])) == (12, 10, 4)
    says("From T = 1 to 5 ten of the twelve with three seeds gain beyond their interval, from 5 to 10 four.")


def test_the_papers_accuracies_are_not_reached_in_the_mean() -> None:
    like = {"readout": "potential", "timesteps": 10, "width": 1.0}
    levels = table("fig2_levels", **like).groupby(["dataset", "augment"]).points.mean().groupby("dataset").max()
    printed = {dataset: of_t[10] for dataset, of_t in TABLE2_OURS.items()}
    says(
        "the CNN has {:.2f} % of MNIST (the paper {:.2f}) and {:.2f} of Fashion-MNIST ({:.2f}), which by our rule "
        "reproduces it, VGG-16 in full {:.2f} of CIFAR-10 ({:.2f}), one seed, twenty epochs.",
        *(part for name in ("mnist", "fashion_mnist", "cifar10") for part in (levels[name], printed[name])),
    )
    assert all(levels[name] < printed[name] for name in printed)


def test_what_step_3_owes_to_the_other_images() -> None:
    by = ["net", "value", "timesteps"]
    at = table("silent_choices_effects", choice="statistics of Eqs. 8-9").groupby(by).points.mean()
    ten = at.xs(10, level="timesteps")
    says("each image alone, spikes have up to {:.1f} points less at T = 10", -ten.xs("sample", level="value").min())
    assert ten.xs("frozen", level="value").between(-0.1, 0.15).all()


def test_what_the_noise_does() -> None:
    spikes = {"readout": "spikes", "noise": "gaussian", "other_noise": "constant", "other_inference": "constant 1/2"}
    best = [
        points("what_noise_does_contrasts", network=net, inference="step 3", other_timesteps=1, **spikes)
        for net in (*DEEP, CNN)
    ]
    says("at T = 10 they are {:.0f} (VGG-16), {:.0f} (ResNet-18) and {:.1f} points (CNN) above", *best)
    ahead = []
    for net in (CNN, *DEEP):
        like = spikes | {"network": net, "readout": "potential", "inference": "step 3", "timesteps": 10}
        by_step_3 = like | {"other_inference": "step 3", "other_timesteps": 10}
        ahead.append(-points("what_noise_does_contrasts", **by_step_3))
        for way in (like, by_step_3):
            assert abs(points("what_noise_does_contrasts", **way)) < half("what_noise_does_contrasts", **way)
    says("Nets read by potentials have {:.1f} to {:.1f} points more with ½", *ends(ahead))


def test_the_noises_density_is_a_poor_surrogate() -> None:
    density = "density, sigma 0.125, mean 0.5"
    shown = [
        percent("silent_choices", net=net, choice="surrogate gradient", value=value, timesteps=10)
        for value in (density, "triangle, width 1") for net in ("race_cnn", "race_vgg16")
    ]  # fmt: skip
    says(
        "the CNN has {:.1f} % at T = 10 and VGG-16 {:.1f}, where the triangle of width 1 has {:.1f} and {:.1f}.", *shown
    )
    inside = percent("silent_choices", net="race_vgg16", value=f"{density}, gain 0.4, bias 0.25", timesteps=10)
    says("begins with most currents inside, VGG-16 has {:.1f}.", inside)


def test_who_gains_from_time_steps() -> None:
    ties = [100 * table("fig2_ties", network=n, width=0.25, timesteps=1, readout="spikes").tied.mean() for n in DEEP]
    says("they tie in {:.0f} % of VGG-16's and {:.0f} of ResNet-18's images; but more tie at T = 2", *ties)
    like = {"width": 0.25, "readout": "spikes"}
    for net, tied in zip(DEEP, ties, strict=True):
        assert 100 * table("fig2_ties", network=net, timesteps=2, **like).tied.mean() > tied
        one, two = (
            percent("fig2_accuracy_vs_timesteps", network=net, timesteps=t, ties="first", inference="noise", **like)
            for t in (1, 2)
        )
        assert round(two - one) == 5
    nets = ({"dataset": "fashion_mnist", "augment": "none"}, *({"network": net, "width": 0.25} for net in DEEP))

    def over_one_step(way: str, timesteps: int) -> list[float]:
        like = {"readout": "spikes", "ties": "first"}
        return [
            percent("fig2_accuracy_vs_timesteps", inference=way, timesteps=timesteps, **like, **net)
            - percent("fig2_accuracy_vs_timesteps", inference="noise", timesteps=1, **like, **net)
            for net in nets
        ]

    currents = over_one_step("current", 1)
    says(
        "Of the {:.1f} (CNN), {:.1f} (VGG-16) and {:.1f} points (ResNet-18) that ten steps give",
        *over_one_step("noise", 10),
    )
    says("one step has {:.1f}, {:.1f} and {:.1f} if the currents into the output are read", *currents)
    after_ten = [ten - one for ten, one in zip(over_one_step("current", 10), currents, strict=True)]
    says("To these currents ten steps add {:.1f}, {:.1f} and {:.1f},", *after_ten)


def test_what_the_memory_is_worth() -> None:
    lossless = table("fig5_lossless", timesteps=[5, 10], noise="gaussian", network=list(DEEP), width=0.125)
    by_net = lossless.groupby(["readout", "network", "timesteps"]).points.mean()
    low, high = ends(by_net["potential"])
    says("it costs deep nets read by potentials {:.1f} to {:.1f} points in the mean;", -high, -low)
    says("to those that spike it gives {:.1f} to {:.1f}", *ends(by_net["spikes"]))
    says("at a quarter of VGG-16's width nothing that three seeds show.")
    for t in (5, 10):
        quarter = over_fresh_noise(VGG, 0.25, "paper's memory", t)
        assert abs(quarter.mean()) < half_of_seeds(quarter)
    exact = table("memories_contrasts", readout="spikes", network=list(DEEP), other_memory="ensemble")
    by_net = exact.groupby(["timesteps", "network", "width"]).points.mean()
    says(
        "over fresh noise by {:.1f} to {:.1f} points at T = 10 and, mostly since its output starts almost without "
        "noise, by {:.1f} to {:.1f} at T = 1 and 2.", *ends(by_net[10]), *ends([*by_net[1], *by_net[2]]),
    )  # fmt: skip


def test_what_loses_at_two_steps() -> None:
    like = {"readout": "spikes", "timesteps": 2, "width": 0.125}
    lost = [
        part for net in DEEP
        for part in (-points("fig5_lossless", network=net, noise="gaussian", **like),
                     half("fig5_lossless", network=net, noise="gaussian", **like))
    ]  # fmt: skip
    quarter = -table("fig5_lossless", network=VGG, noise="gaussian", **like | {"width": 0.25}).points
    says(
        "by {:.1f} points in VGG-16 at a quarter of its width, in each of three seeds more than {:.1f}, at an eighth "
        "by {:.1f} ± {:.1f}, not sure, and by {:.1f} ± {:.1f} in ResNet-18.",
        quarter.mean(), np.floor(10 * quarter.min()) / 10, *lost,
    )  # fmt: skip
    says("with the memory in it alone all six nets at an eighth lose, in the hidden layers alone all six gain.")
    assert all((over_fresh_noise(net, 0.125, "paper's, readout", 2) < 0).all() for net in DEEP)
    assert all((over_fresh_noise(net, 0.125, "paper's, hidden layers", 2) > 0).all() for net in DEEP)
    says("uniform noise gains {:.1f} and {:.1f} points there", *(
        points("fig5_lossless", network=net, noise="uniform", **like) for net in DEEP
    ))  # fmt: skip


def test_training_in_the_same_time() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"]).step_seconds
    steps = [cost[net, "direct"] / cost[net, "ours"] for net in (CNN, *DEEP)]
    says("takes {:.1f} (CNN), {:.1f} (VGG-16) and {:.1f} (ResNet-18) of ours", *steps)
    first = table("fig4_time_to_accuracy", chosen=True).set_index(["network", "arm", "seed"]).seconds.sort_index()
    took = {net: np.exp(np.log(first[net, "ours"] / first[net, "direct"]).mean()) for net in (CNN, *DEEP)}
    later = table("fig4_time_to_accuracy", network=CNN, benchmark=0.92).set_index(["arm", "seed"]).seconds
    took["the CNN's 92 %"] = np.exp(np.log(later["ours"] / later["direct"]).mean())
    says(
        "reaches 90, 50 and 45 % in {:.0f}, {:.0f} and {:.0f} % less time, the CNN 92 in {:.0f} % less",
        *(100 * (1 - took[net]) for net in took),
    )
    printed = [100 * (1 - told["ours_seconds"] / told["direct_seconds"]) for told in TRAINING_TIME.values()]
    says("the paper's seconds say {:.0f}, {:.0f} and {:.0f} % to 92, 88 and 90 %", *printed)
    like = {"arm": "ours", "opponent": "direct"}
    behind = [-points("fig3_contrasts", network=net, share=1.0, **like) for net in (CNN, *DEEP)]
    says("After as many epochs it is {:.1f}, {:.0f} and {:.0f} points behind;", *behind)
    like = {"arm": "equal_time", "opponent": "direct", "share": 1.0}
    says("(the CNN for {:.0f} % of it)", 100 * table("fig3_contrasts", network=CNN, **like).time_share.mean())
    level = [
        part for net in (CNN, VGG)
        for part in (points("fig3_contrasts", network=net, **like), half("fig3_contrasts", network=net, **like))
    ]  # fmt: skip
    says(
        "{:+.1f} ± {:.1f}, {:+.1f} ± {:.1f}, {:+.1f}.",
        *level,
        points("fig3_contrasts", network=RESNET, **like),
    )


def test_when_direct_training_is_the_better_choice() -> None:
    def at(net: str, method: str, t: int, readout: str = "spikes") -> float:
        like = {"dataset": "fashion_mnist" if net == CNN else "cifar10", "network": net, "readout": readout}
        rows = table("table2_accuracy_vs_timesteps", method=method, timesteps=t, **like)
        return 100 * rows.groupby("variant").accuracy.mean().max()

    nets = (CNN, VGG)
    direct, ours, read = (
        {t: [at(net, method, t, readout) for net in nets] for t in (1, 2, 10)}
        for method, readout in (("direct", "spikes"), ("ours", "spikes"), ("ours", "potential"))
    )
    assert all(there > here for t in direct for there, here in zip(direct[t], ours[t], strict=True))

    def beside(one: list[float], other: list[float]) -> list[float]:
        return [one[0], other[0], one[1], other[1]]

    says("at ten with {:.1f} % against {:.1f} (CNN) and {:.1f} against {:.1f} (VGG-16).", *beside(direct[10], ours[10]))
    says("at one step, {:.1f} % against {:.1f} and {:.1f} against {:.1f},", *beside(read[1], direct[1]))
    says("and at ten behind with VGG-16 ({:.1f}; with the CNN, {:.1f}, not surely)", *reversed(read[10]))


def test_when_conversion_is_the_better_choice() -> None:
    factor = factors("step_factor")
    largest, percentile = (ends(factor[variant, 10]) for variant in ("max-norm, V(0) = 0", "99.9 %, V(0) = 0"))
    says("(Diehl et al. 2015, in the paper's Table 2) needs {:.0f} to {:.0f} times as many steps,", *largest)
    says("(Rueckauer et al. 2017) {:.0f} to {:.0f}, not a hundred;", *percentile)
    qcfs = factor["L = 4, V(0) = 1/2", 10].drop(("potential", "cifar10", RESNET))
    says(
        "cited and not compared) {:.1f} to {:.1f}; QCFS (2022) {:.1f} to {:.1f}, but for ResNet-18 read by potentials",
        *ends(factor["99 %, V(0) = 1/2", 10]), *ends(qcfs),
    )  # fmt: skip
    missed = table("table2_speedup", within_points=0.5, opponent="qcfs", our_timesteps=10, reached=False)
    assert [*zip(missed.network, missed.readout, strict=True)] == [(RESNET, "potential")] * 2  # of three
    deep = table("table2_over_relu", timesteps=10, network=list(DEEP)).groupby(["network", "readout"]).points.mean()
    says("the limit of all but QCFS, is {:.0f} to {:.0f} points above ours, so", *ends(-deep))
    cnn = table("table2_over_relu", timesteps=10, network=CNN).groupby(["dataset", "readout"]).points.mean()
    says("the CNNs, {:.1f} to {:.1f} apart, test the claim better", *ends(-cnn))
