"""Accuracy at every T from one pass, and firing rates (Sec. 3.1, Fig. 2)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from snnlib.batches import batches, standardise
from snnlib.checks import one_of, whole
from snnlib.data import Dataset
from snnlib.models import Network
from snnlib.neurons import Neuron, Observer, Simulation
from snnlib.seeds import stream

PRECISIONS = ("float32", "bfloat16")
CHUNK = 16  # time steps in one pass of a long simulation: enough to keep a processor busy


def accuracy_over_time(
    model: Network,
    data: Dataset,
    timesteps: int = 10,
    noise_seeds: Iterable[int] = (0,),
    batch_size: int = 250,
    precision: str = "float32",
) -> pd.DataFrame:
    """Accuracy on the whole test set at every T from 1 to ``timesteps``, from one pass of that length.

    The prediction at T is the largest mean output over the first T steps; of equal outputs, frequent
    with a spiking readout at small T, the first class wins.

    Time is folded into the batch, `CHUNK` steps at most: memory grows no further with T.

    Returns:
        Columns noise_seed, timesteps, accuracy (a fraction), one row for each pair of the first two.
    """
    whole("timesteps", timesteps, least=1)
    whole("batch_size", batch_size, least=1)
    noise_seeds = tuple(noise_seeds)
    whole("number of noise seeds", len(noise_seeds), least=1)
    rows = []
    for noise_seed in noise_seeds:
        correct = torch.zeros(timesteps, dtype=torch.int64)
        generator = stream(noise_seed, "evaluation", device=data.test.images.device)
        for images, labels in batches(data.test, batch_size):
            total = 0.0  # [B, classes]; the sum orders classes as the mean does
            for t, outputs in simulate(model, standardise(images, data), generator, timesteps, precision):
                sums = total + outputs.cumsum(0)  # [chunk, B, classes]
                correct[t : t + len(outputs)] += (sums.argmax(-1) == labels).sum(1).cpu()
                total = sums[-1]
        rows += [(noise_seed, t, n / len(data.test)) for t, n in enumerate(correct.tolist(), start=1)]
    return pd.DataFrame(rows, columns=["noise_seed", "timesteps", "accuracy"])


def firing_rates(
    model: Network,
    data: Dataset,
    timesteps: int = 10,
    noise_seed: int = 0,
    batch_size: int = 250,
    precision: str = "float32",
) -> pd.DataFrame:
    """Mean spikes per neuron and time step on the test set.

    Returns:
        Columns layer (name, from the input on), rate (spikes per neuron and step, 0 to 1).
    """
    spikes: dict[Neuron, float] = defaultdict(float)

    def observe(neuron: Neuron, t: int, s: Tensor, state: Tensor | None) -> None:
        spikes[neuron] += s.float().mean().item() * len(s)

    generator = stream(noise_seed, "evaluation", device=data.test.images.device)
    for images, _ in batches(data.test, batch_size):
        for _ in simulate(model, standardise(images, data), generator, timesteps, precision, observe):
            pass
    steps = timesteps * len(data.test)
    return pd.DataFrame([(name, spikes[n] / steps) for name, n in model.neurons()], columns=["layer", "rate"])


def calibration_images(data: Dataset, n: int, seed: int = 0) -> Tensor:
    """``n`` standardised training images, drawn with ``seed``, for frozen statistics."""
    whole("calibration images", n, least=1)
    generator = stream(seed, "calibration", device=data.train.images.device)
    images, _ = next(batches(data.train, n, generator))
    return standardise(images, data)


def simulate(
    model: Network,
    images: Tensor,
    generator: torch.Generator,
    timesteps: int,
    precision: str = "float32",
    observe: Observer | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Outputs of a long simulation in pieces, in evaluation mode and without gradients.

    Args:
        images: standardised, [B, C, H, W].
        generator: of the noise, on the images' device.
        timesteps: T.

    Yields:
        The number of steps before this piece, and its outputs, float32 [steps, B, classes].
    """
    training = model.training
    model.eval()
    states: dict[Neuron, Any] = {}
    try:
        for t in range(0, timesteps, CHUNK):
            sim = Simulation(generator, min(CHUNK, timesteps - t), observe, states)
            with torch.no_grad(), autocast(images.device, precision):
                outputs = model(images, sim)
            yield t, outputs.float()
    finally:
        model.train(training)


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Convolutions and linear layers in this precision; weights stay float32."""
    one_of("precision", precision, PRECISIONS)
    # No cache of cast weights: it is emptied only when the outermost autocast ends, and there may be one around this:
    # a forward pass would go on with weights that training has changed. Each is cast once in a pass anyway.
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=False)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run on ``n`` CPU threads: how a sum is split among them decides its last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)
