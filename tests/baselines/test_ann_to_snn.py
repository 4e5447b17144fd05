"""From a ReLU or QCFS net to IF neurons: batch norm folded, thresholds measured, outputs approached at the rate 1/T."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator, images, lively, weights
from torch import Tensor, nn

from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.baselines.ann_to_snn import fold_batch_norm, thresholds, to_spiking
from snnlib.checks import InputError
from snnlib.dynamics import LIF, SingleStep
from snnlib.layers import in_sequence
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation

NETWORKS = ("cnn", "vgg16", "resnet18")


def trained(network: str = "cnn", dynamics: Any = None, **options: Any) -> Spiking:
    """A lively ANN; batch norm with running statistics and affine parameters far from 0 and 1, some negative."""
    model = lively(network, dynamics or ReLU(), "potential", **options)
    g = generator(3)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.running_mean, -0.1, 0.1), (module.weight.data, -0.2, 0.2), (module.bias.data, -0.1, 0.1),
            ):  # fmt: skip
                tensor += torch.rand(tensor.shape, generator=g, dtype=tensor.dtype) * (high - low) + low
            module.running_var *= torch.rand(module.running_var.shape, generator=g, dtype=torch.float64) + 0.5
            module.weight.data[0] *= -1
    return model


@torch.no_grad()
def outputs(model: Spiking, x: Tensor, timesteps: int = 1) -> Tensor:
    return model(x, simulation=Simulation(generator(), timesteps))


def modules(model: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, kind)]


def dynamics(model: Spiking) -> list[Any]:
    return [neuron.dynamics for _, neuron in model.neurons()]


# --- batch norm ------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_folding_batch_norm_keeps_the_outputs_and_the_original(network: str) -> None:
    model = trained(network).train()
    before = weights(model)
    folded = fold_batch_norm(model)
    assert model.training
    assert modules(model, nn.BatchNorm2d)
    assert weights(model) == before
    assert not any(m.training for m in folded.modules())
    assert not modules(folded, nn.BatchNorm2d)
    x = images(4, model.input_shape)
    expected = outputs(model.eval(), x)
    torch.testing.assert_close(outputs(folded, x), expected, rtol=1e-9, atol=1e-9)
    assert expected.std() > 0.1
    assert not {id(p) for p in model.parameters()} & {id(p) for p in folded.parameters()}


@pytest.mark.parametrize("network", NETWORKS)
def test_each_convolution_takes_its_own_batch_norm_in(network: str) -> None:
    model = trained(network)
    convolutions, norms = modules(model, nn.Conv2d), modules(model, nn.BatchNorm2d)
    for conv, bn, new in zip(convolutions, norms, modules(fold_batch_norm(model), nn.Conv2d), strict=True):
        parts = (conv.weight, bn.running_mean, bn.running_var, bn.weight, bn.bias)
        weight, bias = reference.folded(*(p.detach().numpy() for p in parts), bn.eps)
        np.testing.assert_allclose(new.weight.detach(), weight, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(new.bias.detach(), bias, rtol=1e-12, atol=1e-14)


def test_a_net_without_batch_norm_is_folded_to_itself() -> None:
    model = trained(batch_norm=False)
    assert weights(fold_batch_norm(model)) == weights(model)


# --- thresholds ------------------------------------------------------------------------------


def activations(model: Spiking, x: Tensor) -> list[np.ndarray]:
    """What each layer of neurons gives, from the input on."""
    seen: dict[int, np.ndarray] = {}

    def observe(neuron: Neuron, t: int, s: Tensor, state: Any) -> None:
        seen[id(neuron)] = s.numpy().copy()

    with torch.no_grad():
        model(x, simulation=Simulation(generator(), 1, observe))
    return [seen[id(neuron)] for _, neuron in model.neurons()]


@pytest.mark.parametrize("percentile", [100.0, 99.9, 97.0, 80.0])
@pytest.mark.parametrize("network", NETWORKS)
def test_thresholds_are_the_percentile_of_all_activations_zeros_too(network: str, percentile: float) -> None:
    model, x = trained(network), images(7, (1, 28, 28) if network == "cnn" else (3, 32, 32))
    found = thresholds(model, x, percentile)
    assert list(found) == [neuron for _, neuron in model.neurons()]
    for theta, a in zip(found.values(), activations(model, x), strict=True):
        assert theta == reference.nth_of_sorted(a, percentile)
        assert (a > theta).mean() == pytest.approx(1 - percentile / 100, abs=0.6 / a.size)
        if (percentile / 100 * a.size) % 1 != 0.5:
            assert theta == np.percentile(a, percentile, method="closest_observation")
        if percentile == 100:
            assert theta == a.max()
        assert (a == 0).mean() > 0.1


def test_each_if_neuron_gets_its_layers_threshold_as_v_th_height_and_v_init() -> None:
    model, x = trained(), images(16)
    for percentile, v_init in ((100.0, 0.0), (95.0, 0.5), (99.0, 1.0)):
        expected = [reference.nth_of_sorted(a, percentile) for a in activations(model, x)]
        found = dynamics(to_spiking(model, x, percentile, v_init))
        assert found == [IF(v_init=v_init * theta, v_th=theta, height=theta) for theta in expected]
        assert len(set(expected)) == 4


def test_a_qcfs_net_brings_its_thresholds() -> None:
    model = trained(dynamics=QCFS(4, threshold=1.3))
    assert dynamics(to_spiking(model, images(2), v_init=0.5)) == [IF(v_init=0.65, v_th=1.3, height=1.3)] * 4


def test_a_module_that_was_in_evaluation_mode_alone_stays_so() -> None:
    model = trained().train()
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm2d)).eval()
    thresholds(model, images(8))
    assert model.training
    assert not norm.training


@pytest.mark.parametrize("training", [True, False])
def test_conversion_leaves_the_ann_as_it_was(training: bool) -> None:
    model = trained().train(training)
    before = weights(model)
    spiking = to_spiking(model, images(8), 99.0)
    outputs(spiking, images(2), 3)
    assert weights(model) == before
    assert dynamics(model) == [ReLU()] * 4
    assert all(m.training is training for m in model.modules())
    assert not any(m.training for m in spiking.modules())
    assert not {id(p) for p in model.parameters()} & {id(p) for p in spiking.parameters()}


# --- one layer, a constant current -----------------------------------------------------------


def one_layer(dynamics: ReLU | QCFS, n: int = 1000) -> tuple[Spiking, Tensor]:
    """n neurons whose currents are those of one image, and the image, from -0.5 to 1.5."""
    encoder = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    nn.init.ones_(encoder[0].weight)
    model = Spiking(in_sequence(encoder, lambda: Neuron(dynamics), [nn.Flatten()]), (1, 1, n)).double().eval()
    return model, (torch.rand(1, 1, 1, n, generator=generator(), dtype=torch.float64) * 2 - 0.5)


@pytest.mark.parametrize("percentile", [100.0, 75.0])
def test_one_layers_rate_is_within_theta_over_t_of_the_ann_clipped_at_theta(percentile: float) -> None:
    model, x = one_layer(ReLU())
    spiking = to_spiking(model, x, percentile)
    theta = dynamics(spiking)[0].v_th
    clipped = outputs(model, x)[0].clamp(max=theta)
    assert (clipped == outputs(model, x)[0]).all() == (percentile == 100)
    means = outputs(spiking, x, 256).cumsum(0)
    for T in (2**k for k in range(9)):
        error = (means[T - 1] / T - clipped).abs().max().item()
        assert 0.9 * theta / T < error <= theta / T * (1 + 1e-9)


def test_half_a_threshold_as_v_init_halves_one_layers_error() -> None:
    model, x = one_layer(ReLU())
    ann = outputs(model, x)[0]
    inside = (ann > 0) & (ann < ann.max())
    for T in (8, 64):
        zero, half = ((outputs(to_spiking(model, x, v_init=v), x, T).mean(0) - ann)[inside].abs() for v in (0, 0.5))
        assert (half.max() / zero.max()).item() == pytest.approx(0.5, abs=0.02)
        assert (half.mean() / zero.mean()).item() == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("levels", [1, 4, 8])
def test_one_qcfs_layer_is_met_exactly_after_as_many_steps_as_it_has_levels(levels: int) -> None:
    model, x = one_layer(QCFS(levels, 0.8))
    spiking = to_spiking(model, x, v_init=0.5)
    torch.testing.assert_close(outputs(spiking, x, levels).mean(0), outputs(model, x)[0], rtol=0, atol=1e-12)


# --- deep nets: the rate 1/T -----------------------------------------------------------------


@torch.no_grad()
def errors(spiking: Spiking, x: Tensor, target: Tensor, longest: int) -> dict[int, float]:
    """Mean |mean output - target| relative to the target's, at T = 1, 2, 4, ... longest, from one simulation."""
    states, total, found = {}, torch.zeros_like(target), {}
    for t in range(0, longest, 32):
        out = spiking(x, simulation=Simulation(generator(), 32, states=states))
        sums = total + out.cumsum(0)
        found |= {
            t + k: ((sums[k - 1] / (t + k) - target).abs().mean() / target.abs().mean()).item()
            for k in range(1, 33)
            if (t + k).bit_count() == 1
        }
        total = sums[-1]
    return found


