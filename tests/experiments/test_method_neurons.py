"""The firing probability against draws and finite differences; a raster against the spikes themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import images, lively

from reproduce.experiments.method import firing, plot_neurons, raster
from snnlib.conversion import convert, ensemble
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.simulation import Simulation
from snnlib.surrogate import Triangle
from snnlib.training.seeds import stream


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return firing.firing(Triangle())


def test_the_probability_is_that_of_the_draws_and_its_derivative_that_of_finite_differences(
    table: pd.DataFrame,
) -> None:
    assert list(table.noise.unique()) == list(firing.NOISES)
    for noise, rows in table.groupby("noise"):
        drawn = rows.dropna()
        assert len(drawn) == 21
        assert (drawn.drawn - drawn.probability).abs().max() < 5 * 0.5 / firing.DRAWS**0.5
        slope = np.gradient(rows.probability, rows.current)
        inside = ~np.isclose(np.abs(rows.current - 0.5), 0.5, atol=0.015)  # where a uniform noise's P has corners
        assert np.allclose(slope[inside], rows.derivative[inside], atol=0.02), noise


@pytest.mark.parametrize("noise", [Gaussian(), Gaussian(k=2), Gaussian(-1, 2), Uniform(), Uniform(-1, 0.5)])
def test_the_distribution_is_that_of_the_librarys_noise(noise: Gaussian | Uniform) -> None:
    x = np.linspace(-1.5, 2.5, 41)
    f, _ = firing.distribution(noise, x)
    numbers = noise.numbers(100_000, torch.float64, stream(1, "evaluation")).numpy()
    assert np.allclose(f, [(numbers <= value).mean() for value in x], atol=0.01)


def test_a_noise_without_a_closed_form_is_named() -> None:
    with pytest.raises(TypeError, match="MaxNormalised"):
        firing.distribution(MaxNormalised(), np.zeros(1))


def test_the_surrogates_mean_is_its_integral_over_the_noise(table: pd.DataFrame) -> None:
    rows = table[table.noise == "uniform"]
    x = np.linspace(0, 1, 2001)
    for row in rows.iloc[::20].itertuples():
        triangle = np.maximum(0, 1 - np.abs(row.current + x - 1))
        assert row.mean_surrogate == pytest.approx(triangle.mean(), abs=0.01)
        assert row.surrogate == pytest.approx(max(0, 1 - abs(row.current - 0.5)))


def test_firing_is_drawn_for_each_noise(table: pd.DataFrame) -> None:
    axes = plot_neurons.firing(table).axes
    assert [ax.get_title() for ax in axes] == ["N_noise Gaussian, clipped", "N_noise uniform", "", ""]
    shown = {line.get_label(): line.get_ydata() for line in axes[2].get_lines()}
    assert shown["dP/dI, the truth"].max() == pytest.approx(8 / np.sqrt(2 * np.pi))  # sigma = 1/8


@pytest.fixture(scope="module")
def rasters() -> dict[int, raster.Raster]:
    model = lively()
    return {
        step: raster.record(net, images(4), 2, 5)
        for step, net in ((2, ensemble(model)), (3, convert(model, statistics="layer")))
    }


def test_a_raster_is_one_images_spikes_in_every_layer(rasters: dict) -> None:
    seen: dict = {}
    net = convert(lively(), statistics="layer")
    sim = Simulation(stream(0, "evaluation"), 5, lambda neuron, t, s, v: seen.setdefault(neuron, []).append(s[2]))
    with torch.no_grad():
        outputs = net(images(4), simulation=sim)
    found = rasters[3]
    assert torch.equal(found.outputs.double(), outputs[:, 2])
    assert found.predicted == int(outputs[:, 2].sum(0).argmax())
    for name, neuron in net.neurons():
        assert torch.equal(found.spikes[name], torch.stack(seen[neuron]).flatten(1) > 0)


def test_a_few_neurons_are_shown_the_same_in_both_steps_and_all_of_the_output(rasters: dict) -> None:
    spikes = raster.spikes(rasters)
    *inner, last = rasters[2].spikes
    for row in spikes.itertuples():
        assert rasters[row.step].spikes[row.layer][row.timestep - 1, row.neuron]
    for layer in inner:
        rows = spikes[spikes.layer == layer]
        assert rows.neuron.nunique() == rows.place.nunique() <= raster.NEURONS
        assert (rows.groupby("place").neuron.nunique() == 1).all()
    outputs = spikes[(spikes.layer == last) & (spikes.step == 2)]
    assert len(outputs) == rasters[2].outputs.sum()
    assert (outputs.place == outputs.neuron).all()


def test_the_raster_is_drawn_with_sums_and_what_is_predicted(rasters: dict) -> None:
    classes, spikes = tuple("abcdefghij"), raster.spikes(rasters)
    left, sums, right, _ = plot_neurons.raster(spikes, rasters, classes, rasters[2].predicted).axes
    assert "right)" in left.get_title(loc="left")
    assert f"predicted: {classes[rasters[3].predicted]}" in right.get_title(loc="left")
    assert [bar.get_width() for bar in sums.patches] == rasters[2].outputs.sum(0).tolist()
    marks = sum(len(collection.get_offsets()) for collection in left.collections)
    assert marks == (spikes.step == 2).sum()


def test_equal_outputs_are_told() -> None:
    tied = raster.Raster({}, torch.tensor([[1.0, 0, 1], [0, 0, 0]]))
    assert plot_neurons._said(tied, ("a", "b", "c"), 2) == "predicted: a (the first of 2 equal, it is c)"
