"""`Spiking`: a net's outputs against a loop that calls its layers step by step; its noise, its inputs, its copies."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator
from step_by_step import layer_by_layer
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from snnlib.checks import InputError
from snnlib.conversion import convert, convert_exact, ensemble
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.in_time import in_time
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Uniform
from snnlib.replace_activations import spiking
from snnlib.simulation import Simulation, current_pass, running

T, B = 5, 3
DYNAMICS = [SingleStep(), SingleStep(Uniform(), v_th=0.9), Converted(), LIF()]


def layers(dynamics: Dynamics) -> nn.Sequential:
    """Convolution, batch norm, pooling, dropout and linear layers around three layers of neurons."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = nn.Sequential(
            nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), Neuron(dynamics), nn.MaxPool2d(2), nn.Dropout(),
            nn.Conv2d(4, 4, 3, padding=1), Neuron(dynamics), nn.Flatten(), nn.Linear(36, 20), Neuron(dynamics),
            nn.Linear(20, 4),
        )  # fmt: skip
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0.1, 0.5)
    return net.double().eval()


def image(n: int = B, seed: int = 0) -> Tensor:
    return torch.randn(n, 2, 8, 8, generator=generator(seed), dtype=torch.float64) * 1.5 + 0.5


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=str)
@torch.no_grad()
def test_a_net_is_its_layers_step_by_step(dynamics: Dynamics) -> None:
    net, x = Spiking(layers(dynamics)), image()
    found = net(x, timesteps=T, generator=generator(1))
    expected = layer_by_layer(net.model, [x] * T, generator(1))
    torch.testing.assert_close(found, expected)
    assert type(found) is Tensor
    assert found.shape == (T, B, 4)
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=str)
@torch.no_grad()
def test_a_single_step_has_no_axis_of_time(dynamics: Dynamics) -> None:
    net, x = Spiking(layers(dynamics)), image()
    expected = layer_by_layer(net.model, [x], generator(1))
    torch.testing.assert_close(net(x, generator=generator(1)), expected[0])
    for found in (
        net(x, timesteps=1, generator=generator(1)),
        net(x, simulation=Simulation(generator(1))),
        net(x, simulation=Simulation(generator(1), observe=lambda *_: None)),
    ):
        torch.testing.assert_close(found, expected)
        assert type(found) is Tensor


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=str)
@torch.no_grad()
def test_frames_over_time_enter_step_by_step(dynamics: Dynamics) -> None:
    net, frames = Spiking(layers(dynamics), over_time=True), torch.stack([image(seed=t) for t in range(T)])
    expected = layer_by_layer(net.model, list(frames), generator(1))
    torch.testing.assert_close(net(frames, generator=generator(1)), expected)
    torch.testing.assert_close(net(frames, timesteps=T, generator=generator(1)), expected)
    assert not torch.allclose(expected[0], expected[1])
    one = net(frames[:1], generator=generator(1))
    torch.testing.assert_close(one, layer_by_layer(net.model, [frames[0]], generator(1)))


def test_gradients_through_time_are_those_of_the_layer_by_layer() -> None:
    net, x, gradients = Spiking(layers(LIF(0.8))), image(), []
    for outputs in (
        lambda: net(x, timesteps=T),
        lambda: layer_by_layer(net.model, [x] * T, generator()),
    ):
        net.zero_grad()
        outputs().mean(0).square().sum().backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)
        assert a.abs().max() > 1e-6


