"""What stands in Eq. 6: N_noise, the potential term N(leak * V) and N', as a trained net really has them."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from snnlib.checks import whole
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import MOST_TIMESTEPS, Simulation, evaluating

NOISE, POTENTIAL, RESIDUAL, SUM = "N_noise", "N(λV)", "N'", "N(λV) + N'"

BINS = 75  # of a histogram


def record(
    model: Spiking, images: Tensor, generator: torch.Generator, timesteps: int = 10
) -> dict[str, dict[str, Tensor]]:
    """Values of each term of Eq. 6 in each layer, from the second time step on.

    Args:
        model: a converted network.
        images: standardised, [B, C, H, W].
        generator: on the images' device.
        timesteps: T; every layer gives (T - 1) * B * neurons values of each term.

    Returns:
        Layer name -> term -> values. Potentials are those of the run; noise is drawn anew from the
        distributions that the run draws from.
    """
    whole("timesteps", timesteps, 2, MOST_TIMESTEPS)  # the first has no potential
    potentials: dict[Neuron, list[Tensor]] = defaultdict(list)

    def observe(neuron: Neuron, t: int, spikes: Tensor, v: Tensor) -> None:
        if t < timesteps:
            potentials[neuron].append(neuron.dynamics.memory(v))

    with evaluating(model), torch.no_grad():
        model(images, simulation=Simulation(generator, timesteps, observe))
    found = {}
    for name, neuron in model.neurons():
        d, potential = neuron.dynamics, torch.cat(potentials[neuron]).flatten()
        residual = d.residual.like(potential, generator)
        found[name] = {
            NOISE: d.noise.like(potential, generator),
            POTENTIAL: potential,
            RESIDUAL: residual,
            SUM: (potential + residual).clamp(d.noise.low, d.noise.high),
        }
    return found


def moments(recorded: dict[str, dict[str, Tensor]]) -> pd.DataFrame:
    """Columns layer, term, mean, sd, min, max."""
    rows = [
        (layer, term, x.mean().item(), x.std().item(), x.min().item(), x.max().item())
        for layer, terms in recorded.items()
        for term, x in terms.items()
    ]
    return pd.DataFrame(rows, columns=["layer", "term", "mean", "sd", "min", "max"])


def histograms(recorded: dict[str, dict[str, Tensor]]) -> pd.DataFrame:
    """Densities on [-0.5, 1]: columns layer, term, left, right (of the bin), density."""
    tables = []
    for layer, terms in recorded.items():
        for term, x in terms.items():
            density, edges = np.histogram(x.float().cpu().numpy(), BINS, range=(-0.5, 1.0), density=True)
            tables.append(
                pd.DataFrame({"layer": layer, "term": term, "left": edges[:-1], "right": edges[1:], "density": density})
            )
    return pd.concat(tables, ignore_index=True)
