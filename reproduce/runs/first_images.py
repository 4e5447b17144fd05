"""The first thousand test images of a data set, which travel with published nets: to look at, without a download."""

from __future__ import annotations

from pathlib import Path

import torch

from snnlib.checks import InputError
from snnlib.data.sets import CLASSES, Dataset, Split, load_dataset
from snnlib.store.files import check, explained, sha256, write
from snnlib.store.paths import pretrained_dir
from snnlib.store.tensors import load_tensors, save_tensors

IMAGES = 1000


def _files(name: str) -> tuple[Path, Path]:
    """The images, and the SHA-256 of their file."""
    return pretrained_dir() / f"{name}-test{IMAGES}.safetensors", pretrained_dir() / f"{name}-test{IMAGES}.sha256"


def first_images(name: str) -> Dataset:
    """A data set with its first thousand test images, in their order, and no training images.

    Its mean and deviation are those of all training images.

    Raises:
        InputError: there are none of this data set.
        DamagedError: the file is not as it was written.
    """
    images, digest = _files(name)
    with explained(digest):
        there = sorted(path.name.removesuffix(digest.name.removeprefix(name)) for path in digest.parent.glob(
            f"*-test{IMAGES}.sha256"
        ))  # fmt: skip
        if name not in there:
            raise InputError(f"test images of {name}: must be one of {', '.join(there) or 'none'} ({digest.parent})")
        expected = digest.read_text(encoding="ascii").strip()
    found, _ = load_tensors(check(images, expected))
    none = Split(found["images"][:0], found["labels"][:0].long())
    test = Split(found["images"], found["labels"].long())
    return Dataset(name, none, test, found["mean"], found["std"], CLASSES[name])


def write_first_images(name: str) -> Path:
    """Write that file from the whole data set, which is downloaded if it is not on disk; returns it."""
    data, (images, digest) = load_dataset(name), _files(name)
    first = {"images": data.test.images[:IMAGES], "labels": data.test.labels[:IMAGES].to(torch.uint8)}
    save_tensors(images, {**first, "mean": data.mean, "std": data.std}, {"dataset": name, "images": IMAGES})
    write(digest, sha256(images) + "\n")
    return images
