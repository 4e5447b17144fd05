"""`Spiking`: a net's outputs against a loop that calls its layers step by step; its noise, its inputs, its copies."""

from __future__ import annotations

import copy
import math
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble
from snnlib.in_time import in_time, plain
from snnlib.network import Reused, Spiking, per_layer
from snnlib.neurons import LIF, Converted, Dynamics, Neuron, SingleStep
from snnlib.noise import Gaussian, Uniform
from snnlib.replace_relu import spiking
from snnlib.simulation import Simulation, current_pass

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


def loop(net: nn.Sequential, frames: list[Tensor], g: torch.Generator) -> Tensor:
    """Outputs [T, B, ...]: each layer is called once a step, with a frame of ordinary tensors; noise layer by layer."""
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


# --- time ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=str)
@torch.no_grad()
def test_a_net_is_its_layers_step_by_step(dynamics: Dynamics) -> None:
    net, x = Spiking(layers(dynamics)), image()
    found = net(x, timesteps=T, generator=generator(1))
    expected = loop(net.model, [x] * T, generator(1))
    torch.testing.assert_close(found, expected)
    assert type(found) is Tensor
    assert found.shape == (T, B, 4)
    assert not torch.equal(found[0], found[1])


@pytest.mark.parametrize("dynamics", DYNAMICS, ids=str)
@torch.no_grad()
def test_a_single_step_has_no_axis_of_time(dynamics: Dynamics) -> None:
    net, x = Spiking(layers(dynamics)), image()
    expected = loop(net.model, [x], generator(1))
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
    expected = loop(net.model, list(frames), generator(1))
    torch.testing.assert_close(net(frames, generator=generator(1)), expected)
    torch.testing.assert_close(net(frames, timesteps=T, generator=generator(1)), expected)
    assert not torch.allclose(expected[0], expected[1])
    one = net(frames[:1], generator=generator(1))
    torch.testing.assert_close(one, loop(net.model, [frames[0]], generator(1)))


