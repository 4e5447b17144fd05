"""The same neurons in SpikingJelly, where it is installed (the extra `bench`): equal spikes on random currents."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from conftest import generator
from torch import Tensor

from snnlib.ann import IF
from snnlib.neurons import LIF, Neuron, Simulation
from snnlib.surrogate import Arctan, Sigmoid

neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")

T = 50


def currents() -> Tensor:
    """Random currents [T, B, n]. No potential equals the threshold, where SpikingJelly fires and Eq. 2 does not."""
    return torch.randn(T, 8, 200, generator=generator(), dtype=torch.float64) * 0.8 + 0.3


def ours(dynamics: Any, x: Tensor) -> Tensor:
    return Neuron(dynamics)(x.flatten(0, 1), Simulation(generator(), T)).unflatten(0, (T, -1))


@pytest.mark.parametrize("v_th", [1.0, 0.6])
@pytest.mark.parametrize("leak", [0.1, 0.5, 0.9])
def test_lif_fires_with_spikingjellys(leak: float, v_th: float) -> None:
    """Its V - V / tau + X is Eq. 1 for tau = 1 / (1 - leak)."""
    theirs = neuron.LIFNode(tau=1 / (1 - leak), decay_input=False, v_threshold=v_th, v_reset=0.0, step_mode="m")
    x = currents()
    s = ours(LIF(leak=leak, v_th=v_th), x)
    assert torch.equal(s, theirs(x))
    assert 0.1 < s.mean() < 0.9


@pytest.mark.parametrize("v_init", [0.0, 0.5])
@pytest.mark.parametrize("v_th", [1.0, 0.6])
def test_if_fires_with_spikingjellys(v_th: float, v_init: float) -> None:
    """v_reset = None is its reset by subtraction."""
    theirs = neuron.IFNode(v_threshold=v_th, v_reset=None, step_mode="m")
    theirs.v = v_init
    x = currents()
    s = ours(IF(v_init=v_init, v_th=v_th), x)
    assert torch.equal(s, theirs(x))
    assert 0.1 < s.mean() < 0.9


@pytest.mark.parametrize("kind", ["lif", "if"])
@pytest.mark.parametrize(
    ("mine", "theirs"),
    [(Arctan(2.0), surrogate.ATan(alpha=2.0)), (Sigmoid(4.0), surrogate.Sigmoid(alpha=4.0))],
    ids=["arctan", "sigmoid"],
)
def test_gradients_through_time_are_spikingjellys(kind: str, mine: Any, theirs: Any) -> None:
    """With the same surrogate, and the reset in the graph on both sides."""
    options = {"surrogate_function": theirs, "detach_reset": False, "step_mode": "m"}
    if kind == "lif":
        dynamics, node = LIF(leak=0.5, surrogate=mine), neuron.LIFNode(tau=2.0, decay_input=False, **options)
    else:
        dynamics, node = IF(surrogate=mine), neuron.IFNode(v_reset=None, **options)
    upstream = torch.randn(T, 8, 200, generator=generator(1), dtype=torch.float64)
    gradients = []
    for f in (lambda x: ours(dynamics, x), node):
        x = currents().requires_grad_()
        f(x).backward(upstream)
        gradients.append(x.grad)
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)
    assert gradients[0].std() > 0.1
