"""Losses of outputs, averaged over time, and labels: the paper's MSE, and cross-entropy."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

LOSSES = ("mse", "cross_entropy")


def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error against one-hot labels (Sec. 3), over batch and classes."""
    return F.mse_loss(outputs.float(), F.one_hot(labels, outputs.shape[-1]).float())


def cross_entropy(outputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over the batch; ``smoothing`` is the share of a label that all classes have alike (Szegedy et al. 2016)."""
    return F.cross_entropy(outputs.float(), labels, label_smoothing=smoothing)
