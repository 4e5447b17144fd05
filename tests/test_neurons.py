"""The dynamics against an independent transcription of Eqs. 1-9, their ranges, gradients and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator
from pydantic import TypeAdapter, ValidationError
from step_by_step import ALPHAS, NOISES, T, currents, step_by_step
from torch import Tensor

from snnlib.baselines.ann_neurons import IF
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.noise import Bounded, Gaussian, MaxNormalised, Uniform
from snnlib.simulation import Simulation
from snnlib.statistics import Frozen, Layer, Sample
from snnlib.surrogate import Arctan, Rectangle, Sigmoid, Triangle


def agree(actual: Tensor | list[Tensor], expected: np.ndarray) -> None:
    actual = torch.stack(actual) if isinstance(actual, list) else actual
    np.testing.assert_allclose(actual.numpy(), expected, rtol=1e-12, atol=1e-12)


# --- Eqs. 1-9 over ten steps -----------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"leak": 0.9, "v_th": 0.6, "v_reset": -0.2}, {"leak": 0.0}, {"leak": 1.0}])
def test_lif_follows_eqs_1_to_3(options: dict[str, float], heights: list[Tensor]) -> None:
    x = currents(4, 3, 5)
    s, v = step_by_step(LIF(**options), x)
    H, S, V = reference.lif(x.numpy(), **options)
    assert 0.05 < S.mean() < 0.9
    for actual, expected in ((heights, H), (s, S), (v, V)):
        agree(actual, expected)


@pytest.mark.parametrize("options", [{}, {"v_init": 0.5}, {"v_init": 0.2, "v_th": 0.7}])
def test_if_resets_by_subtraction(options: dict[str, float], heights: list[Tensor]) -> None:
    x = currents(4, 3, 5)
    s, v = step_by_step(IF(**options), x)
    for actual, expected in zip((heights, s, v), reference.if_soft_reset(x.numpy(), **options), strict=True):
        agree(actual, expected)


def test_if_fires_at_the_rate_of_its_current() -> None:
    x = torch.linspace(0, 1, 11, dtype=torch.float64).expand(1000, 11)
    s, _ = step_by_step(IF(v_init=0.5), x)
    np.testing.assert_allclose(s.mean(0), x[0], atol=1e-3)


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_single_step_follows_eq_5(noise: Bounded, heights: list[Tensor]) -> None:
    x = currents(6, 7)
    s, v = step_by_step(SingleStep(noise, v_th=0.9), x, seed=4)
    g = generator(4)
    for t in range(T):
        H, S = reference.single_step(x[t].numpy(), noise.sample((6, 7), g, torch.float64).numpy(), v_th=0.9)
        agree(heights[t], H)
        agree(s[t], S)
    assert v.numel() == 0  # nothing is remembered
    assert 0.05 < s.mean() < 0.9


@pytest.mark.parametrize(
    "options",
    [{}, {"alpha": 2.0}, {"alpha": 3.0, "beta": 0.3, "leak": 0.8}, {"alpha": 8.0, "v_th": 0.9, "v_reset": 0.1}],
    ids=str,
)
@pytest.mark.parametrize(("statistics", "axes"), [(Layer(), None), (Sample(), (1, 2))], ids=["layer", "sample"])
@pytest.mark.parametrize("noise", [Gaussian(), MaxNormalised(), Uniform()], ids=str)
def test_converted_follows_eqs_2_3_and_5_to_9(
    options: dict[str, float], statistics: Any, axes: Any, noise: Bounded, heights: list[Tensor]
) -> None:
    x = currents(4, 6, 5)
    s, v = step_by_step(Converted(noise=noise, statistics=statistics, **options), x, seed=4)

    g = generator(4)
    low, high = reference.residual_noise_range(options.get("alpha", 4.0), options.get("beta", 0.5))
    first = noise.sample(x[0].shape, g, x.dtype)
    residual = noise.within((low + high) / 2, max(high - low, 0) / 2)
    later = [residual.sample(x[0].shape, g, x.dtype).numpy() for _ in range(T - 1)]
    expected = reference.converted(x.numpy(), first.numpy(), later, axes=axes, **options)

    assert 0.05 < expected["S"].mean() < 0.9
    for actual, name in ((heights, "H"), (s, "S"), (v, "V")):
        agree(actual, expected[name])


def test_frozen_constants_enter_eqs_8_and_9(heights: list[Tensor]) -> None:
    noise = Gaussian()
    x, g = currents(4, 6)[:2], generator(4)
    _, v = step_by_step(Converted(statistics=Frozen(0.1, 0.35)), x, seed=4)
    noise.sample((4, 6), g, x.dtype)
    rest = Gaussian(-0.25, 0.25).sample((4, 6), g, x.dtype).numpy()
    term = reference.potential_term_frozen(v[0].numpy(), 0.5, 4.0, 0.5, 0.1, 0.35)
    assert (term == 0.25).any()  # outside the calibrated range: clipped
    agree(heights[1], term + rest + x[1].numpy())


# --- the three steps of the method -----------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_first_converted_step_is_the_trained_neuron_bit_for_bit(
    noise: Bounded, alpha: float, heights: list[Tensor]
) -> None:
    x = currents(4, 300)[0].float()
    trained, _ = SingleStep(noise).step(x, None, generator(3))
    converted, _ = Converted(noise=noise, alpha=alpha).step(x, None, generator(3))
    assert torch.equal(trained, converted)
    assert torch.equal(*heights)


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_alpha_of_infinity_is_the_ensemble_bit_for_bit(noise: Bounded, heights: list[Tensor]) -> None:
    x = currents(4, 300).float()
    ensemble, _ = step_by_step(SingleStep(noise), x, seed=3)
    converted, _ = step_by_step(Converted(noise=noise, alpha=math.inf, beta=0.3), x, seed=3)
    assert torch.equal(ensemble, converted)
    assert torch.equal(torch.stack(heights[:T]), torch.stack(heights[T:]))


def test_alpha_of_two_leaves_no_noise() -> None:
    d = Converted(alpha=2.0)
    x, v = currents(4, 300)[0], torch.randn(4, 300, dtype=torch.float64)
    (first, _), (second, _) = (d.step(x, v, generator(seed)) for seed in (1, 2))
    assert torch.equal(first, second)
    assert d.residual.half_width == 0


@pytest.mark.parametrize("options", [{}, {"alpha": 3.0, "beta": 0.3, "leak": 0.8}, {"alpha": 2.0}], ids=str)
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_a_first_step_at_rest_takes_beta_and_the_remaining_noise(
    options: dict[str, float], noise: Bounded, heights: list[Tensor]
) -> None:
    x = currents(4, 300)
    s, v = step_by_step(Converted(noise=noise, first_step="rest", **options), x, seed=4)

    alpha, beta, g = options.get("alpha", 4.0), options.get("beta", 0.5), generator(4)
    low, high = reference.residual_noise_range(alpha, beta)
    residual = noise.within((low + high) / 2, max(high - low, 0) / 2)
    first, *later = (residual.sample(x[0].shape, g, x.dtype).numpy() for _ in range(T))
    rest = reference.potential_term(np.zeros((4, 300)), options.get("leak", 0.5), alpha, beta)  # V(0) = 0 everywhere
    expected = reference.converted(x.numpy(), rest + first, later, **options)
    for actual, name in ((heights, "H"), (s, "S"), (v, "V")):
        agree(actual, expected[name])


def test_a_first_step_at_rest_changes_neither_step_2_nor_the_later_steps() -> None:
    x, v = currents(4, 300)[0], torch.randn(4, 300, generator=generator(1), dtype=torch.float64)
    for alpha, state in ((math.inf, None), (4.0, v)):
        a, b = (Converted(alpha=alpha, first_step=f).step(x, state, generator(2)) for f in ("noise", "rest"))
        assert torch.equal(a[0], b[0])
    a, b = (Converted(first_step=f).step(x, None, generator(2))[0] for f in ("noise", "rest"))
    assert not torch.equal(a, b)


def test_alpha_of_four_remembers() -> None:
    d, x = Converted(), currents(4, 300)[0]
    spikes = [d.step(x, torch.randn(4, 300, generator=generator(i), dtype=x.dtype), generator(7))[0] for i in (1, 2)]
    assert not torch.equal(*spikes)


@pytest.mark.parametrize("d", [SingleStep(), Converted(), LIF(), IF()], ids=str)
def test_a_step_is_pure(d: Dynamics) -> None:
    x, v = currents(4, 30)[0], torch.randn(4, 30, dtype=torch.float64)
    kept = x.clone(), v.clone()
    first, second = (d.step(x, v, generator(2)) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(x, kept[0])
    assert torch.equal(v, kept[1])


# --- gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("surrogate", [Triangle(0.8), Rectangle(), Arctan(), Sigmoid()], ids=str)
def test_single_step_gradient_is_the_surrogate_at_h(surrogate: Any) -> None:
    x = currents(5, 40)[0].requires_grad_()
    s, _ = SingleStep(Gaussian(), surrogate).step(x, None, generator(1))
    s.sum().backward()
    h = x.detach().numpy() + Gaussian().sample((5, 40), generator(1), torch.float64).numpy()
    form = getattr(reference, surrogate.kind)
    parameter = getattr(surrogate, "width", None) or surrogate.slope
    np.testing.assert_allclose(x.grad, form(h - 1, parameter), rtol=1e-12, atol=1e-15)


def test_lif_gradient_runs_back_through_time() -> None:
    """dS(2)/dx(1) = surrogate(H(2)) * leak * dV(1)/dH(1), with V = H (1 - S), by the product rule."""
    x = torch.tensor([[0.7, 1.2], [0.4, 0.9]], dtype=torch.float64, requires_grad=True)
    d = LIF(leak=0.5)
    _, v = d.step(x[0], None, generator())
    s, _ = d.step(x[1], v, generator())
    s.sum().backward()
    H, S, _ = reference.lif(x.detach().numpy())
    slope = reference.triangle(H - 1)
    np.testing.assert_allclose(x.grad[1], slope[1])
    np.testing.assert_allclose(x.grad[0], slope[1] * 0.5 * (1 - S[0] - H[0] * slope[0]))


# --- bad values ------------------------------------------------------------------------------


@pytest.mark.parametrize("timesteps", [-1, 0, 1.5, True, "2", math.nan])
def test_bad_timesteps_are_refused(timesteps: Any) -> None:
    with pytest.raises(ValueError, match=rf"timesteps = {timesteps!r}: must be a whole number of at least 1"):
        Simulation(generator(), timesteps)


@pytest.mark.parametrize("alpha", [1.9999, 0.0, -4.0, math.nan, -math.inf])
def test_alpha_below_two_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=rf"alpha = {alpha}: must be at least 2, or inf"):
        Converted(alpha=alpha)


def test_least_alpha_follows_the_noises_range() -> None:
    assert Converted(noise=Uniform(0, 2), alpha=1.0).residual.half_width == 0
    with pytest.raises(ValueError, match=r"alpha = 4\.0: must be at least 10"):
        Converted(noise=Uniform(0.4, 0.6))
    with pytest.raises(ValueError, match=r"alpha = 4\.0: must be inf with noise of no width"):
        Converted(noise=Uniform(0.5, 0.5))


@pytest.mark.parametrize("first_step", ["zero", "", None])
def test_an_unknown_first_step_is_refused(first_step: Any) -> None:
    with pytest.raises(ValueError, match=rf"first_step = {first_step!r}: must be one of noise, rest"):
        Converted(first_step=first_step)


@pytest.mark.parametrize("leak", [-0.1, 1.1, math.nan, math.inf])
@pytest.mark.parametrize("cls", [LIF, Converted])
def test_leak_outside_zero_and_one_is_refused(cls: type, leak: float) -> None:
    with pytest.raises(ValueError, match=rf"leak = {leak}: must be a number between 0 and 1"):
        cls(leak=leak)


@pytest.mark.parametrize("beta", [-0.1, 1.1, math.nan])
def test_beta_outside_the_noise_is_refused(beta: float) -> None:
    with pytest.raises(ValueError, match=rf"beta = {beta}: must be a number between 0.0 and 1.0"):
        Converted(beta=beta)


@pytest.mark.parametrize("v_th", [0.0, -1.0, math.nan, math.inf])
@pytest.mark.parametrize("cls", [SingleStep, Converted, LIF, IF])
def test_threshold_that_is_not_positive_is_refused(cls: type, v_th: float) -> None:
    with pytest.raises(ValueError, match=rf"v_th = {v_th}: must be a finite number above 0"):
        cls(v_th=v_th)


@pytest.mark.parametrize("d", [SingleStep(Uniform(0, 2)), Converted(alpha=8.0), LIF(leak=0.1), IF(v_init=0.5)], ids=str)
def test_dynamics_are_parsed_from_a_dict(d: Dynamics) -> None:
    parser = TypeAdapter(type(d))
    assert parser.validate_python(parser.dump_python(d)) == d
    with pytest.raises(ValidationError, match="tau"):
        parser.validate_python({"tau": 2.0})


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_potentials_that_are_not_finite_are_refused(value: float) -> None:
    for make in (lambda: Converted(v_reset=value), lambda: LIF(v_reset=value), lambda: IF(v_init=value)):
        with pytest.raises(ValueError, match=f"= {value}: must be a finite number"):
            make()
    with pytest.raises(ValueError, match=f"frozen mean = {value}: must be a finite number"):
        Frozen(value, 1.0)
