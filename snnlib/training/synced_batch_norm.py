"""Batch norm over the parts of a batch that several devices hold, as if one held it all."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


class _Sum(torch.autograd.Function):
    """The sum of all ranks' tensors. Each rank's output depends on it, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return _summed(own)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _summed(grad)


class SyncedBatchNorm(nn.BatchNorm2d):
    """Mean and variance of each channel over all ranks' parts in training; in evaluation, plain batch norm.

    PyTorch has ``nn.SyncBatchNorm`` for GPUs alone; this one is the same on a CPU, where it can be tested. Every rank
    must have as many numbers in a channel.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes = [0, *range(2, x.ndim)]
        wide = x.float()
        ranks = dist.get_world_size()
        mean = _Sum.apply(wide.mean(axes)) / ranks
        deviation = wide - mean[:, None, None]
        variance = _Sum.apply(deviation.square().mean(axes)) / ranks
        self._remember(mean.detach(), variance.detach(), ranks * x.numel() // len(mean))
        scale = self.weight * (variance + self.eps).rsqrt()
        return (deviation * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, n: int) -> None:
        """Running statistics, with the unbiased variance of n numbers, as `nn.BatchNorm2d` keeps them."""
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * n / (n - 1), self.momentum)


def _summed(own: Tensor) -> Tensor:
    total = own.clone()
    dist.all_reduce(total)
    return total


def synced(model: nn.Module) -> None:
    """Put a `SyncedBatchNorm` in the place of each batch norm of a model; weights, names and statistics stay."""
    for name, norm in [(name, m) for name, m in model.named_modules() if type(m) is nn.BatchNorm2d]:
        new = SyncedBatchNorm(norm.num_features, norm.eps, norm.momentum, device="meta")
        new._parameters, new._buffers, new.training = norm._parameters, norm._buffers, norm.training
        model.set_submodule(name, new)
