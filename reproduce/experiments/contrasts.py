"""Differences between two accuracies: training seed by training seed, on the same test images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from reproduce.runs.evaluation import Evaluation
from reproduce.runs.results import predictions
from reproduce.runs.run import Run
from snnlib.checks import InputError

COLUMNS = ["seed", "points", "image_error", "run", "other_run"]


@dataclass(frozen=True)
class Side:
    """The accuracy of one arm at one T: its runs, a training seed each, evaluated in one way."""

    runs: Sequence[Run]
    evaluation: Evaluation
    timesteps: int

    def right(self) -> Tensor:
        """How often each image is predicted right, a share of the noise seeds: [training seeds, N]."""
        found = [predictions(run, self.evaluation).right[:, self.timesteps - 1] for run in self.runs]
        return torch.stack([right.double().mean(0) for right in found])


def contrast(one: Side, other: Side) -> pd.DataFrame:
    """How many points the one is above the other: `combination` of 1 and -1."""
    return combination((1, one), (-1, other))


def combination(*terms: tuple[float, Side]) -> pd.DataFrame:
    """A sum of accuracies with weights, in points, as half of one gain less another gain.

    Returns:
        A row for each training seed: seed, points, image_error, run, other_run (names of the first two sides' runs).
        ``image_error`` is the standard error, in points, that the mean over the seeds has from the choice of the test
        images, the same in each row: SD of the images' sums, each averaged over seeds, / sqrt(N), to which a paired
        bootstrap of images tends.

    Raises:
        InputError: sides of different seeds, or tested on different images.
    """
    sides = [side for _, side in terms]
    seeds, *others = ([run.spec.seed for run in side.runs] for side in sides)
    for other in others:
        if seeds != other:
            raise InputError(f"training seeds = {seeds} and {other}: must be the same on both sides")
    values = 100 * sum(weight * side.right() for weight, side in terms)  # [training seeds, N]
    error = image_error(values)
    names = zip(sides[0].runs, sides[1].runs, strict=True)
    rows = zip(seeds, values.mean(1).tolist(), strict=True)
    return pd.DataFrame(
        [(seed, points, error, a.spec.name, b.spec.name) for (seed, points), (a, b) in zip(rows, names, strict=True)],
        columns=COLUMNS,
    )


def level(side: Side) -> pd.DataFrame:
    """An accuracy, to be held against a constant: rows as of `contrast`, ``points`` in percent, without other_run."""
    right = 100 * side.right()
    error = image_error(right)
    names = [run.spec.name for run in side.runs]
    seeds = [run.spec.seed for run in side.runs]
    return pd.DataFrame({"seed": seeds, "points": right.mean(1).tolist(), "image_error": error, "run": names})


def image_error(values: Tensor) -> float:
    """Standard error of the mean of values [training seeds, N] that the choice of N images gives."""
    return values.mean(0).std(correction=0).item() / math.sqrt(values.shape[1])


def unpaired_error(accuracy: float, other: float, images: int) -> float:
    """The same in points where it was not kept which images were right: as if the two were tested on different ones.

    Args:
        accuracy, other: means over training seeds (fractions).
        images: N.
    """
    return 100 * math.sqrt((accuracy * (1 - accuracy) + other * (1 - other)) / images)
