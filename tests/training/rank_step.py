"""Run by torchrun: some training steps on each rank, with noise that is given; the first rank writes what came out."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import Literal

import torch
import torch.distributed as dist
from safetensors.torch import save_file
from torch import Tensor

from snnlib.dynamics import SingleStep
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.noise import Gaussian
from snnlib.training.ranks import Rank


@dataclass(frozen=True)
class Given(Gaussian):
    """The noise that one process draws for a whole batch, of which this rank takes the rows of its images."""

    number: int = 0
    of: int = 1
    kind: Literal["gaussian"] = "gaussian"

    def like(self, x: Tensor, generator: torch.Generator) -> Tensor:
        whole = super().like(torch.cat([x] * self.of).contiguous(memory_format=layout(x)), generator)
        return Rank(self.number, self.of).part(whole)


def layout(x: Tensor) -> torch.memory_format:
    channels_last = x.ndim == 4 and x.is_contiguous(memory_format=torch.channels_last)
    return torch.channels_last if channels_last else torch.contiguous_format


def network(rank: Rank) -> Spiking:
    """A net with batch norm, convolutions and linear layers, the same on every rank."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        return build("cnn", SingleStep(Given(number=rank.number, of=rank.of)), width=1 / 16, readout="potential")


def steps(rank: Rank, synchronised: bool) -> dict[str, Tensor]:
    """Losses, and gradients, weights and statistics after two steps of plain gradient descent on random images."""
    model = network(rank).train()
    net = rank.share(model, synchronised)
    noise, data = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    losses, gradients = [], {}
    for _ in range(2):
        images, target = torch.rand(8, 1, 28, 28, generator=data), torch.rand(8, 10, generator=data)
        model.zero_grad()
        loss = (net(rank.part(images), generator=noise) - rank.part(target)).square().mean()
        loss.backward()
        losses.append(rank.mean(loss.detach()))
        for name, parameter in model.named_parameters():
            gradients[f"gradient {len(losses)} {name}"] = parameter.grad.clone()
            parameter.data -= 0.1 * parameter.grad
    return {"losses": torch.stack(losses).double(), **gradients, **model.state_dict()}


def main(file: str, synchronised: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = Rank(dist.get_rank(), dist.get_world_size())
    found = steps(rank, synchronised == "True")
    if rank.leads:
        save_file({name: value.contiguous() for name, value in found.items()}, file)
    dist.destroy_process_group()


if __name__ == "__main__":
    assert "TORCHELASTIC_RUN_ID" in os.environ
    main(*sys.argv[1:])
