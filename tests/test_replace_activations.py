"""`spiking`: another's net whose ReLUs are neurons, against the net itself run step by step with neurons put in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import torchvision.models as vision
from conftest import generator, weights
from relus import loop
from torch import Tensor, nn

from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.dynamics import LIF, Dynamics, SingleStep
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Uniform
from snnlib.replace_activations import spiking
from snnlib.surrogate import Arctan, Triangle

T = 8


@dataclass
class OwnNoise:
    """Dynamics with a generator of their own, so that noise does not depend on which layer goes first."""

    dynamics: Dynamics
    generator: torch.Generator

    def step(self, current: Tensor, state: Tensor | None, generator: Any) -> tuple[Tensor, Tensor | None]:
        return self.dynamics.step(current, state, self.generator)


def own_noise(dynamics: list[Dynamics]) -> list[OwnNoise]:
    return [OwnNoise(d, generator(seed)) for seed, d in enumerate(dynamics)]


# --- eight steps -----------------------------------------------------------------------------


def of_torchvision(name: str) -> nn.Module:
    """With ten classes, in float64; VGG's classifier is narrow, its hundred million weights would only cost time."""
    with torch.device("meta"):
        model = getattr(vision, name)(num_classes=10)
        if name == "vgg16_bn":
            model.classifier[0], model.classifier[3] = nn.Linear(512 * 49, 32), nn.Linear(32, 32)
            model.classifier[6] = nn.Linear(32, 10)
    model = model.to_empty(device="cpu").double()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for module in model.modules():
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return model


def lively(net: nn.Module, x: Tensor) -> nn.Module:
    """The net with batch norm as after one pass, and shifted so that all its neurons fire now and then."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
            nn.init.constant_(module.bias, 0.4)
    with torch.no_grad():
        net.train()(x, generator=generator())
    return net.eval()


def eight_steps(net: Spiking, model: nn.Module, x: Tensor) -> tuple[Tensor, list[float]]:
    """The net's outputs, which are those of the model it was made from, called step by step; and rates of firing."""
    model.load_state_dict(net.model.state_dict())  # what a pass did to batch norm; names are those of the model
    dynamics = [neuron.dynamics for _, neuron in net.neurons()]
    for (_, neuron), own in zip(net.neurons(), own_noise(dynamics), strict=True):
        neuron.dynamics = own
    with torch.no_grad():
        found = net(x, timesteps=T)
    expected, rates = loop(model, x, T, own_noise(dynamics))
    torch.testing.assert_close(found, expected)
    return found, rates


@pytest.mark.parametrize("change", [lambda net: net, convert], ids=["single step", "converted"])
@pytest.mark.parametrize("name", ["resnet18", "vgg16_bn", "mobilenet_v2"])
def test_eight_steps_of_torchvisions_nets_are_the_net_called_eight_times(
    name: str, change: Callable[[nn.Module], nn.Module]
) -> None:
    """Where the model says relu, the loop has a neuron take a step: its code, its skips, one image at a time."""
    model, x = of_torchvision(name), torch.randn(2, 3, 32, 32, generator=generator(), dtype=torch.float64)
    net = change(lively(spiking(model), torch.randn(4, 3, 32, 32, generator=generator(1), dtype=torch.float64)))
    found, rates = eight_steps(net, model, x)
    assert found.shape == (T, 2, 10)
    assert not torch.allclose(found[0], found[1])
    assert all(0.01 < rate < 0.99 for rate in rates)
    assert len(rates) == T * len(list(net.neurons()))


