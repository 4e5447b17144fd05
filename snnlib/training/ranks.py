"""Several devices that train one net: each has a part of every batch, and all have the mean of their gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snnlib.checks import InputError
from snnlib.training.synced_batch_norm import synced


@dataclass(frozen=True)
class Rank:
    """Which of the processes that share a run this one is, of how many; each has a device of its own."""

    number: int = 0
    of: int = 1

    @property
    def leads(self) -> bool:
        """Whether this one tests the net, saves it and tells of it, for all."""
        return self.number == 0

    def part(self, batch: Tensor) -> Tensor:
        """Its rows [B / of, ...] of a batch [B, ...], which all hold."""
        size = len(batch) // self.of
        return batch[self.number * size : (self.number + 1) * size]

    def share(self, model: nn.Module, synchronised: bool) -> nn.Module:
        """The model as it is to be called in training: a backward pass then averages gradients over all ranks.

        The weights are the first rank's from then on, and so is what batch norm keeps for evaluation; what it computes
        in training is over all parts of a batch if ``synchronised``, else over each rank's own.
        """
        if self.of == 1:
            return model
        if synchronised:
            synced(model)
        device = next(model.parameters()).device
        return DistributedDataParallel(model, device_ids=None if device.type == "cpu" else [device])

    def mean(self, number: Tensor) -> Tensor:
        """Of all ranks' numbers."""
        return number if self.of == 1 else self._reduced(number.double(), dist.ReduceOp.SUM) / self.of

    def largest(self, number: Tensor) -> Tensor:
        """Of all ranks' numbers."""
        return number if self.of == 1 else self._reduced(number.clone(), dist.ReduceOp.MAX)

    @staticmethod
    def _reduced(number: Tensor, operation: dist.ReduceOp) -> Tensor:
        with torch.no_grad():
            dist.all_reduce(number, operation)
        return number


ALONE = Rank()


def enough_devices(devices: int, device: torch.device) -> None:
    """Refuse with an `InputError` a run that wants more GPUs than there are; a CPU has room for any number."""
    there = torch.cuda.device_count()
    if device.type == "cuda" and devices > there:
        raise InputError(
            f"recipe.devices = {devices}: must be at most {there}, the GPUs that PyTorch sees here "
            "(CUDA_VISIBLE_DEVICES)"
        )
