"""Gradients through time, of LIF and of the converted neuron, against autograd through the equations, unrolled.

The unrolled neuron shares nothing with the library. Its spike is the step of Eq. 2 plus F(x) - F(x), one of the two
taken as a constant, where F is the surrogate's integral in closed form: the value is the step's, the derivative F's.
Its forward pass is held against the NumPy transcription. The reset is part of the graph: V = H (1 - S) + V_reset S is
differentiated in H and in S.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator, images, lively
from step_by_step import fire
from torch import Tensor

from snnlib.baselines.ann_neurons import IF
from snnlib.dynamics import LIF, Converted
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation
from snnlib.statistics import Frozen, Layer, Sample
from snnlib.surrogate import Arctan, Density, Rectangle, Sigmoid, Triangle

T = 8
PI = float(np.pi)


def ramp(x: Tensor) -> Tensor:
    """Integral of the triangle max(0, 1 - |x|)."""
    x = x.clamp(-1, 1)
    return 0.5 + x - x * x.abs() / 2


SURROGATES: list[tuple[Any, Callable[[Tensor], Tensor]]] = [
    (Triangle(), ramp),
    (Triangle(0.5), lambda x: ramp(x / 0.5)),
    (Rectangle(), lambda x: (x + 0.5).clamp(0, 1)),
    (Arctan(), lambda x: torch.atan(PI / 2 * 2 * x) / PI + 0.5),
    (Sigmoid(), lambda x: 1 / (1 + torch.exp(-4 * x))),
    (Density(0.3), lambda x: torch.erf(x / (0.3 * 2**0.5)) / 2 + 0.5),
]
each_surrogate = pytest.mark.parametrize(("surrogate", "integral"), SURROGATES, ids=[str(s) for s, _ in SURROGATES])


@dataclass
class Unrolled:
    """One layer of LIF neurons, or of IF neurons (leak 1, v_reset None: soft), one plain operation after another."""

    integral: Callable[[Tensor], Tensor]
    leak: float = 0.5
    v_th: float = 1.0
    v_reset: float | None = 0.0
    detach_reset: bool = False
    v: Tensor | float = 0.0

    def __call__(self, current: Tensor) -> Tensor:
        h = self.leak * self.v + current  # Eq. 1
        smooth = self.integral(h - self.v_th)
        s = (h > self.v_th).to(h.dtype) + smooth - smooth.detach()  # Eq. 2
        r = s.detach() if self.detach_reset else s
        self.v = h - self.v_th * r if self.v_reset is None else h * (1 - r) + self.v_reset * r  # Eq. 3
        return s


def currents(n: int = 300) -> Tensor:
    return (torch.randn(T, 4, n, generator=generator(), dtype=torch.float64) * 0.8 + 0.3).requires_grad_()


def same_gradients(mine: list[Tensor], theirs: list[Tensor]) -> None:
    for a, b in zip(mine, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
        assert a.abs().max() > 1e-3


OPTIONS = [{}, {"leak": 0.9, "v_th": 0.6, "v_reset": -0.2}, {"leak": 1.0}, {"leak": 0.0}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@each_surrogate
def test_gradient_of_each_current_is_that_of_the_unrolled_equations(
    surrogate: Any, integral: Any, options: dict[str, float]
) -> None:
    upstream = torch.randn(T, 4, 300, generator=generator(1), dtype=torch.float64)
    mine, theirs = currents(), currents()
    neuron = Neuron(LIF(surrogate=surrogate, **options))
    s = fire(neuron, mine.flatten(0, 1), Simulation(generator(), T)).unflatten(0, (T, 4))
    step = Unrolled(integral, **options)
    unrolled = torch.stack([step(x) for x in theirs])
    S = reference.lif(theirs.detach().numpy(), **options)[1]
    np.testing.assert_allclose(unrolled.detach(), S, rtol=0, atol=1e-12)
    assert torch.equal(s.detach(), torch.from_numpy(S))
    s.backward(upstream)
    unrolled.backward(upstream)
    same_gradients([mine.grad], [theirs.grad])


@each_surrogate
def test_gradient_of_if_runs_through_its_soft_reset(surrogate: Any, integral: Any) -> None:
    mine, theirs = currents(), currents()
    dynamics = IF(surrogate=surrogate, v_th=0.8, height=0.8)
    out = fire(Neuron(dynamics), mine.flatten(0, 1), Simulation(generator(), T)).unflatten(0, (T, 4))
    step = Unrolled(integral, leak=1.0, v_th=0.8, v_reset=None)
    unrolled = 0.8 * torch.stack([step(x) for x in theirs])
    np.testing.assert_allclose(unrolled.detach() / 0.8, reference.if_soft_reset(theirs.detach().numpy(), 0.8)[1])
    upstream = torch.randn(T, 4, 300, generator=generator(1), dtype=torch.float64)
    out.backward(upstream)
    unrolled.backward(upstream)
    same_gradients([mine.grad], [theirs.grad])


def test_the_comparison_can_tell_a_reset_that_is_left_out_of_the_gradient() -> None:
    gradients = []
    for step in (Unrolled(ramp), Unrolled(ramp, detach_reset=True)):
        x = currents()
        torch.stack([step(current) for current in x]).sum().backward()
        gradients.append(x.grad)
    whole, detached = gradients
    torch.testing.assert_close(whole[-1], detached[-1])  # no reset lies between the last current and the last spike
    assert (whole[0] - detached[0]).abs().max() > 0.1


# --- the potential in place of noise ---------------------------------------------------------


def potential_term(v: Tensor, leak: float, alpha: float, beta: float, axes: tuple[int, ...]) -> Tensor:
    a = leak * v  # Eq. 7
    a = (a - a.mean(axes, keepdim=True)) / a.std(axes, correction=0, keepdim=True)  # Eq. 8
    return a / (alpha * a.abs().amax(axes, keepdim=True)) + beta  # Eq. 9


def remembering(x: Tensor, integral: Callable[[Tensor], Tensor], leak: float, axes: tuple[int, ...]) -> Tensor:
    """Steps of the converted neuron at alpha = 2, which leaves no noise, from rest."""
    term, spikes = 0.5, []
    for current in x:
        h = current + term  # Eqs. 5, 6
        smooth = integral(h - 1)
        s = (h > 1).to(h.dtype) + smooth - smooth.detach()  # Eq. 2
        spikes.append(s)
        term = potential_term(h * (1 - s), leak, 2, 0.5, axes)  # Eq. 3
    return torch.stack(spikes)


@pytest.mark.parametrize(("statistics", "axes"), [(Layer(), (0, 1)), (Sample(), (1,))], ids=["layer", "sample"])
@each_surrogate
def test_gradient_of_the_converted_neuron_runs_through_its_memory(
    surrogate: Any, integral: Any, statistics: Any, axes: tuple[int, ...]
) -> None:
    dynamics = Converted(alpha=2, leak=0.7, statistics=statistics, surrogate=surrogate, first_step="rest")
    mine, theirs = currents(), currents()
    out = fire(Neuron(dynamics), mine.flatten(0, 1), Simulation(generator(), T)).unflatten(0, (T, 4))
    unrolled = remembering(theirs, integral, 0.7, axes)
    assert torch.equal(out.detach(), unrolled.detach().round())
    upstream = torch.randn(T, 4, 300, generator=generator(1), dtype=torch.float64)
    out.backward(upstream)
    unrolled.backward(upstream)
    same_gradients([mine.grad], [theirs.grad])


@pytest.mark.parametrize("statistics", [Layer(), Sample(), Frozen(0.0, 0.0)])
def test_where_all_potentials_agree_the_gradient_is_that_of_a_constant(statistics: Any) -> None:
    """All neurons fired in the first step, so the second has beta in place of a potential."""
    x = torch.full((2, 4, 3), 1.2, dtype=torch.float64, requires_grad=True)
    neuron = Neuron(Converted(alpha=2, statistics=statistics, first_step="rest"))
    fire(neuron, x.flatten(0, 1), Simulation(generator(), 2)).sum().backward()
    slope = 1 - abs(1.2 + 0.5 - 1)  # the triangle's at each step
    torch.testing.assert_close(x.grad, torch.full_like(x, slope), rtol=1e-12, atol=0)


# --- weights of a network --------------------------------------------------------------------


def cnn_step_by_step(model: Spiking, x: Tensor, integral: Callable[[Tensor], Tensor]) -> Tensor:
    """The CNN in evaluation mode, every layer called once a time step."""
    spiking = {module: Unrolled(integral) for module in model.modules() if isinstance(module, Neuron)}
    outputs = []
    for _ in range(T):
        value = x
        for module in (*model.model.encoder, model.first, *model.model.layers):
            value = spiking[module](value) if module in spiking else module(value)
        outputs.append(value)
    return torch.stack(outputs)


@pytest.mark.parametrize("readout", ["spikes", "potential"])
@each_surrogate
def test_gradients_of_a_networks_weights_are_those_of_a_loop_over_time(
    surrogate: Any, integral: Any, readout: str
) -> None:
    """The mean output over T, as it enters the loss of direct training, with all steps in one batch and one by one."""
    model, x = lively("cnn", LIF(surrogate=surrogate), readout), images(3)
    upstream = torch.randn(3, 10, generator=generator(1), dtype=torch.float64)
    gradients, means = [], []
    for forward in (
        lambda: model(x, simulation=Simulation(generator(), T)),
        lambda: cnn_step_by_step(model, x, integral),
    ):
        model.zero_grad()
        means.append(forward().mean(0))
        means[-1].backward(upstream)
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(*means, rtol=1e-9, atol=1e-9)
    same_gradients(*gradients)
    assert len(gradients[0]) == 3 * 3 + 2 * 2  # three convolutions with batch norm, two linear layers
