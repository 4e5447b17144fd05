"""How to read docs/findings_in_detail.md: epochs of the nets, and what is said of all, by the CSV files beside it."""

from __future__ import annotations

from functools import partial

import pytest
from told import CNN, DEEP, details, ends, epochs, says, table

says = partial(says, page=details)


def _same(name: str, **where: object) -> int:
    (all_have,) = {*epochs(name, **where)}
    return all_have


def test_epochs_of_figure_2() -> None:
    cnn = epochs("fig2_accuracy_vs_timesteps", network=CNN)
    deep = [_same("fig2_accuracy_vs_timesteps", network=list(DEEP), width=width) for width in (0.25, 1.0)]
    says("VGG-16 in full too, one seed | {:.0f} to {:.0f}; {:.0f}; {:.0f} |", *cnn, *deep)


@pytest.mark.parametrize(
    ("row", "name", "where"),
    [
        ("half; Figure 6 on MNIST too | an eighth", "what_noise_does", {}),
        ("half; Figure 6 on MNIST too | an eighth", "fig6_noise_type", {}),
        ("steps 2 and 3 and the exact memory a quarter too", "fig5_alpha", {}),
        ("| half | an eighth", "fig3_contrasts", {"arm": "ours"}),
        ("half, on MNIST too | an eighth", "table2_accuracy_vs_timesteps", {}),
    ],
)
def test_epochs_of_the_narrower_nets(row: str, name: str, where: dict[str, object]) -> None:
    both = [_same(name, network=CNN, width=0.5, **where), _same(name, network=list(DEEP), width=0.125, **where)]
    says(row + " | {:.0f}; {:.0f} |", *both)


def test_epochs_of_rates_and_optimiser() -> None:
    like = {"arm": ["potential", "rate4"]}
    says("in full | {:.0f} to {:.0f} |", *ends([*epochs("one_pass", **like), *epochs("record", **like)]))


def test_epochs_of_silent_choices() -> None:
    full = {"network": CNN, "width": 1.0}
    usual = [choice for choice in table("silent_choices", **full).choice.unique() if choice != "recipe"]
    says(
        "VGG-16 an eighth | {:.0f}; {:.0f} to {:.0f}, {:.0f}; {:.0f}, {:.0f} |",
        _same("silent_choices", width=0.5), *epochs("silent_choices", choice=usual, **full),
        _same("silent_choices", choice="recipe", default=False, **full),
        _same("silent_choices", width=0.25), _same("silent_choices", width=0.125),
    )  # fmt: skip


def test_all_nets_are_of_committed_code() -> None:
    assert {*table("runs").clean} == {"yes"}


def test_the_clocks_own_error() -> None:
    cost = table("fig4_training_cost")
    low, high = ends(cost.step_seconds_sd / cost.step_seconds)
    says("the clock's own error, {:.1f} to {:.0f} % of a step", 100 * low, 100 * high)


def test_hardware_and_versions() -> None:
    runs = table("runs")
    assert {*runs.device} == {"AMD EPYC, 2 cores", "Intel(R) Xeon(R) Processor, 2 cores"}
    assert {".".join(version.split(".")[:2]) for version in runs.python} == {"3.11"}
    assert {".".join(version.split(".")[:2]) for version in runs.torch} == {"2.13"}
