"""Frozen nets folded into leaky integrate-and-fire nets: the same spikes, and what the clamp changes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import reference
import torch
from conftest import generator, images, lively, weights
from torch import Tensor, nn

from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble, with_dynamics
from snnlib.deploy.folding import NoisyLIF, absorb, clamped, fold, without_noise
from snnlib.dynamics import LIF, Converted, SingleStep
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Uniform
from snnlib.replace_activations import spiking
from snnlib.simulation import Simulation
from snnlib.statistics import Frozen

SHAPES = {"cnn": (1, 28, 28), "resnet8": (3, 16, 16), "resnet8_256": (3, 16, 16), "resnet18": (3, 16, 16)}
T = 6


def frozen(network: str = "cnn", stretch: float = 3.0, noise: object = None, **options: object) -> Spiking:
    """A lively net with frozen statistics, peaks ``stretch`` times those that were measured: at 3, none is reached."""
    model = lively(network, SingleStep(noise or Gaussian()), input_shape=SHAPES[network])
    model = convert(model, statistics="frozen", calibration=images(8, SHAPES[network], seed=3), timesteps=T, **options)

    def wider(neuron: Neuron) -> Converted:
        s = neuron.dynamics.statistics
        return replace(neuron.dynamics, statistics=Frozen(s.mean, stretch * s.peak))

    return with_dynamics(model, wider)


def run(model: Spiking, network: str = "cnn", seed: int = 0) -> tuple[Tensor, list[Tensor]]:
    """Outputs [T, B, classes], and every layer's spikes, step by step."""
    spikes = []
    with torch.no_grad():
        x = images(6, SHAPES[network])
        outputs = model(x, simulation=Simulation(generator(seed), T, lambda neuron, t, s, state: spikes.append(s)))
    return outputs, spikes


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("cnn", {}),
        ("resnet8", {}),
        ("resnet8_256", {}),
        ("resnet18", {}),
        ("cnn", {"alpha": 2.0}),
        ("cnn", {"alpha": math.inf}),
        ("cnn", {"alpha": 3.0, "beta": 0.3, "leak": 0.9}),
        ("cnn", {"first_step": "rest"}),
        ("cnn", {"noise": Uniform()}),
    ],
)
def test_every_spike_of_the_folded_net_is_the_frozen_nets(network: str, options: dict) -> None:
    model = frozen(network, **options)
    if math.isfinite(options.get("alpha", 4.0)):
        assert (clamped(model, images(6, SHAPES[network]), generator(), T).share == 0).all()
    outputs, spikes = run(model, network)
    layers = len(list(model.neurons()))
    rates = [torch.stack(spikes[i * T : (i + 1) * T]).mean() for i in range(layers)]
    assert all(0 < rate < 1 for rate in rates)
    for folded in (fold(model), absorb(fold(model))):
        ours, same = run(folded, network)
        assert torch.equal(ours, outputs)
        assert all(torch.equal(a, b) for a, b in zip(spikes, same, strict=True))


@pytest.mark.parametrize("first_step", ["noise", "rest"])
def test_without_noise_and_time_it_is_the_frozen_net_too(first_step: str) -> None:
    """What ``net(x)`` says of a net that `spiking` made, in evaluation mode."""
    model = frozen(first_step=first_step)
    x = images(6)
    with torch.no_grad():
        quiet = [
            net(x, simulation=Simulation(generator(seed), quiet=True))
            for seed in (0, 1)
            for net in (model, fold(model))
        ]
        drawn = model(x, simulation=Simulation(generator(0)))
    assert all(torch.equal(quiet[0], other) for other in quiet[1:])
    assert not torch.equal(quiet[0], drawn)


