"""Bounded noise, and what Eqs. 8-9 are measured over."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
import torch
from conftest import generator
from pydantic import TypeAdapter, ValidationError

from snnlib.noise import Bounded, Gaussian, MaxNormalised, Noise, Uniform
from snnlib.statistics import Frozen, Layer, Sample, Statistics

PARSER = TypeAdapter(Noise)
ALL = [Gaussian(), Gaussian(k=1.0), MaxNormalised(), Uniform()]
RANGES = [(0.0, 1.0), (-0.25, 0.25), (0.1, 0.4), (-3.0, 5.0)]


def clipped_sigma(half_width: float, k: float) -> float:
    """Standard deviation of a centred normal of sigma = half_width / k that is clipped to -/+ half_width."""
    sigma = half_width / k
    inside = math.erf(k / math.sqrt(2))
    density = math.exp(-k * k / 2) / math.sqrt(2 * math.pi)
    return math.sqrt(sigma**2 * (inside - 2 * k * density) + half_width**2 * (1 - inside))


@pytest.mark.parametrize("noise", ALL, ids=str)
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_noise_stays_in_its_range_around_the_centre(noise: Bounded, low: float, high: float) -> None:
    placed = noise.within((low + high) / 2, (high - low) / 2)
    drawn = placed.sample((400, 500), generator()).double()
    assert drawn.min() >= np.float32(low)
    assert drawn.max() <= np.float32(high)
    half = (high - low) / 2
    # five standard errors, with the widest sigma a bounded variable can have
    assert drawn.mean().item() == pytest.approx((low + high) / 2, abs=5 * half / math.sqrt(200_000))


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize(("low", "high"), RANGES)
def test_gaussian_sigma_is_that_of_a_clipped_normal(k: float, low: float, high: float) -> None:
    drawn = Gaussian(low, high, k).sample((200_000,), generator(), torch.float64)
    assert drawn.std().item() == pytest.approx(clipped_sigma((high - low) / 2, k), rel=0.01)


@pytest.mark.parametrize("k", [1.0, 4.0])
def test_gaussian_is_the_clipped_transform_of_the_generators_draws(k: float) -> None:
    z = torch.randn(1000, generator=generator(3), dtype=torch.float64)
    drawn = Gaussian(-0.25, 0.75, k).sample((1000,), generator(3), torch.float64)
    np.testing.assert_allclose(drawn, reference.bounded_gaussian(z.numpy(), -0.25, 0.75, k), rtol=0, atol=1e-12)


def test_uniform_fills_its_range_evenly() -> None:
    drawn = Uniform(0.0, 2.0).sample((200_000,), generator())
    counts = torch.histc(drawn, 10, 0, 2)
    assert (counts / 20_000 - 1).abs().max() < 0.05
    assert drawn.std().item() == pytest.approx(2 / math.sqrt(12), rel=0.01)


@pytest.mark.parametrize(("low", "high"), RANGES)
def test_max_normalised_is_eqs_8_and_9_of_the_draws(low: float, high: float) -> None:
    z = torch.randn(5000, generator=generator(3), dtype=torch.float64)
    drawn = MaxNormalised(low, high).sample((50, 100), generator(3), torch.float64)
    np.testing.assert_allclose(drawn.flatten(), reference.literal_gaussian(z.numpy(), low, high), rtol=0, atol=1e-12)
    half = (high - low) / 2
    assert (drawn - (low + high) / 2).abs().max().item() == pytest.approx(half)
    assert drawn.mean().item() == pytest.approx((low + high) / 2, abs=1e-12 * half)


def test_max_normalised_of_one_number_is_the_centre() -> None:
    assert MaxNormalised(0.0, 3.0).sample((1,), generator()).item() == 1.5


@pytest.mark.parametrize("noise", ALL, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_channels_last_input_gives_channels_last_noise_that_is_all_drawn(noise: Bounded, dtype: torch.dtype) -> None:
    x = torch.full((40, 30, 7, 9), torch.nan, dtype=dtype).contiguous(memory_format=torch.channels_last)
    drawn = noise.like(x, generator())
    assert drawn.shape == x.shape
    assert drawn.stride() == x.stride()
    assert drawn.dtype == dtype
    plain = noise.like(torch.empty(x.numel(), dtype=dtype), generator()).double()
    drawn = drawn.double()
    assert drawn.mean().item() == pytest.approx(0.5, abs=0.01)
    assert drawn.std().item() == pytest.approx(plain.std().item(), rel=0.03)
    assert torch.equal(drawn.permute(0, 2, 3, 1).flatten(), plain)
    for axis in range(4):  # neighbours along every axis are independent
        a, b = (drawn.narrow(axis, i, drawn.shape[axis] - 1).flatten() for i in (0, 1))
        assert abs(torch.corrcoef(torch.stack([a, b]))[0, 1].item()) < 0.03


@pytest.mark.parametrize("noise", ALL, ids=str)
@pytest.mark.parametrize(
    "x",
    [torch.ones(6, 8, 10)[:, ::2], torch.ones(6, 1, 10).expand(6, 8, 10), torch.ones(10, 8, 6).mT, torch.ones(())],
    ids=["slice", "expanded", "transposed", "scalar"],
)
def test_noise_of_any_layout_is_all_drawn(noise: Bounded, x: torch.Tensor) -> None:
    drawn = noise.like(x, generator())
    assert drawn.shape == x.shape
    assert ((drawn >= 0) & (drawn <= 1)).all()
    inside = drawn[(drawn > 0) & (drawn < 1)]  # a Gaussian is clipped at either end
    assert inside.unique().numel() > 0.9 * inside.numel() > 0.5 * x.numel() or x.ndim == 0
    assert (x == 1).all()


@pytest.mark.parametrize("noise", ALL, ids=str)
def test_the_generators_seed_repeats_the_noise_whatever_the_global_one_drew(noise: Bounded) -> None:
    g = generator(8)
    first, second = noise.sample((100,), g), noise.sample((100,), g)
    torch.rand(7)
    assert torch.equal(first, noise.sample((100,), generator(8)))
    assert not torch.equal(first, second)
    assert not torch.equal(first, noise.sample((100,), generator(9)))


@pytest.mark.parametrize("noise", ALL, ids=str)
def test_noise_leaves_the_global_generator_alone(noise: Bounded) -> None:
    before = torch.get_rng_state()
    noise.sample((100,), generator())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("noise", ALL, ids=str)
def test_zero_width_is_the_centre(noise: Bounded) -> None:
    assert (noise.within(0.3, 0.0).sample((5, 5), generator(), torch.float64) == 0.3).all()


@pytest.mark.parametrize("noise", ALL, ids=str)
def test_within_moves_the_range_and_keeps_the_rest(noise: Bounded) -> None:
    moved = noise.within(2.0, 0.5)
    assert (moved.low, moved.high, moved.centre, moved.half_width) == (1.5, 2.5, 2.0, 0.5)
    assert moved.within(0.5, 0.5) == noise


@pytest.mark.parametrize("noise", [Gaussian(-1, 2, 3), MaxNormalised(0, 2), Uniform(0, 0.5)], ids=str)
def test_noise_is_parsed_from_a_dict(noise: Noise) -> None:
    assert PARSER.validate_python(PARSER.dump_python(noise)) == noise
    assert PARSER.validate_json(PARSER.dump_json(noise)) == noise
    assert PARSER.validate_python({"kind": noise.kind}) == type(noise)()


@pytest.mark.parametrize("kind", ["gaussian", "max_normalised", "uniform"])
def test_unknown_field_of_noise_is_refused(kind: str) -> None:
    with pytest.raises(ValidationError, match="sigma"):
        PARSER.validate_python({"kind": kind, "sigma": 0.1})


def test_unknown_noise_is_refused_with_the_choices() -> None:
    with pytest.raises(ValidationError, match=r"(?s)'laplace'.*'gaussian'.*'max_normalised'.*'uniform'"):
        PARSER.validate_python({"kind": "laplace"})


def test_a_range_upside_down_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[1.0, 0.0\]: low must not exceed high"):
        Uniform(1.0, 0.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_range_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=f"noise low = {value}: must be a finite number"):
        Uniform(low=value)
    with pytest.raises(ValueError, match=f"noise high = {value}: must be a finite number"):
        Gaussian(high=value)


@pytest.mark.parametrize("k", [0.0, -1.0, math.nan, math.inf])
def test_a_k_that_is_not_positive_is_refused(k: float) -> None:
    with pytest.raises(ValueError, match=rf"gaussian k = {k}: must be a finite number above 0"):
        Gaussian(k=k)


# --- over what Eqs. 8-9 take mu and max|A - mu| --------------------------------------------------


def potentials() -> torch.Tensor:
    a = torch.randn(6, 4, 5, 3, generator=generator(2), dtype=torch.float64)
    return a * torch.arange(1, 7)[:, None, None, None] - 1


def test_layer_statistics_are_over_everything() -> None:
    a = potentials()
    mean, peak = Layer()(a)
    assert mean.item() == pytest.approx(a.numpy().mean())
    assert peak.item() == pytest.approx(np.abs(a.numpy() - a.numpy().mean()).max())


def test_sample_statistics_are_of_each_image_alone() -> None:
    a = potentials()
    mean, peak = Sample()(a)
    assert mean.shape == peak.shape == (6, 1, 1, 1)
    for image, m, p in zip(a.numpy(), mean.flatten().tolist(), peak.flatten().tolist(), strict=True):
        assert m == pytest.approx(image.mean())
        assert p == pytest.approx(np.abs(image - image.mean()).max())


def test_sample_statistics_of_a_linear_layer() -> None:
    a = potentials().flatten(1)
    mean, peak = Sample()(a)
    np.testing.assert_allclose(mean, a.numpy().mean(1, keepdims=True))
    np.testing.assert_allclose(peak, np.abs(a.numpy() - a.numpy().mean(1, keepdims=True)).max(1, keepdims=True))


def test_of_one_neuron_an_image_every_potential_is_the_mean() -> None:
    a = potentials().flatten()
    mean, peak = Sample()(a)
    assert torch.equal(mean, a)
    assert torch.equal(peak, torch.zeros_like(a))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_frozen_statistics_are_their_constants(dtype: torch.dtype) -> None:
    mean, peak = Frozen(0.2, 3.0)(potentials().to(dtype))
    assert mean.dtype == peak.dtype == dtype
    assert (mean.item(), peak.item()) == (pytest.approx(0.2), 3.0)


@pytest.mark.parametrize("statistics", [Layer(), Sample()], ids=str)
@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, -7.3])
def test_equal_potentials_have_a_peak_of_exactly_zero(statistics: Layer | Sample, value: float) -> None:
    _, peak = statistics(torch.full((7, 13, 11), value))
    assert (peak == 0).all()


@pytest.mark.parametrize("value", [Layer(), Sample(), Frozen(0.25, 2.0)], ids=str)
def test_statistics_are_parsed_from_a_dict(value: Statistics) -> None:
    parser = TypeAdapter(Statistics)
    assert parser.validate_python(parser.dump_python(value)) == value
    with pytest.raises(ValidationError, match="axes"):
        parser.validate_python({**parser.dump_python(value), "axes": 1})


@pytest.mark.parametrize("peak", [-1.0, math.nan])
def test_a_negative_frozen_peak_is_refused(peak: float) -> None:
    with pytest.raises(ValueError, match=f"frozen peak = {peak}"):
        Frozen(0.0, peak)
