"""The tables behind the figures, against closed forms and direct counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from snnlib.conversion import convert
from snnlib.experiments import eq6_terms as terms
from snnlib.experiments import fig2_accuracy_vs_timesteps as fig2
from snnlib.experiments.method import plot as fig1
from snnlib.experiments.table1_networks import size, table1
from snnlib.models import build
from snnlib.neurons import SingleStep
from snnlib.noise import Gaussian, Uniform
from snnlib.runs.preset import load_preset


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
    model = convert(build("cnn", SingleStep(), width=1 / 16), alpha=4)
    images = torch.randn(8, 1, 28, 28)
    return terms.record(model, images, torch.Generator().manual_seed(0), timesteps=4)


def test_every_layer_and_term_is_recorded_within_its_range(recorded: dict) -> None:
    assert list(recorded) == [f"layer {i}" for i in range(1, 6)]
    ranges = {terms.NOISE: (0, 1), terms.POTENTIAL: (0.25, 0.75), terms.RESIDUAL: (-0.25, 0.25), terms.SUM: (0, 1)}
    for found in recorded.values():
        for term, (low, high) in ranges.items():
            assert low <= found[term].min()
            assert found[term].max() <= high
    assert len(recorded["layer 1"][terms.POTENTIAL]) == 3 * 8 * 4 * 28 * 28  # three steps have a potential


def test_summary_and_histograms_are_numpys(recorded: dict) -> None:
    x = recorded["layer 2"][terms.POTENTIAL].numpy()
    row = terms.summary(recorded).set_index(["layer", "term"]).loc[("layer 2", terms.POTENTIAL)]
    assert row["mean"] == pytest.approx(x.mean(), abs=1e-6)
    assert row["sd"] == pytest.approx(x.std(ddof=1), abs=1e-6)
    h = terms.histograms(recorded).query("layer == 'layer 2' and term == @terms.POTENTIAL")
    assert (h.density * (h.right - h.left)).sum() == pytest.approx(1)
    inside = (x >= h.left.iloc[50]) & (x < h.right.iloc[50])
    assert h.density.iloc[50] == pytest.approx(inside.mean() / 0.02, rel=1e-3, abs=1e-3)


def accuracies() -> pd.DataFrame:
    """Two seeds, two noise seeds: seed 0 has 0.5 + 0.04 T, seed 1 is 0.02 above; noise seeds differ by 0.01."""
    rows = [
        {"dataset": "mnist", "network": "cnn", "width": 1.0, "readout": "spikes", "noise": "gaussian",
         "seed": s, "noise_seed": n, "timesteps": t, "accuracy": 0.5 + 0.04 * t + 0.02 * s + 0.01 * n}
        for s in (0, 1) for n in (0, 1) for t in range(1, 11)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_spread_is_over_training_seeds_after_averaging_noise_seeds() -> None:
    summary = fig2.over_seeds(accuracies()).set_index("timesteps")
    assert summary["mean"][5] == pytest.approx(100 * (0.5 + 0.2 + 0.01 + 0.005))
    assert summary["std"][5] == pytest.approx(100 * np.std([0.0, 0.02], ddof=1))
    assert (summary.seeds == 2).all()


def test_the_verdict_counts_seeds() -> None:
    table = accuracies()
    assert fig2.verdict(table) == "MNIST, CNN: T = 10 above T = 1 in 2 of 2 seeds"
    flat = table.assign(accuracy=table.accuracy.where(table.seed == 0, 0.9))
    assert fig2.verdict(flat) == "MNIST, CNN: T = 10 above T = 1 in 1 of 2 seeds"


def test_figure_2_shows_ours_and_the_papers_values() -> None:
    axes = fig2.accuracy_vs_timesteps(accuracies()).axes
    lines = {line.get_label(): line for line in axes[0].get_lines()}
    assert list(lines["paper, Table 2"].get_ydata()) == [99.61, 99.64]
    summary = fig2.over_seeds(accuracies())
    shown = axes[0].containers[0].lines[0]
    assert np.allclose(shown.get_ydata(), summary["mean"])
    assert "MNIST" in axes[0].get_title()
    assert "width 1" in axes[0].get_title()


def test_figure_1_draws_for_any_number_of_layers(recorded: dict) -> None:
    steps = pd.DataFrame({"step": [1, 2, 3], "timesteps": [1, 10, 10], "mean": 80.0, "std": 1.0, "noise_seeds": 2})
    net = {"dataset": "mnist", "network": "cnn", "width": 0.5, "readout": "spikes", "seed": 0}
    densities = terms.histograms(recorded)
    fig = fig1.method(steps, densities, net)
    texts = [t.get_text() for ax in fig.axes for t in ax.texts]
    assert "T = 10: 80.00 ± 1.00 %" in texts
    tidy = fig1.tidy(steps, densities, net)
    assert (tidy[list(net)] == list(net.values())).all(axis=None)
    assert set(tidy.panel) == {"accuracy", "terms"}
    assert len(tidy) == 3 + len(densities)


@pytest.mark.parametrize("noise", [Gaussian(), Uniform()])
def test_the_sum_is_narrower_than_the_noise_it_replaces(noise: Gaussian | Uniform) -> None:
    # The README says so: ranges add, standard deviations do not.
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)  # of the weights
    model = convert(build("cnn", SingleStep(noise=noise), width=1 / 16))
    found = terms.record(model, torch.randn(8, 1, 28, 28, generator=generator), generator, timesteps=3)
    # On average over layers: in a small readout layer the potentials alone may spread as far.
    mean = {term: sum(layer[term].std() for layer in found.values()) / len(found) for term in (terms.SUM, terms.NOISE)}
    assert mean[terms.SUM] < 0.9 * mean[terms.NOISE]