def test_every_spike_is_the_same_where_currents_lie_otherwise_in_memory() -> None:
    """Axes swapped before the neurons: noise goes to the same ones at once, step by step, and folded."""

    class Swapped(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.transpose(1, 2)

    torch.manual_seed(0)
    net = spiking(nn.Sequential(nn.Linear(6, 8), Swapped(), nn.ReLU(), nn.Flatten(), nn.Linear(40, 3)))
    x = torch.rand(4, 5, 6)
    model = convert(net, statistics="frozen", calibration=x, timesteps=T)
    with torch.no_grad():
        expected = model(x, timesteps=T, generator=generator())
        folded = fold(model)
        at_once = folded(x, timesteps=T, generator=generator())
        stepwise = folded(x, simulation=Simulation(generator(), T, lambda *_: None))
    assert torch.equal(at_once, expected)
    assert torch.equal(stepwise, expected)


def test_leak_and_bias_are_the_closed_form() -> None:
    d = Converted(alpha=5.0, beta=0.4, leak=0.6, statistics=Frozen(mean=0.3, peak=1.5))
    (_, first), *_ = fold(with_dynamics(lively(), lambda neuron: d)).neurons()
    assert first.dynamics.leak == pytest.approx(0.6 / (5 * 1.5))
    assert first.dynamics.bias == pytest.approx(0.4 - 0.3 / (5 * 1.5))
    assert (first.dynamics.noise.low, first.dynamics.noise.high) == pytest.approx((0.1 - 0.3, 0.1 + 0.3))
    assert first.dynamics.first == d.noise
    flat = replace(d, statistics=Frozen(mean=0.3, peak=0.0))  # calibrated on equal potentials: no memory
    (_, first), *_ = fold(with_dynamics(lively(), lambda neuron: flat)).neurons()
    assert (first.dynamics.leak, first.dynamics.bias) == (0, 0.4)


def test_a_step_is_the_papers_lif_with_a_bias() -> None:
    currents = np.random.default_rng(0).normal(0.3, 0.6, (8, 50))
    constant = Gaussian(low=0.1, high=0.1)
    d = NoisyLIF(leak=0.7, bias=0.2, noise=constant, first=Gaussian(low=0.3, high=0.3), v_th=0.9, v_reset=-0.1)
    _, spikes, potentials = reference.lif(currents + 0.3, leak=0.7, v_th=0.9, v_reset=-0.1)
    state = None
    for current, s, v in zip(currents, spikes, potentials, strict=True):
        ours, state = d.step(torch.from_numpy(current), state, generator())
        assert np.array_equal(ours.numpy(), s)
        assert state.numpy() == pytest.approx(v)
    assert 0 < spikes.mean() < 1


def test_clamped_is_the_share_of_terms_beyond_the_range() -> None:
    model = frozen(stretch=0.5)
    found = {name: [] for name, _ in model.neurons()}
    names = {neuron: name for name, neuron in model.neurons()}

    def observe(neuron: Neuron, t: int, s: Tensor, v: Tensor) -> None:
        if t < T:
            found[names[neuron]].append(v.numpy())

    with torch.no_grad():
        model(images(6), simulation=Simulation(generator(), T, observe))
    table = clamped(model, images(6), generator(), T).set_index("layer")
    for name, neuron in model.neurons():
        mean, peak = neuron.dynamics.statistics.mean, neuron.dynamics.statistics.peak
        distance = np.abs(0.5 * np.stack(found[name]) - mean)
        assert table.share[name] == pytest.approx((distance > peak).mean())
        assert table.beyond[name] == pytest.approx(distance.max() / peak - 1)
    assert (table.share > 0).all()
    assert not torch.equal(run(fold(model))[0], run(model)[0])  # and there the two nets part


def test_absorbing_leaves_convolution_and_neuron_and_the_model_as_it_was() -> None:
    model = fold(frozen())
    before = weights(model)
    absorbed = absorb(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in absorbed.modules())
    assert all(neuron.dynamics.bias == 0 for _, neuron in absorbed.neurons())
    assert weights(model) == before
    assert fold(frozen()).first.dynamics == model.first.dynamics


def own(*layers: nn.Module) -> Spiking:
    """A reader's net of such layers before two of ReLUs, folded; its batch norm has seen other images."""
    torch.manual_seed(0)
    model = nn.Sequential(*layers, nn.ReLU(), nn.Linear(12, 5, bias=False), nn.ReLU()).double()
    x = 6 * images(64, (1, 4, 6), seed=2)
    for _ in range(3):
        model.train()(x)
    net = convert(spiking(model.eval()), statistics="frozen", calibration=x, timesteps=T)
    return fold(net)


CONVOLUTION = (nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2), nn.AvgPool2d(2), nn.Flatten())


