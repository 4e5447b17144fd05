"""Image data sets, held whole on one device as uint8: loading and checking."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from filelock import FileLock
from torch import Tensor
from torchvision.datasets import CIFAR10, MNIST, FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.datasets.utils import download_and_extract_archive

from snnlib.checks import InputError, one_of
from snnlib.paths import ROOT, data_dir

DATASETS = ("mnist", "fashion_mnist", "cifar10", "fashion_mnist_mini")

# Of the unpacked files: torchvision lists sums for the archives only, which say nothing about files
# that were copied into place by hand.
_IDX_SHA256 = {
    "mnist": {
        "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "fashion_mnist": {
        "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
}
_IDX_CLASS = {"mnist": MNIST, "fashion_mnist": FashionMNIST}
MINI_FILE = ROOT / "data" / "fashion_mnist_mini.npz"
MINI_SHA256 = "cc3608f77ffa74a0f192c1f81ca4720393992b0f06ea0a7d727b106b2da433df"


class DataError(RuntimeError):
    """A data set is missing or damaged; the message is one line and says what to do."""


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


def load(
    name: str,
    device: torch.device | str = "cpu",
    shape: tuple[int, int, int] | None = None,
    download: bool = True,
) -> Dataset:
    """Load a data set whose files match their published checksums.

    ``shape`` = (C, H, W) fits the images to a network made for larger ones: zeros around them
    (the odd one at the bottom or right) and their channels repeated. ``mean`` and ``std`` are
    those of the images themselves, without that border. With ``download``, missing files are
    fetched into ``data_dir()``; several processes may ask at once, and one of them downloads.

    Raises ``ValueError`` for an unknown name or a shape the images cannot be padded to, and
    ``DataError`` for files that are missing, cannot be downloaded or fail their checksum.
    """
    one_of("data set", name, DATASETS)
    _ensure(name, download)
    train, test, classes = _read(name)
    mean, std = _pixel_statistics(train.images)
    if shape is not None:
        train, test = (Split(_fit(split.images, shape), split.labels) for split in (train, test))
        repeats = shape[0] // len(mean)
        mean, std = mean.repeat(repeats, 1, 1), std.repeat(repeats, 1, 1)
    train, test = (Split(split.images.to(device), split.labels.to(device)) for split in (train, test))
    return Dataset(name, train, test, mean.to(device), std.to(device), classes)


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
    """Pad and repeat the channels of uint8 [N, C, H, W]; ``ValueError`` if they do not fit."""
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


@dataclass(frozen=True)
class _Files:
    """Where the files of a set lie, what they must be, and how to come by them."""

    folder: Path
    algorithm: str  # of the checksums
    checksums: dict[str, str]  # file name -> hexadecimal digest
    remedy: str


def _files(name: str) -> _Files:
    if name == "fashion_mnist_mini":
        remedy = f"`git checkout -- data/{MINI_FILE.name}` restores it"
        return _Files(MINI_FILE.parent, "sha256", {MINI_FILE.name: MINI_SHA256}, remedy)
    remedy = (
        f"`python -m snnlib data {name}` downloads the set, or unpack these files there by hand from "
        f"{CIFAR10.url if name == 'cifar10' else _IDX_CLASS[name].mirrors[0]} "
        "(SNNLIB_DATA names another data folder)"
    )
    if name == "cifar10":
        meta = (CIFAR10.meta["filename"], CIFAR10.meta["md5"])
        sums = dict([*CIFAR10.train_list, *CIFAR10.test_list, meta])
        return _Files(data_dir() / CIFAR10.base_folder, "md5", sums, remedy)
    return _Files(data_dir() / _IDX_CLASS[name].__name__ / "raw", "sha256", _IDX_SHA256[name], remedy)


def _read(name: str) -> tuple[Split, Split, tuple[str, ...]]:
    """Training and test split on the CPU and the class names, from files already checked."""
    classes = tuple("0123456789") if name == "mnist" else tuple(FashionMNIST.classes)
    if name == "cifar10":
        parts = [CIFAR10(data_dir(), train=train) for train in (True, False)]
        classes = tuple(parts[0].classes)
        pairs = [(torch.from_numpy(p.data).permute(0, 3, 1, 2), torch.tensor(p.targets)) for p in parts]
    elif name == "fashion_mnist_mini":
        with np.load(MINI_FILE, allow_pickle=False) as stored:
            arrays = {key: torch.from_numpy(stored[key]) for key in stored}
        pairs = [(arrays[f"x_{part}"].unsqueeze(1), arrays[f"y_{part}"].long()) for part in ("train", "test")]
    else:
        stems = [str(_files(name).folder / part) for part in ("train", "t10k")]
        pairs = [
            (
                read_image_file(f"{s}-images-idx3-ubyte").unsqueeze(1),
                read_label_file(f"{s}-labels-idx1-ubyte"),
            )
            for s in stems
        ]
    train, test = (Split(images.contiguous(), labels) for images, labels in pairs)
    return train, test, classes


def _inspect(files: _Files) -> tuple[list[str], list[str]]:
    """What is wrong with each damaged file, and the names of the missing ones."""
    damaged, missing = [], []
    for file, expected in files.checksums.items():
        path = files.folder / file
        try:
            with path.open("rb") as stream:
                found = hashlib.file_digest(stream, files.algorithm).hexdigest()
        except (FileNotFoundError, NotADirectoryError):
            missing.append(file)
        except OSError as error:
            damaged.append(f"{path} cannot be read: {error.strerror}")
        else:
            if found != expected:
                damaged.append(f"{path} is damaged: its {files.algorithm} is {found}, not {expected}")
    return damaged, missing


def _ensure(name: str, download: bool) -> None:
    """Return once every file is there and intact; raise ``DataError`` if that cannot be had."""
    files = _files(name)
    bundled = name == "fashion_mnist_mini"
    cause: Exception | None = None
    damaged, missing = _inspect(files)
    if (damaged or missing) and download and not bundled:
        try:
            files.folder.mkdir(parents=True, exist_ok=True)
            with FileLock(files.folder / ".lock"):
                # Another process may have been downloading: what looked damaged was half written.
                damaged, missing = _inspect(files)
                if missing and not damaged:
                    _download(name, missing)
                    damaged, missing = _inspect(files)
        except (OSError, RuntimeError, HTTPException) as error:
            cause = error
    if damaged:
        remedy = files.remedy if bundled else "move it away or delete it and run again"
        raise DataError(f"{damaged[0]}; {remedy}") from cause
    if missing:
        failure = f" (download failed: {' '.join(str(cause).split())})" if cause else ""
        absent = f"{name}: no {', '.join(missing)} in {files.folder}"
        raise DataError(f"{absent}{failure}; {files.remedy}") from cause


def _download(name: str, missing: list[str]) -> None:
    """Fetch missing files with torchvision's progress bar and archive checksums."""
    # Not through the data set classes: these read an old processed/*.pt, if there is one, instead.
    if name == "cifar10":
        folder = str(data_dir())
        download_and_extract_archive(CIFAR10.url, folder, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
        return
    folder, source = str(_files(name).folder), _IDX_CLASS[name]
    for archive, md5 in source.resources:
        if archive.removesuffix(".gz") not in missing:
            continue
        for mirror in source.mirrors:
            try:
                download_and_extract_archive(mirror + archive, folder, filename=archive, md5=md5)
                break
            except (OSError, RuntimeError, HTTPException):
                if mirror == source.mirrors[-1]:
                    raise
