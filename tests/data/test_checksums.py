"""The files of data sets: read, missing, damaged, foreign."""

from __future__ import annotations

import hashlib
import os
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import Bomb, unprivileged
from tiny_data import IDX_FILES, idx_bytes, random_images, write
from torchvision.datasets import CIFAR10

from snnlib.data import sets as data
from snnlib.data.checksums import DataError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path))
    return tmp_path


def test_unknown_name_is_one_line_with_the_choices() -> None:
    with pytest.raises(ValueError, match=r"'imagenet'.*mnist.*fashion_mnist.*cifar10.*fashion_mnist_mini$"):
        data.load_dataset("imagenet")


def test_idx_files_are_read(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    write(folder / "MNIST" / "raw", tiny_mnist)
    loaded = data.load_dataset("mnist", download=False)
    assert np.array_equal(loaded.train.images[:, 0].numpy(), random_images(5, 28, 28, seed=5))
    assert np.array_equal(loaded.test.images[:, 0].numpy(), random_images(3, 28, 28, seed=3))
    assert loaded.test.labels.tolist() == [0, 1, 2]
    assert loaded.test.labels.dtype == torch.int64
    assert loaded.classes == tuple("0123456789")


@pytest.mark.parametrize("file", IDX_FILES)
@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_idx_file_is_moved_aside(folder: Path, tiny_mnist: dict[str, bytes], file: str, damage) -> None:
    raw = folder / "MNIST" / "raw"
    tiny_mnist[file] = damage(tiny_mnist[file])
    write(raw, tiny_mnist)
    with pytest.raises(DataError) as error:
        data.load_dataset("mnist", download=False)
    message = str(error.value)
    assert f"{raw / file} is damaged" in message
    assert f"moved to {raw / 'damaged' / '1'}" in message
    assert "python -m reproduce data mnist" in message
    assert "\n" not in message
    assert (raw / "damaged" / "1" / file).read_bytes() == tiny_mnist.pop(file)
    assert not (raw / file).exists()
    assert all((raw / other).read_bytes() == content for other, content in tiny_mnist.items())


def test_the_real_checksums_refuse_other_files(folder: Path) -> None:
    for name, path in (
        ("mnist", "MNIST/raw/t10k-labels-idx1-ubyte"),
        ("fashion_mnist", "FashionMNIST/raw/t10k-labels-idx1-ubyte"),
        ("cifar10", "cifar-10-batches-py/test_batch"),
    ):
        write((folder / path).parent, {Path(path).name: idx_bytes(np.zeros(10_000, dtype=np.uint8))})
        with pytest.raises(DataError, match=f"{path} is damaged"):
            data.load_dataset(name, download=False)


@pytest.fixture
def open_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder that every user can reach, unlike `folder`."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        monkeypatch.setenv("SNNLIB_DATA", name)
        yield Path(name)


def test_a_file_that_cannot_be_read_is_left_where_it_is(open_folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    raw = open_folder / "MNIST" / "raw"
    file = raw / "train-images-idx3-ubyte"
    write(raw, tiny_mnist)
    file.chmod(0)
    with unprivileged(), pytest.raises(DataError) as error:
        data.load_dataset("mnist")
    assert str(error.value) == f"{file} cannot be read: Permission denied; mend that, or move it away and run again"
    assert {path.name for path in raw.iterdir()} == set(tiny_mnist)
    file.unlink()
    file.mkdir()
    with pytest.raises(DataError, match="train-images-idx3-ubyte cannot be read: Is a directory; .*move it away"):
        data.load_dataset("mnist")


def test_a_damaged_file_in_a_read_only_folder_is_named_with_both_ways_out(
    open_folder: Path, tiny_mnist: dict[str, bytes]
) -> None:
    raw = open_folder / "MNIST" / "raw"
    tiny_mnist["t10k-labels-idx1-ubyte"] += b"x"
    write(raw, tiny_mnist)
    raw.chmod(0o555)
    with unprivileged(), pytest.raises(DataError) as error:
        data.load_dataset("mnist")
    message = str(error.value)
    assert f"{raw / 't10k-labels-idx1-ubyte'} is damaged" in message
    assert f"{raw / '.lock'}: Permission denied: see who may read and write there" in message
    assert "python -m reproduce data mnist" in message
    assert "\n" not in message
    assert {path.name: path.read_bytes() for path in raw.iterdir()} == tiny_mnist


def test_a_damaged_file_that_cannot_be_moved_is_named_and_stays(folder: Path, tiny_mnist: dict[str, bytes]) -> None:
    raw = folder / "MNIST" / "raw"
    tiny_mnist["t10k-labels-idx1-ubyte"] += b"x"
    write(raw, {**tiny_mnist, "damaged": b"a file, where the folder should be"})
    with pytest.raises(DataError, match=rf"t10k-labels-idx1-ubyte is damaged.*{raw}/damaged: File exists"):
        data.load_dataset("mnist")
    assert (raw / "t10k-labels-idx1-ubyte").read_bytes() == tiny_mnist["t10k-labels-idx1-ubyte"]


def test_cifar_batches_are_read(tiny_cifar: Path) -> None:
    loaded = data.load_dataset("cifar10", download=False)
    expected = np.concatenate([random_images(2, 3072, seed=i) for i in range(5)]).reshape(-1, 3, 32, 32)
    assert np.array_equal(loaded.train.images.numpy(), expected)
    assert loaded.train.labels.tolist() == [0, 9, 1, 8, 2, 7, 3, 6, 4, 5]
    assert loaded.test.labels.tolist() == [5, 4]
    assert loaded.test.labels.dtype == torch.int64
    assert loaded.classes[3] == "cat"
    assert loaded.mean.shape == (3, 1, 1)


@pytest.mark.parametrize("file", ["data_batch_3", "test_batch", "batches.meta"])
def test_a_foreign_cifar_file_is_named_and_never_unpickled(tiny_cifar: Path, tmp_path: Path, file: str) -> None:
    trace = tmp_path / "unpickled"
    pickle.loads(pickle.dumps(Bomb(trace)))
    assert trace.exists()
    trace.unlink()

    (tiny_cifar / file).write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(DataError) as error:
        data.load_dataset("cifar10", download=False)
    message = str(error.value)
    assert f"{tiny_cifar / file} is damaged" in message
    assert "\n" not in message
    assert not trace.exists()


def test_torchvisions_sums_alone_do_not_make_a_cifar_file_right(
    tiny_cifar: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "unpickled"
    forged = pickle.dumps(Bomb(trace))
    (tiny_cifar / "test_batch").write_bytes(forged)
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", hashlib.md5(forged).hexdigest()]])
    with pytest.raises(DataError, match="test_batch is damaged"):
        data.load_dataset("cifar10", download=False)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("name", "sub", "files"),
    [
        ("mnist", "MNIST/raw", IDX_FILES),
        ("fashion_mnist", "FashionMNIST/raw", IDX_FILES),
        ("cifar10", "cifar-10-batches-py", ("data_batch_1", "data_batch_5", "test_batch", "batches.meta")),
    ],
)
def test_a_missing_set_is_explained(folder: Path, name: str, sub: str, files: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as error:
        data.load_dataset(name, download=False)
    message = str(error.value)
    assert all(file in message for file in files)
    assert str(folder / sub) in message
    assert f"python -m reproduce data {name}`" in message
    assert "\n" not in message
    assert list(folder.iterdir()) == []
