"""README's first paragraph: each number is that of the CSV file that the findings link."""

from __future__ import annotations

from functools import partial

from told import RESNET, VGG, ends, factors, points, readme, says, table

says = partial(says, page=readme)


def test_what_time_steps_gain() -> None:
    gains = table("fig2_gains", earlier=1, later=10, ties="first", inference="noise")
    by_net = gains.groupby(["readout", "network", "width", "dataset", "augment"]).points.mean()
    for net in (VGG, RESNET):
        like = {"network": net, "width": 0.25, "readout": "spikes", "ties": "first", "earlier": 1, "later": 10}
        left, gain = (points("fig2_gains", inference=way, **like) for way in ("current", "noise"))
        assert left < gain / 2  # so most of it the currents have
    says("nets whose output spikes gain {:.1f} to {:.1f} points", *ends(by_net["spikes"]))
    says("nets read by potentials gain {:.0f} to {:.1f}", by_net["potential"].min(), by_net["potential"].max())


def test_what_a_step_costs() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"]).step_seconds.unstack()
    assert round((cost.direct / cost.ours).mean()) == 7
    says("A training step costs a seventh of direct training's at T = 10")


def test_what_conversion_takes() -> None:
    times = factors("time_factor")
    largest, percentile = times["max-norm, V(0) = 0", 10], times["99.9 %, V(0) = 0", 10]
    says("{:.0f} to {:.0f} times faster than by the conversion of its Table 2", *ends(largest))
    says("{:.0f} to {:.0f} than by a better one it cites", *ends(percentile))
    says("{:.1f} to {:.1f} times as fast as by one of 2021", *ends(times["99 %, V(0) = 1/2", 10]))
