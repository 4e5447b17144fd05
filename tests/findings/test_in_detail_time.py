"""Who gains from time steps, as docs/findings_in_detail.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

from functools import partial

import pytest
from told import DEEP, VGG, details, ends, percent, points, says, table

says = partial(says, page=details)
FASHION = {"dataset": "fashion_mnist", "augment": "none"}
QUARTERS = tuple({"network": net, "width": 0.25} for net in DEEP)
SPIKES, POTENTIAL = {"readout": "spikes"}, {"readout": "potential"}


def _tied(timesteps: int, column: str = "tied", **where: object) -> float:
    """Percent of the images."""
    return 100 * table("fig2_ties", timesteps=timesteps, readout="spikes", **where)[column].mean()


def test_how_many_images_tie() -> None:
    varied = {"dataset": "fashion_mnist", "augment": "crop_flip"}
    nets = (FASHION, varied, *QUARTERS)
    says(
        "for {:.0f} % of the images with the CNN on Fashion-MNIST ({:.0f} % if it was trained on crops and flips), "
        "{:.0f} % with VGG-16 and {:.0f} % with ResNet-18, more than half of these all at zero",
        *(_tied(1, **net) for net in nets),
    )
    assert all(_tied(1, "silent", **net) > _tied(1, **net) / 2 for net in nets)


def test_at_two_steps_more_tie() -> None:
    like = SPIKES | {"inference": "noise", "ties": "first"}
    early, late = (
        [percent("fig2_accuracy_vs_timesteps", timesteps=t, **like, **net) for net in QUARTERS] for t in (1, 2)
    )
    for below, above in zip(early, late, strict=True):
        says(
            "at T = 2 more of the deep nets' images tie, {:.0f} and {:.0f} %, though hardly one at zero, and yet "
            "accuracy is {:.0f} points higher.", *(_tied(2, **net) for net in QUARTERS), above - below,
        )  # fmt: skip
    assert all(_tied(2, **net) > _tied(1, **net) and _tied(2, "silent", **net) < 0.5 for net in QUARTERS)


@pytest.mark.parametrize("net", [FASHION, *QUARTERS])
def test_the_gain_stays_where_ties_are_broken_at_random(net: dict[str, object]) -> None:
    like = SPIKES | {"earlier": 1, "later": 10, "inference": "noise"} | net
    by_chance, first = (points("fig2_gains", ties=ties, **like) for ties in ("random", "first"))
    assert abs(by_chance - first) < first / 5


def test_what_the_outputs_noise_costs() -> None:
    rows = {
        "spikes, T = 1": ("noise", 1),
        "spikes, the output's neurons without noise, T = 1": ("quiet output", 1),
        "the currents that arrive at these neurons, T = 1": ("current", 1),
        "these currents, T = 10": ("current", 10),
        "spikes, T = 10": ("noise", 10),
    }
    nets = ({"dataset": "fashion_mnist", "augment": "none"}, *({"network": net, "width": 0.25} for net in DEEP))
    for name, (way, t) in rows.items():
        like = {"readout": "spikes", "ties": "first", "inference": way, "timesteps": t}
        cells = [percent("fig2_accuracy_vs_timesteps", **like, **net) for net in nets]
        says(f"| {name} |" + " {:.1f} |" * 3, *cells)


def test_what_is_left_of_the_gain() -> None:
    nets = ({"dataset": "fashion_mnist", "augment": "none"}, *({"network": net, "width": 0.25} for net in DEEP))
    like = {"readout": "spikes", "inference": "current"}
    late, early = ([percent("fig2_accuracy_vs_timesteps", timesteps=t, **like, **net) for net in nets] for t in (10, 1))
    says("{:.1f}, {:.1f} and {:.1f} points in these currents", *(a - b for a, b in zip(late, early, strict=True)))
    like = {"readout": "potential", "inference": "constant", "ties": "first", "earlier": 1, "later": 10}
    still = [points("fig2_gains", **like, **net) for net in nets]
    says("the latter are still {:.1f}, {:.1f} and {:.1f} points below T = 10", *still)
    like = {"readout": "potential", "inference": "noise", "timesteps": 1}
    says("whose one step, {:.1f} and {:.1f} %, is above", *(
        percent("fig2_accuracy_vs_timesteps", **like, **net) for net in nets[1:]
    ))  # fmt: skip


def test_potentials_over_spikes_at_one_step() -> None:
    cnns = [("mnist", "none"), ("mnist", "crop"), ("fashion_mnist", "none"), ("fashion_mnist", "crop_flip")]
    over = [_over_spikes(dataset=dataset, augment=augment) for dataset, augment in cnns]
    says(
        "are {:.1f} to {:.1f} points above those with spikes at T = 1 with the CNN, {:.0f} with VGG-16 and {:.0f} with "
        "ResNet-18", *ends(over), *(_over_spikes(**net) for net in QUARTERS),
    )  # fmt: skip


def _over_spikes(**where: object) -> float:
    like = where | {"timesteps": 1, "inference": "noise", "ties": "first"}
    potential, spikes = (percent("fig2_accuracy_vs_timesteps", **like, **readout) for readout in (POTENTIAL, SPIKES))
    return potential - spikes


def test_one_step_of_potentials_is_above_ten_of_spikes() -> None:
    like = {"inference": "noise", "ties": "first"}
    for net in QUARTERS:
        one = percent("fig2_accuracy_vs_timesteps", timesteps=1, **POTENTIAL, **like, **net)
        assert one > percent("fig2_accuracy_vs_timesteps", timesteps=10, **SPIKES, **like, **net)


def test_the_full_vgg() -> None:
    at_10 = {"network": VGG, "timesteps": 10}
    full, quarter = (
        [points("fig2_levels", width=width, **readout, **at_10) for readout in (POTENTIAL, SPIKES)]
        for width in (1.0, 0.25)
    )
    says(
        "has {:.1f} % with potentials and {:.1f} with spikes at T = 10 after twenty epochs, where a quarter of it has "
        "{:.1f} and {:.1f} after twelve", *full, *quarter,
    )  # fmt: skip
    like = {"network": VGG, "earlier": 1, "later": 10, "ties": "first", "inference": "noise"}
    full, quarter = (
        [points("fig2_gains", width=width, **readout, **like) for readout in (POTENTIAL, SPIKES)]
        for width in (1.0, 0.25)
    )
    share = [100 * of_full / of_quarter for of_full, of_quarter in zip(full, quarter, strict=True)]
    says("From T = 1 it gains {:.1f} and {:.1f} points, {:.0f} and {:.0f} % of what the quarter gains", *full, *share)