def slope(found: dict[int, float], first: int) -> float:
    """Of log error against log T, from T = first on."""
    T, e = np.array([(T, e) for T, e in found.items() if T >= first]).T
    return np.polyfit(np.log(T), np.log(e), 1)[0]


@pytest.mark.parametrize("v_init", [0.0, 0.5])
@pytest.mark.parametrize(
    ("network", "first", "longest"),
    [("cnn", 128, 2048), pytest.param("vgg16", 256, 2048, marks=pytest.mark.slow), ("resnet18", 128, 1024)],
)
def test_a_converted_net_approaches_the_anns_logits_at_the_rate_1_over_t(
    network: str, first: int, longest: int, v_init: float
) -> None:
    """Maximum thresholds over these very images, so nothing is clipped. The slope is fitted after the transient.

    Each layer waits for spikes of the one before, so the deeper the net, the later the rate shows; a rate of
    1 / sqrt(T), as of random spikes, would be a slope of -0.5.
    """
    model, x = trained(network), images(2, (1, 28, 28) if network == "cnn" else (3, 32, 32))
    ann = outputs(model, x)[0]
    found = errors(to_spiking(model, x, v_init=v_init), x, ann, longest)
    assert slope(found, first) == pytest.approx(-1, abs=0.1)
    assert found[longest] < 0.03 < found[16]


