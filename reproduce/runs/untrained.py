"""A net before it is trained, for what neither its weights nor its images decide, as how long its steps take."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim.swa_utils import update_bn

from reproduce.runs.run import Run, build_for
from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset, Split
from snnlib.models import INPUT_SHAPES
from snnlib.network import Spiking


@dataclass(frozen=True)
class Untrained(Run):
    """Stands for a run before there is one: the net with its initial weights, and this many random images.

    Batch norm has seen these, in a single step: as it begins, deep layers would get next to no current.
    """

    images: int

    def model(self, device: torch.device | str | None = None) -> Spiking:
        net, data = build_for(self.spec).to(device), self.data(device)
        with torch.random.fork_rng():
            torch.manual_seed(self.spec.seed)
            update_bn([standardise(data.train.images, data)], net)
        return net.eval()

    def data(self, device: torch.device | str | None = None) -> Dataset:
        generator = torch.Generator().manual_seed(0)
        channels, *side = INPUT_SHAPES[self.spec.network]
        images = torch.randint(256, (self.images, channels, *side), dtype=torch.uint8, generator=generator)
        split = Split(images.to(device), torch.arange(self.images, device=device) % 10)
        half = torch.full((channels, 1, 1), 0.5, device=device)
        return Dataset(self.spec.dataset, split, split, half, half, tuple("0123456789"))
