"""README's first paragraph: each number is that of the CSV file that the findings link."""

from __future__ import annotations

from functools import partial

import numpy as np
from told import points, readme, says, table

says = partial(says, page=readme)


def test_what_time_steps_gain() -> None:
    gains = table("fig2_gains", earlier=1, later=10, ties="first", inference="noise")
    by_net = gains.groupby(["readout", "network", "width", "dataset", "augment"]).points.mean()
    at_once = [
        points("fig2_gains", network=net, width=0.25, readout="spikes", earlier=1, later=10, inference="current")
        for net in ("vgg16", "resnet18")
    ]
    assert max(at_once) < by_net["spikes"].max() / 2  # so most of it the currents have
    says("nets whose output spikes gain up to {:.1f} points over one", by_net["spikes"].max())
    says("nets read by potentials gain {:.0f} to {:.1f}", by_net["potential"].min(), by_net["potential"].max())


def test_what_a_step_costs() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"]).step_seconds.unstack()
    assert round((cost.direct / cost.ours).mean()) == 7
    says("A training step costs a seventh of direct training's at T = 10")


def test_what_conversion_takes() -> None:
    rows = table("table2_speedup", within_points=0.5, our_timesteps=10, variant="max-norm, V(0) = 0")
    times = np.exp(np.log(rows.time_factor).groupby([rows.readout, rows.dataset, rows.network]).mean())
    says("inference is {:.0f} to {:.0f} times faster than by conversion as in its Table 2", times.min(), times.max())
