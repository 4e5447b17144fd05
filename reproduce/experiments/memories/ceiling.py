"""What more steps come to in the end: accuracy with each memory up to T = 1,000, on some of the test images.

In hidden layers the exact memory has at each step the law of the ensemble, and so the same mean outputs. That does not
say where it ends: a deeper layer's rates may settle at other values, by the phases that they began with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd
import torch
from torch import Tensor

from reproduce.experiments.contrasts import image_error
from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import exceeds
from reproduce.experiments.memories.table import ENSEMBLE, EXACT, PAPER, memories
from reproduce.experiments.nets import by_net
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.titles import net_title
from reproduce.runs.evaluations import Conversion
from reproduce.runs.results import predicted
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure

AT = (10, 100, 1000)  # T: what is ahead before is another question
IMAGES = 100


def accuracies(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at each T of `AT` with each memory, and how far that is above the ensemble at the last.

    Args:
        runs: trained if they are not; each is compared within its net.

    Returns:
        The runs' columns, then memory, timesteps, accuracy (a fraction), points (over the ensemble at the last T, mean
        over noise seeds, same images), image_error (as of `contrasts.combination`), images, changed (how many of them
        are right in another share of the noise seeds than with that ensemble).
    """
    return pd.concat([_of_net(its, evaluation) for its in by_net(runs).values()], ignore_index=True)


def _of_net(runs: Sequence[Run], evaluation: Conversion) -> pd.DataFrame:
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
    e = memories(evaluation)[memory].changed(timesteps=AT[-1])
    found = predicted(run, e, run.data().first(IMAGES))
    return found.right[:, [t - 1 for t in AT]].double().mean(0)


def told(table: pd.DataFrame) -> str:
    """How far each memory is above its net's ensemble at the last T: points ± of seeds ± of images, images that change.

    Where none of n does, the share that would may still be 3 / n (95 %), whatever the interval says.
    """
    last = table.timesteps.max()
    lines = [f"points over the {ENSEMBLE} at T = {last}:"]
    for net, of_net in table.groupby([*NET, "noise"], sort=False):
        of = dict(zip([*NET, "noise"], net, strict=True))
        lines.append(f"{net_title(of)}, {of['noise']}, {of['readout']}:")
        for (memory, t), rows in of_net.groupby(["memory", "timesteps"], sort=False):
            if (memory, t) != (ENSEMBLE, last):
                item = exceeds("", Effect.of(rows), 0)
                changed = f"changed {rows.changed.sum()} times on {rows.images.iloc[0]} images"
                lines.append(f"  {memory} at T = {t}: {item.shown}, {changed}; above it: {item.says}")
    return "\n".join(lines)
