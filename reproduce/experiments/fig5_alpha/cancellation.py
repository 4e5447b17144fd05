"""Eqs. 7-9 to the letter: sigma and lambda both cancel, so neither changes the memory term."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch
from torch import Tensor

from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import simulate
from snnlib.training.seeds import stream

LEAKS = (0.1, 0.5, 0.9)


def potentials(model: Spiking, images: Tensor) -> dict[str, Tensor]:
    """V(1) of each layer [B, ...]: what Eq. 7 takes at the second step.

    Args:
        model: a converted network.
        images: standardised, [B, C, H, W].
    """
    found: dict[Neuron, Tensor] = {}

    def observe(neuron: Neuron, t: int, spikes: Tensor, v: Tensor) -> None:
        found[neuron] = v

    for _ in simulate(model, images, stream(0, "evaluation", device=images.device), 1, observe=observe):
        pass
    return {name: found[neuron] for name, neuron in model.neurons()}


def memory_term(v: Tensor, leak: float, alpha: float, beta: float, divided: bool) -> Tensor:
    """N(leak * V) as Eqs. 7-9 are printed, over all of v; not ``divided``, sigma of Eq. 8 is left out."""
    a = leak * v.double()  # Eq. 7
    a_hat = (a - a.mean()) / (a.std(correction=0) if divided else 1.0)  # Eq. 8
    return a_hat / (alpha * a_hat.abs().max()) + beta  # Eq. 9


def cancellation(layers: dict[str, Tensor], alpha: float, beta: float, leaks: Sequence[float] = LEAKS) -> pd.DataFrame:
    """The memory term of each layer with each leak, with sigma and without, beside that of the first row.

    Args:
        layers: potentials by name, from `potentials`.

    Returns:
        Columns layer, leak, sigma ("divided by" or "left out"), sd_of_leak_v (of A, Eq. 7), mean, sd, low, high (of
        the term), difference (the largest, of any neuron, from the layer's first row).
    """
    rows = []
    for layer, v in layers.items():
        first = memory_term(v, leaks[0], alpha, beta, divided=True)
        for leak in leaks:
            for divided in (True, False):
                term = memory_term(v, leak, alpha, beta, divided)
                spread = (leak * v.double()).std(correction=0).item()
                shown = [x.item() for x in (term.mean(), term.std(correction=0), term.min(), term.max())]
                difference = torch.dist(term, first, float("inf")).item()
                rows.append((layer, leak, "divided by" if divided else "left out", spread, *shown, difference))
    columns = ["layer", "leak", "sigma", "sd_of_leak_v", "mean", "sd", "low", "high", "difference"]
    return pd.DataFrame(rows, columns=columns)