def test_gradients_through_time_are_those_of_the_loop() -> None:
    net, x, gradients = Spiking(layers(LIF(0.8))), image(), []
    for outputs in (
        lambda: net(x, timesteps=T),
        lambda: loop(net.model, [x] * T, generator()),
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
    expected = loop(parts, [x] * (timesteps or 1), generator(1))
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
def test_only_single_step_neurons_are_quiet() -> None:
    net, x = spiking(nn.ReLU(), Gaussian(k=1.0)).eval(), torch.linspace(-1, 2, 300)[None]
    assert torch.equal(ensemble(net)(x), net(x))
    assert not torch.equal(convert(net)(x), net(x))


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
    """A net in two halves, of which the first may be computed again for its gradient."""

    def __init__(self, again: bool) -> None:
        super().__init__()
        self.first, self.second, self.again = layers(SingleStep(Gaussian(k=1.0)))[:7], nn.Linear(36, 4).double(), again

    def forward(self, x: Tensor) -> Tensor:
        half = checkpoint(self.first, x, use_reentrant=False) if self.again else self.first(x)
        return self.second(half.flatten(1))


def gradients(outputs: Callable[[], Tensor], net: nn.Module) -> list[Tensor]:
    net.zero_grad()
    torch.manual_seed(11)
    outputs().square().sum().backward()
    return [p.grad.clone() for p in net.parameters()]


@pytest.mark.parametrize("options", [{}, {"timesteps": T}], ids=["one step", "several"])
@pytest.mark.parametrize("dynamics", [SingleStep(), Converted(), LIF()], ids=lambda d: d.kind)
def test_a_net_that_is_computed_again_has_the_same_noise(dynamics: Dynamics, options: dict[str, int]) -> None:
    net, x = Spiking(layers(dynamics).train()), image()
    expected = gradients(lambda: net(x, **options), net)
    found = gradients(lambda: checkpoint(net, x, use_reentrant=False, preserve_rng_state=True, **options), net)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(g.any() for g in expected[-2:])
    if dynamics != LIF():  # else the noise does not matter, and nothing is tested
        torch.manual_seed(12)
        other = [torch.autograd.grad(net(x, **options).square().sum(), p)[0] for p in [*net.parameters()][-1:]]
        assert not torch.equal(other[0], expected[-1])


def test_a_part_that_is_computed_again_has_the_same_noise_in_a_single_step() -> None:
    plain, again = (Spiking(Halves(a)) for a in (False, True))
    again.load_state_dict(plain.state_dict())
    expected, found = (gradients(lambda net=net: net(image()), net) for net in (plain, again))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert all(g.any() for g in expected)


def test_what_cannot_be_computed_again_is_refused() -> None:
    net = Spiking(Halves(again=True))
    with pytest.raises(InputError, match=r"the forward pass that its input comes from is over; torch.utils.checkpoint"):
        net(image(), timesteps=T).sum().backward()
    whole = Spiking(layers(SingleStep()))
    for outputs in (
        lambda: checkpoint(whole, image(), generator=generator(), use_reentrant=False),
        lambda: checkpoint(whole.seed(1), image(), use_reentrant=False),
    ):
        with pytest.raises(InputError, match=r"generator: goes on where torch.utils.checkpoint computes the net again"):
            outputs().sum().backward()


# --- inputs ----------------------------------------------------------------------------------


@torch.no_grad()
def test_floats_are_taken_as_they_are_and_bytes_are_divided_by_255() -> None:
    torch.manual_seed(0)
    net = Spiking(nn.Sequential(nn.Linear(6, 20), Neuron(LIF()), nn.Linear(20, 2)))
    pixels = torch.randint(256, (B, 6), generator=generator(), dtype=torch.uint8)
    for scaled in (net, net.double()):
        dtype = next(scaled.parameters()).dtype
        exact = torch.tensor([[v / 255 for v in row] for row in pixels.tolist()], dtype=dtype) * 3
        net.model[0].weight.copy_(net.model[0].weight.abs())
        assert torch.equal(net(exact, timesteps=T), loop(net.model, [exact] * T, generator()))
        assert torch.equal(net(pixels, timesteps=T), loop(net.model, [exact / 3] * T, generator()))
        assert not torch.equal(net(pixels, timesteps=T), net(exact, timesteps=T))


@torch.no_grad()
def test_whole_numbers_reach_an_embedding() -> None:
    torch.manual_seed(0)
    net, tokens = (
        Spiking(nn.Sequential(nn.Embedding(9, 5), nn.Linear(5, 4), Neuron(LIF()))),
        torch.tensor([[1, 2], [8, 0]]),
    )
    assert torch.equal(net(tokens, timesteps=T), loop(net.model, [tokens] * T, generator()))


@torch.no_grad()
def test_under_autocast_any_float_will_do() -> None:
    net = Spiking(nn.Sequential(nn.Linear(6, 4), Neuron(LIF())))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.ones(B, 6, dtype=torch.bfloat16)).shape == (B, 4)


class Mean(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean()


class Twice(nn.Module):
    """One layer of neurons for two calls."""

    def __init__(self) -> None:
        super().__init__()
        self.neurons = Reused([Neuron(LIF())])

    def forward(self, x: Tensor) -> Tensor:
        return self.neurons(self.neurons(x))


class Doubled(torch.autograd.Function):
    """Code that PyTorch does not look into, and that makes a new tensor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.empty(x.shape, dtype=x.dtype).copy_(2 * plain(x))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return 2 * grad


class OwnCode(nn.Module):
    """A function of one's own before each layer of neurons, whose result is marked or not."""

    def __init__(self, marked: bool) -> None:
        super().__init__()
        self.neurons, self.marked = nn.ModuleList([Neuron(LIF()), Neuron(LIF(0.7))]), marked

    def forward(self, x: Tensor) -> Tensor:
        for neuron in self.neurons:
            y = Doubled.apply(x - 0.2)
            x = neuron(in_time(y, x.timesteps) if self.marked else y)
        return x


def test_results_of_ones_own_code_are_marked_by_hand() -> None:
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(4, 6).requires_grad_()
    found = Spiking(OwnCode(marked=True))(x, timesteps=T)
    parts = nn.Sequential(Doubling(), Neuron(LIF()), Doubling(), Neuron(LIF(0.7)))
    expected = loop(parts, [x] * T, generator())
    assert torch.equal(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(y.sum(), x)[0] for y in (found, expected)))


