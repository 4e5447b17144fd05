"""The spike function (Eq. 2) and its surrogate gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from snnlib.fast import noisy_spike
from snnlib.noise import Gaussian
from snnlib.surrogate import Arctan, Density, Rectangle, Sigmoid, Surrogate, Triangle, spike

PARSER = TypeAdapter(Surrogate)
KINDS = {"triangle": Triangle, "rectangle": Rectangle, "arctan": Arctan, "sigmoid": Sigmoid, "density": Density}
FORMS = [
    (Triangle(), reference.triangle, {}),
    (Triangle(width=0.3), reference.triangle, {"width": 0.3}),
    (Rectangle(), reference.rectangle, {}),
    (Rectangle(width=2.5), reference.rectangle, {"width": 2.5}),
    (Arctan(), reference.arctan, {}),
    (Arctan(slope=5.0), reference.arctan, {"slope": 5.0}),
    (Sigmoid(), reference.sigmoid, {}),
    (Sigmoid(slope=1.5), reference.sigmoid, {"slope": 1.5}),
    (Density(), reference.normal, {}),
    (Density(sigma=0.6), reference.normal, {"sigma": 0.6}),
]


@pytest.mark.parametrize(("surrogate", "form", "parameters"), FORMS, ids=[str(f[0]) for f in FORMS])
def test_gradient_is_the_surrogate_of_h_minus_threshold(surrogate: Surrogate, form: Any, parameters: dict) -> None:
    h = torch.linspace(-3, 4, 1001, dtype=torch.float64, requires_grad=True)
    upstream = torch.linspace(-2, 2, 1001, dtype=torch.float64)
    spike(h, 0.7, surrogate).backward(upstream)
    expected = upstream.numpy() * form(h.detach().numpy() - 0.7, **parameters)
    np.testing.assert_allclose(h.grad, expected, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(h.grad, upstream * surrogate(h.detach() - 0.7), rtol=0, atol=0)


@pytest.mark.parametrize("surrogate", [f[0] for f in FORMS], ids=str)
def test_surrogate_integrates_to_one(surrogate: Surrogate) -> None:
    x = torch.linspace(-2000, 2000, 4_000_001, dtype=torch.float64)
    # arctan's tails beyond +-2000 hold 2 / (pi^2 * slope * 2000) of it
    assert torch.trapezoid(surrogate(x), x).item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("surrogate", [f[0] for f in FORMS], ids=str)
def test_surrogate_is_symmetric_and_largest_at_the_threshold(surrogate: Surrogate) -> None:
    x = torch.linspace(0, 3, 301, dtype=torch.float64)
    torch.testing.assert_close(surrogate(x), surrogate(-x))
    assert (surrogate(x) <= surrogate(torch.zeros(1, dtype=torch.float64))).all()


@given(st.floats(-4, 4, width=32, allow_subnormal=False), st.sampled_from([0.5, 1.0, 3.0]))
def test_spike_is_one_strictly_above_the_threshold(h: float, v_th: float) -> None:
    s = spike(torch.tensor([h]), v_th, Triangle())
    assert s.item() == reference.spike(np.float32([h]), v_th)[0] == float(h > v_th)


def test_a_potential_at_the_threshold_does_not_fire_and_the_next_float_does() -> None:
    at = torch.tensor([1.0, 2.5])
    assert spike(at[:1], 1.0, Triangle()).item() == 0
    assert spike(at[1:], 2.5, Triangle()).item() == 0
    above = torch.nextafter(torch.tensor([1.0]), torch.tensor([2.0]))
    assert spike(above, 1.0, Triangle()).item() == 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("surrogate", [cls() for cls in KINDS.values()], ids=str)
def test_spikes_and_gradients_keep_shape_and_dtype(dtype: torch.dtype, surrogate: Surrogate) -> None:
    h = torch.linspace(-1, 3, 24).reshape(2, 3, 4).to(dtype).requires_grad_()
    s = spike(h, 1.0, surrogate)
    s.sum().backward()
    assert s.dtype == h.grad.dtype == dtype
    assert s.shape == h.grad.shape == h.shape
    assert set(s.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("surrogate", [Triangle(), Rectangle(), Arctan(), Sigmoid()], ids=str)
def test_a_noisy_spike_is_the_spike_of_the_sum_bit_for_bit(dtype: torch.dtype, surrogate: Surrogate) -> None:
    g = torch.Generator().manual_seed(3)
    x, noise, upstream = (torch.randn(3, 8, 5, 5, generator=g).to(dtype) for _ in range(3))
    x = x.contiguous(memory_format=torch.channels_last)
    results = []
    for fire in (lambda h: noisy_spike(h, noise, 0.9, surrogate), lambda h: spike(h + noise, 0.9, surrogate)):
        leaf = x.clone().requires_grad_()
        s = fire(leaf)
        s.backward(upstream)
        results.append((s, leaf.grad))
    (s, gradient), (expected_s, expected_gradient) = results
    assert torch.equal(s, expected_s)
    assert torch.equal(gradient, expected_gradient)
    assert s.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("v_th", "k", "low", "high"), [(1.0, 4.0, 0.0, 1.0), (0.9, 2.5, -0.2, 0.6)])
def test_the_density_of_a_noisy_spike_is_the_slope_of_the_probability_that_it_fires(
    v_th: float, k: float, low: float, high: float
) -> None:
    """Whatever was drawn: the gradient depends on the current alone."""
    current = torch.linspace(v_th - high + 0.01, v_th - low - 0.01, 500, dtype=torch.float64, requires_grad=True)
    noise = Gaussian(low, high, k).sample(current.shape, torch.Generator().manual_seed(1), torch.float64)
    surrogate = Density(sigma=(high - low) / 2 / k, mean=(low + high) / 2)
    noisy_spike(current, noise, v_th, surrogate).sum().backward()
    at, step = current.detach().numpy(), 1e-6
    p = [reference.firing_probability(at + side, "gaussian", low, high, k, v_th) for side in (step, -step)]
    np.testing.assert_allclose(current.grad, (p[0] - p[1]) / (2 * step), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_mean_that_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"density mean = {value}: must be"):
        Density(mean=value)


def test_no_graph_is_kept_without_gradients() -> None:
    assert not spike(torch.ones(2), 1.0, Triangle()).requires_grad


@pytest.mark.parametrize("kind", KINDS)
def test_surrogate_is_parsed_from_a_dict(kind: str) -> None:
    parsed = PARSER.validate_python({"kind": kind})
    assert parsed == KINDS[kind]()


@pytest.mark.parametrize("kind", KINDS)
def test_unknown_field_of_a_surrogate_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="widht"):
        PARSER.validate_python({"kind": kind, "widht": 1.0})


def test_unknown_surrogate_is_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match=r"(?s)'step'.*'triangle'.*'rectangle'.*'arctan'.*'sigmoid'.*'density'"):
        PARSER.validate_python({"kind": "step"})


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("cls", KINDS.values())
def test_a_width_or_slope_that_is_not_positive_is_refused(cls: type, value: float) -> None:
    with pytest.raises(ValueError, match=rf"(width|slope|sigma) = {value}: must be a finite number above 0"):
        cls(value)
