"""Accuracy at every T from one pass, with ties and silence at the output (Sec. 3.1, Fig. 2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

import pandas as pd
import torch
from torch import Tensor

from snnlib.checks import one_of, sequence, whole
from snnlib.data.batches import batches, standardise
from snnlib.data.sets import Dataset
from snnlib.network import Spiking
from snnlib.simulation import MOST_TIMESTEPS, simulate
from snnlib.training.seeds import stream

MOST_NOISE_SEEDS = 1000
TIES = ("first", "random")


@dataclass(frozen=True)
class Predictions:
    """What a net says of the test set at every T.

    Attributes:
        table: columns noise_seed, timesteps, accuracy, tied (images of which several classes have the largest output),
            silent (whose outputs are all 0, as of neurons that never fired); fractions of the images.
        right: which images are predicted right, bool [noise seeds, T, N].
    """

    table: pd.DataFrame
    right: Tensor


def accuracy_over_time(
    model: Spiking,
    data: Dataset,
    timesteps: int = 10,
    noise_seeds: Iterable[int] = (0,),
    batch_size: int = 250,
    precision: str = "float32",
) -> pd.DataFrame:
    """Accuracy on the whole test set at every T from 1 to ``timesteps``, from one pass of that length.

    Returns:
        Columns noise_seed, timesteps, accuracy (a fraction) of `predict`, one row for each pair of the first two.
    """
    return predict(model, data, timesteps, noise_seeds, batch_size, precision).table[
        ["noise_seed", "timesteps", "accuracy"]
    ]


def predict(
    model: Spiking,
    data: Dataset,
    timesteps: int = 10,
    noise_seeds: Iterable[int] = (0,),
    batch_size: int = 250,
    precision: str = "float32",
    ties: str = "first",
    warm_up: int = 0,
    flips: bool = False,
) -> Predictions:
    """Predictions for the whole test set at every T from 1 to ``timesteps``, from one pass of that length.

    The prediction at T is the largest mean output over the first T steps. Of equal ones, frequent
    with a spiking readout at small T, the first class wins, or one of them at random (``ties``). The outputs of the
    first ``warm_up`` steps are forgotten as soon as there is a later one. With ``flips`` each image is seen twice, the
    second time mirrored, at twice the cost, and the outputs of both are averaged.

    Time is folded into the batch, `CHUNK` steps at most: memory grows no further with T.
    """
    one_of("ties", ties, TIES)
    whole("timesteps", timesteps, 1, MOST_TIMESTEPS)
    whole("batch_size", batch_size, least=1)
    whole("warm_up", warm_up, least=0)
    sequence("noise seeds", noise_seeds)
    noise_seeds = tuple(islice(noise_seeds, MOST_NOISE_SEEDS + 1))
    whole("number of noise seeds", len(noise_seeds), 1, MOST_NOISE_SEEDS)
    device, n = data.test.images.device, len(data.test)
    found = torch.zeros(3, len(noise_seeds), timesteps, n, dtype=torch.bool)  # right, tied, silent
    for i, noise_seed in enumerate(noise_seeds):
        noise, chance = (stream(noise_seed, purpose, device=device) for purpose in ("evaluation", "ties"))
        begin = 0
        for images, labels in batches(data.test, batch_size):
            total = 0.0  # [B, classes]; the sum orders classes as the mean does
            seen = torch.cat([images, images.flip(-1)]) if flips else images
            for t, outputs in simulate(model, standardise(seen, data), noise, timesteps, precision):
                outputs = outputs.unflatten(1, (-1, len(images))).mean(1)  # [chunk, B, classes]
                early, rest = outputs.tensor_split([max(warm_up - t, 0)])
                sums = torch.cat([early, total + rest.cumsum(0)])  # [chunk, B, classes]
                largest = sums == sums.amax(-1, keepdim=True)
                keys = 1 - torch.rand(sums.shape, generator=chance, device=device) if ties == "random" else 1
                predicted = (largest * keys).argmax(-1)
                said = predicted == labels, largest.sum(-1) > 1, (sums == 0).all(-1)
                found[:, i, t : t + len(outputs), begin : begin + len(labels)] = torch.stack(said).cpu()
                total = sums[-1] if len(rest) else 0.0
            begin += len(labels)
    index = pd.MultiIndex.from_product([noise_seeds, range(1, timesteps + 1)], names=["noise_seed", "timesteps"])
    shares = (found.sum(-1).double() / n).flatten(1).T.numpy()
    return Predictions(pd.DataFrame(shares, index, ["accuracy", "tied", "silent"]).reset_index(), found[0])


def calibration_images(data: Dataset, n: int, seed: int = 0) -> Tensor:
    """``n`` standardised training images, drawn with ``seed``, for frozen statistics."""
    whole("calibration images", n, least=1)
    generator = stream(seed, "calibration", device=data.train.images.device)
    images, _ = next(batches(data.train, n, generator))
    return standardise(images, data)
