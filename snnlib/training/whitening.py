"""A first layer that begins by whitening: what it makes of images is uncorrelated, as gradient descent likes it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset

IMAGES = 5000  # whose patches are looked at
EPSILON = 5e-4  # variance that is added to each direction, so that those of noise alone are not blown up


def whiten_first(model: nn.Module, data: Dataset) -> None:
    """Begin the first convolution with whitening filters (Jordan 2024, after Page 2019); none is frozen.

    Where it has fewer filters than there are, the directions of most variance; where it has more, the rest stay.
    """
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    filters = whitening_filters(standardise(data.train.images[:IMAGES], data), first.kernel_size[0])[
        : len(first.weight)
    ]
    with torch.no_grad():
        first.weight[: len(filters)] = filters


def whitening_filters(images: Tensor, kernel: int) -> Tensor:
    """Principal directions of all k x k patches, each over its standard deviation, and with it its negative.

    Args:
        images: [N, C, H, W].

    Returns:
        [2·C·k², C, k, k], from the most variance to the least.
    """
    c = images.shape[1]
    patches = nn.functional.unfold(images, kernel).movedim(1, 0).flatten(1)  # [C·k², all patches]
    variances, directions = torch.linalg.eigh(torch.cov(patches))  # the least first
    filters = (directions / (variances + EPSILON).sqrt()).T.flip(0).reshape(-1, c, kernel, kernel)
    return torch.stack((filters, -filters), dim=1).flatten(0, 1)
