"""From uint8 images on the device to what a network sees: batches, augmentation, standardising.

Images stay uint8 until a batch is standardised, a quarter of the memory of float32; the largest
set (CIFAR-10) is 184 MB, so no worker processes are needed to feed a device.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from snnlib.checks import whole
from snnlib.data.sets import Dataset, Split

_CROP_PADDING = 4  # pixels
_CUT = 12  # pixels, the side of what is cut out


def standardise(images: Tensor, dataset: Dataset) -> Tensor:
    """Turn uint8 [..., C, H, W] into float32 of mean 0 and deviation 1 over the training set."""
    return (images / 255 - dataset.mean) / dataset.std


def batches(split: Split, batch_size: int, generator: torch.Generator | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (images, labels): uint8 [B, C, H, W] and int64 [B].

    With a ``generator`` (on the data's device) the order is a fresh permutation and a smaller
    batch at the end is dropped, unless it is the only one: every training step then sees
    ``batch_size`` images. Without one, the whole split comes in order, as views of it.

    Raises an `InputError` for a batch size below 1, or where there are no images.
    """
    whole("batch size", batch_size, 1, 2**31)
    whole("number of images", len(split), 1)
    if generator is None:
        yield from zip(split.images.split(batch_size), split.labels.split(batch_size), strict=True)
        return
    order = torch.randperm(len(split), generator=generator, device=split.labels.device)
    for index in order.split(batch_size):
        if len(index) == min(batch_size, len(split)):
            yield split.images[index], split.labels[index]


def crop(images: Tensor, generator: torch.Generator) -> Tensor:
    """Crop uint8 [B, C, H, W] at random, each image for itself, as is usual for CIFAR-10.

    Each image gets 4 zero pixels on every side and is cropped to its old size at one of the 9 x 9 positions. The random
    numbers come from ``generator``, which must be on the images' device.
    """
    n, channels, height, width = images.shape
    device = images.device
    top, left = torch.randint(2 * _CROP_PADDING + 1, (2, n, 1), generator=generator, device=device)
    rows = top + torch.arange(height, device=device)
    columns = left + torch.arange(width, device=device)

    image = torch.arange(n, device=device)[:, None, None, None]
    channel = torch.arange(channels, device=device)[:, None, None]
    padded = F.pad(images, (_CROP_PADDING,) * 4)
    return padded[image, channel, rows[:, None, :, None], columns[:, None, None, :]]


def flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each uint8 [C, H, W] of [B, C, H, W] left to right with probability 1/2.

    The random numbers come from ``generator``, which must be on the images' device.
    """
    mirrored = torch.randint(2, (len(images), 1, 1, 1), generator=generator, device=images.device).bool()
    return torch.where(mirrored, images.flip(3), images)


def cutout(images: Tensor, generator: torch.Generator) -> Tensor:
    """Make a square of 12 x 12 pixels black in each uint8 [B, C, H, W] (DeVries and Taylor 2017, arXiv:1708.04552).

    Its middle is anywhere in the image, so part of it may lie outside. The random numbers come from ``generator``,
    which must be on the images' device.
    """
    n, _, height, width = images.shape
    top = torch.randint(height, (n, 1), generator=generator, device=images.device) - _CUT // 2
    left = torch.randint(width, (n, 1), generator=generator, device=images.device) - _CUT // 2
    rows, columns = (torch.arange(size, device=images.device) for size in (height, width))
    in_rows, in_columns = (rows >= top) & (rows < top + _CUT), (columns >= left) & (columns < left + _CUT)
    return images.masked_fill((in_rows[:, :, None] & in_columns[:, None, :])[:, None], 0)


# What a recipe may ask for, in the order in which it is done.
AUGMENTATIONS = {
    "none": (),
    "flip": (flip,),
    "crop": (crop,),
    "crop_flip": (crop, flip),
    "crop_flip_cutout": (crop, flip, cutout),
}


def augmented(images: Tensor, name: str, generator: torch.Generator) -> Tensor:
    """The uint8 images [B, C, H, W] after one of the `AUGMENTATIONS`, drawn from ``generator`` on their device."""
    for change in AUGMENTATIONS[name]:
        images = change(images, generator)
    return images
