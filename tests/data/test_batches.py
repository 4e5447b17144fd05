"""From stored images to a network's input: batches, augmentation, standardising."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from snnlib.data.batches import AUGMENTATIONS, augmented, batches, crop, cutout, flip, standardise
from snnlib.data.sets import Split, load_dataset


def draw(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_standardised_training_set_has_mean_0_and_deviation_1() -> None:
    mini = load_dataset("fashion_mnist_mini")
    x = standardise(mini.train.images, mini)
    assert x.dtype == torch.float32
    assert x.shape == mini.train.images.shape
    assert x.mean().item() == pytest.approx(0, abs=1e-4)
    assert x.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    pixel = mini.train.images[0, 0, 14, 14].item()
    assert x[0, 0, 14, 14].item() == pytest.approx((pixel / 255 - mini.mean.item()) / mini.std.item())


# --- batches ---------------------------------------------------------------------------------


def numbered(n: int) -> Split:
    """``n`` images whose every pixel, and label, is the image's number."""
    numbers = torch.arange(n)
    return Split(numbers.to(torch.uint8)[:, None, None, None].expand(n, 1, 2, 2), numbers)


def test_batches_in_order_cover_everything() -> None:
    seen = list(batches(numbered(10), 4))
    assert [labels.tolist() for _, labels in seen] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert all(torch.equal(images[:, 0, 0, 0].long(), labels) for images, labels in seen)
    assert all(images.dtype == torch.uint8 and images.shape[1:] == (1, 2, 2) for images, _ in seen)


def test_shuffled_batches_cover_every_image_once() -> None:
    seen = list(batches(numbered(200), 20, torch.Generator().manual_seed(1)))
    order = torch.cat([labels for _, labels in seen]).tolist()
    assert sorted(order) == list(range(200))
    assert order != list(range(200))
    assert all(torch.equal(images[:, 0, 0, 0].long(), labels) for images, labels in seen)


def test_a_partial_shuffled_batch_is_dropped_unless_it_is_the_only_one() -> None:
    generator = torch.Generator().manual_seed(1)
    assert [len(labels) for _, labels in batches(numbered(10), 4, generator)] == [4, 4]
    assert [len(labels) for _, labels in batches(numbered(3), 4, generator)] == [3]


def test_the_seed_fixes_the_order() -> None:
    def order(generator: torch.Generator) -> list[int]:
        return torch.cat([labels for _, labels in batches(numbered(100), 10, generator)]).tolist()

    generator = torch.Generator().manual_seed(1)
    first, second = order(generator), order(generator)
    assert first == order(torch.Generator().manual_seed(1))
    assert first != second  # the next epoch
    assert first != order(torch.Generator().manual_seed(2))


@pytest.mark.parametrize("size", [0, -1, 2.5])
def test_a_bad_batch_size_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match="batch size"):
        next(batches(numbered(4), size))


# --- augmentation ----------------------------------------------------------------------------


