"""Image data sets, held whole on one device as uint8: loading and checking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from snnlib.checks import InputError, one_of, sequence, shown, whole
from snnlib.data.checksums import Files, require
from snnlib.fast.process import usable
from snnlib.store.paths import CHECKOUT, from_root

_CLOTHES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CLASSES = {
    "mnist": tuple("0123456789"),
    "fashion_mnist": _CLOTHES,
    "cifar10": ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
    "fashion_mnist_mini": _CLOTHES,
}
DATASETS = tuple(CLASSES)
# Training and test images, known before anything is downloaded.
SIZES = {
    "mnist": (60_000, 10_000),
    "fashion_mnist": (60_000, 10_000),
    "cifar10": (50_000, 10_000),
    "fashion_mnist_mini": (6_000, 1_000),
}
LARGEST = 3 * 256 * 256  # values of an image: all of them are held in memory
MINI_FILE = Path(__file__).parent / "embedded" / "fashion_mnist_mini.npz"
MINI_SHA256 = "cc3608f77ffa74a0f192c1f81ca4720393992b0f06ea0a7d727b106b2da433df"


@dataclass(frozen=True, eq=False)
class Split:
    """Images and their classes."""

    images: Tensor  # uint8 [N, C, H, W]
    labels: Tensor  # int64 [N]

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set on one device."""

    name: str
    train: Split
    test: Split
    mean: Tensor  # float32 [C, 1, 1], of the training pixels scaled to [0, 1]
    std: Tensor  # float32 [C, 1, 1], likewise
    classes: tuple[str, ...]

    def first(self, images: int) -> Dataset:
        """The same with the first so many test images alone: for what takes long, or needs few."""
        return replace(self, test=Split(self.test.images[:images], self.test.labels[:images]))


def load_dataset(
    name: str,
    device: torch.device | str = "cpu",
    shape: tuple[int, int, int] | None = None,
    download: bool = True,
    hold_out: int = 0,
) -> Dataset:
    """Load a data set whose files match their published checksums.

    ``shape`` = (C, H, W) fits the images to a network made for larger ones: zeros around them
    (the odd one at the bottom or right) and their channels repeated. ``mean`` and ``std`` are
    those of the images themselves, without that border. Files that fail their checksum are moved
    aside. With ``download``, what is missing is fetched into ``data_dir()``; several processes may
    ask at once, and one of them downloads. With ``hold_out``, so many training images, always the same ones,
    take the place of the test set: to choose by, so that the test set decides nothing.

    Raises an `InputError` for an unknown name, a shape the images cannot be padded to, or more images held out than
    leave one to train on, and ``DataError`` for files that are missing, damaged or unreadable and cannot be had anew.
    """
    one_of("data set", name, DATASETS)
    whole("hold_out", hold_out, 0, SIZES[name][0] - 1)
    train, test = _mini() if name == "fashion_mnist_mini" else _full(name, download)
    if hold_out:
        train, test = _divided(train, hold_out)
    mean, std = _pixel_statistics(train.images)
    if shape is not None:
        train, test = (Split(_fit(split.images, shape), split.labels) for split in (train, test))
        repeats = shape[0] // len(mean)
        mean, std = mean.repeat(repeats, 1, 1), std.repeat(repeats, 1, 1)
    device = usable(device)
    train, test = (Split(split.images.to(device), split.labels.to(device)) for split in (train, test))
    return Dataset(name, train, test, mean.to(device), std.to(device), CLASSES[name])


def _divided(split: Split, hold_out: int) -> tuple[Split, Split]:
    """The rest, and the images that are held out, whatever the seed of a run: 600 of a class stay about 600."""
    order = torch.randperm(len(split), generator=torch.Generator().manual_seed(0))
    rest, held_out = order[hold_out:].sort().values, order[:hold_out].sort().values
    return (
        Split(split.images[rest], split.labels[rest]),
        Split(split.images[held_out], split.labels[held_out]),
    )


def _pixel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation per channel, float32 [C, 1, 1], of uint8 [N, C, H, W] / 255."""
    # Through a histogram: exact, and without a float copy of the whole set.
    counts = torch.stack([torch.bincount(c.flatten(), minlength=256) for c in images.unbind(1)]).double()
    share = counts / counts.sum(1, keepdim=True)
    values = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ values
    std = (share * (values - mean[:, None]) ** 2).sum(1).sqrt()
    return mean.float()[:, None, None], std.float()[:, None, None]


def _fit(images: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Pad and repeat the channels of uint8 [N, C, H, W]; an `InputError` if they do not fit."""
    sequence("shape", shape)
    for size in shape:
        whole(f"a number in shape {shown(shape)}", size, 0)
    whole("length of shape", len(shape), 3, 3)
    whole("values of an image, C x H x W in shape", prod(shape), 0, LARGEST)
    channels, height, width = images.shape[1:]
    rows, columns = shape[1] - height, shape[2] - width
    if rows < 0 or columns < 0 or shape[0] < channels or shape[0] % channels:
        raise InputError(
            f"shape = {tuple(shape)}: images of shape {(channels, height, width)} can be padded only "
            f"to at least {height} x {width} pixels and a multiple of {channels} channels"
        )
    top, left = rows // 2, columns // 2
    padded = F.pad(images, (left, columns - left, top, rows - top))
    return padded.repeat(1, shape[0] // channels, 1, 1)


def _full(name: str, download: bool) -> tuple[Split, Split]:
    from snnlib.data import torchvision_sets  # torchvision takes a second to import, which the embedded set needs not

    fetch = partial(torchvision_sets.download, name) if download else None
    require(name, torchvision_sets.files(name), fetch)
    train, test = (Split(images.contiguous(), labels) for images, labels in torchvision_sets.read_torchvision(name))
    return train, test


def _mini() -> tuple[Split, Split]:
    restore = f"`git checkout -- {from_root(MINI_FILE)}`" if CHECKOUT else "installing snnlib anew"
    require(MINI_FILE.stem, Files(MINI_FILE.parent, {MINI_FILE.name: MINI_SHA256}, f"{restore} restores it"), None)
    with np.load(MINI_FILE, allow_pickle=False) as stored:
        arrays = {key: torch.from_numpy(stored[key]) for key in stored}
    train, test = (Split(arrays[f"x_{part}"].unsqueeze(1), arrays[f"y_{part}"].long()) for part in ("train", "test"))
    return train, test
