"""Neurons one step after another: the reference for whatever takes all steps at once."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from conftest import generator
from torch import Tensor, nn

import snnlib.baselines.ann_neurons
import snnlib.dynamics
from snnlib.dynamics import Dynamics
from snnlib.in_time import in_time, plain
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.simulation import Simulation, running

NOISES = [Gaussian(), Gaussian(k=1.0), MaxNormalised(), Uniform()]
ALPHAS = [2.0, 2.0 + 1e-7, 2.5, 3.0, 4.0, 6.0, 7.0, 10.0, 100.0, 1e9, math.inf]
T = 10


def currents(*shape: int, seed: int = 0) -> Tensor:
    """Weighted inputs [T, ...] in float64, of which some reach the threshold and some do not."""
    return torch.randn(T, *shape, generator=generator(seed), dtype=torch.float64) * 0.8 + 0.3


def step_by_step(dynamics: Dynamics, x: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Spikes and potentials [T, ...] of one step after another."""
    state, g, rows = None, generator(seed), []
    for current in x:
        s, state = dynamics.step(current, state, g)
        rows.append((s, state))
    s, v = zip(*rows, strict=True)
    return torch.stack(s), torch.stack(v) if v[0] is not None else torch.empty(0)


def fire(neuron: Neuron, x: Tensor, simulation: Simulation, *, held: bool = False) -> Tensor:
    """Spikes [T·B, ...] of a neuron by itself, from currents [T·B, ...], or, ``held`` for all steps, [B, ...]."""
    with running(simulation):
        return plain(neuron(in_time(x, 0 if held else simulation.timesteps)))


def layer_by_layer(net: nn.Sequential, frames: list[Tensor], g: torch.Generator) -> Tensor:
    """Outputs [T, B, ...] of layers of which each is called once a step, with a frame; noise layer by layer."""
    for layer in net:
        if isinstance(layer, Neuron):
            state, spikes = None, []
            for current in frames:
                s, state = layer.dynamics.step(current, state, g)
                spikes.append(s)
            frames = spikes
            assert 0.02 < torch.stack(frames).mean() < 0.98  # else the net is dead, and anything equals anything
        else:
            frames = [layer(x) for x in frames]
    return torch.stack(frames)


@pytest.fixture
def heights(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """H of every step that is taken."""
    seen: list[Tensor] = []
    original = snnlib.dynamics.spike

    def spy(h: Tensor, *args: Any) -> Tensor:
        seen.append(h)
        return original(h, *args)

    for module in (snnlib.dynamics, snnlib.baselines.ann_neurons):
        monkeypatch.setattr(module, "spike", spy)
    monkeypatch.setattr(snnlib.dynamics, "noisy_spike", lambda current, noise, *args: spy(current + noise, *args))
    return seen
