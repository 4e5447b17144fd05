"""Evenly spread noise: its steps in NumPy, and how much more evenly than fresh noise it fires."""

from __future__ import annotations

import numpy as np
import pytest
import reference
import torch
from conftest import generator
from step_by_step import currents, step_by_step

from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.dynamics import SingleStep

GOLDEN = (np.sqrt(5) - 1) / 2


def first_phases(d: LowDiscrepancy, x: torch.Tensor) -> np.ndarray:
    """U(0), from what a neuron that never fires has after a step."""
    _, u = d.step(torch.full_like(x[0], -9.0), None, generator(4))
    return (u.double().numpy() - GOLDEN) % 1


def test_steps_follow_the_transcription() -> None:
    d, x = LowDiscrepancy(v_th=0.9), currents(4000)
    s, _ = step_by_step(d, x, seed=4)
    u = (first_phases(d, x) + GOLDEN * np.arange(len(x))[:, None]) % 1
    h = u + reference.firing_probability(x.numpy(), "gaussian", 0.0, 1.0, k=4.0, v_th=0.9)
    clear = (np.abs(h - 1) > 1e-5) & (np.minimum(u, 1 - u) > 1e-5)  # float32 decides the rest
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(s.numpy()[clear], (h >= 1)[clear])


def test_at_a_constant_current_spikes_count_the_rate_within_three_at_any_time() -> None:
    """Of fresh noise half of all neurons are farther off by then."""
    x = torch.linspace(0.2, 0.8, 2000, dtype=torch.float64)
    p = reference.firing_probability(x.numpy(), "gaussian", 0.0, 1.0, k=4.0)
    off = {}
    for d in (LowDiscrepancy(), SingleStep()):
        spikes, _ = step_by_step(d, x.expand(200, -1), seed=1)
        off[d.kind] = np.abs(np.cumsum(spikes.numpy() - p, 0)).max(0)
    assert off["low_discrepancy"].max() < 3
    assert np.median(off["single_step"][(p > 0.1) & (p < 0.9)]) > 4


def test_first_phases_are_uniform() -> None:
    u = first_phases(LowDiscrepancy(), currents(4000))
    assert np.histogram(u, 10, (0, 1))[0] == pytest.approx(np.full(10, 400), rel=0.2)
