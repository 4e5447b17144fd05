"""The data sets: what is loaded, held out, padded and refused."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_data import random_images

from snnlib.data import sets as data
from snnlib.data.checksums import DataError
from snnlib.data.sets import Dataset


@pytest.fixture(scope="module")
def mini() -> Dataset:
    return data.load_dataset("fashion_mnist_mini")


def test_the_sizes_of_the_data_sets_are_those_that_are_loaded(mini: Dataset) -> None:
    assert set(data.SIZES) == set(data.DATASETS)
    assert data.SIZES["fashion_mnist_mini"] == (len(mini.train), len(mini.test))


def test_held_out_images_are_taken_from_the_training_set_once_and_for_all(mini: Dataset) -> None:
    held = data.load_dataset("fashion_mnist_mini", hold_out=600)
    assert (len(held.train), len(held.test)) == (5400, 600)
    both = torch.cat([held.train.images, held.test.images]).flatten(1)
    assert sorted(x.numpy().tobytes() for x in both) == sorted(
        x.numpy().tobytes() for x in mini.train.images.flatten(1)
    )
    again = data.load_dataset("fashion_mnist_mini", hold_out=600)
    assert torch.equal(held.test.images, again.test.images)
    labels = {x.numpy().tobytes(): y for x, y in zip(mini.train.images, mini.train.labels.tolist(), strict=True)}
    assert [labels[x.numpy().tobytes()] for x in held.test.images] == held.test.labels.tolist()
    pixels = held.train.images.double() / 255  # statistics are those of the images that are trained on
    assert held.mean.item() == pytest.approx(pixels.mean().item())
    assert held.std.item() == pytest.approx(pixels.std(correction=0).item())


@pytest.mark.parametrize("hold_out", [-1, 6000, 1.5, True])
def test_what_cannot_be_held_out_is_refused(hold_out: object) -> None:
    with pytest.raises(ValueError, match="hold_out = "):
        data.load_dataset("fashion_mnist_mini", hold_out=hold_out)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_DATA", str(tmp_path))
    return tmp_path


# --- the set in the package ------------------------------------------------------------------


def test_mini_file_is_the_published_one() -> None:
    digest = hashlib.sha256(data.MINI_FILE.read_bytes()).hexdigest()
    assert digest == data.MINI_SHA256
    assert digest in (data.MINI_FILE.parent / "README.md").read_text()


def test_mini_is_balanced(mini: Dataset) -> None:
    for split, n in ((mini.train, 6000), (mini.test, 1000)):
        assert len(split) == n
        assert split.images.shape == (n, 1, 28, 28)
        assert split.images.dtype == torch.uint8
        assert split.labels.shape == (n,)
        assert split.labels.dtype == torch.int64
        assert split.labels.bincount().tolist() == [n // 10] * 10
    assert len(mini.classes) == 10


def test_mini_is_read_from_the_package_wherever_the_data_folder_is(mini: Dataset, folder: Path) -> None:
    assert torch.equal(data.load_dataset("fashion_mnist_mini").train.images, mini.train.images)


def test_mini_is_a_part_of_fashion_mnist(mini: Dataset) -> None:
    try:
        full = data.load_dataset("fashion_mnist", download=False)
    except DataError:
        pytest.skip("the full Fashion-MNIST is not in the data folder")
    for small, large in ((mini.train, full.train), (mini.test, full.test)):
        known = {
            (image.tobytes(), label) for image, label in zip(large.images.numpy(), large.labels.tolist(), strict=True)
        }
        assert all(
            (image.tobytes(), label) in known
            for image, label in zip(small.images.numpy(), small.labels.tolist(), strict=True)
        )


def test_a_damaged_mini_file_is_moved_aside(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = bytearray(data.MINI_FILE.read_bytes())
    content[1_000_000] ^= 1
    copy = tmp_path / "fashion_mnist_mini.npz"
    copy.write_bytes(content)
    monkeypatch.setattr(data, "MINI_FILE", copy)
    aside = tmp_path / "damaged" / "1"
    with pytest.raises(DataError) as error:
        data.load_dataset("fashion_mnist_mini")
    found = hashlib.sha256(content).hexdigest()
    told = f"{copy} is damaged: its sha256 is {found[:12]}..., not {data.MINI_SHA256[:12]}...; moved to {aside}"
    assert told in str(error.value)
    assert str(error.value).endswith(f"; `git checkout -- {copy}` restores it")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("snnlib", logging.WARNING, told)
    ]
    assert (aside / copy.name).read_bytes() == content
    with pytest.raises(DataError, match=r"no intact fashion_mnist_mini\.npz in .*git checkout"):
        data.load_dataset("fashion_mnist_mini")
    monkeypatch.setattr(data, "CHECKOUT", False)
    with pytest.raises(DataError, match=r"no intact fashion_mnist_mini\.npz in .*; installing snnlib anew restores it"):
        data.load_dataset("fashion_mnist_mini")
    assert [path.name for path in aside.parent.iterdir()] == ["1"]


# --- statistics, padding, standardising ------------------------------------------------------


def test_statistics_match_numpy(mini: Dataset) -> None:
    pixels = mini.train.images.numpy().astype(np.float64) / 255
    assert mini.mean.shape == mini.std.shape == (1, 1, 1)
    assert mini.mean.item() == pytest.approx(pixels.mean(), rel=1e-6)
    assert mini.std.item() == pytest.approx(pixels.std(), rel=1e-6)


def test_statistics_are_per_channel() -> None:
    images = random_images(20, 3, 8, 8) // np.array([1, 2, 5], dtype=np.uint8)[:, None, None]
    mean, std = data._pixel_statistics(torch.from_numpy(images))
    assert mean.shape == std.shape == (3, 1, 1)
    np.testing.assert_allclose(mean.flatten(), (images / 255).mean((0, 2, 3)), rtol=1e-6)
    np.testing.assert_allclose(std.flatten(), (images / 255).std((0, 2, 3)), rtol=1e-6)


def test_padding_centres_and_repeats(mini: Dataset) -> None:
    padded = data.load_dataset("fashion_mnist_mini", shape=(3, 32, 32))
    for old, new in ((mini.train, padded.train), (mini.test, padded.test)):
        expected = np.pad(old.images.numpy(), ((0, 0), (0, 0), (2, 2), (2, 2))).repeat(3, axis=1)
        assert new.images.dtype == torch.uint8
        assert np.array_equal(new.images.numpy(), expected)
        assert torch.equal(new.labels, old.labels)
    # the statistics are those of the images, not of the zeros around them
    assert torch.equal(padded.mean, mini.mean.expand(3, 1, 1))
    assert torch.equal(padded.std, mini.std.expand(3, 1, 1))


def test_odd_padding_puts_the_extra_zeros_last() -> None:
    image = torch.ones(1, 1, 2, 2, dtype=torch.uint8)
    assert data._fit(image, (1, 3, 5))[0, 0].tolist() == [[0, 1, 1, 0, 0]] * 2 + [[0] * 5]


@pytest.mark.parametrize("shape", [(1, 27, 28), (1, 28, 27), (0, 28, 28)])
def test_a_shape_that_is_too_small_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match=r"\(1, 28, 28\)"):
        data.load_dataset("fashion_mnist_mini", shape=shape)


@pytest.mark.parametrize("channels", [1, 4])
def test_channels_that_do_not_divide_are_refused(channels: int) -> None:
    with pytest.raises(ValueError, match="multiple of 3 channels"):
        data._fit(torch.zeros(1, 3, 8, 8, dtype=torch.uint8), (channels, 8, 8))