class TwoInputs(nn.Module):
    """Two inputs, an option, and a dictionary of outputs, of which one comes before all neurons and one from none."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.neuron = nn.Linear(5, 4), nn.Linear(3, 4), Neuron(LIF())
        self.scale = nn.Parameter(torch.tensor([1.5, 2.0]))

    def forward(self, a: Tensor, b: Tensor, factor: float) -> dict[str, Any]:
        current = self.left(a) + self.right(b) * factor
        spikes = self.neuron(current)
        return {"spikes": spikes, "more": [current, (spikes + current,)], "scale": self.scale * 2, "name": "two"}


@torch.no_grad()
def test_several_inputs_and_outputs_of_any_structure() -> None:
    torch.manual_seed(0)
    model = TwoInputs()
    net, a, b = Spiking(model), torch.randn(B, 5) + 1, torch.randn(B, 3)
    found = net(a, b, 0.5, timesteps=T)
    current = model.left(a) + model.right(b) * 0.5
    state, spikes = None, []
    for _ in range(T):
        s, state = LIF().step(current, state, generator())
        spikes.append(s)
    expected = torch.stack(spikes)
    assert torch.equal(found["spikes"], expected)
    assert torch.equal(found["more"][0], current.expand(T, B, 4))
    assert torch.equal(found["more"][1][0], expected + current)
    assert torch.equal(found["scale"], (2 * model.scale).expand(T, 2))
    assert found["name"] == "two"
    assert 0 < expected.mean() < 1
    single = net(a, b, 0.5)
    assert torch.equal(single["spikes"], expected[0])
    assert torch.equal(single["scale"], 2 * model.scale)


@pytest.mark.parametrize("timesteps", [None, 1, T])
@torch.no_grad()
def test_a_net_inside_a_net_follows_the_outer_ones_simulation(timesteps: int | None) -> None:
    """Its seed, its quietness and its own idea of time do not count; who looks on sees its neurons."""
    parts = layers(Converted())
    inner = Spiking(parts[:8], quiet=True).seed(99)
    outer = Spiking(nn.Sequential(inner, *parts[8:])).eval()
    x = image()
    expected = layer_by_layer(parts, [x] * (timesteps or 1), generator(1))
    found = outer(x, timesteps=timesteps, generator=generator(1))
    torch.testing.assert_close(found, expected if timesteps else expected[0])
    seen: list[nn.Module] = []
    outer(x, simulation=Simulation(generator(1), timesteps or 1, lambda neuron, *_: seen.append(neuron)))
    assert list(dict.fromkeys(seen)) == [m for m in parts if isinstance(m, Neuron)]
    assert [neuron for _, neuron in outer.neurons()] == list(dict.fromkeys(seen))


# --- noise -----------------------------------------------------------------------------------


@torch.no_grad()
def test_noise_is_pytorchs_as_that_of_dropout() -> None:
    net, x = Spiking(layers(SingleStep())), image()
    torch.manual_seed(4)
    first, second = net(x, timesteps=T), net(x, timesteps=T)
    torch.manual_seed(4)
    assert torch.equal(net(x, timesteps=T), first)
    assert not torch.equal(first, second)
    assert torch.equal(first, net(x, timesteps=T, generator=generator(4)))  # the same numbers from the same seed


@torch.no_grad()
def test_a_seeded_net_goes_on_with_a_generator_of_its_own() -> None:
    net, x, g = Spiking(layers(SingleStep())), image(), generator(7)
    expected = [net(x, timesteps=T, generator=g) for _ in range(2)]
    before = torch.get_rng_state()
    for _ in range(2):
        net.seed(7)
        assert [torch.equal(net(x, timesteps=T), e) for e in expected] == [True, True]
    assert torch.equal(torch.get_rng_state(), before)
    net.seed(7)
    other = net(x, timesteps=T, generator=generator(8))  # one that is given goes first
    assert not torch.equal(other, expected[0])
    assert torch.equal(net(x, timesteps=T), expected[0])
    assert net.seed(0) is net


def quiet_spikes(x: Tensor) -> Tensor:
    """Eqs. 5 and 2 with the mean 1/2 of the noise, and a threshold of 1."""
    return (x + 0.5 > 1).double()


@torch.no_grad()
def test_a_quiet_net_has_the_noises_mean_in_a_single_step_of_evaluation_alone() -> None:
    noise = Gaussian(k=1.0)
    quiet, noisy = (spiking(nn.ReLU(), noise, quiet=q).eval() for q in (True, False))
    x = torch.linspace(-1, 2, 300, dtype=torch.float64)[None]
    assert torch.equal(quiet(x), quiet_spikes(x))
    assert torch.equal(quiet(x, generator=generator()), quiet_spikes(x))
    for spikes in (
        noisy(x), quiet(x, timesteps=1)[0], quiet(x, simulation=Simulation())[0], quiet(x, timesteps=2)[1],
        quiet.train()(x),
    ):  # fmt: skip
        assert 0.02 < (spikes != quiet_spikes(x)).double().mean() < 0.5
        assert set(spikes.unique().tolist()) == {0.0, 1.0}
    half = spiking(nn.ReLU(), Uniform(0.6, 1.0), v_th=1.2).eval()
    assert torch.equal(half(x), (x + 0.8 > 1.2).double())


@torch.no_grad()
def test_a_quiet_net_is_so_with_any_memory() -> None:
    for noise in (Gaussian(k=1.0), Uniform(0.3, 1.0)):
        net, x = spiking(nn.ReLU(), noise).eval(), torch.linspace(-1, 2, 300)[None]
        for snn in (ensemble(net), convert(net), convert(net, alpha=3.0, beta=0.6), convert_exact(net)):
            assert torch.equal(snn(x), net(x))
        assert not torch.equal(convert(net)(x, timesteps=1)[0], net(x))


def test_two_threads_have_a_simulation_each() -> None:
    nets = [Spiking(layers(SingleStep())) for _ in range(2)]
    x = image()
    expected = [nets[0](x, timesteps=t, generator=generator(t)) for t in (2, 7)]
    with ThreadPoolExecutor(2) as pool:
        for _ in range(5):
            found = pool.map(lambda net, t: net(x, timesteps=t, generator=generator(t)), nets, (2, 7))
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_nothing_is_left_of_a_pass_that_failed() -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError

    net, x = Spiking(layers(LIF())), image()
    with pytest.raises(ZeroDivisionError):
        net(x, simulation=Simulation(timesteps=T, observe=fail))
    assert current_pass() is None
    assert net(x).shape == (B, 4)


# --- copies ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "again", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))], ids=["copied", "pickled"]
)
def test_a_copy_is_the_same_net_from_its_seed_on(again: Callable[[Spiking], Spiking]) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.Linear(9, 40))
    net = convert(spiking(Called(model)).seed(5))
    x = torch.randn(B, 6, generator=generator())
    first, second = net(x, timesteps=T), net(x, timesteps=T)
    copied = again(net)
    assert torch.equal(copied(x, timesteps=T), first)
    assert not torch.equal(first, second)
    assert [name for name, _ in copied.neurons()] == [name for name, _ in net.neurons()]
    assert [n.dynamics for _, n in copied.neurons()] == [n.dynamics for _, n in net.neurons()]
    assert not {id(p) for p in copied.parameters()} & {id(p) for p in net.parameters()}
    with torch.no_grad():
        next(copied.parameters()).zero_()
    assert torch.equal(net.seed(5)(x, timesteps=T), first)


class Called(nn.Module):
    """A model, then a ReLU as a function, then another one."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(F.relu(self.model(x) + 0.5) * 2 - 1.5)


