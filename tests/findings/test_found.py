"""What was found, as docs/findings.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

import numpy as np
import pandas as pd
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

from reproduce.experiments.paper import TABLE2_OURS, TRAINING_TIME
from reproduce.runs.preset import load_preset


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
    levels = table("fig2_levels", readout="potential", width=1.0).groupby(["dataset", "augment", "timesteps"]).points
    best = {name: levels.mean()[name].unstack()[10].idxmax() for name in TABLE2_OURS}
    mean = {(name, t): levels.mean()[name, best[name], t] for name in best for t in (5, 10)}
    seeds = {name: half_of_seeds(levels.get_group((name, best[name], 10))) for name in ("mnist", "fashion_mnist")}
    printed = {(name, t): percent for name, of_t in TABLE2_OURS.items() for t, percent in of_t.items()}
    says(
        "the CNN has {:.2f} ± {:.2f} % of MNIST (the paper {:.2f}; by our rule undecided) and {:.2f} ± {:.2f} of "
        "Fashion-MNIST ({:.2f};",
        *(part for name, half in seeds.items() for part in (mean[name, 10], half, printed[name, 10])),
    )
    says(
        "VGG-16 in full has {:.2f} of CIFAR-10 ({:.2f}), one seed, twenty epochs.",
        *(accuracies["cifar10", 10] for accuracies in (mean, printed)),
    )
    says(
        "At T = 5 they are {:.2f} and {:.2f}, the paper's {:.2f} and {:.2f}",
        *(accuracies[name, 5] for accuracies in (mean, printed) for name in seeds),
    )
    assert all(mean[name, 10] < printed[name, 10] for name in best)


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


def test_the_controls_that_spike_have_their_own_rate() -> None:
    says("These controls are trained at the best of three or four learning rates on held-out images,")
    tried = table("tuning/tuning", arm="constant", chosen=True).set_index("net").lr
    nets = load_preset("cpu").notebooks["what_noise_does"]
    assert {net: {spec.recipe.lr for spec in arms["constant"]} for net, arms in nets.items()} == {
        net: {lr} for net, lr in tried.items()
    }


def test_the_noises_density_is_a_poor_surrogate() -> None:
    density = "density, sigma 0.125, mean 0.5"

    def by_seed(net: str, value: str) -> pd.Series:
        rows = table("silent_choices", net=net, choice="surrogate gradient", value=value, timesteps=10)
        return 100 * rows.groupby("seed").accuracy.mean()

    shown = [by_seed(net, value) for value in (density, "triangle, width 1") for net in ("race_cnn", "race_vgg16")]
    says(
        "the CNN that spikes has {:.1f} % at T = 10 and VGG-16 {:.1f}, where the triangle of width 1 has {:.1f} and "
        "{:.1f} (sd of three seeds {:.1f}, {:.1f}; {:.1f}, {:.1f})",
        *(seeds.mean() for seeds in shown), *(seeds.std() for seeds in shown),
    )  # fmt: skip
    inside = by_seed("race_vgg16", f"{density}, gain 0.4, bias 0.25")
    says("begins with most currents inside, VGG-16 has {:.1f} (sd {:.1f};", inside.mean(), inside.std())


def test_who_gains_from_time_steps() -> None:
    ties = [100 * table("fig2_ties", network=n, width=0.25, timesteps=1, readout="spikes").tied.mean() for n in DEEP]
    says("in {:.0f} % of VGG-16's and {:.0f} of ResNet-18's images several share the first place;", *ties)
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
    lossless = table("fig5_lossless", timesteps=[5, 10], noise="gaussian", network=list(DEEP))
    by_net = lossless.groupby(["readout", "width", "network", "timesteps"]).points.mean()
    low, high = ends(by_net["potential"])
    says("it costs deep nets read by potentials {:.1f} to {:.1f} points in the mean;", -high, -low)
    says("to those that spike it gives, at an eighth of their width, {:.1f} to {:.1f}", *ends(by_net["spikes", 0.125]))
    says("at a quarter nothing that three seeds show.")
    for net, t in by_net["spikes", 0.25].index:
        quarter = table(
            "fig5_lossless", timesteps=t, noise="gaussian", network=net, width=0.25, readout="spikes"
        ).points
        assert abs(quarter.mean()) < half_of_seeds(quarter)
    like = {"readout": "potential", "other_memory": "paper's memory", "timesteps": 10, "width": 0.25}
    says(
        "is at T = 10 {:.1f} ± {:.1f} and {:.1f} ± {:.1f} points above it with VGG-16 and ResNet-18 at a quarter.",
        *(part("memories_contrasts", network=net, **like) for net in DEEP for part in (points, half)),
    )  # fmt: skip
    exact = table("memories_contrasts", readout="spikes", network=list(DEEP), other_memory="ensemble")
    by_net = exact.groupby(["timesteps", "network", "width"]).points.mean()
    says(
        "over fresh noise by {:.1f} to {:.1f} points at T = 10 and, mostly since its output starts almost without "
        "noise, by {:.1f} to {:.1f} at T = 1 and 2;", *ends(by_net[10]), *ends([*by_net[1], *by_net[2]]),
    )  # fmt: skip


def test_what_loses_at_two_steps() -> None:
    like = {"readout": "spikes", "timesteps": 2, "width": 0.125}
    lost = [
        part for width in (0.25, 0.125) for net in DEEP
        for part in (-points("fig5_lossless", network=net, noise="gaussian", **like | {"width": width}),
                     half("fig5_lossless", network=net, noise="gaussian", **like | {"width": width}))
    ]  # fmt: skip
    says(
        "at a quarter of their width step 3 is there below step 2 by {:.1f} ± {:.1f} points in VGG-16 and by {:.1f} ± "
        "{:.1f} in ResNet-18, at an eighth by {:.1f} ± {:.1f}, which is not sure, and {:.1f} ± {:.1f}.", *lost,
    )  # fmt: skip
    says("with the memory in it alone both nets lose in all three seeds, in the hidden layers alone both gain in all.")
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
        part for net in (CNN, *DEEP)
        for part in (points("fig3_contrasts", network=net, **like), half("fig3_contrasts", network=net, **like))
    ]  # fmt: skip
    says("{:+.1f} ± {:.1f}, {:+.1f} ± {:.1f}, {:+.1f} ± {:.1f}", *level)


def test_when_direct_training_is_the_better_choice() -> None:
    def at(net: str, method: str, t: int, readout: str = "spikes") -> float:
        like = {"dataset": "fashion_mnist" if net == CNN else "cifar10", "network": net, "readout": readout}
        rows = table("table2_accuracy_vs_timesteps", method=method, timesteps=t, **like)
        return 100 * rows.groupby("variant").accuracy.mean().max()

    nets = (CNN, *DEEP)
    direct, ours, read = (
        {t: [at(net, method, t, readout) for net in nets] for t in (1, 2, 10)}
        for method, readout in (("direct", "spikes"), ("ours", "spikes"), ("ours", "potential"))
    )
    assert all(there > here for t in direct for there, here in zip(direct[t], ours[t], strict=True))

    def beside(one: list[float], other: list[float]) -> list[float]:
        return [level for pair in zip(one, other, strict=True) for level in pair]

    says(
        "at ten with {:.1f} % against {:.1f} (CNN), {:.1f} against {:.1f} (VGG-16) and {:.1f} against {:.1f} "
        "(ResNet-18).",
        *beside(direct[10], ours[10]),
    )
    says(
        "at one step, {:.1f} % against {:.1f}, {:.1f} against {:.1f} and {:.1f} against {:.1f},",
        *beside(read[1], direct[1]),
    )
    of_cnn, *of_deep = read[10]
    says("and at ten behind with the deep nets ({:.1f} and {:.1f}; with the CNN, {:.1f}, not surely)", *of_deep, of_cnn)
    assert all(potentials < spikes for potentials, spikes in zip(read[10], direct[10], strict=True))


def test_when_conversion_is_the_better_choice() -> None:
    factor = factors("step_factor")
    largest, percentile = (ends(factor[variant, 10]) for variant in ("max-norm, V(0) = 0", "99.9 %, V(0) = 0"))
    says("(Diehl et al. 2015, in the paper's Table 2) needs {:.0f} to {:.0f} times as many steps,", *largest)
    says("(Rueckauer et al. 2017) {:.0f} to {:.0f}, not a hundred;", *percentile)
    qcfs = factor["L = 4, V(0) = 1/2", 10].drop(("potential", "cifar10", RESNET))
    says(
        "cited and not compared), {:.1f} to {:.1f}; QCFS (2022) {:.1f} to {:.1f}, but for ResNet-18 read by potentials",
        *ends(factor["99 %, V(0) = 1/2", 10]), *ends(qcfs),
    )  # fmt: skip
    missed = table("table2_speedup", within_points=0.5, opponent="qcfs", our_timesteps=10, reached=False)
    assert [*zip(missed.network, missed.readout, strict=True)] == [(RESNET, "potential")] * 2  # of three
    deep = table("table2_over_relu", timesteps=10, network=list(DEEP)).groupby(["network", "readout"]).points.mean()
    says("the limit of all but QCFS, is {:.0f} to {:.0f} points above ours, so", *ends(-deep))
    cnn = table("table2_over_relu", timesteps=10, network=CNN).groupby(["dataset", "readout"]).points.mean()
    says("the CNNs, {:.1f} to {:.1f} apart, test the claim better", *ends(-cnn))