class Doubling(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * (x - 0.2)


def small(**options: Any) -> Spiking:
    return Spiking(nn.Sequential(nn.Linear(6, 4), Neuron(LIF())), **options).eval()


SHAPED, OVER_TIME, ANY = small(input_shape=(6,)), small(input_shape=(6,), over_time=True), small()
X = torch.ones(2, 6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: SHAPED(), "input = None: must be a tensor"),
        (lambda: SHAPED([1.0]), "input = [1.0]: must be a tensor"),
        (lambda: SHAPED(torch.ones(2, 5)), "input of shape (2, 5): must be [B, ...] with (6,) for the dots"),
        (lambda: SHAPED(torch.ones(6)), "input of shape (6,): must be [B, ...] with (6,) for the dots"),
        (lambda: OVER_TIME(X[:, :5, None]), "input of shape (2, 5, 1): must be [T, B, ...] with (6,) for the dots"),
        (lambda: OVER_TIME(X), "input of shape (2, 6): must be [T, B, ...] with (6,) for the dots"),
        (lambda: ANY(torch.ones(())), "input of shape (): must have a batch, and at least one value in it"),
        (lambda: ANY(torch.ones(0, 6)), "input of shape (0, 6): must have a batch, and at least one value in it"),
        (lambda: ANY(torch.ones(2, 0)), "input of shape (2, 0): must have a batch, and at least one value in it"),
        (lambda: OVER_TIME(torch.ones(0, 2, 6)), "timesteps = 0: must be a whole number of at least 1"),
        (lambda: SHAPED(X.double()), "input of torch.float64: must be of torch.float32, as the weights, or bytes"),
        (lambda: SHAPED(X.half()), "input of torch.float16: must be of torch.float32, as the weights, or bytes"),
        (lambda: SHAPED(X.to("meta")), "input on meta: must be on cpu, as the weights"),
        (lambda: SHAPED(X * math.nan), "input: must be finite; some value is nan or infinite"),
        (lambda: SHAPED(X / 0), "input: must be finite; some value is nan or infinite"),
        (lambda: SHAPED(X, timesteps=0), "timesteps = 0: must be a whole number of at least 1"),
        (lambda: SHAPED(X, timesteps="2"), "timesteps = '2': must be a whole number of at least 1"),
        (lambda: SHAPED(X, timesteps=10_001), "timesteps = 10001: must be at most 10000"),
        (lambda: SHAPED(X, generator=3), "generator = 3: must be a torch.Generator"),
        (lambda: SHAPED(X, simulation=3), "simulation = 3: must be a Simulation"),
        (lambda: SHAPED(X, timesteps=2, simulation=Simulation()), "simulation: has timesteps and generator of its own"),
        (lambda: SHAPED(X, generator=generator(), simulation=Simulation()), "simulation: has timesteps and generator"),
        (lambda: OVER_TIME(torch.ones(3, 2, 6), timesteps=2), "timesteps = 2: must be 3, the length of the input"),
        (lambda: OVER_TIME(torch.ones(3, 2, 6), simulation=Simulation(timesteps=2)), "input of 3 steps: must be of 2"),
        (lambda: SHAPED.seed(-1), "seed = -1: must be a whole number of at least 0"),
        (lambda: SHAPED.seed(1.5), "seed = 1.5: must be a whole number of at least 0"),
        (lambda: Spiking(Mean())(X, timesteps=2), "output of shape (): must have the batch on axis 0"),
        (lambda: Spiking(OwnCode(marked=False))(X, timesteps=2), "neuron: its input does not say whether"),
        (lambda: Spiking(Twice())(X), "the forward pass calls an activation"),
        (lambda: Reused([Neuron(LIF())])(X), "a layer that is called several times: must be called inside its"),
    ],
)  # fmt: skip
def test_what_a_net_cannot_take_is_refused_in_a_line(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        call()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# --- a value for each layer ------------------------------------------------------------------


def test_a_value_for_each_layer_is_one_a_list_or_a_mapping() -> None:
    names = ["a", "b"]
    assert per_layer("alpha", 4.0, names) == [4.0, 4.0]
    assert per_layer("alpha", (2, 3), names) == per_layer("alpha", {"b": 3, "a": 2}, names) == [2, 3]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0], "alpha: 1 values for 2 layers of neurons; there must be as many"),
        ({"a": 1.0}, "alpha = {'a': 1.0}: must have each layer of neurons; b is missing"),
        ({"a": 1.0, "b": 2.0, "c": 3.0}, "alpha, layer = 'c': must be one of a, b"),
    ],
)
def test_a_layer_that_is_not_there_or_has_no_value_is_named(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        per_layer("alpha", value, ["a", "b"])