# --- checkpoints of PyTorch ------------------------------------------------------------------


class Halves(nn.Module):
    """A net in two halves, of which the first may be computed again for its gradient, in one of PyTorch's two ways."""

    def __init__(self, again: bool, reentrant: bool = False) -> None:
        super().__init__()
        self.first, self.second, self.again = layers(SingleStep(Gaussian(k=1.0)))[:7], nn.Linear(36, 4).double(), again
        self.reentrant = reentrant

    def forward(self, x: Tensor) -> Tensor:
        half = checkpoint(self.first, x, use_reentrant=self.reentrant) if self.again else self.first(x)
        return self.second(half.flatten(1))


class Again(nn.Module):
    """A model all of which is computed again."""

    def __init__(self, model: nn.Module, reentrant: bool) -> None:
        super().__init__()
        self.model, self.reentrant = model, reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.model, x, use_reentrant=self.reentrant)


REENTRANT = pytest.mark.parametrize("reentrant", [False, True], ids=["", "reentrant"])


def gradients(outputs: Callable[[], Tensor], net: nn.Module) -> list[Tensor]:
    net.zero_grad()
    torch.manual_seed(11)
    outputs().square().sum().backward()
    return [p.grad.clone() for p in net.parameters()]


@REENTRANT
@pytest.mark.parametrize("options", [{}, {"timesteps": T}], ids=["one step", "several"])
@pytest.mark.parametrize("dynamics", [SingleStep(), Converted(), LIF()], ids=lambda d: d.kind)
def test_a_net_that_is_computed_again_has_the_same_noise(
    dynamics: Dynamics, options: dict[str, int], reentrant: bool
) -> None:
    net, x = Spiking(layers(dynamics).train()), image().requires_grad_()
    expected = gradients(lambda: net(x, **options), net)
    found = gradients(lambda: checkpoint(partial(net, **options), x, use_reentrant=reentrant), net)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(g.any() for g in expected[-2:])
    if dynamics != LIF():  # else the noise does not matter, and nothing is tested
        torch.manual_seed(12)
        other = [torch.autograd.grad(net(x, **options).square().sum(), p)[0] for p in [*net.parameters()][-1:]]
        assert not torch.equal(other[0], expected[-1])


