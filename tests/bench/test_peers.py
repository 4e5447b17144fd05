"""Neurons and CNN in other libraries, where they are installed (the extra `bench`): equal spikes, equal outputs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
import torch
from conftest import generator
from step_by_step import fire
from torch import Tensor, nn

from reproduce.bench import peers
from snnlib import models
from snnlib.baselines.ann_neurons import IF
from snnlib.checks import InputError
from snnlib.dynamics import LIF
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation
from snnlib.surrogate import Arctan, Sigmoid

neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")

T = 50


def currents() -> Tensor:
    """Random currents [T, B, n]. No potential equals the threshold, where SpikingJelly fires and Eq. 2 does not."""
    return torch.randn(T, 8, 200, generator=generator(), dtype=torch.float64) * 0.8 + 0.3


def ours(dynamics: Any, x: Tensor) -> Tensor:
    return fire(Neuron(dynamics), x.flatten(0, 1), Simulation(generator(), T)).unflatten(0, (T, -1))


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


# --- the CNN of snnlib.peers -----------------------------------------------------------------

SHAPE = {"width": 0.125, "input_shape": (3, 8, 8), "classes": 4}


@pytest.fixture(params=peers.PEERS)
def peer(request: pytest.FixtureRequest) -> str:
    if request.param not in peers.installed():
        pytest.skip(f"{request.param} is not installed")
    return request.param


def images(batch: int = 16) -> Tensor:
    return torch.randn(batch, 3, 8, 8, generator=generator()).to(memory_format=torch.channels_last)


def weighted(model: nn.Module) -> list[nn.Module]:
    return [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]


def our_cnn() -> models.Spiking:
    """Random weights under which all layers fire, and batch norm's averages of one pass over four steps."""
    torch.manual_seed(0)
    net = models.build("cnn", LIF(), readout="potential", **SHAPE)
    for m in weighted(net):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight)
        elif isinstance(m, nn.BatchNorm2d):
            nn.init.uniform_(m.bias)
            m.momentum = None
    with torch.no_grad():
        net(images(), simulation=Simulation(generator(), 4))
    return net.eval()


def test_a_peers_cnn_has_our_parameters(peer: str) -> None:
    mine = models.build("cnn", LIF(), readout="potential", **SHAPE)
    theirs = peers.peer_net(peer, 2, **SHAPE)
    assert [p.shape for p in theirs.parameters()] == [p.shape for p in mine.parameters()]


def test_a_peer_that_is_unknown_or_missing_is_refused(peer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="must be one of SpikingJelly, snnTorch, Norse"):
        peers.peer_net("Brian", 1)
    with pytest.raises(InputError, match="timesteps = 0"):
        peers.peer_net(peer, 0)

    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(peers, "version", missing)
    assert peers.installed() == {}
    with pytest.raises(InputError, match=r"pip install -e '\.\[bench\]'"):
        peers.peer_net(peer, 1)


@pytest.mark.parametrize("timesteps", [1, 4])
def test_a_peers_cnn_computes_what_ours_does(peer: str, timesteps: int) -> None:
    """SpikingJelly fires at the threshold too, which no potential hits; snnTorch resets just before the next step."""
    net = our_cnn()
    theirs = peers.peer_net(peer, timesteps, **SHAPE).eval()
    for a, b in zip(weighted(net), weighted(theirs), strict=True):
        b.load_state_dict(a.state_dict())
    with torch.no_grad():
        if peer == "Norse":  # halves each current, so all that reaches a neuron is doubled
            *hidden, _ = (m for m in weighted(theirs) if not isinstance(m, nn.Conv2d))
            for m in hidden:
                m.weight *= 2
                m.bias *= 2
        expected = net(images(), simulation=Simulation(generator(), timesteps))
        torch.testing.assert_close(theirs(images()), expected.mean(0), rtol=1e-4, atol=1e-4)
    assert expected.mean(0).std(0).min() > 0.1  # the images matter, so the last neurons fire
    assert timesteps == 1 or (expected[0] - expected[1]).abs().max() > 0.1  # and so does the potential


def test_every_pass_of_a_peer_starts_from_rest(peer: str) -> None:
    net = peers.peer_net(peer, 3, **SHAPE)
    for m, trained in zip(weighted(net), weighted(our_cnn()), strict=True):
        m.load_state_dict(trained.state_dict())
    net.eval()
    with torch.no_grad():
        first = net(images())
        net(images(5))
        assert torch.equal(net(images()), first)
        assert torch.equal(net(images()), first)
    assert first.std() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_peers_cnn_trains(peer: str, dtype: torch.dtype) -> None:
    """Twice, so that a state left over from the first pass would break the second backward."""
    net = peers.peer_net(peer, 2, **SHAPE).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    labels = torch.arange(16) % 4
    for _ in range(2):
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            outputs = net(images())
        assert outputs.shape == (16, 4)
        assert outputs.dtype == dtype
        optimizer.zero_grad()
        nn.functional.cross_entropy(outputs.float(), labels).backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())
        assert net.encoder[0].weight.grad.abs().sum() > 0
        optimizer.step()
