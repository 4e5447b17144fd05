"""What one training step costs, in time and in memory, measured for both arms side by side.

The wall times of training runs carry whatever else the machine did meanwhile. Here both arms take turns, so that
the ratio of their times is that of their work.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import pandas as pd
import torch
from tqdm import tqdm

from snnlib.checks import positive, whole
from snnlib.data.sets import Dataset, Split
from snnlib.runs.preset import Comparison
from snnlib.runs.provenance import provenance
from snnlib.runs.run import Spec, build_for, default_device
from snnlib.training.loop import initial_state, one_epoch
from snnlib.training.measure import peak_bytes, seconds

LEAST = 0.05  # seconds, of one measurement
GIB = 2**30


def training_cost(
    races: Iterable[Comparison], memory_gib: float, repeats: int = 5, device: torch.device | str | None = None
) -> pd.DataFrame:
    """Time and peak memory of a training step of both arms of each pair, with the batch size of their recipe.

    The largest batch is where the memory of a step, a + b B, meets the limit; a and b come from the recipe's batch
    and half of it. Nothing is read from the run store, and the nets have their initial weights.

    Args:
        memory_gib: the limit, in GiB.
        repeats: of the time measurement.
        device: the GPU if there is one, if not given.

    Returns:
        A row for each pair and arm: the columns (`Spec.columns`) of the run whose net was measured, the first of the
        arm, then batch_size, arm, timesteps, device, step_seconds (median) and step_seconds_sd over the repeats,
        peak_bytes, fixed_bytes (a), image_bytes (b), largest_batch, memory_limit_bytes.

    Raises:
        InputError: a limit that is not above 0, or fewer than two repeats.
    """
    positive("memory_gib", memory_gib)
    whole("repeats", repeats, least=2)
    limit = memory_gib * GIB
    device = torch.device(device or default_device())
    rows = []
    for arms in races:
        specs = {arm: arms[arm][0].spec for arm in ("ours", "direct")}
        data = arms["ours"][0].data(device)
        with specs["ours"].recipe.execution():
            measured = step_seconds(list(specs.values()), data, repeats)
            for (arm, s), times in zip(specs.items(), measured, strict=True):
                batch = s.recipe.batch_size
                peak, half = (peak_memory(s, data, b) for b in (batch, batch // 2))
                fixed, image = line((batch // 2, half), (batch, peak))
                rows.append(
                    {
                        **s.columns(),
                        "batch_size": batch,
                        "arm": arm,
                        "timesteps": s.timesteps,
                        "device": provenance(device)["device"],
                        "step_seconds": statistics.median(times),
                        "step_seconds_sd": statistics.stdev(times),
                        "peak_bytes": peak,
                        "fixed_bytes": round(fixed),
                        "image_bytes": round(image),
                        "largest_batch": largest_batch(limit, fixed, image),
                        "memory_limit_bytes": round(limit),
                    }
                )
    return pd.DataFrame(rows)


def line(*points: tuple[float, float]) -> tuple[float, float]:
    """a and b of y = a + b x through two points."""
    (x0, y0), (x1, y1) = points
    b = (y1 - y0) / (x1 - x0)
    return y0 - b * x0, b


def largest_batch(limit: float, fixed: float, image: float) -> int:
    """The largest B with a + b B within the limit, 0 if not even one image fits."""
    return max(math.floor((limit - fixed) / image), 0)


def step_seconds(specs: list[Spec], data: Dataset, repeats: int) -> list[list[float]]:
    """Seconds of one training step of each spec, in turn, ``repeats`` times.

    A measurement takes as many steps as fill `LEAST` seconds.

    Args:
        data: whose training images are used, on the device to measure.
    """
    device, arms = data.train.images.device, []
    for spec in specs:
        train = trainer(spec, data)
        step = partial(train, first(spec.recipe.batch_size, data))
        seconds(step, device)  # warm-up: libraries choose their algorithms, memory is claimed
        steps = max(1, math.ceil(LEAST / seconds(step, device)))
        arms.append((partial(train, first(steps * spec.recipe.batch_size, data)), steps))
    rounds = [[seconds(train, device) / steps for train, steps in arms] for _ in range(repeats)]
    return [list(times) for times in zip(*rounds, strict=True)]


def peak_memory(spec: Spec, data: Dataset, batch_size: int) -> int:
    """Most bytes held at one time by two training steps: weights, gradients, Adam's moments, activations.

    Two, since Adam's moments, and gradients that the forward pass still finds there, exist from the second on.
    """
    images = first(2 * batch_size, data)  # there before, so not counted
    return peak_bytes(lambda: trainer(spec, data, batch_size)(images), data.train.images.device)


def trainer(spec: Spec, data: Dataset, batch_size: int | None = None) -> Callable[[Dataset], object]:
    """A fresh net of this spec, as a function that trains it for an epoch on the images given."""
    # A measurement could run past the end of a schedule, and a schedule costs next to nothing.
    recipe = spec.recipe.model_copy(
        update={"batch_size": batch_size or spec.recipe.batch_size, "schedule": "constant", "evaluate_every": 1}
    )
    state = initial_state(build_for(spec).to(data.train.images.device), data, recipe)
    silent = tqdm(disable=True)
    return lambda images: list(one_epoch(state, images, recipe, spec.timesteps, spec.seed, silent))


def first(n: int, data: Dataset) -> Dataset:
    """The first n training images, and from the start again where there are fewer."""
    index = torch.arange(n, device=data.train.labels.device) % len(data.train)
    return replace(data, train=Split(data.train.images[index], data.train.labels[index]))
