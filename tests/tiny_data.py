"""Data sets of a few images, with checksums of their own; the fixtures are every test's (`conftest.py`)."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from snnlib.data import torchvision_sets

IDX_FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def random_images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def idx_bytes(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


@pytest.fixture
def tiny_mnist(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The four files of an MNIST of 5 + 3 images, whose checksums the library now expects."""
    files = {}
    for prefix, n in (("train", 5), ("t10k", 3)):
        files[f"{prefix}-images-idx3-ubyte"] = idx_bytes(random_images(n, 28, 28, seed=n))
        files[f"{prefix}-labels-idx1-ubyte"] = idx_bytes(np.arange(n, dtype=np.uint8))
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(torchvision_sets._SHA256, "mnist", sums)
    return files


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content)


@pytest.fixture
def tiny_cifar(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CIFAR-10 of 2 images a batch on disk, whose checksums the library and torchvision now expect."""
    base = folder / CIFAR10.base_folder
    batches = [file for file, _ in [*CIFAR10.train_list, *CIFAR10.test_list]]
    files = {
        file: pickle.dumps({"data": random_images(2, 3072, seed=i), "labels": [i, 9 - i]})
        for i, file in enumerate(batches)
    }
    files["batches.meta"] = pickle.dumps({"label_names": [f"class {i}" for i in range(10)]})
    write(base, files)
    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(torchvision_sets._SHA256, "cifar10", sums)
    md5 = {file: hashlib.md5(content).hexdigest() for file, content in files.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [[file, md5[file]] for file in batches[:5]])
    monkeypatch.setattr(CIFAR10, "test_list", [[file, md5[file]] for file in batches[5:]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5["batches.meta"]})
    return base
