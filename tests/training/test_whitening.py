"""The first layer's whitening filters: what they make of the images that they are of is uncorrelated."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from conftest import generator
from torch import nn

from snnlib.data.sets import Dataset
from snnlib.dynamics import SingleStep
from snnlib.models import build
from snnlib.training.whitening import whiten_first, whitening_filters


def correlated(n: int = 300) -> torch.Tensor:
    """Images [N, 2, 12, 12] whose neighbouring pixels and whose channels are alike."""
    noise = torch.randn(n, 2, 12, 12, generator=generator())
    smooth = F.avg_pool2d(noise, 3, 1, 1) * 3 + 0.3 * noise
    return smooth + 0.5 * smooth.flip(1)


def test_filtered_patches_have_the_identity_as_covariance() -> None:
    images = correlated()
    filters = whitening_filters(images, 3)
    assert filters.shape == (36, 2, 3, 3)
    seen = F.conv2d(images, filters[::2]).movedim(1, 0).flatten(1)
    torch.testing.assert_close(torch.cov(seen), torch.eye(18), atol=0.02, rtol=0)


def test_each_filter_has_its_negative_and_the_first_ones_see_the_most_variance() -> None:
    filters = whitening_filters(correlated(), 3)
    assert torch.equal(filters[::2], -filters[1::2])
    assert (filters.flatten(1).norm(dim=1)[::2].diff() > 0).all()  # less to divide by, direction after direction


def test_a_net_begins_with_them_and_keeps_its_other_filters(small: Dataset) -> None:
    for width in (1 / 16, 1):  # 4 filters of 18, and 64
        before, after = (build("cnn", SingleStep(), width=width) for _ in range(2))
        after.load_state_dict(before.state_dict())
        whiten_first(after, small)
        old, new = (next(m for m in net.modules() if isinstance(m, nn.Conv2d)).weight for net in (before, after))
        assert new.requires_grad
        assert torch.equal(old[18:], new[18:])
        assert not torch.isclose(old[:18], new[:18]).any()
        rest = [(a, b) for a, b in zip(before.parameters(), after.parameters(), strict=True) if a is not old]
        assert all(torch.equal(a, b) for a, b in rest)