class Translator(nn.Module):
    """Attention from what is the same at every step to spikes, with a mask for each input."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.Transformer(8, 2, 1, 1, 16, dropout=0.0, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.transformer(x, x[:, :2] * 0.5, tgt_mask=torch.eye(2).bool(), src_key_padding_mask=x[..., 0] > 1)


@pytest.mark.parametrize("change", [lambda net: net, convert], ids=["single step", "converted"])
def test_attention_meets_time(change: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = Translator().double().eval(), torch.randn(3, 5, 8, generator=generator(), dtype=torch.float64)
    found, rates = eight_steps(change(spiking(model, example=x)), model, x)
    assert found.shape == (T, 3, 2, 8)
    assert not torch.allclose(found[0], found[1])
    assert all(0 < rate < 1 for rate in rates)


class Own(nn.Module):
    """Functions, a skip from the input, a ReLU for two places, max pooling of spikes, batch norm after them."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleDict({"conv": nn.Conv2d(2, 4, 3, padding=1), "norm": nn.BatchNorm2d(4)})
        self.act, self.out = nn.ReLU(), nn.Linear(16 + 128, 3)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.inner["conv"](x), inplace=True)
        h = self.act(self.inner["norm"](h) + x.repeat(1, 2, 1, 1))
        h += x[:, :1]
        h = F.max_pool2d(self.act(F.dropout(h, training=self.training)), 2).relu()
        return self.out(torch.cat([h.flatten(1)[:, :16], x.flatten(1)], dim=1))


