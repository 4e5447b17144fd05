"""Noise read from a tape behaves as noise that is drawn: its moments, and no correlation between reads."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from conftest import generator
from pollution import POLLUTIONS

from snnlib.fast import noise_tape as tape
from snnlib.fast.noise_tape import SHORT, clipped_normal, whole_numbers


def read(n: int, g: torch.Generator, mean: float = 0.0, sigma: float = 1.0, dtype: torch.dtype = torch.float32):
    return clipped_normal(n, mean, sigma, -math.inf, math.inf, dtype, g)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_read_has_the_moments_and_tails_of_a_normal_distribution(dtype: torch.dtype) -> None:
    n = 2**20
    x = (read(n, generator(3), 0.5, 0.125, dtype).double() - 0.5) / 0.125
    # Standard errors of the first four moments of n normal numbers: sqrt(1, 2, 15, 96) / sqrt(n).
    for moment, expected, error in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**moment).mean().item() - expected) < 5 * math.sqrt(error / n)
    for k in (1, 2, 3):
        share = math.erfc(k / math.sqrt(2))
        assert abs((x.abs() > k).double().mean().item() - share) < 5 * math.sqrt(share / n)


def test_neurons_steps_and_layers_are_uncorrelated() -> None:
    n, reads = 20_000, 60
    g = generator(1)
    x = torch.stack([read(n, g).double() for _ in range(reads)])
    between = torch.corrcoef(x).fill_diagonal_(0)  # the same neurons in other steps or layers
    assert between.abs().max() < 5.5 / math.sqrt(n)
    for lag in (1, 2, 7, 28, 784):  # neighbours in one read
        pair = (x[:, lag:] * x[:, :-lag]).mean(1)
        assert pair.abs().max() < 5.5 / math.sqrt(n - lag)


def test_a_seed_repeats_and_another_differs() -> None:
    a, b, other = (read(SHORT, generator(seed)) for seed in (4, 4, 5))
    assert torch.equal(a, b)
    assert not torch.equal(a, other)
    g = generator(4)
    assert torch.equal(read(SHORT, g), a)
    assert not torch.equal(read(SHORT, g), a)


@pytest.mark.parametrize("pollution", ["float64", "another device"])
def test_a_tape_is_the_same_whatever_the_defaults_were_when_it_was_first_read(pollution: str) -> None:
    whole = partial(whole_numbers, SHORT, 0, 10)
    expected = read(SHORT, generator(4)), whole(generator(4))
    for known in (tape._standard, tape._whole):
        known.cache_clear()
    tape._tapes.clear()
    with POLLUTIONS[pollution]():
        read(SHORT, generator(4))
        whole(generator(4))
    for found, right in zip((read(SHORT, generator(4)), whole(generator(4))), expected, strict=True):
        assert found.device == right.device
        assert torch.equal(found, right)


def test_a_read_longer_than_the_tape_goes_on_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "LENGTH", 2 * SHORT)
    monkeypatch.setattr(tape, "_tape", lambda *_: torch.arange(2 * SHORT, dtype=torch.float32))
    x = read(5 * SHORT, generator())
    for piece in x.split(SHORT):
        assert torch.equal(piece, torch.arange(piece[0].item(), piece[0].item() + SHORT))
    assert len({piece[0].item() for piece in x.split(SHORT)}) > 1


def test_a_read_is_a_view_and_what_it_holds_is_scaled_and_clipped_once() -> None:
    x, y = (clipped_normal(SHORT, 0.5, 0.5, 0.0, 1.0, torch.bfloat16, generator(seed)) for seed in (0, 1))
    assert x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr()
    whole = tape._tape(tape._Clipped(0.5, 0.5, 0.0, 1.0, torch.bfloat16))
    assert torch.equal(whole, (tape._standard() * 0.5 + 0.5).to(torch.bfloat16).clamp(0, 1))


@pytest.fixture
def no_tapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tape, "LENGTH", 8 * SHORT)
    monkeypatch.setattr(tape, "_tapes", {})
    monkeypatch.setattr(tape, "_last", {})
    tape._standard.cache_clear()
    yield
    tape._standard.cache_clear()


@pytest.mark.usefixtures("no_tapes")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_more_kinds_than_there_is_room_for_are_the_same_bits_and_make_no_tapes(dtype: torch.dtype) -> None:
    """As a net with an alpha for each layer has, which read them one after another."""
    kinds = [(1 / i, 0.3 / i, 0.0, 1.0, dtype) for i in range(2, tape.MOST + 5)]
    reads = [[clipped_normal(n, *kind, generator(i)) for i, kind in enumerate(kinds)] for n in (SHORT, 3 * SHORT + 5)]
    assert len(tape._tapes) == tape.MOST
    for found in reads:
        for i, (x, kind) in enumerate(zip(found, kinds, strict=True)):
            tape._tapes.clear()
            assert torch.equal(x, clipped_normal(len(x), *kind, generator(i)))


@pytest.mark.usefixtures("no_tapes")
def test_what_is_no_longer_read_makes_room() -> None:
    for alpha in range(2, tape.MOST + 3):
        for _ in range(tape.IN_USE + 1):
            x = read(SHORT, generator(), 1 / alpha)
    assert len(tape._tapes) == tape.MOST
    assert x.untyped_storage().nbytes() > x.nbytes  # a view of a tape


@pytest.mark.parametrize("n", [SHORT - 1, 2**20], ids=["drawn", "read"])
def test_whole_numbers_are_all_as_likely(n: int) -> None:
    """Chi-squared of seven numbers: a false alarm is 1 in 100,000."""
    counts = torch.bincount((whole_numbers(n, -3, 4, generator(2)) + 3).long(), minlength=7).double()
    assert len(counts) == 7
    assert ((counts - n / 7) ** 2 / (n / 7)).sum() < 33.2
    largest = whole_numbers(n, 2**23 - 2, 2**23, generator(2)).unique()
    assert largest.tolist() == [2**23 - 2, 2**23 - 1]
    assert torch.equal(whole_numbers(n, -3, 4, generator(2)), whole_numbers(n, -3, 4, generator(2)))