@pytest.mark.parametrize("layers", [CONVOLUTION, (nn.Flatten(), nn.Linear(24, 12, bias=False))])
def test_a_net_without_biases_gets_them_when_they_are_absorbed(layers: tuple[nn.Module, ...]) -> None:
    torch.manual_seed(0)  # with other weights the net may be silent
    for layer in layers:
        getattr(layer, "reset_parameters", lambda: None)()
    model = own(*layers)
    absorbed = absorb(model)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in absorbed.modules())
    x = 6 * images(6, (1, 4, 6))
    found = [net(x, simulation=Simulation(generator(), T)) for net in (model, absorbed)]
    assert torch.equal(*found)
    assert 0 < found[0].mean() < 1


@pytest.mark.parametrize("other", [nn.LayerNorm(12), nn.Tanh(), nn.BatchNorm1d(12), nn.AvgPool1d(3, 1, 1)])
def test_what_a_bias_cannot_pass_is_refused(other: nn.Module) -> None:
    with pytest.raises(InputError, match=rf"layer = {type(other).__name__}\(.*: stands before a neuron"):
        absorb(own(nn.Flatten(), nn.Linear(24, 12), other))


@pytest.mark.parametrize("pool", [nn.AvgPool2d(2, divisor_override=3), nn.AvgPool2d(2, padding=1)])
def test_a_pool_that_is_no_plain_mean_is_refused(pool: nn.Module) -> None:
    with pytest.raises(InputError, match=r"layer = AvgPool2d\(.*: stands before a neuron"):
        absorb(own(nn.Conv2d(1, 12, 3, padding=1), pool, nn.AdaptiveAvgPool2d(1), nn.Flatten()))


class OfItsOwn(nn.Module):
    """Calls its layers in another order than the one in which it has them."""

    def __init__(self) -> None:
        super().__init__()
        self.second, self.first, self.activation = nn.Linear(12, 5), nn.Linear(24, 12), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.activation(self.first(x)))


class WithFunctions(OfItsOwn):
    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


@pytest.mark.parametrize("kind", [OfItsOwn, WithFunctions])
def test_a_net_whose_own_code_calls_its_layers_is_refused(kind: type[nn.Module]) -> None:
    x = images(8, (24,))
    net = fold(convert(spiking(kind().double().eval()), statistics="frozen", calibration=x, timesteps=T))
    with pytest.raises(InputError, match=f"layer = {kind.__name__}: what its code calls before a neuron is not known"):
        absorb(net)


def test_folding_shares_every_weight() -> None:
    model = frozen()
    pairs = zip(model.parameters(), fold(model).parameters(), strict=True)
    assert all(a.data_ptr() == b.data_ptr() for a, b in pairs)


@pytest.mark.parametrize("network", ["cnn", "resnet18"])
def test_without_noise_is_the_folded_net_with_its_noise_at_the_mean(network: str) -> None:
    folded = fold(frozen(network, alpha=3.0, beta=0.4))  # N' has mean 0.1

    def silent(neuron: Neuron) -> NoisyLIF:
        d = neuron.dynamics
        mean = d.noise.within(d.noise.centre, 0)
        return replace(d, noise=mean, first=mean.within(mean.centre + d.bias, 0))

    plain = without_noise(folded)
    assert {type(neuron.dynamics) for _, neuron in plain.neurons()} == {LIF}
    outputs, spikes = run(with_dynamics(folded, silent), network)
    ours, same = run(plain, network, seed=9)  # no chance is left
    assert torch.equal(ours, outputs)
    assert all(torch.equal(a, b) for a, b in zip(spikes, same, strict=True))
    assert 0 < outputs.mean() < 1


def test_what_cannot_be_folded_is_refused() -> None:
    model = lively()
    with pytest.raises(InputError, match="statistics = layer: must be frozen"):
        fold(convert(model, statistics="layer"))
    with pytest.raises(InputError, match="dynamics = single_step: only a converted net can be folded"):
        fold(ensemble(model))
    for change in (absorb, without_noise):
        with pytest.raises(InputError, match="dynamics = converted: must be a folded net"):
            change(frozen())
    for leak in (-1, math.inf):
        with pytest.raises(InputError, match=f"leak = {leak}"):
            NoisyLIF(leak=leak)
    for field, value, allowed in (("noise", 3, "Gaussian"), ("first", None, "Gaussian"), ("surrogate", 3, "Triangle")):
        with pytest.raises(InputError, match=f"{field} = {value}: must be such as {allowed}"):
            NoisyLIF(**{field: value})
    with pytest.raises(InputError, match="v_th = 1e-300: must be a number between"):
        NoisyLIF(v_th=1e-300)