@pytest.mark.parametrize(
    "change", [lambda net: net, convert, lambda net: convert(net, statistics="layer", alpha=2.5)],
    ids=["single step", "converted", "over the batch"],
)  # fmt: skip
def test_eight_steps_of_ones_own_code_are_the_code_called_eight_times(change: Callable[[nn.Module], nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = Own().double(), torch.randn(3, 2, 8, 8, generator=generator(), dtype=torch.float64)
    net = change(lively(spiking(model, Gaussian(k=2.0)), x * 2))
    _, rates = eight_steps(net, model, x)
    assert all(0.01 < rate < 0.99 for rate in rates)
    assert [name for name, _ in net.neurons()] == ["relu (1)", "act (1)", "act (2)", "relu (2)"]


# --- what is kept ----------------------------------------------------------------------------


def test_the_model_stays_as_it_was() -> None:
    torch.manual_seed(0)
    model, x = Own(), torch.randn(3, 2, 8, 8, generator=generator())
    before, outputs = weights(model), model.eval()(x)
    modules = [(name, type(m), id(m)) for name, m in model.named_modules()]
    for example in (None, x):
        net = spiking(model.train(), example=example)
        assert model.training
        net(x).sum().backward()
        net.load_state_dict({key: torch.zeros_like(value) for key, value in net.state_dict().items()})
    assert weights(model) == before
    assert torch.equal(model.eval()(x), outputs)
    assert [(name, type(m), id(m)) for name, m in model.named_modules()] == modules
    assert all(p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_weights_keep_their_values_and_names() -> None:
    model = Own()
    net = spiking(model)
    assert weights(net.model) == weights(model)
    assert [f"model.{key}" for key in model.state_dict()] == list(net.state_dict())


# --- neurons ---------------------------------------------------------------------------------


def three() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Sequential(nn.Linear(5, 5), nn.ReLU()), nn.ReLU6())


def test_neurons_are_those_of_training_with_what_was_asked_for() -> None:
    dynamics = [neuron.dynamics for _, neuron in spiking(three()).neurons()]
    assert dynamics == [SingleStep(Gaussian(), Triangle(), 1.0)] * 3
    net = spiking(three(), Uniform(), Arctan(), 0.8)
    assert [neuron.dynamics for _, neuron in net.neurons()] == [SingleStep(Uniform(), Arctan(), 0.8)] * 3


def test_each_layer_can_have_noise_of_its_own() -> None:
    noises = [Gaussian(k=1.0), Uniform(), Gaussian(low=0.5, high=0.5)]
    by_name = dict(zip(["2.1", "3", "1"], [noises[1], noises[2], noises[0]], strict=True))
    for noise in (noises, tuple(noises), by_name):
        net = spiking(three(), noise)
        assert [name for name, _ in net.neurons()] == ["1", "2.1", "3"]
        assert [neuron.dynamics.noise for _, neuron in net.neurons()] == noises
        assert [net.model[i].dynamics.noise for i in (1, 3)] == [noises[0], noises[2]]
    converted = convert(net, alpha={"3": float("inf"), "1": 4.0, "2.1": 2.5})
    assert [neuron.dynamics.alpha for _, neuron in converted.neurons()] == [4.0, 2.5, float("inf")]
    assert [neuron.dynamics.noise for _, neuron in converted.neurons()] == noises


def test_every_call_gets_the_noise_of_its_place() -> None:
    """A threshold that noise alone reaches tells which call has it: 1 where it fires, 0 where it does not."""
    always, never = Gaussian(low=2.0, high=2.0), Gaussian(low=0.0, high=0.0)

    class Calls(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = nn.ReLU()

        def forward(self, x: Tensor) -> list[Tensor]:
            return [F.relu(x), self.act(x), torch.relu(x), self.act(x), x.relu()]

    for chosen in range(5):
        noise = [always if i == chosen else never for i in range(5)]
        names = [name for name, _ in spiking(Calls()).neurons()]
        assert names == ["relu (1)", "act (1)", "relu (2)", "act (2)", "relu (3)"]
        for net in (spiking(Calls(), noise), spiking(Calls(), dict(zip(names, noise, strict=True)))):
            for timesteps in (None, 3):
                found = net(torch.zeros(2, 4), timesteps=timesteps)
                assert [x.mean().item() for x in found] == [float(i == chosen) for i in range(5)]


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        ([Gaussian()] * 2, "noise: 2 values for 3 layers of neurons; there must be as many"),
        ({"1": Gaussian()}, "noise = {'1': Gaussian("),
        ({"1": Gaussian(), "2.1": Uniform(), "4": Uniform()}, "noise, layer = '4': must be one of 1, 2.1, 3"),
    ],
)
def test_noise_for_other_layers_than_there_are_is_refused(noise: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}") as error:
        spiking(three(), noise)
    assert "\n" not in str(error.value)


# --- refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: spiking("resnet18"), "model = 'resnet18': must be a torch.nn.Module"),
        (
            lambda: spiking(nn.Linear(3, 3)),
            "model = Linear: must have at least one activation to replace, of ReLU, ReLU6",
        ),
        (lambda: spiking(nn.Sequential(nn.Linear(3, 3), nn.Sigmoid())), "model = Sequential: must have at least one"),
        (lambda: spiking(spiking(three())), "model = Spiking: has neurons already; give the model that they were made"),
        (lambda: spiking(nn.Sequential(nn.ReLU(), Neuron(LIF()))), "model = Sequential: has neurons already"),
        (lambda: spiking(build("cnn", SingleStep())), "model = Spiking: has neurons already"),
        (lambda: spiking(three(), replace=(nn.ReLU, "gelu")), "replace, kind = 'gelu': must be a class of modules"),
        (lambda: spiking(three(), replace=(F.relu,)), "replace, kind = <function relu"),
        (lambda: spiking(three(), replace=nn.ReLU), "replace = <class 'torch.nn.modules.activation.ReLU'>: must be a"),
        (lambda: spiking(three(), replace=()), "replace = (): must have at least one kind of activation"),
        (lambda: spiking(three(), v_th=0), "v_th = 0: must be"),
        (lambda: spiking(three(), Gaussian), "noise = <class 'snnlib.noise.Gaussian'>: must be such as Gaussian()"),
        (lambda: spiking(three(), surrogate=0), "surrogate = 0: must be such as Triangle()"),
        (
            lambda: spiking(nn.Sequential(nn.TransformerEncoderLayer(4, 1, 8))),
            "0.self_attn = MultiheadAttention(batch_first=False): must have the batch on axis 0",
        ),
        (lambda: spiking(nn.ModuleDict({"rnn": nn.LSTM(3, 3)})), "rnn = LSTM(batch_first=False): must have the batch"),
    ],
)
def test_what_cannot_be_replaced_is_refused_in_a_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
