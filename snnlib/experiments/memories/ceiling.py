"""What more steps come to in the end: accuracy of one net with each memory at T = 1,000, on some of its test images.

An exact memory has at each step the law of the ensemble, and so the same mean outputs. If its rates settle at these
means, both end at the same accuracy.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from snnlib.experiments.contrasts import image_error
from snnlib.experiments.evidence import Effect, exceeds
from snnlib.experiments.memories.table import ENSEMBLE, EXACT, PAPER, first_images, memories
from snnlib.runs.evaluations import Conversion
from snnlib.runs.run import Run, ensure
from snnlib.training.evaluation import predict

AT = (1, 10, 100, 1000)  # T
IMAGES = 100


def accuracies(runs: Sequence[Run], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at each T of `AT` with each memory, and how far that is above the ensemble at the last.

    Args:
        runs: of one net, a training seed each; trained if they are not.

    Returns:
        The runs' columns, then memory, timesteps, accuracy (a fraction), points (over the ensemble at the last T, mean
        over noise seeds, same images), image_error (as of `contrasts.combination`), images, changed (how many of them
        are right in another share of the noise seeds than with that ensemble).
    """
    right = {m: torch.stack([_right(run, evaluation, m) for run in runs]) for m in (ENSEMBLE, PAPER, EXACT)}
    ceiling = right[ENSEMBLE][:, -1]
    rows = []
    for memory, of_memory in right.items():
        for i, t in enumerate(AT):
            points = 100 * (of_memory[:, i] - ceiling)
            for run, shares, above in zip(runs, of_memory[:, i], points, strict=True):
                rows.append({
                    **run.spec.columns(), "memory": memory, "timesteps": t, "accuracy": shares.mean().item(),
                    "points": above.mean().item(), "image_error": image_error(points), "images": len(above),
                    "changed": above.count_nonzero().item(),
                })  # fmt: skip
    return pd.DataFrame(rows)


def _right(run: Run, evaluation: Conversion, memory: str) -> Tensor:
    """How often each image is predicted right at each T of `AT`, a share of the noise seeds: [T, N]."""
    ensure(run.spec)
    e = memories(evaluation, run.spec)[memory].changed(timesteps=AT[-1])
    data, precision = first_images(run, IMAGES), run.spec.recipe.precision
    with run.spec.recipe.execution():
        found = predict(e.network(run), data, e.timesteps, e.noise_seeds, e.batch_size, precision, e.ties)
    return found.right[:, [t - 1 for t in AT]].double().mean(0)


def told(table: pd.DataFrame) -> str:
    """How far each memory is above the ensemble at the last T: points ± of seeds ± of images, and images that change.

    Where none of n does, the share that would may still be 3 / n (95 %), whatever the interval says.
    """
    last = table.timesteps.max()
    lines = [f"points over the {ENSEMBLE} at T = {last}:"]
    for (memory, t), rows in table.groupby(["memory", "timesteps"], sort=False):
        if (memory, t) != (ENSEMBLE, last):
            item = exceeds("", Effect.of(rows), 0)
            changed = f"{rows.changed.sum()} of {rows.images.sum()} images changed"
            lines.append(f"  {memory} at T = {t}: {item.shown}, {changed}; above it: {item.says}")
    return "\n".join(lines)
