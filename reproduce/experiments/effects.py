"""An effect over training seeds, and its 95 % interval: of a difference in points, or of a ratio."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtri, stdtrit

from reproduce.experiments.over_seeds import CONFIDENCE, geometric_interval

LEAST_SEEDS = 3  # fewer decide nothing


@dataclass(frozen=True)
class Effect:
    """An effect in each training seed, and the standard error that its mean has from the choice of test images."""

    values: Sequence[float]
    image_error: float = 0.0

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Effect:
        """From the rows of a `contrasts.contrast`."""
        return cls(rows.points.tolist(), float(rows.image_error.iloc[0]) if len(rows) else 0.0)

    @property
    def mean(self) -> float:
        return float(self._rounded.mean())

    @property
    def of_seeds(self) -> float:
        """Half-width of the interval that the training seeds give: t(0.975, n - 1) s / sqrt(n); inf for one seed."""
        n = len(self.values)
        if n < 2:
            return math.inf
        return float(stdtrit(n - 1, (1 + CONFIDENCE) / 2) * self._rounded.std(ddof=1) / math.sqrt(n))

    @property
    def of_images(self) -> float:
        """Half-width of the interval that the test images give."""
        return float(ndtri((1 + CONFIDENCE) / 2) * self.image_error)

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end; everything is possible with fewer than `LEAST_SEEDS` seeds."""
        if len(self.values) < LEAST_SEEDS:
            return -math.inf, math.inf
        half = math.hypot(self.of_seeds, self.of_images)
        return self.mean - half, self.mean + half

    def shown(self, form: str = "+.1f", unit: str = "") -> str:
        """Mean ± of seeds ± of images."""
        halves = [self.of_seeds] if len(self.values) > 1 else []
        halves += [self.of_images] if self.image_error else []
        spread = "".join(f" ± {half:{form.removeprefix('+')}}" for half in halves)
        return f"{self.mean:{form}}{spread}{unit}"

    @property
    def _rounded(self) -> np.ndarray:
        return np.round(np.asarray(self.values, np.float64), 9)  # equal accuracies differ by nothing, not by a rounding


@dataclass(frozen=True)
class Factor:
    """A ratio of times, or of steps, in each training seed: its mean and interval are those of its logarithm.

    Attributes:
        least, most: where a ratio is not known but between two, these, in each seed; 0 and inf bound nothing.
    """

    values: Sequence[float]
    least: Sequence[float] | None = None
    most: Sequence[float] | None = None

    @property
    def mean(self) -> float:
        return self._rounded[0]

    @property
    def interval(self) -> tuple[float, float]:
        """Low and high end; everything is possible with fewer than `LEAST_SEEDS` seeds."""
        return self._rounded[1:] if len(self.values) >= LEAST_SEEDS else (0.0, math.inf)

    def shown(self, form: str = ".1f", unit: str = "×", told: Callable[[float], float] = float) -> str:
        """Mean and, of enough seeds, both ends of the interval, each as ``told``, which must never fall, has it."""
        known = self._rounded if len(self.values) >= LEAST_SEEDS else self._rounded[:1]
        mean, *ends = (f"{told(value):{form}}" for value in known)
        return f"{mean} [{', '.join(ends)}]{unit}" if ends else f"{mean}{unit}"

    @property
    def _rounded(self) -> tuple[float, ...]:
        mean, low, high = geometric_interval(self.values)
        if self.least is not None:
            low = geometric_interval(self.least)[1] if min(self.least) > 0 else 0.0
        if self.most is not None:
            high = geometric_interval(self.most)[2] if max(self.most) < math.inf else math.inf
        return tuple(round(value, 9) for value in (mean, low, high))  # exp(log(100)) is above 100
