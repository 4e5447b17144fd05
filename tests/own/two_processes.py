"""What a process of DistributedDataParallel does in `test_ordinary`; it imports little, since each process does."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import snnlib as sn
from snnlib.network import Spiking


def small() -> Spiking:
    """A net, and one of the functions that it calls."""
    torch.manual_seed(0)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.act = nn.Linear(4, 16), nn.Linear(16, 3), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.second(torch.relu(self.act(self.first(x)) - 0.5))

    return sn.spiking(Net())


def share(rank: int) -> tuple[Tensor, Tensor]:
    """The part of a batch that falls to this process."""
    g = torch.Generator().manual_seed(rank)
    return torch.randn(8, 4, generator=g), torch.randint(0, 3, (8,), generator=g)


def step(rank: int, net: nn.Module) -> None:
    """Two backward passes, with noise of the process's own."""
    torch.manual_seed(100 + rank)
    x, y = share(rank)
    for timesteps in (None, 3):
        out = net(x) if timesteps is None else net(x, timesteps=timesteps).mean(0)
        F.cross_entropy(out, y).backward()


def work(rank: int, folder: str) -> None:
    """Run as one of two processes; the first one writes its gradients."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    net = DistributedDataParallel(small())
    step(rank, net)
    if rank == 0:
        torch.save([p.grad for p in net.parameters()], Path(folder) / "gradients.pt")
    dist.destroy_process_group()
