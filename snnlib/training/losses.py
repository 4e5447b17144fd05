"""Losses of outputs, averaged over time, and labels: the paper's MSE, and cross-entropy; or another net's outputs."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 2.0  # of both nets' probabilities where one is taught


def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error against one-hot labels (Sec. 3), over batch and classes."""
    return F.mse_loss(outputs.float(), F.one_hot(labels, outputs.shape[-1]).float())


def cross_entropy(outputs: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean over the batch; ``smoothing`` is the share of a label that all classes have alike (Szegedy et al. 2016)."""
    return F.cross_entropy(outputs.float(), labels, label_smoothing=smoothing)


# By name, with the smoothing of labels, which `Recipe` refuses for mse.
LOSSES = {"mse": lambda outputs, labels, smoothing: mse(outputs, labels), "cross_entropy": cross_entropy}


def distillation(outputs: Tensor, taught: Tensor) -> Tensor:
    """τ² KL(softmax(taught / τ), softmax(outputs / τ)), mean over the batch (Hinton, Vinyals & Dean 2015, Sec. 2).

    τ is `TEMPERATURE`; its square makes gradients as large as those of labels, whatever it is.
    """
    ours, theirs = (F.log_softmax(each.float() / TEMPERATURE, -1) for each in (outputs, taught))
    return TEMPERATURE**2 * F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