@REENTRANT
def test_a_part_that_is_computed_again_has_the_same_noise_in_a_single_step(reentrant: bool) -> None:
    plain, again = (Spiking(Halves(a, reentrant)) for a in (False, True))
    again.load_state_dict(plain.state_dict())
    expected, found = (gradients(lambda net=net: net(image().requires_grad_()), net) for net in (plain, again))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(g.any() for g in expected)


@REENTRANT
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_what_cannot_be_computed_again_is_refused_in_a_line(reentrant: bool) -> None:
    part, whole, x = Spiking(Halves(True, reentrant)), Spiking(layers(SingleStep())), image().requires_grad_()
    shared = nn.ReLU()
    parts = (Called(nn.Identity()), nn.Sequential(shared, shared))
    functions, twice = (spiking(Again(m, reentrant), example=x) for m in parts)
    for outputs, message in (
        (lambda: part(x, timesteps=T), "neuron: torch.utils.checkpoint can compute a part of a net again only for a"),
        (lambda: part(x, generator=generator()), "neuron: torch.utils.checkpoint can compute a part of a net again"),
        (lambda: functions(x), "torch.utils.checkpoint: cannot compute an activation again that is a function or"),
        (lambda: twice(x), "torch.utils.checkpoint: cannot compute an activation again that is a function or called"),
        (
            lambda: checkpoint(partial(whole, generator=generator()), x, use_reentrant=reentrant),
            "generator: torch.util",
        ),
        (lambda: checkpoint(whole.seed(1), x, use_reentrant=reentrant), "generator: torch.utils.checkpoint sets only"),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(message)}") as error:
            outputs()
        assert "\n" not in str(error.value)
    with running(Simulation(timesteps=T)):
        late = in_time(x, 0) * 1
    with pytest.raises(InputError, match=r"^neuron: the forward pass that its input comes from is over"):
        Neuron(LIF())(late)


def test_functions_of_a_net_that_is_computed_again_as_a_whole_are_neurons_again() -> None:
    net, x = spiking(Called(nn.Linear(8, 8)), Gaussian(k=1.0)), image().float()
    for options in ({}, {"timesteps": T}):
        expected = gradients(lambda options=options: net(x, **options), net)
        again = gradients(lambda options=options: checkpoint(net, x, use_reentrant=False, **options), net)
        assert all(torch.equal(a, b) for a, b in zip(again, expected, strict=True))
        assert all(g.any() for g in expected)
