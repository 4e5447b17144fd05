"""All steps at once give what step by step gives: the same spikes bit for bit, the same gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import generator
from step_by_step import fire
from torch import Tensor

from snnlib.deploy.folding import NoisyLIF
from snnlib.dynamics import LIF
from snnlib.exact_memory import ExactMemory
from snnlib.fast import all_steps
from snnlib.models import build
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Uniform
from snnlib.simulation import Simulation
from snnlib.surrogate import Arctan, Rectangle, Sigmoid, Triangle

T = 6
DYNAMICS = [
    LIF(),
    LIF(leak=0.83, v_th=0.9, v_reset=0.2, surrogate=Arctan()),
    LIF(leak=1.0, surrogate=Sigmoid()),
    LIF(leak=0.0, surrogate=Rectangle()),
    NoisyLIF(0.31, 0.11, Gaussian(-0.25, 0.25), surrogate=Triangle(0.7)),
    NoisyLIF(1.4, 0.0, Gaussian(0.1, 0.6), v_th=0.8, v_reset=-0.1, first_bias=-0.2),
    NoisyLIF(0.5, 0.2, Uniform(-0.25, 0.25), Uniform()),
    ExactMemory(),
    ExactMemory(Uniform(0.1, 1.3), spread=1.0, v_th=0.9),
]


@pytest.fixture(params=[40, 10**6], ids=["many pieces", "one piece"])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(all_steps, "PIECE", request.param)
    return request.param


def currents(dtype: torch.dtype, *, constant: bool = False, shape: tuple[int, ...] = (3, 8, 5, 4)) -> Tensor:
    steps = 1 if constant else T
    x = torch.randn(steps * shape[0], *shape[1:], generator=generator(1)) * 0.7 + 0.4
    x = x.to(dtype)
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def run(d: Any, x: Tensor, upstream: Tensor | None, *, constant: bool, seen: bool) -> tuple[Tensor, Tensor | None]:
    """Spikes and, with ``upstream``, the gradient: step by step if someone looks on (``seen``), else at once."""
    neuron = Neuron(d)
    sim = Simulation(generator(5), T, (lambda *_: None) if seen else None)
    x = x.clone(memory_format=torch.preserve_format).requires_grad_(upstream is not None)
    s = fire(neuron, x, sim, held=constant)
    if upstream is None:
        return s, None
    s.backward(upstream)
    return s.detach(), x.grad


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("d", DYNAMICS, ids=str)
def test_spikes_are_those_of_single_steps_bit_for_bit(d: Any, dtype: torch.dtype, constant: bool) -> None:
    x = currents(dtype, constant=constant)
    with torch.no_grad():
        one, all_steps = (run(d, x, None, constant=constant, seen=seen)[0] for seen in (True, False))
    learned, _ = run(d, x, torch.zeros_like(one), constant=constant, seen=False)
    assert torch.equal(all_steps, one)
    assert torch.equal(learned, one)
    assert all_steps.dtype == dtype
    assert all_steps.is_contiguous(memory_format=torch.channels_last)
    assert 0.02 < one.double().mean() < 0.98


# Sums of T terms are rounded in another order; bfloat16 has eight bits.
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5, torch.bfloat16: 0.06}


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("d", DYNAMICS, ids=str)
def test_gradients_are_those_of_single_steps(d: Any, dtype: torch.dtype, constant: bool) -> None:
    x = currents(dtype, constant=constant)
    upstream = torch.randn(T * 3, 8, 5, 4, generator=generator(2)).to(dtype)  # in another memory format
    (_, expected), (_, gradient) = (run(d, x, upstream, constant=constant, seen=seen) for seen in (True, False))
    assert (expected != 0).any()
    error = (gradient - expected).double().norm() / expected.double().norm()
    assert error < TOLERANCE[dtype]


@pytest.mark.parametrize("d", DYNAMICS[:2], ids=str)
def test_gradient_agrees_with_a_loop_of_plain_autograd(d: LIF) -> None:
    """Eqs. 1-3 in a loop, S's derivative put in as S = stop(S - g) + g with dg/dH the surrogate at a fixed H."""
    x = currents(torch.float64, shape=(4, 30)).requires_grad_()
    v, total = torch.zeros(4, 30, dtype=torch.float64), 0.0
    weights = torch.randn(T, 4, 30, generator=generator(3), dtype=torch.float64)
    for current, weight in zip(x.unflatten(0, (T, 4)), weights, strict=True):
        h = d.leak * v + current
        linear = d.surrogate(h.detach() - d.v_th) * h
        s = (h.detach() > d.v_th).double() - linear.detach() + linear
        v = h * (1 - s) + d.v_reset * s
        total = total + (s * weight).sum()
    (expected,) = torch.autograd.grad(total, x)
    _, gradient = run(d, x.detach(), weights.flatten(0, 1), constant=False, seen=False)
    torch.testing.assert_close(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("d", DYNAMICS, ids=str)
def test_a_long_walk_goes_on_from_its_state(d: Any) -> None:
    x, states, g = currents(torch.float64), {}, generator(5)
    neuron = Neuron(d)
    with torch.no_grad():
        whole, _ = run(d, x, None, constant=False, seen=True)
        parts = [fire(neuron, part, Simulation(g, len(part) // 3, states=states)) for part in x.split([6, 3, 9])]
    assert torch.equal(torch.cat(parts), whole)


def test_currents_that_are_no_multiple_of_t_are_refused() -> None:
    with pytest.raises(ValueError, match="currents of 7 images and steps: must be a multiple of T = 6"):
        fire(Neuron(LIF()), torch.zeros(7, 2), Simulation(generator(), T))


def test_currents_with_gaps_are_taken() -> None:
    x = currents(torch.float32)[:, ::2]
    expected, _ = run(LIF(), x.contiguous(), None, constant=False, seen=True)
    found, _ = run(LIF(), x, None, constant=False, seen=False)
    assert torch.equal(found, expected)


def test_a_network_learns_the_same_either_way() -> None:
    images = torch.randn(4, 1, 28, 28, generator=generator(1))
    gradients = []
    for observe in (None, lambda *_: None):
        torch.manual_seed(0)
        net = build("cnn", LIF(), width=0.1, readout="potential")
        net(images, simulation=Simulation(generator(), T, observe)).square().mean().backward()
        gradients.append([p.grad for p in net.parameters()])
    for found, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-6)
    assert any(g.abs().max() > 1e-4 for g in gradients[0])


def test_states_with_gradients_are_taken_step_by_step() -> None:
    """V(T) has no gradient, so training that hands states on must not use it."""
    x, states = currents(torch.float64, shape=(2, 9)).requires_grad_(), {}
    neuron = Neuron(LIF())
    fire(neuron, x, Simulation(generator(), T, states=states))
    fire(neuron, x.detach()[:2], Simulation(generator(), 1, states=states)).sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).any()
