"""MNIST, Fashion-MNIST and CIFAR-10 as torchvision downloads, lays out and reads them.

Apart from `snnlib.data.sets`, since torchvision takes a second to import and the embedded set has no need of it.
"""

from __future__ import annotations

from http.client import HTTPException

import torch
from torch import Tensor
from torchvision.datasets import CIFAR10, MNIST, FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file
from torchvision.datasets.utils import download_and_extract_archive

from snnlib.data.checksums import Files
from snnlib.store.paths import data_dir

# Of the unpacked files. torchvision's sums are of the archives, which say nothing about files that were copied into
# place by hand, and MD5, which a forger can meet; CIFAR-10's files are pickles, which could run a forger's code.
_SHA256 = {
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
    "cifar10": {
        "data_batch_1": "54636561a3ce25bd3e19253c6b0d8538147b0ae398331ac4a2d86c6d987368cd",
        "data_batch_2": "766b2cef9fbc745cf056b3152224f7cf77163b330ea9a15f9392beb8b89bc5a8",
        "data_batch_3": "0f00d98ebfb30b3ec0ad19f9756dc2630b89003e10525f5e148445e82aa6a1f9",
        "data_batch_4": "3f7bb240661948b8f4d53e36ec720d8306f5668bd0071dcb4e6c947f78e9682b",
        "data_batch_5": "d91802434d8376bbaeeadf58a737e3a1b12ac839077e931237e0dcd43adcb154",
        "test_batch": "f53d8d457504f7cff4ea9e021afcf0e0ad8e24a91f3fc42091b8adef61157831",
        "batches.meta": "f962466ef690d46b226450fb9aadc74ba4bc64a76aa526b5827fe4bc5c7125cb",
    },
}
_IDX_CLASS = {"mnist": MNIST, "fashion_mnist": FashionMNIST}


def files(name: str) -> Files:
    """Where the set's files lie, their checksums, and how to come by them."""
    remedy = (
        f"`python -m reproduce data {name}` downloads the set, or unpack these files there by hand from "
        f"{CIFAR10.url if name == 'cifar10' else _IDX_CLASS[name].mirrors[0]} "
        "(SNNLIB_DATA names another data folder)"
    )
    base = CIFAR10.base_folder if name == "cifar10" else f"{_IDX_CLASS[name].__name__}/raw"
    return Files(data_dir() / base, _SHA256[name], remedy)


def read_torchvision(name: str) -> list[tuple[Tensor, Tensor]]:
    """Images [N, C, H, W] and labels [N] of training and test set, from files already checked."""
    if name == "cifar10":
        parts = [CIFAR10(data_dir(), train=train) for train in (True, False)]
        return [(torch.from_numpy(p.data).permute(0, 3, 1, 2), torch.tensor(p.targets)) for p in parts]
    stems = [str(files(name).folder / part) for part in ("train", "t10k")]
    return [
        (read_image_file(f"{s}-images-idx3-ubyte").unsqueeze(1), read_label_file(f"{s}-labels-idx1-ubyte"))
        for s in stems
    ]


def download(name: str, missing: list[str]) -> None:
    """Fetch missing files with torchvision's progress bar and archive checksums."""
    # Not through the data set classes: these read an old processed/*.pt, if there is one, instead.
    if name == "cifar10":
        folder = str(data_dir())
        download_and_extract_archive(CIFAR10.url, folder, filename=CIFAR10.filename, md5=CIFAR10.tgz_md5)
        return
    folder, source = str(files(name).folder), _IDX_CLASS[name]
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
