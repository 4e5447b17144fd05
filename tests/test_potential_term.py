"""The potential term N(leak V) and N' of Eq. 6: their means and ranges, and that nothing fires without input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator
from hypothesis import given, settings
from hypothesis import strategies as st
from step_by_step import ALPHAS, NOISES, T, step_by_step
from torch import Tensor

from snnlib.baselines.ann_neurons import IF
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.noise import Bounded, Gaussian, Uniform
from snnlib.statistics import Frozen, Layer, Sample


@pytest.mark.parametrize("alpha", ALPHAS[:-2])
@pytest.mark.parametrize("beta", [0.5, 0.3])
@pytest.mark.parametrize("statistics", [Layer(), Sample()], ids=["layer", "sample"])
def test_potential_term_has_mean_beta_and_reaches_one_over_alpha(alpha: float, beta: float, statistics: Any) -> None:
    d = Converted(alpha=alpha, beta=beta, leak=0.7, statistics=statistics)
    v = torch.randn(5, 40, generator=generator(), dtype=torch.float64) ** 3
    term = d.memory(v)
    axes = 1 if isinstance(statistics, Sample) else None
    np.testing.assert_allclose(term, reference.potential_term(v.numpy(), 0.7, alpha, beta, axes), rtol=0, atol=1e-12)
    np.testing.assert_allclose(term.numpy().mean(axes), beta, rtol=0, atol=1e-12)
    np.testing.assert_allclose(np.abs(term.numpy() - beta).max(axes), 1 / alpha, rtol=1e-9)


def test_potential_term_does_not_see_the_scale_or_offset_of_the_potentials() -> None:
    v = torch.randn(5, 40, generator=generator(), dtype=torch.float64)
    d = Converted()
    torch.testing.assert_close(d.memory(v), d.memory(1000 * v - 7))


@pytest.mark.parametrize("value", [0.0, 0.1, -3.7])
@pytest.mark.parametrize("statistics", [Layer(), Sample(), Frozen(0.5, 0.0)], ids=str)
def test_equal_potentials_give_beta(value: float, statistics: Any) -> None:
    term = Converted(beta=0.25, statistics=statistics).memory(torch.full((3, 7, 11), value))
    assert (term == 0.25).all()


def test_no_leak_gives_beta() -> None:
    assert (Converted(leak=0.0).memory(torch.randn(3, 7)) == 0.5).all()


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("beta", [0.5, 0.3, 1.0])
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_remaining_noise_has_the_range_and_mean_of_eq_6(noise: Bounded, alpha: float, beta: float) -> None:
    residual = Converted(noise=noise, alpha=alpha, beta=beta).residual
    low, high = reference.residual_noise_range(alpha, beta)
    assert (residual.low, residual.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))
    assert type(residual) is type(noise)
    drawn = residual.sample((50_000,), generator(), torch.float64)
    assert drawn.min() >= low - 1e-12
    assert drawn.max() <= high + 1e-12
    assert drawn.mean().item() == pytest.approx(0.5 - beta, abs=0.01)


def test_remaining_noise_keeps_k() -> None:
    assert Converted(noise=Gaussian(k=2.0)).residual == Gaussian(-0.25, 0.25, k=2.0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-0.5, 1.0), (0.2, 0.8)])
@pytest.mark.parametrize("beta_at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("times", [1.0, 1.5, 4.0])
def test_term_and_remaining_noise_span_the_trained_noises_range(
    low: float, high: float, beta_at: float, times: float
) -> None:
    d = Converted(noise=Uniform(low, high), alpha=times * 2 / (high - low), beta=low + beta_at * (high - low))
    assert d.beta - 1 / d.alpha + d.residual.low == pytest.approx(low)
    assert d.beta + 1 / d.alpha + d.residual.high == pytest.approx(high)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_without_input_h_is_in_the_noises_range_and_nothing_fires(
    noise: Bounded, alpha: float, dtype: torch.dtype, heights: list[Tensor]
) -> None:
    d = Converted(noise=noise, alpha=alpha)
    silence = torch.zeros(4, 500, dtype=dtype)
    g, state = generator(), None
    for _ in range(T):
        s, state = d.step(silence, state, g)
        assert not s.any()
    # and from potentials that were left very uneven, so that the term is at its ends
    for power in (1, 3, 9):
        s, _ = d.step(silence, torch.randn(4, 500, generator=g).to(dtype) ** power * 10, g)
        assert not s.any()
    h = torch.stack(heights)
    assert h.min() >= 0
    assert h.max() <= 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_sum_stays_in_range_where_term_and_remaining_noise_are_both_at_their_ends(
    dtype: torch.dtype, heights: list[Tensor]
) -> None:
    v = torch.tensor([-1.0, 1.0]).repeat(50).to(dtype)  # each at an end of the term's range
    past = 0
    for low, high in ((0.0, 1.0), (0.0, 0.7), (0.1, 1.3)):
        lowest, highest = (torch.tensor(x, dtype=dtype) for x in (low, high))
        # k: all but one draw in a thousand is clipped, so at an end too
        noise = Gaussian(low, high, k=1e-3)
        for alpha in ((2 + i / 7) / (high - low) for i in range(60)):
            for beta in (low, 0.3, 0.5, high):
                d = Converted(noise=noise, alpha=alpha, beta=beta, v_th=high)
                bare = d.residual.like(v, generator(1)) + d.memory(v)
                past += int(((bare > highest) | (bare < lowest)).any())
                s, _ = d.step(torch.zeros_like(v), v, generator(1))
                assert not s.any()
                assert heights[-1].min() >= lowest
                assert heights[-1].max() <= highest
                assert heights[-1].max().item() == pytest.approx(high, abs=0.02)
    assert past > 0  # rounding does carry the bare sum out of the range


@settings(deadline=None)
@given(
    st.floats(2, 1e6, allow_subnormal=False),
    st.floats(0, 1, allow_subnormal=False),
    st.floats(0, 1, allow_subnormal=False),
    st.sampled_from(NOISES),
    st.sampled_from([Layer(), Sample(), Frozen(0.1, 0.2)]),
    st.integers(0, 10**6),
)
def test_without_input_nothing_fires_whatever_alpha_beta_and_leak_are(
    alpha: float, beta: float, leak: float, noise: Bounded, statistics: Any, seed: int
) -> None:
    d = Converted(noise=noise, alpha=alpha, beta=beta, leak=leak, statistics=statistics)
    g = generator(seed)
    s, v = d.step(torch.zeros(3, 64), torch.randn(3, 64, generator=g) * 10, g)
    assert not s.any()
    assert (v >= 0).all()
    assert (v <= 1).all()


SILENT = [LIF(), IF(), IF(v_init=1.0), *(Converted(alpha=a, first_step="rest") for a in ALPHAS)]


@pytest.mark.parametrize("d", [SingleStep(n) for n in NOISES] + SILENT, ids=str)
def test_other_dynamics_do_not_fire_without_input(d: Dynamics) -> None:
    s, _ = step_by_step(d, torch.zeros(200, 3, 64))
    assert not s.any()


@pytest.mark.parametrize("d", [LIF(), IF()], ids=str)
def test_a_current_at_the_threshold_does_not_fire_and_one_above_does(d: Dynamics) -> None:
    at = torch.ones(2, 3)
    assert not d.step(at, None, generator())[0].any()
    assert d.step(torch.nextafter(at, 2 * at), None, generator())[0].all()