def crops(image: np.ndarray) -> dict[bytes, tuple[int, int, bool]]:
    """Every image [C, H, W] that augmentation may make of one: its bytes -> (top, left, flipped)."""
    _, height, width = image.shape
    padded = np.pad(image, ((0, 0), (4, 4), (4, 4)))
    found = {}
    for top in range(9):
        for left in range(9):
            part = padded[:, top : top + height, left : left + width]
            found[part.tobytes()] = (top, left, False)
            found[part[:, :, ::-1].tobytes()] = (top, left, True)
    return found


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Crops, mirrored or not, as the training loop makes them."""
    return flip(crop(images, generator), generator)


@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 10, 14)])
def test_augmented_images_are_crops_and_all_crops_occur(shape: tuple[int, int, int]) -> None:
    n = 1500
    image = draw(*shape)
    allowed = crops(image)
    assert len(allowed) == 9 * 9 * 2
    images = torch.from_numpy(image).expand(n, *shape)
    out = augment(images, torch.Generator().manual_seed(0))
    assert out.dtype == torch.uint8
    assert out.shape == images.shape
    assert out.is_contiguous()
    drawn = [allowed[each.tobytes()] for each in out.numpy()]  # a KeyError here is no true crop
    # 1500 uniform draws: each of the 9 positions comes 167 times and half are flipped, give or take
    # five standard deviations
    for axis in (0, 1):
        counts = np.bincount([d[axis] for d in drawn], minlength=9)
        assert np.all(abs(counts - n / 9) < 5 * np.sqrt(n * 8 / 81))
    assert abs(sum(d[2] for d in drawn) - n / 2) < 5 * np.sqrt(n / 4)
    assert len(set(drawn)) > 150


def test_crops_without_flip_are_never_mirrored_and_are_those_with_flip() -> None:
    images = torch.from_numpy(draw(64, 1, 10, 14))
    plain = crop(images, torch.Generator().manual_seed(0)).numpy()
    flipped = augment(images, torch.Generator().manual_seed(0)).numpy()
    at = [crops(old)[new.tobytes()] for old, new in zip(images.numpy(), plain, strict=True)]
    assert not any(mirrored for _, _, mirrored in at)
    with_flip = [crops(old)[new.tobytes()] for old, new in zip(images.numpy(), flipped, strict=True)]
    assert [a[:2] for a in at] == [b[:2] for b in with_flip]
    assert any(mirrored for _, _, mirrored in with_flip)


def test_half_of_the_images_are_mirrored_whole() -> None:
    images = draw(1000, 2, 10, 14)
    out = flip(torch.from_numpy(images), torch.Generator().manual_seed(0)).numpy()
    as_they_were, mirrored = ((out == of).all(axis=(1, 2, 3)) for of in (images, images[..., ::-1]))
    assert np.all(as_they_were ^ mirrored)
    assert abs(mirrored.sum() - 500) < 5 * np.sqrt(250)


def test_each_image_is_augmented_for_itself() -> None:
    images = draw(16, 3, 32, 32)
    out = augment(torch.from_numpy(images), torch.Generator().manual_seed(0)).numpy()
    assert all(new.tobytes() in crops(old) for old, new in zip(images, out, strict=True))


def test_the_seed_fixes_the_augmentation() -> None:
    images = torch.from_numpy(draw(16, 3, 32, 32))
    before = images.clone()
    first = augment(images, torch.Generator().manual_seed(3))
    assert torch.equal(first, augment(images, torch.Generator().manual_seed(3)))
    assert not torch.equal(first, augment(images, torch.Generator().manual_seed(4)))
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_name_says_what_is_done_in_its_order(name: str) -> None:
    images, generator = torch.from_numpy(draw(40, 3, 32, 32)), torch.Generator().manual_seed(2)
    expected = images
    for part in () if name == "none" else name.split("_"):
        expected = {"crop": crop, "flip": flip, "cutout": cutout}[part](expected, generator)
    assert torch.equal(augmented(images, name, torch.Generator().manual_seed(2)), expected)


def squares(height: int, width: int) -> dict[bytes, tuple[int, int]]:
    """What 12 x 12 pixels round each middle leave of an image of ones: its bytes -> the middle."""
    found = {}
    for row in range(height):
        for column in range(width):
            image = np.ones((height, width), dtype=np.uint8)
            image[max(row - 6, 0) : row + 6, max(column - 6, 0) : column + 6] = 0
            found[image.tobytes()] = (row, column)
    return found


def test_a_square_is_cut_out_round_any_pixel_and_the_rest_stays() -> None:
    n, height, width = 3000, 16, 18
    allowed = squares(height, width)
    images = torch.from_numpy(draw(n, 3, height, width)).clamp(min=1)
    out = cutout(images, torch.Generator().manual_seed(0))
    assert out.dtype == torch.uint8
    kept = out > 0
    assert torch.equal(out[kept], images[kept])
    assert torch.equal(kept, kept[:, :1].expand_as(kept))
    drawn = [allowed[one.tobytes()] for one in kept[:, 0].numpy().astype(np.uint8)]
    for axis, size in enumerate((height, width)):
        counts = np.bincount([d[axis] for d in drawn], minlength=size)
        assert np.all(abs(counts - n / size) < 5 * np.sqrt(n / size))
