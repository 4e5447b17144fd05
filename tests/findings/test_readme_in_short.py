"""README's first paragraph: each number is that of the CSV file that the findings link."""

from __future__ import annotations

from functools import partial

from told import CNN, RESNET, VGG, ends, factors, points, readme, says, table

says = partial(says, page=readme)


def test_what_time_steps_gain() -> None:
    gains = table("fig2_gains", earlier=1, later=10, ties="first", inference="noise")
    by_net = gains.groupby(["readout", "network", "width", "dataset", "augment"]).points.mean()
    says("nets whose output layer spikes gain {:.1f} to {:.1f} points", *ends(by_net["spikes"]))
    nets = (
        {"network": CNN, "dataset": "fashion_mnist", "augment": "none"},
        *({"network": net} for net in (VGG, RESNET)),
    )
    for net in nets:
        like = {"width": 1.0 if net["network"] == CNN else 0.25, "readout": "spikes", "ties": "first"}
        left, gain = (
            points("fig2_gains", inference=way, earlier=1, later=10, **like, **net) for way in ("current", "noise")
        )
        assert left < gain / 2  # so most of it the currents have
    says("where it was measured, most of that is there after one step, if the currents into the output layer are read")
    lost = -table("fig5_lossless", timesteps=2).groupby(["network", "width", "readout", "noise"]).points.mean()
    assert lost[CNN].max() < 0.05
    says("loses nothing with the CNN, up to {:.1f} points at T = 2 with deep nets.", lost.max())
    says("Nets read by potentials, the mean of these currents, gain {:.0f} to {:.1f}", *ends(by_net["potential"]))


def test_what_a_step_costs() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"]).step_seconds.unstack()
    least, most = ends(cost.direct / cost.ours)
    assert 6 < least < most < 8
    says("A training step costs a sixth to an eighth of direct training's at T = 10")
    like = {"arm": "equal_time", "opponent": "direct", "share": 1.0}
    shares = ends(100 * table("fig3_contrasts", **like).time_share)
    says("Row 5: in {:.0f} to {:.0f} % of its time.", *shares)


def test_what_conversion_takes() -> None:
    times = factors("time_factor")
    largest, percentile = times["max-norm, V(0) = 0", 10], times["99.9 %, V(0) = 0", 10]
    says(
        "{:.0f} to {:.0f} times faster than by conversion as in Diehl et al. (2015, in the paper's Table 2)",
        *ends(largest),
    )
    says("{:.0f} to {:.0f} than as in Rueckauer et al. (2017)", *ends(percentile))
    says("{:.1f} to {:.1f} times as fast as in Deng & Gu (2021)", *ends(times["99 %, V(0) = 1/2", 10]))