def test_clipped_activations_leave_an_error_that_does_not_fall() -> None:
    model, x = trained(), images(2)
    ann = outputs(model, x)[0]
    clipped, whole = (errors(to_spiking(model, x, p), x, ann, 1024)[1024] for p in (90.0, 100.0))
    assert clipped > 5 * whole


def test_a_converted_qcfs_net_approaches_the_net_with_its_floor_left_out() -> None:
    """Clip without floor is QCFS with endless levels."""
    model, x = trained(dynamics=QCFS(4, 1.5)), images(16)
    spiking = to_spiking(model, x, v_init=0.5)
    for _, neuron in model.neurons():
        neuron.dynamics = QCFS(10**9, 1.5)
    found = errors(spiking, x, outputs(model, x)[0], 1024)
    assert slope(found, 16) == pytest.approx(-1, abs=0.1)


# --- bad values ------------------------------------------------------------------------------


def silent() -> Spiking:
    model = trained()
    modules(model, nn.BatchNorm2d)[1].weight.data.zero_()
    modules(model, nn.BatchNorm2d)[1].bias.data.fill_(-1.0)
    return model


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (lambda: trained(dynamics=LIF()), {}, "dynamics = LIF: a net of ReLU or QCFS neurons can be converted"),
        (lambda: trained(dynamics=SingleStep()), {}, "dynamics = SingleStep: a net of ReLU or QCFS neurons"),
        (trained, {"percentile": 0.0}, "percentile = 0.0: must be a finite number above 0"),
        (trained, {"percentile": -1.0}, "percentile = -1.0: must be a finite number above 0"),
        (trained, {"percentile": 100.1}, "percentile = 100.1: must be a number between 0 and 100"),
        (trained, {"percentile": math.nan}, "percentile = nan: must be a"),
        (trained, {"v_init": -0.1}, "v_init = -0.1: must be a number between 0 and 1"),
        (trained, {"v_init": 1.1}, "v_init = 1.1: must be a number between 0 and 1"),
        (trained, {"images": images(0)}, "calibration images = 0: must be a whole number of at least 1"),
        (silent, {}, "percentile = 100.0: layer 2 is 0 there; a threshold must be above 0"),
        (trained, {"percentile": 5.0}, "percentile = 5.0: layer 1 is 0 there; a threshold must be above 0"),
        (lambda: trained(dynamics=QCFS()), {"percentile": 99.9}, "percentile = 99.9: must be 100 for a qcfs net"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_bad_values_are_refused(model: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        to_spiking(**{"model": model(), "images": images(4), **options})
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_a_net_of_mixed_neurons_is_refused() -> None:
    model = trained()
    model.first.dynamics = LIF()
    with pytest.raises(InputError, match="dynamics = LIF, ReLU: a net of"):
        to_spiking(model, images(2))
