"""The losses, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import generator

from snnlib.training.losses import TEMPERATURE, cross_entropy, distillation, mse

LABELS = torch.tensor([0, 3, 9, 3, 5, 1])


def outputs() -> torch.Tensor:
    return torch.randn(6, 10, generator=generator())


def test_mse_is_the_mean_over_batch_and_classes() -> None:
    expected = ((outputs().numpy() - np.eye(10)[LABELS.numpy()]) ** 2).mean()
    assert mse(outputs(), LABELS).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_of_labels_of_which_a_share_is_spread_evenly(smoothing: float) -> None:
    x = outputs().double().numpy()
    log_p = x - np.log(np.exp(x).sum(1, keepdims=True))
    target = (1 - smoothing) * np.eye(10)[LABELS.numpy()] + smoothing / 10
    assert cross_entropy(outputs(), LABELS, smoothing).item() == pytest.approx(
        -(target * log_p).sum(1).mean(), rel=1e-5
    )


def test_distillation_is_the_divergence_of_softened_outputs_from_those_that_are_taught() -> None:
    taught = 3 * torch.randn(6, 10, generator=generator(1))
    p, q = (np.exp(x.double().numpy() / TEMPERATURE) for x in (taught, outputs()))
    p, q = p / p.sum(1, keepdims=True), q / q.sum(1, keepdims=True)
    expected = TEMPERATURE**2 * (p * np.log(p / q)).sum(1).mean()
    assert distillation(outputs(), taught).item() == pytest.approx(expected, rel=1e-5)
    assert distillation(taught, taught).item() == pytest.approx(0, abs=1e-6)


def test_all_are_computed_in_single_precision() -> None:
    x = outputs().bfloat16()
    losses = (mse(x, LABELS), cross_entropy(x, LABELS), distillation(x, x))
    assert {loss.dtype for loss in losses} == {torch.float32}


def test_one_hot_targets_take_any_number_of_classes() -> None:
    out, labels = torch.zeros(4, 3), torch.tensor([0, 1, 2, 2])
    assert mse(out, labels).item() == pytest.approx(F.one_hot(labels, 3).double().mean().item())
