"""The tables behind the figures, against closed forms and direct counts."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from reproduce.experiments import eq6_terms
from reproduce.experiments.method import plot as fig1
from reproduce.experiments.method import table
from reproduce.experiments.table1_networks import size, table1
from reproduce.runs.preset import load_preset
from snnlib.conversion import convert
from snnlib.dynamics import SingleStep
from snnlib.models import build
from snnlib.noise import Gaussian, Uniform


def conv_macs(side: int, pairs: list[tuple[int, int]]) -> int:
    return sum(side * side * 9 * a * b for a, b in pairs)


def test_multiply_accumulates_of_the_cnn_are_the_closed_form() -> None:
    # 64C3-AP2-128C3-AP2-128C3-AP2-512FC-10FC on 28x28
    expected = conv_macs(28, [(1, 64)]) + conv_macs(14, [(64, 128)]) + conv_macs(7, [(128, 128)])
    expected += 3 * 3 * 128 * 512 + 512 * 10
    assert size("cnn", 1.0)[1] == expected


def test_multiply_accumulates_of_vgg16_are_the_closed_form() -> None:
    expected = conv_macs(32, [(3, 64), (64, 64)]) + conv_macs(16, [(64, 128), (128, 128)])
    expected += conv_macs(8, [(128, 256), (256, 256), (256, 256)])
    expected += conv_macs(4, [(256, 512), (512, 512), (512, 512)]) + conv_macs(2, [(512, 512)] * 3) + 512 * 10
    assert size("vgg16", 1.0)[1] == expected


def test_multiply_accumulates_of_resnet18_are_the_closed_form() -> None:
    """With the 1x1 convolutions of the shortcuts."""
    expected = conv_macs(32, [(3, 64), *[(64, 64)] * 4]) + 512 * 10
    for side, a, b in ((16, 64, 128), (8, 128, 256), (4, 256, 512)):
        expected += conv_macs(side, [(a, b), *[(b, b)] * 3]) + side * side * a * b
    assert size("resnet18", 1.0)[1] == expected


def test_table_1_has_the_papers_rows_in_every_preset() -> None:
    for name in ("smoke", "cpu", "paper"):
        specs = [run.spec for run in load_preset(name).runs("fig2_accuracy_vs_timesteps")]
        table = table1(specs)
        assert set(table.run) <= {spec.name for spec in specs}
        assert list(table.epochs) == [100, 200, 1000, 800]
        assert table.run_epochs.notna().all()
    assert (table.run_macs == table.macs).all()  # the last one is the paper's own scale


@pytest.fixture(scope="module")
def recorded() -> dict[str, dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    model = convert(build("cnn", SingleStep(), width=1 / 16), alpha=4, statistics="layer")
    images = torch.randn(8, 1, 28, 28)
    return eq6_terms.record(model, images, torch.Generator().manual_seed(0), timesteps=4)


def test_every_layer_and_term_is_recorded_within_its_range(recorded: dict) -> None:
    assert list(recorded) == [f"layer {i}" for i in range(1, 6)]
    ranges = {
        eq6_terms.NOISE: (0, 1),
        eq6_terms.POTENTIAL: (0.25, 0.75),
        eq6_terms.RESIDUAL: (-0.25, 0.25),
        eq6_terms.SUM: (0, 1),
    }
    for found in recorded.values():
        for term, (low, high) in ranges.items():
            assert low <= found[term].min()
            assert found[term].max() <= high
    assert len(recorded["layer 1"][eq6_terms.POTENTIAL]) == 3 * 8 * 4 * 28 * 28  # three steps have a potential


def test_moments_and_histograms_are_numpys(recorded: dict) -> None:
    x = recorded["layer 2"][eq6_terms.POTENTIAL].numpy()
    row = eq6_terms.moments(recorded).set_index(["layer", "term"]).loc[("layer 2", eq6_terms.POTENTIAL)]
    assert row["mean"] == pytest.approx(x.mean(), abs=1e-6)
    assert row["sd"] == pytest.approx(x.std(ddof=1), abs=1e-6)
    h = eq6_terms.histograms(recorded).query("layer == 'layer 2' and term == @eq6_terms.POTENTIAL")
    assert (h.density * (h.right - h.left)).sum() == pytest.approx(1)
    inside = (x >= h.left.iloc[50]) & (x < h.right.iloc[50])
    assert h.density.iloc[50] == pytest.approx(inside.mean() / 0.02, rel=1e-3, abs=1e-3)


def test_figure_1_draws_for_any_number_of_layers(recorded: dict) -> None:
    steps = pd.DataFrame({"step": [1, 2, 3], "timesteps": [1, 10, 10], "mean": 80.0, "std": 1.0, "noise_seeds": 2})
    net = {"dataset": "mnist", "network": "cnn", "width": 0.5, "augment": "none", "readout": "spikes", "seed": 0}
    densities = eq6_terms.histograms(recorded)
    fig = fig1.method(steps, densities, net)
    texts = [t.get_text() for ax in fig.axes for t in ax.texts]
    assert "T = 10: 80.00 ± 1.00 %" in texts
    tidy = table.tidy(steps, densities, net)
    assert (tidy[list(net)] == list(net.values())).all(axis=None)
    assert set(tidy.panel) == {"accuracy", "terms"}
    assert len(tidy) == 3 + len(densities)


@pytest.mark.parametrize("noise", [Gaussian(), Uniform()])
def test_the_sum_is_narrower_than_the_noise_it_replaces(noise: Gaussian | Uniform) -> None:
    # docs/silent_choices.md says so: ranges add, standard deviations do not.
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)  # of the weights
    model = convert(build("cnn", SingleStep(noise=noise), width=1 / 16), statistics="layer")
    found = eq6_terms.record(model, torch.randn(8, 1, 28, 28, generator=generator), generator, timesteps=3)
    # On average over layers: in a small readout layer the potentials alone may spread as far.
    mean = {
        term: sum(layer[term].std() for layer in found.values()) / len(found)
        for term in (eq6_terms.SUM, eq6_terms.NOISE)
    }
    assert mean[eq6_terms.SUM] < 0.9 * mean[eq6_terms.NOISE]
