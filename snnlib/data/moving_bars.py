"""Bars that move over a small event camera: made data for networks over time, in which a single frame says too little.

An event camera (DVS) reports changes: each pixel that became brighter between two moments sends an event of one
polarity, each that became darker one of the other. Here a bar, brighter or darker than what is behind it with equal
chance, moves over a sensor whose opposite sides are joined. The class is where it moves to: right, left, down or up.
One frame shows the bar's two edges, and so whether it moves along a row or a column. But a bright bar that moves right
and a dark one that moves left look the same: from frames in any order nobody can tell more than that, half of all
directions. What tells them is which frame came first.
"""

from __future__ import annotations

import torch
from torch import Tensor

from snnlib.checks import between, whole

DIRECTIONS = ("right", "left", "down", "up")
MOST_EVENTS = 2**30  # places for one: 4 GiB


def moving_bars(
    n: int, timesteps: int = 10, size: int = 16, noise: float = 0.01, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Events of ``n`` bars, each of its own direction, contrast, place, width (2 to 4 pixels) and speed (1 or 2).

    Args:
        timesteps: T, frames of events.
        size: pixels along each side, at least 8.
        noise: chance of an event that nothing caused, for each pixel, polarity and frame.
        seed: the same one gives the same events.

    Returns:
        Events [N, T, 2, H, W] of zeros and ones, float32, brighter and darker on axis 2; labels [N], which of
        `DIRECTIONS`.

    Raises:
        InputError: no bars or frames, a sensor too small, a chance outside [0, 1].
    """
    whole("n", n, 1)
    whole("timesteps", timesteps, 1)
    whole("size", size, 8)
    whole("events, n x timesteps x 2 x size x size", n * timesteps * 2 * size * size, 1, MOST_EVENTS)
    between("noise", noise, 0, 1)
    whole("seed", seed, 0, 2**63 - 1)
    g = torch.Generator().manual_seed(seed)

    def drawn(low: int, high: int) -> Tensor:
        return torch.randint(low, high + 1, (n, 1, 1), generator=g)

    kinds = torch.randperm(n, generator=g)[:, None, None] % (2 * len(DIRECTIONS))  # of each as many as can be
    labels, bright = kinds // 2, kinds % 2
    place, width, speed = drawn(0, size - 1), drawn(2, 4), drawn(1, 2)
    t, pixel = torch.arange(timesteps + 1)[:, None], torch.arange(size)
    begins = place + (1 - 2 * (labels % 2)) * speed * t  # [N, T + 1, 1]
    inside = (pixel - begins) % size < width  # [N, T + 1, size], along the way that it moves
    intensity = (inside == bright.bool()).int()
    change = intensity.diff(dim=1)
    events = torch.stack([change > 0, change < 0], dim=2)  # [N, T, 2, size]
    along_row = (labels < 2)[..., None, None]
    shape = (n, timesteps, 2, size, size)
    events = torch.where(along_row, events[..., None, :].expand(shape), events[..., None].expand(shape))
    events |= torch.rand(shape, generator=g) < noise
    return events.float(), labels.flatten()
