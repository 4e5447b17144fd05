"""Draw embedded/fashion_mnist_mini.npz from the full Fashion-MNIST.

    python -m reproduce.data.make_fashion_mnist_mini [--out FILE]

600 training and 100 test images of each class: every image gets a 64-bit random number from
PCG64(SEED), the training images first, then the test images, and in each class those with the
smallest numbers are kept, in their original order. NumPy fixes the raw stream of PCG64 across
versions, unlike that of ``Generator.choice``.

The file is byte-reproducible with the same zlib (made with 1.3.1): NumPy stamps every member of
the archive with the same date. Another zlib may pack the same arrays into other bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from pathlib import Path

import numpy as np

from snnlib.data.sets import MINI_FILE, load_dataset

SEED = 2017
PER_CLASS = {"train": 600, "test": 100}


def choose(labels: np.ndarray, per_class: int, bits: np.random.PCG64) -> np.ndarray:
    """Sorted indices [10 * per_class] of a stratified draw from ``labels`` [N]."""
    keys = bits.random_raw(len(labels))
    by_key = np.argsort(keys, kind="stable")
    return np.sort(np.concatenate([by_key[labels[by_key] == c][:per_class] for c in range(10)]))


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw fashion_mnist_mini.npz from the full Fashion-MNIST.")
    parser.add_argument("--out", type=Path, default=MINI_FILE, help="file to write (default: %(default)s)")
    out = parser.parse_args().out

    full = load_dataset("fashion_mnist")
    bits = np.random.PCG64(SEED)
    arrays = {}
    for part, per_class in PER_CLASS.items():
        split = getattr(full, part)
        images, labels = split.images.squeeze(1).numpy(), split.labels.numpy()
        index = choose(labels, per_class, bits)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images[index], labels[index].astype(np.uint8)

    # Through memory: a failure while packing leaves the old file whole.
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)
    out.write_bytes(packed.getvalue())
    print(f"{hashlib.sha256(packed.getvalue()).hexdigest()}  {out}")


if __name__ == "__main__":
    main()
