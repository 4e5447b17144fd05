"""What a net takes: floats and bytes, one's own code in it, a value for each layer; and what it refuses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from conftest import generator
from step_by_step import layer_by_layer
from torch import Tensor, nn

from snnlib.checks import InputError
from snnlib.dynamics import LIF
from snnlib.in_time import marked_as, plain
from snnlib.network import Reused, Spiking, per_layer
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation

T, B = 5, 3


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
        assert torch.equal(net(exact, timesteps=T), layer_by_layer(net.model, [exact] * T, generator()))
        assert torch.equal(net(pixels, timesteps=T), layer_by_layer(net.model, [exact / 3] * T, generator()))
        assert not torch.equal(net(pixels, timesteps=T), net(exact, timesteps=T))


@torch.no_grad()
def test_whole_numbers_reach_an_embedding() -> None:
    torch.manual_seed(0)
    net, tokens = (
        Spiking(nn.Sequential(nn.Embedding(9, 5), nn.Linear(5, 4), Neuron(LIF()))),
        torch.tensor([[1, 2], [8, 0]]),
    )
    assert torch.equal(net(tokens, timesteps=T), layer_by_layer(net.model, [tokens] * T, generator()))


@torch.no_grad()
def test_under_autocast_any_float_will_do() -> None:
    net = Spiking(nn.Sequential(nn.Linear(6, 4), Neuron(LIF())))
    with torch.autocast("cpu", torch.bfloat16):
        assert net(torch.ones(B, 6, dtype=torch.bfloat16)).shape == (B, 4)


class Mixing(nn.Module):
    """Spikes [B, N, 3] of N nodes, sent along the edges between them, which all inputs share, and masked."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.neuron = nn.Linear(3, 3), Neuron(LIF())

    def forward(self, x: Tensor, edges: Tensor, *, mask: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        sent = edges @ self.neuron(self.linear(x))
        return {"sent": sent if mask is None else (sent + mask["to"]).softmax(1)}


@torch.no_grad()
@pytest.mark.parametrize("over_time", [False, True])
def test_inputs_beside_the_first_may_be_shared_named_nested_and_infinite(over_time: bool) -> None:
    torch.manual_seed(0)
    net = Spiking(Mixing(), over_time=over_time)
    g = generator()
    x, edges = torch.randn(T, B, 4, 3, generator=g) * 3, torch.rand(4, 4, generator=g)
    frames = [*x] if over_time else [x[0]] * T
    x = x if over_time else x[0]
    to = torch.where(torch.rand(B, 4, 1, generator=g) > 0.3, 0.0, -math.inf)  # for each input, at all steps
    spikes = layer_by_layer(nn.Sequential(net.model.linear, net.model.neuron), frames, generator())
    steps = {} if over_time else {"timesteps": T}
    torch.testing.assert_close(net(x, edges, **steps)["sent"], edges @ spikes)
    found = net(x, edges=edges, mask={"to": to}, **steps)["sent"]
    torch.testing.assert_close(found, (edges @ spikes + to).softmax(2), equal_nan=True)
    with pytest.raises(InputError, match=r"^input: must be finite"):
        net(x, edges * math.nan, **steps)


class Code(nn.Module):
    """Neurons, and then whatever somebody's code does."""

    def __init__(self, after: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.neuron, self.after = Neuron(LIF()), after

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.neuron(x), x.size(0))


def filled(s: Tensor, n: int) -> Tensor:
    out = torch.zeros(s.size(0), 1)
    out[:, 0] = s[:, 0]
    return out


OF_EARLY_SIZE = Spiking(Code(lambda s, n: s.view(n, -1)), folds=True)
FILLED = Spiking(Code(filled), folds=True)


@dataclass
class Answer:
    """Outputs of a kind that PyTorch cannot look into."""

    logits: Tensor


class Shared(nn.Module):
    """One layer of neurons that is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.neuron = Neuron(LIF())

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.neuron(x))


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
            x = neuron(marked_as(x, y) if self.marked else y)
        return x


def test_results_of_ones_own_code_are_marked_by_hand() -> None:
    x = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(4, 6).requires_grad_()
    found = Spiking(OwnCode(marked=True))(x, timesteps=T)
    parts = nn.Sequential(Doubling(), Neuron(LIF()), Doubling(), Neuron(LIF(0.7)))
    expected = layer_by_layer(parts, [x] * T, generator())
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
        (lambda: Spiking(Mean(), folds=True)(X, timesteps=2), "an output of shape (): must have 2 inputs times"),
        (lambda: Spiking(OwnCode(marked=False), folds=True)(X, timesteps=2), "neuron: its input does not say whether"),
        (lambda: OF_EARLY_SIZE(X, timesteps=2), "an output of shape (2, "),
        (lambda: FILLED(X, timesteps=2), "an output of shape (4, "),
        (lambda: Spiking(Code(lambda s, n: Answer(s)))(X, timesteps=2), "outputs = Answer: must be tensors, or tuples"),
        (lambda: Spiking(Code(lambda s, n: ANY(s, timesteps=2)))(X), "timesteps, generator, simulation: are the outer"),
        (lambda: Spiking(Shared())(X), "neuron: called twice in a forward pass"),
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
