"""Differences of two accuracies on the same images, against hand-made bits and a real bootstrap of images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from reproduce.experiments import contrasts
from reproduce.experiments.contrasts import COLUMNS, Side, contrast, image_error, unpaired_error
from snnlib.checks import InputError
from snnlib.training.evaluation import Predictions


@dataclass(frozen=True)
class Known:
    """In place of a run: its predictions are given."""

    name: str
    seed: int
    bits: tuple  # [noise seeds, T, N]

    @property
    def spec(self) -> Any:
        return SimpleNamespace(name=self.name, seed=self.seed)


@pytest.fixture(autouse=True)
def _given(monkeypatch: pytest.MonkeyPatch) -> None:
    def known(run: Known, evaluation: Any) -> Predictions:
        return Predictions(pd.DataFrame(), torch.tensor(run.bits, dtype=torch.bool))

    monkeypatch.setattr(contrasts, "predictions", known)


def side(bits: dict[int, list], timesteps: int = 1, name: str = "a") -> Side:
    return Side([Known(f"{name}{seed}", seed, tuple(b)) for seed, b in bits.items()], None, timesteps)


def test_points_are_counted_by_hand() -> None:
    one = side({0: [[[1, 1, 0, 1]]], 1: [[[1, 0, 0, 0]]]})
    other = side({0: [[[1, 0, 0, 0]]], 1: [[[0, 1, 1, 0]]]}, name="b")
    table = contrast(one, other)
    assert list(table) == COLUMNS
    found = table[["seed", "points", "run", "other_run"]]
    assert found.to_numpy().tolist() == [[0, 50, "a0", "b0"], [1, -25, "a1", "b1"]]
    # By image, each averaged over seeds: (0 + 1)/2, (1 - 1)/2, (0 - 1)/2, (1 + 0)/2; mean 1/8, SD sqrt(11)/8.
    assert table.image_error.tolist() == pytest.approx([100 * 11**0.5 / 8 / 2] * 2)


def test_the_time_step_is_the_sides_and_noise_seeds_are_averaged() -> None:
    one = side(
        {3: [[[0, 0], [1, 1]], [[0, 0], [1, 0]]]}, timesteps=2
    )  # right at T = 2: image 0 always, 1 half the time
    other = side({3: [[[1, 0]]]}, name="b")  # one noise seed, T = 1
    assert contrast(one, other).points.tolist() == [pytest.approx(25)]
    assert contrast(other, one).points.tolist() == [pytest.approx(-25)]


def test_what_is_the_same_differs_by_nothing() -> None:
    one = side({0: [[[1, 0, 1]]], 1: [[[0, 0, 1]]]})
    table = contrast(one, one)
    assert (table.points == 0).all()
    assert (table.image_error == 0).all()


def test_other_seeds_are_refused() -> None:
    with pytest.raises(InputError, match=r"training seeds = \[0\] and \[1\]: must be the same on both sides"):
        contrast(side({0: [[[1]]]}), side({1: [[[1]]]}))


def bits(share: float, like: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Of which a share is redrawn: two nets are right on much the same images."""
    return np.where(rng.random(like.shape) < share, rng.random(like.shape) < 0.6, like)


def test_the_error_is_that_of_a_bootstrap_of_images() -> None:
    rng = np.random.default_rng(0)
    images, seeds = 600, 3
    hard = rng.random(images) < 0.7
    a, b = ([bits(share, hard, rng) for _ in range(seeds)] for share in (0.2, 0.4))
    table = contrast(
        side({i: [[x.tolist()]] for i, x in enumerate(a)}), side({i: [[x.tolist()]] for i, x in enumerate(b)})
    )
    drawn = rng.integers(0, images, (4000, images))  # the same images for both nets and for all seeds
    means = np.array([100 * np.mean([x[d].mean() - y[d].mean() for x, y in zip(a, b, strict=True)]) for d in drawn])
    assert means.mean() == pytest.approx(table.points.mean(), abs=0.1)
    assert table.image_error.iloc[0] == pytest.approx(means.std(), rel=0.04)


@pytest.mark.parametrize("draw", [lambda rng: rng.random((3, 50)), lambda rng: rng.integers(-2, 3, (1, 80)) / 2])
def test_the_error_is_numpys(draw: Callable) -> None:
    values = draw(np.random.default_rng(1))
    expected = values.mean(0).std() / np.sqrt(values.shape[1])
    assert image_error(Tensor(values).double()) == pytest.approx(expected, rel=1e-5)


def test_the_unpaired_error_is_of_two_binomials_and_wider_than_a_paired_one() -> None:
    assert unpaired_error(0.9, 0.8, 1000) == pytest.approx(100 * np.sqrt(0.9 * 0.1 / 1000 + 0.8 * 0.2 / 1000))
    rng = np.random.default_rng(2)
    hard = rng.random(1000) < 0.8
    a, b = bits(0.1, hard, rng), bits(0.1, hard, rng)
    paired = 100 * image_error(torch.tensor(a.astype(float) - b)[None])
    assert paired < unpaired_error(a.mean(), b.mean(), 1000)
