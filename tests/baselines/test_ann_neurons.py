"""The neurons of ANN-to-SNN conversion: ReLU and QCFS as published, and the IF neuron that stands in for both."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator, images, lively
from torch import Tensor, nn

from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.checks import InputError
from snnlib.network import Spiking
from snnlib.simulation import Simulation

LEVELS = (1, 2, 3, 4, 8, 16)
THETAS = (1.0, 0.7, 3.0)


def random(n: int = 4000, scale: float = 1.0) -> Tensor:
    """Currents well below, within and well above the clip range; none at a boundary between two levels."""
    return torch.randn(n, generator=generator(1), dtype=torch.float64) * scale + scale / 2


def output(dynamics: Any, x: Tensor) -> Tensor:
    return dynamics.step(x, None, generator())[0]


def rate(dynamics: IF, x: Tensor, timesteps: int) -> Tensor:
    """Mean output over time at a constant current."""
    state, total = None, torch.zeros_like(x)
    for _ in range(timesteps):
        s, state = dynamics.step(x, state, generator())
        total += s
    return total / timesteps


# --- ReLU and QCFS ---------------------------------------------------------------------------


def test_relu_is_the_positive_part_and_remembers_nothing() -> None:
    x = random()
    s, state = ReLU().step(x, None, generator())
    assert state is None
    np.testing.assert_array_equal(s, np.maximum(x.numpy(), 0))


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("levels", LEVELS)
def test_qcfs_is_eq_15(levels: int, theta: float) -> None:
    x = random(scale=theta)
    y, state = QCFS(levels, theta).step(x, None, generator())
    assert state is None
    np.testing.assert_allclose(y, reference.qcfs(x.numpy(), levels, theta), rtol=0, atol=1e-12)
    assert len(np.unique(y.numpy().round(9))) == levels + 1  # 0, theta / L, ..., theta


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("levels", LEVELS)
def test_qcfs_gradient_is_1_within_the_clip_and_0_outside(levels: int, theta: float) -> None:
    x = random(scale=theta).requires_grad_()
    upstream = torch.randn(len(x), generator=generator(2), dtype=x.dtype)
    output(QCFS(levels, theta), x).backward(upstream)
    slope = reference.qcfs_slope(x.detach().numpy(), levels, theta)
    np.testing.assert_allclose(x.grad, upstream.numpy() * slope, rtol=1e-12)
    assert 0.1 < slope.mean() < 0.9


def test_qcfs_levels_are_exact_in_float32() -> None:
    x = random().float()
    assert set(output(QCFS(8), x).tolist()) == {i / 8 for i in range(9)}


@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("levels", LEVELS)
def test_qcfs_is_what_if_fires_in_as_many_steps_from_half_a_threshold(levels: int, theta: float) -> None:
    x = random(scale=theta)
    spiking = IF(v_init=theta / 2, v_th=theta, height=theta)
    torch.testing.assert_close(rate(spiking, x, levels), output(QCFS(levels, theta), x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("levels", [2, 4, 8])
def test_on_a_boundary_between_levels_if_gives_the_lower_one(levels: int) -> None:
    """A potential that only equals the threshold does not fire (Eq. 2), while the floor counts it."""
    x = (torch.arange(levels, dtype=torch.float64) + 0.5) / levels
    lower, upper = rate(IF(v_init=0.5), x, levels), output(QCFS(levels), x)
    torch.testing.assert_close(upper - lower, torch.full_like(x, 1 / levels))


# --- a learned theta is absorbed -------------------------------------------------------------


def absorb_(before: nn.Module | None, after: nn.Module | None, theta: float) -> None:
    """What precedes an activation takes on 1 / theta, what follows it theta; a bias that follows stays."""
    if before is not None:
        before.weight.data /= theta
        before.bias.data /= theta
    if after is not None:
        after.weight.data *= theta


def modules(model: nn.Module, kind: type[nn.Module]) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, kind)]


def same_outputs(one: Spiking, other: Spiking) -> None:
    x, sim = images(6, one.input_shape), Simulation(generator())
    with torch.no_grad():
        a, b = one(x, simulation=sim), other(x, simulation=sim)
    torch.testing.assert_close(a, b)
    assert a.std() > 0.1


def test_a_learned_theta_is_absorbed_by_batch_norm_and_the_next_linear_map() -> None:
    learned, fixed = (lively(dynamics=QCFS(4), readout="potential") for _ in range(2))
    thetas = (0.6, 1.7, 2.5, 0.9)
    for (_, neuron), theta in zip(learned.neurons(), thetas, strict=True):
        neuron.dynamics = QCFS(4, theta)
    fc1, fc2 = modules(fixed, nn.Linear)
    befores, afters = [*modules(fixed, nn.BatchNorm2d), fc1], [*modules(fixed, nn.Conv2d)[1:], fc1, fc2]
    for before, after, theta in zip(befores, afters, thetas, strict=True):
        absorb_(before, after, theta)
    same_outputs(learned, fixed)


def test_in_a_residual_net_one_theta_for_all_layers_is_absorbed() -> None:
    learned, fixed = (lively("resnet18", QCFS(4), "potential") for _ in range(2))
    for _, neuron in learned.neurons():
        neuron.dynamics = QCFS(4, 1.7)
    for norm in modules(fixed, nn.BatchNorm2d):
        absorb_(norm, None, 1.7)
    for after in (*modules(fixed, nn.Conv2d)[1:], *modules(fixed, nn.Linear)):
        absorb_(None, after, 1.7)
    same_outputs(learned, fixed)


# --- IF --------------------------------------------------------------------------------------


@pytest.mark.parametrize("v_th", [1.0, 0.7])
@pytest.mark.parametrize("height", [1.0, 0.7, 4.0])
def test_if_spikes_are_as_high_as_asked_and_the_reset_is_the_threshold(v_th: float, height: float) -> None:
    x = torch.randn(10, 300, generator=generator(), dtype=torch.float64)
    d, state, rows = IF(v_init=0.2, v_th=v_th, height=height), None, []
    for current in x:
        s, state = d.step(current, state, generator())
        rows.append((s, state))
    s, v = (torch.stack(part) for part in zip(*rows, strict=True))
    _, S, V = reference.if_soft_reset(x.numpy(), v_th, v_init=0.2)
    np.testing.assert_allclose(s, height * S, rtol=1e-12)
    np.testing.assert_allclose(v, V, rtol=0, atol=1e-12)
    assert 0.1 < S.mean() < 0.9


@pytest.mark.parametrize("start", [0.0, 0.5, 0.3])
@pytest.mark.parametrize("theta", THETAS)
@pytest.mark.parametrize("timesteps", [1, 2, 7, 64])
def test_if_fires_as_often_as_its_closed_form_at_a_constant_current(timesteps: int, theta: float, start: float) -> None:
    x = random(scale=theta)
    spiking = IF(v_init=start * theta, v_th=theta, height=theta)
    count = reference.if_spike_count(x.numpy(), timesteps, theta, start * theta)
    np.testing.assert_allclose(rate(spiking, x, timesteps) / theta * timesteps, count, rtol=0, atol=1e-9)


@pytest.mark.parametrize("theta", THETAS)
def test_ifs_mean_output_is_within_theta_over_t_of_the_clipped_current(theta: float) -> None:
    x = random(scale=theta)
    for timesteps in (1, 2, 4, 8, 16, 32, 64, 128):
        error = (rate(IF(v_th=theta, height=theta), x, timesteps) - x.clamp(0, theta)).abs().max().item()
        assert 0.9 * theta / timesteps < error <= theta / timesteps * (1 + 1e-9)  # and no better


@pytest.mark.parametrize("timesteps", [4, 32])
def test_starting_from_half_a_threshold_halves_the_error(timesteps: int) -> None:
    x = random()
    x = x[(x > 0) & (x < 1)]
    zero, half = ((rate(IF(v_init=v), x, timesteps) - x).abs() for v in (0.0, 0.5))
    assert (half.max() / zero.max()).item() == pytest.approx(0.5, abs=0.02)
    assert (half.mean() / zero.mean()).item() == pytest.approx(0.5, abs=0.03)


# --- bad values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QCFS(levels=0), "qcfs levels = 0: must be a whole number of at least 1"),
        (lambda: QCFS(levels=2.5), "qcfs levels = 2.5: must be a whole number of at least 1"),
        (lambda: QCFS(threshold=0.0), "qcfs threshold = 0.0: must be a finite number above 0"),
        (lambda: QCFS(threshold=math.nan), "qcfs threshold = nan: must be a finite number above 0"),
        (lambda: IF(v_th=-1.0), "v_th = -1.0: must be a finite number above 0"),
        (lambda: IF(height=0.0), "height = 0.0: must be a finite number above 0"),
        (lambda: IF(v_init=math.inf), "v_init = inf: must be a finite number"),
        (lambda: IF(v_th=1e-300), "v_th = 1e-300: must be a number between 1e-06 and 1000000"),
        (lambda: IF(surrogate=3), "surrogate = 3: must be such as Triangle()"),
    ],
)
def test_bad_values_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError) as error:
        make()
    assert str(error.value) == message


def test_first_potentials_are_spread_in_thresholds() -> None:
    d, x = IF(v_init=0.3, spread=1.0, v_th=0.6), torch.zeros(4000, dtype=torch.float64)
    _, v = d.step(x, None, generator())
    assert 0 <= v.min() < 0.01 < 0.59 < v.max() <= 0.6
    assert v.double().std().item() == pytest.approx(0.6 / math.sqrt(12), rel=0.03)
