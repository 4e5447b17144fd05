"""The spikes of one image through the layers, step by step, in steps 2 and 3 of the method."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import simulate
from snnlib.training.seeds import stream

NEURONS = 12  # of each layer before the last


@dataclass(frozen=True)
class Raster:
    """What one image does in a net.

    Attributes:
        spikes: of each layer by name, bool [T, neurons].
        outputs: of the net, [T, classes].
    """

    spikes: dict[str, Tensor]
    outputs: Tensor

    @property
    def predicted(self) -> int:
        """The class with the largest sum of outputs, the first of several."""
        return int(self.outputs.sum(0).argmax())


def record(model: Spiking, images: Tensor, image: int, timesteps: int) -> Raster:
    """Run images together, since statistics are of the whole batch (Eq. 8), and keep what one of them does.

    Args:
        model: an ensemble or a converted network.
        images: standardised, [B, C, H, W].
        image: which of them.
        timesteps: T.
    """
    seen: dict[Neuron, list[Tensor]] = {neuron: [] for _, neuron in model.neurons()}

    def observe(neuron: Neuron, t: int, spikes: Tensor, v: Tensor | None) -> None:
        seen[neuron].append(spikes[image].flatten() > 0)

    generator = stream(0, "evaluation", device=images.device)
    outputs = [out[:, image] for _, out in simulate(model, images, generator, timesteps, observe=observe)]
    spikes = {name: torch.stack(seen[neuron]).cpu() for name, neuron in model.neurons()}
    return Raster(spikes, torch.cat(outputs).cpu())


def spikes(rasters: dict[int, Raster]) -> pd.DataFrame:
    """The spikes of a few neurons of each layer, the same in each raster; of the last layer of all, the output.

    The few are `NEURONS`, spread evenly over those that ever fire in one of the rasters.

    Args:
        rasters: by step of the method; of nets whose readout are spikes.

    Returns:
        A row for each spike: step, layer, place (from 0, of those shown), neuron, timestep (from 1).
    """
    rows = []
    layers = list(next(iter(rasters.values())).spikes)
    for layer in layers:
        fired = {step: raster.spikes[layer] for step, raster in rasters.items()}
        shown = range(next(iter(fired.values())).shape[1]) if layer == layers[-1] else _spread(list(fired.values()))
        for step, found in fired.items():
            for place, neuron in enumerate(shown):
                times = (found[:, neuron].nonzero().flatten() + 1).tolist()
                rows += [(step, layer, place, neuron, t) for t in times]
    return pd.DataFrame(rows, columns=["step", "layer", "place", "neuron", "timestep"])


def _spread(fired: list[Tensor]) -> list[int]:
    active = torch.stack([spikes.any(0) for spikes in fired]).any(0).nonzero().flatten()
    places = torch.linspace(0, max(len(active) - 1, 0), min(NEURONS, len(active))).round().long()
    return active[places].tolist()
