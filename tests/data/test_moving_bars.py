"""Bars that move: a plain decoder finds each direction from two frames, and nobody can from one."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from snnlib.checks import InputError
from snnlib.data.moving_bars import DIRECTIONS, moving_bars

N, T, SIZE = 160, 5, 12


def profiles(events: torch.Tensor, label: int) -> tuple[np.ndarray, np.ndarray]:
    """Events [T, 2, H, W] of a bar without noise, along the way it moves: brighter and darker, [T, SIZE]."""
    along_row = DIRECTIONS[label] in ("right", "left")
    lines = events.numpy() if along_row else events.numpy().swapaxes(2, 3)  # [T, 2, across, along]
    assert (lines == lines[:, :, :1]).all()  # the same across all of the bar
    return lines[:, 0, 0], lines[:, 1, 0]


def test_the_label_is_where_events_move_to() -> None:
    x, y = moving_bars(N, T, SIZE, noise=0.0)
    for events, label in zip(x, y.tolist(), strict=True):
        change = np.subtract(*profiles(events, label))
        moves = [s for s in (-2, -1, 1, 2) if all((np.roll(a, s) == b).all() for a, b in pairwise(change))]
        assert moves
        assert (np.array(moves) > 0).all() == (DIRECTIONS[label] in ("right", "down"))


def test_one_frame_says_no_more_than_the_axis() -> None:
    """The edge that became brighter is behind the darker one as often for each of an axis's two directions."""
    x, y = moving_bars(N, T, SIZE, noise=0.0)
    ahead = torch.zeros(len(DIRECTIONS), dtype=torch.int64)
    for events, label in zip(x, y.tolist(), strict=True):
        for bright, dark in zip(*profiles(events, label), strict=True):
            offsets = {(np.roll(dark, d) == bright).all(): d for d in (-4, -3, -2, 2, 3, 4)}
            ahead[label] += offsets[True] > 0
    assert ahead.tolist() == [N // 8 * T] * 4


def test_shapes_classes_and_the_events_of_noise() -> None:
    x, y = moving_bars(N, T, SIZE)
    assert (x.shape, x.dtype, y.shape, y.dtype) == ((N, T, 2, SIZE, SIZE), torch.float32, (N,), torch.int64)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert y.bincount().tolist() == [N // 4] * 4
    assert y[:8].tolist() != sorted(y[:8].tolist())
    clean, same = moving_bars(N, T, SIZE, noise=0.0)
    assert torch.equal(y, same)
    assert (x >= clean).all()
    added = (x - clean)[clean == 0].mean().item()
    assert added == pytest.approx(0.01, rel=0.1)


def test_a_seed_repeats_and_another_gives_others() -> None:
    for a, b in zip(moving_bars(20, seed=3), moving_bars(20, seed=3), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(moving_bars(20, seed=3)[0], moving_bars(20, seed=4)[0])


@pytest.mark.parametrize(
    "bad",
    [{"n": 0}, {"n": 1.5}, {"timesteps": 0}, {"size": 7}, {"noise": 1.5}, {"noise": float("nan")}, {"seed": -1}],
    ids=str,
)
def test_what_cannot_be_used_is_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(bad))):
        moving_bars(**{"n": 3, **bad})
