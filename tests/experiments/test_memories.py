"""Memories side by side: which nets are run in which ways, what is read off them, and what is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import generator, lively
from tiny_runs import spec
from torch import nn

from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble
from snnlib.data.sets import Dataset
from snnlib.exact_memory import ExactMemory
from snnlib.experiments.memories import plot
from snnlib.experiments.memories.rates import chance_of_rates
from snnlib.experiments.memories.table import (
    ENSEMBLE,
    EVEN,
    EXACT,
    HIDDEN,
    PAPER,
    READOUT,
    SPREADS,
    accuracies,
    exact,
    memories,
    steps_needed,
)
from snnlib.neurons import Converted, Neuron, SingleStep
from snnlib.noise import Uniform
from snnlib.runs.evaluations import Conversion, Phased, read
from snnlib.runs.run import Run
from snnlib.training.evaluation import accuracy_over_time

EVALUATION = Conversion(timesteps=3, noise_seeds=(0, 4), batch_size=30)


def dynamics(run: Run, memory: str) -> list[Any]:
    return [n.dynamics for _, n in memories(EVALUATION, run.spec)[memory].network(run, "cpu").neurons()]


# --- which nets ------------------------------------------------------------------------------


def test_each_memory_is_what_its_name_says(small_store: None, small: Dataset) -> None:
    run = Run(spec(dynamics={"kind": "single_step", "noise": {"kind": "uniform"}}))
    table = accuracies([run], EVALUATION)
    assert set(table.memory) == {ENSEMBLE, PAPER, EVEN, EXACT, HIDDEN, READOUT, *map(exact, SPREADS)}
    single, full, half = SingleStep(Uniform()), ExactMemory(Uniform(), 1.0), ExactMemory(Uniform(), 0.5)
    assert dynamics(run, exact(1.0)) == [full] * 5
    assert dynamics(run, exact(0.5)) == [half] * 5
    assert dynamics(run, EXACT) == [full] * 4 + [half]
    assert dynamics(run, HIDDEN) == [full] * 4 + [single]
    assert dynamics(run, READOUT) == [single] * 4 + [half]
    assert dynamics(run, EVEN) == [LowDiscrepancy(Uniform())] * 5
    assert {type(d) for d in dynamics(run, PAPER)} == {Converted}
    for memory, net in (
        (ENSEMBLE, ensemble(run.model("cpu"))),
        (EXACT, convert(run.model("cpu"), memory="exact", spread=[1, 1, 1, 1, 0.5])),
    ):
        found = table[table.memory == memory][["noise_seed", "timesteps", "accuracy"]].reset_index(drop=True)
        assert found.equals(accuracy_over_time(net, small, 3, (0, 4), 30))


def test_a_readout_of_potentials_has_no_memory_to_leave_out() -> None:
    potential = spec(readout="potential")
    assert {HIDDEN, READOUT}.isdisjoint(memories(EVALUATION, potential))
    with pytest.raises(InputError, match="layers = readout: .* has no spikes there; readout = potential"):
        Phased(layers="readout").fits(potential)


def test_phases_take_the_place_of_noise_alone() -> None:
    with pytest.raises(InputError, match="dynamics = lif: only a net trained as single_step has noise to replace"):
        Phased().fits(spec(dynamics={"kind": "lif"}))
    with pytest.raises(InputError, match="noise = max_normalised: must be gaussian or uniform"):
        Phased().fits(spec(dynamics={"kind": "single_step", "noise": {"kind": "max_normalised"}}))
    with pytest.raises(InputError, match=r"spread = 1.1: must be a number between 0 and 1"):
        Phased(readout_spread=1.1)
    assert read(Phased(spread=0.3, memory="none").spelled) == Phased(spread=0.3, memory="none")


# --- what is read off them -------------------------------------------------------------------


def made_up(**accuracy: list[float]) -> pd.DataFrame:
    """Accuracies of two training seeds, one a point better, at T = 1, 2, ..., by memory."""
    net = {"dataset": "mnist", "network": "cnn", "width": 1.0, "readout": "spikes", "noise": "gaussian"}
    return pd.DataFrame(
        {
            **net,
            "memory": memory,
            "run": f"run-{seed}",
            "seed": seed,
            "noise_seed": 0,
            "timesteps": t,
            "accuracy": a + 0.01 * seed,
        }
        for memory, values in accuracy.items()
        for seed in (0, 1)
        for t, a in enumerate(values, start=1)
    )


def test_steps_needed_are_those_for_the_ensembles_accuracy() -> None:
    table = made_up(**{ENSEMBLE: [0.5, 0.6, 0.7], PAPER: [0.5, 0.7, 0.8], EVEN: [0.5, 0.6, 0.69]})
    table = steps_needed(table, timesteps=3)
    assert set(table.runs) == {"run-0 run-1"}
    found = table.set_index("memory").steps
    assert found[[ENSEMBLE, PAPER]].tolist() == [3, 2]
    assert np.isnan(found[EVEN])


@pytest.mark.parametrize("timesteps", [1, 2, 7])
def test_chance_of_rates_is_that_of_the_closed_form(timesteps: int) -> None:
    """Of T independent draws p (1 - p) / T; of T steps from a uniform phase f (1 - f) / T^2, f the fraction of T p."""
    current = torch.tensor([[0.35, 0.5, 0.62], [0.9, 0.1, 0.45]])
    p = current.double().numpy()
    f = timesteps * p % 1
    variances = {
        SingleStep(Uniform()): p * (1 - p) / timesteps,
        ExactMemory(Uniform(), 1.0): f * (1 - f) / timesteps**2,
    }
    for d, variance in variances.items():
        net = convert(nn.Sequential(nn.Identity(), Neuron(SingleStep())), memory="exact")  # any net of one layer
        for _, neuron in net.neurons():
            neuron.dynamics = d
        (row,) = chance_of_rates(net, current, generator(1), 4000, [timesteps]).itertuples()
        assert row.timesteps == timesteps
        assert row.sd == pytest.approx(np.sqrt(variance.mean()), rel=0.05)


def test_chance_is_counted_on_over_passes() -> None:
    model = ensemble(lively())
    found = chance_of_rates(model, torch.randn(2, 1, 28, 28, dtype=torch.float64), generator(), 8, [1, 40])
    assert len(found) == 2 * 5
    ratio = found[found.timesteps == 1].sd.to_numpy() / found[found.timesteps == 40].sd.to_numpy()
    np.testing.assert_allclose(ratio, np.sqrt(40), rtol=0.35)


# --- what is drawn ---------------------------------------------------------------------------


def everything() -> pd.DataFrame:
    names = [ENSEMBLE, PAPER, EVEN, EXACT, *map(exact, SPREADS)]
    return made_up(**{name: [0.5 + 0.01 * i, 0.6, 0.7 - 0.01 * i] for i, name in enumerate(names)})


def test_accuracy_is_drawn_in_percent_over_t() -> None:
    (ax,) = plot.accuracy(everything()).axes
    drawn = {c.get_label(): c.lines[0].get_ydata().astype(float) for c in ax.containers}
    assert drawn.keys() == plot.LOOKS.keys()
    np.testing.assert_allclose(drawn[PAPER], [51.5, 60.5, 69.5])


def test_the_spread_is_drawn_for_each_t() -> None:
    (ax,) = plot.spread(everything()).axes
    assert [c.get_label() for c in ax.containers] == ["T = 1", "T = 2"]
    np.testing.assert_allclose(
        ax.containers[0].lines[0].get_ydata().astype(float), 50.5 + np.arange(4, 4 + len(SPREADS))
    )


def test_chance_is_drawn_for_each_memory_and_layer() -> None:
    rows = [(m, layer, t, 0.2 / t) for m in (ENSEMBLE, EVEN) for layer in ("layer 1", "layer 2") for t in (1, 10)]
    net = {"dataset": "mnist", "network": "cnn", "width": 1.0, "readout": "spikes"}
    fig = plot.chance(pd.DataFrame(rows, columns=["memory", "layer", "timesteps", "sd"]).assign(**net))
    assert [ax.get_title() for ax in fig.axes] == [ENSEMBLE, EVEN]
    assert all(len(ax.lines) == 2 + 2 for ax in fig.axes)
