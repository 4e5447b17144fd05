"""What folding changes: how much of a folded net's outputs and predictions is that of the net it was folded from."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor

from snnlib.network import Spiking
from snnlib.simulation import simulate
from snnlib.training.seeds import stream


def agreement(
    nets: dict[str, Spiking],
    images: Tensor,
    labels: Tensor,
    timesteps: int = 10,
    noise_seeds: Iterable[int] = (0,),
    batch_size: int = 250,
) -> pd.DataFrame:
    """Nets on the same images with the same draws of noise, each against the first of them.

    Args:
        nets: by name.
        images: standardised, [N, C, H, W], in the nets' dtype.

    Returns:
        Columns net, noise_seed, timesteps, accuracy, same_outputs (share of output values up to T that equal the first
        net's), same_predictions (share of images); fractions.
    """
    rows = []
    for noise_seed in noise_seeds:
        first = None
        for name, net in nets.items():
            generator = stream(noise_seed, "evaluation", device=images.device)
            batches = []
            for x in images.split(batch_size):
                batches.append(torch.cat([outputs for _, outputs in simulate(net, x, generator, timesteps)]))
            outputs = torch.cat(batches, dim=1)  # [T, N, classes]
            first = outputs if first is None else first
            ours, theirs = (x.cumsum(0).argmax(-1) for x in (outputs, first))  # [T, N]
            for t in range(1, timesteps + 1):
                equal = (outputs[:t] == first[:t]).double().mean().item()
                right, same = ((ours[t - 1] == other).double().mean().item() for other in (labels, theirs[t - 1]))
                rows.append((name, noise_seed, t, right, equal, same))
    columns = ["net", "noise_seed", "timesteps", "accuracy", "same_outputs", "same_predictions"]
    return pd.DataFrame(rows, columns=columns)


def kept(table: pd.DataFrame) -> str:
    """How much of the last net's outputs and predictions up to the last T are the first one's, in words.

    Args:
        table: from `agreement`.
    """
    net = table.net.iloc[-1]
    last = table[(table.net == net) & (table.timesteps == table.timesteps.max())]
    outputs, predictions = last.same_outputs.mean(), last.same_predictions.mean()
    equal = f"{outputs:.2%} of outputs and {predictions:.2%} of predictions are equal"
    return f"{table.net.iloc[0]} and {net}, up to T = {last.timesteps.iloc[0]}: {equal}"
