"""What one training step costs, in time, FLOP and memory, measured for all arms side by side.

The wall times of training runs carry whatever else the machine did meanwhile. Here the arms take turns, so that
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
from torch.utils.flop_counter import FlopCounterMode

from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.titles import title
from reproduce.runs.preset import Comparison
from reproduce.runs.provenance import provenance
from reproduce.runs.run import build_for, default_device
from reproduce.runs.spec import Spec
from snnlib.checks import positive, whole
from snnlib.data.sets import Dataset, Split
from snnlib.fast.compiled import compiling
from snnlib.fast.noise_tape import tapes_read
from snnlib.training.loop import initial_state, one_epoch
from snnlib.training.measure import peak_bytes, seconds

LEAST = 0.05  # seconds, of one measurement
GIB, MIB = 2**30, 2**20
SAME_STEP = {"equal_time": "ours"}  # arms that differ in the number of steps alone


def training_cost(races: Iterable[Comparison], memory_gib: float, repeats: int = 5) -> pd.DataFrame:
    """Time, FLOP and peak memory of a training step of each arm of each race, with the batch size of their recipe.

    An arm in `SAME_STEP` has no row: its step is another arm's. The largest batch is where the memory of a step,
    a + b B, meets the limit; a and b come from the recipe's batch and half of it. Nothing is read from the run store,
    and the nets have their initial weights.

    Args:
        memory_gib: the limit, in GiB.
        repeats: of the time measurement.

    Returns:
        A row for each net and arm: the columns (`Spec.columns`) of the run whose net was measured, the first of the
        arm, then batch_size, arm, timesteps, device, step_seconds (median) and step_seconds_sd over the repeats,
        step_flop (`step_flop`), peak_bytes, tape_bytes (the part of it that is the noise tape), fixed_bytes (a),
        image_bytes (b), largest_batch, memory_limit_bytes.

    Raises:
        InputError: a limit that is not above 0, or fewer than two repeats.
    """
    positive("memory_gib", memory_gib)
    whole("repeats", repeats, least=2)
    limit = memory_gib * GIB
    device = torch.device(default_device())
    rows = []
    for arms in races:
        specs = {arm: runs[0].spec for arm, runs in arms.items() if arm not in SAME_STEP}
        data = arms["ours"][0].data(device)
        with specs["ours"].recipe.execution():
            measured = step_seconds(list(specs.values()), data, repeats)
            for (arm, s), times in zip(specs.items(), measured, strict=True):
                batch = s.recipe.batch_size
                (peak, tape), (half, _) = (peak_memory(s, data, b) for b in (batch, batch // 2))
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
                        "step_flop": step_flop(s, data),
                        "peak_bytes": peak,
                        "tape_bytes": tape,
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


def step_flop(spec: Spec, data: Dataset) -> int:
    """FLOP of a training step, forward, backward and update, two of a multiply-accumulate, as PyTorch counts them.

    Those of convolutions and products of matrices, not what is done value by value: neurons, batch norm, Adam.
    """
    train, images = trainer(spec, data), first(spec.recipe.batch_size, data)
    with compiling(False), FlopCounterMode(display=False) as counter:
        train(images)
    return counter.get_total_flops()


def peak_memory(spec: Spec, data: Dataset, batch_size: int) -> tuple[int, int]:
    """Most bytes held at one time by two training steps: weights, gradients, Adam's moments, activations, noise tape.

    Two, since Adam's moments, and gradients that the forward pass still finds there, exist from the second on. The
    tape of `fast.noise_tape` lasts as long as the process, so nothing that starts later sees it claimed; it counts
    whole, if a step reads it.

    Returns:
        These bytes, and how many of them are the tape's.
    """
    images = first(2 * batch_size, data)  # there before, so not counted
    trainer(spec, data, batch_size)(first(batch_size, data))  # from here on the tape is there
    with tapes_read() as tapes, compiling(False):  # what a compiled kernel claims cannot be seen
        peak = peak_bytes(lambda: trainer(spec, data, batch_size)(images), data.train.images.device)
    tape = sum(tapes.values())
    return peak + tape, tape


def trainer(spec: Spec, data: Dataset, batch_size: int | None = None) -> Callable[[Dataset], object]:
    """A fresh net of this spec, as a function that trains it for an epoch on the images given."""
    # A measurement could run past the end of a schedule, and a schedule costs next to nothing.
    recipe = spec.recipe.model_copy(
        update={"batch_size": batch_size or spec.recipe.batch_size, "schedule": "constant", "evaluate_every": 1}
    )
    state = initial_state(build_for(spec).to(data.train.images.device), data, recipe)
    return lambda images: list(one_epoch(state, images, recipe, spec.timesteps, spec.seed))


def first(n: int, data: Dataset) -> Dataset:
    """The first n training images, and from the start again where there are fewer."""
    index = torch.arange(n, device=data.train.labels.device) % len(data.train)
    return replace(data, train=Split(data.train.images[index], data.train.labels[index]))


def memory_in_words(costs: pd.DataFrame) -> str:
    """A line for each net of `training_cost`: why direct training needs less than T times the memory of ours.

    Some bytes are there whatever the batch (a of a + b B). Of those that an image adds, b, some do not grow with T: b
    at two T of direct training is a line in T, whose start they are.
    """
    lines = []
    for _, net in costs.groupby(ARCHITECTURE, sort=False):
        arms = net.set_index("arm")
        ours, direct = arms.loc["ours"], arms.loc["direct"]
        ratio = direct.peak_bytes / ours.peak_bytes
        text = (
            f"{title(ours)}: {_mib(direct.peak_bytes)} against {_mib(ours.peak_bytes)} MiB is {ratio:.1f}× at "
            f"T = {direct.timesteps}. Whatever the batch: {_mib(direct.fixed_bytes)} against {_mib(ours.fixed_bytes)} "
            f"MiB ({_mib(ours.tape_bytes)} the noise tape). For each image: {_mib(direct.image_bytes)} against "
            f"{_mib(ours.image_bytes)} MiB, {direct.image_bytes / ours.image_bytes:.1f}×"
        )
        if "direct2" in arms.index:
            fewer = arms.loc["direct2"]
            start, _ = line((fewer.timesteps, fewer.image_bytes), (direct.timesteps, direct.image_bytes))
            text += f"; {_mib(start)} of direct training's do not grow with T"
        lines.append(f"{text}.")
    return "\n".join(lines)


def _mib(count: float) -> str:
    return f"{count / MIB:,.0f}" if count >= 100 * MIB else f"{count / MIB:.2g}"
