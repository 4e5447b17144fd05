"""`Neuron` and `Simulation`: time outermost, no hidden state, observers, states handed on."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import generator
from step_by_step import T, currents, fire, step_by_step

from snnlib.baselines.ann_neurons import IF
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation


@pytest.mark.parametrize("d", [SingleStep(), Converted(), LIF(), IF()], ids=str)
def test_neuron_folds_time_outermost(d: Dynamics) -> None:
    x = currents(4, 3, 5)
    out = fire(Neuron(d), x.flatten(0, 1), Simulation(generator(6), T))
    assert out.shape == (T * 4, 3, 5)
    expected, _ = step_by_step(d, x, seed=6)
    assert torch.equal(out.unflatten(0, (T, 4)), expected)


def test_neuron_keeps_nothing_between_calls() -> None:
    neuron, x = Neuron(LIF()), currents(4, 3).flatten(0, 1)
    first, second = (fire(neuron, x, Simulation(generator(), T)) for _ in range(2))
    assert torch.equal(first, second)
    assert not neuron.state_dict()


@pytest.mark.parametrize("d", [SingleStep(), Converted(), LIF(), IF(v_init=0.5)], ids=str)
def test_a_simulation_goes_on_from_the_states_it_is_given(d: Dynamics) -> None:
    neuron, x, g, states = Neuron(d), currents(4, 3, 5), generator(6), {}
    pieces = [fire(neuron, part.flatten(0, 1), Simulation(g, len(part), states=states)) for part in x.split([3, 1, 6])]
    expected, v = step_by_step(d, x, seed=6)
    assert torch.equal(torch.cat(pieces).unflatten(0, (T, 4)), expected)
    assert list(states) == [neuron]
    if v.numel():
        assert torch.equal(states[neuron], v[-1])
    else:
        assert states[neuron] is None


def test_each_neuron_has_a_state_of_its_own() -> None:
    one, other, x, states = Neuron(LIF()), Neuron(LIF(leak=0.9)), currents(4, 3).flatten(0, 1), {}
    for neuron in (one, other):
        fire(neuron, x, Simulation(generator(), T, states=states))
    again = fire(one, x, Simulation(generator(), T, states=states))
    alone = fire(Neuron(LIF()), torch.cat([x, x]), Simulation(generator(), 2 * T))
    assert torch.equal(again, alone[len(x) :])


def test_observer_sees_every_step_with_its_spikes_and_potential() -> None:
    seen: list[tuple[Any, ...]] = []
    neuron, x = Neuron(Converted()), currents(4, 3)
    fire(neuron, x.flatten(0, 1), Simulation(generator(6), T, lambda *row: seen.append(row)))
    s, v = step_by_step(Converted(), x, seed=6)
    assert [row[:2] for row in seen] == [(neuron, t) for t in range(1, T + 1)]
    assert torch.equal(torch.stack([row[2] for row in seen]), s)
    assert torch.equal(torch.stack([row[3] for row in seen]), v)
