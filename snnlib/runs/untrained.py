"""A net before it is trained, for what neither its weights nor its images decide, as how long its steps take."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset, Split
from snnlib.models import INPUT_SHAPES
from snnlib.network import Spiking
from snnlib.runs.run import Run, build_for
from snnlib.simulation import Simulation
from snnlib.training.seeds import stream


@dataclass(frozen=True)
class Untrained(Run):
    """Stands for a run before there is one: the net with its initial weights, and this many random images.

    Batch norm has seen these: as it begins, deep layers would get next to no current.
    """

    images: int

    def model(self, device: torch.device | str | None = None) -> Spiking:
        net, data = build_for(self.spec).to(device).train(), self.data(device)
        for module in net.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # a single pass sets its statistics
        generator = stream(self.spec.seed, "noise", device=device or "cpu")
        with torch.no_grad():
            net(standardise(data.train.images, data), simulation=Simulation(generator, self.spec.timesteps))
        return net.eval()

    def data(self, device: torch.device | str | None = None) -> Dataset:
        generator = torch.Generator().manual_seed(0)
        channels, *side = INPUT_SHAPES[self.spec.network]
        images = torch.randint(256, (self.images, channels, *side), dtype=torch.uint8, generator=generator)
        split = Split(images.to(device), torch.arange(self.images, device=device) % 10)
        half = torch.full((channels, 1, 1), 0.5, device=device)
        return Dataset(self.spec.dataset, split, split, half, half, tuple("0123456789"))
