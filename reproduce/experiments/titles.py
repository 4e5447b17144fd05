"""Names of data sets and networks for readers, not for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reproduce.experiments.paper import TABLE2_OURS

TITLES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "fashion_mnist_mini": "Fashion-MNIST mini (6,000 images)",
    "cnn": "CNN",
    "vgg5": "VGG-5",
    "vgg8": "VGG-8",
    "resnet8": "ResNet-8",
    "resnet8_256": "ResNet-8, 256 channels at most",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
}
AUGMENTED = {
    "none": "", "flip": ", flips", "crop": ", crops", "crop_flip": ", crops, flips",
    "crop_flip_cutout": ", crops, flips, cutout",
}  # fmt: skip


def value_title(column: str, value: Any) -> str:
    """A value of one of a net's columns, "" for images as they are."""
    match column:
        case "width":
            return f"width {value:g}"
        case "augment":
            return AUGMENTED[value].removeprefix(", ")
    return TITLES.get(value, str(value))


def title(net: Mapping[str, str]) -> str:
    """Data set and network of a net."""
    return f"{TITLES[net['dataset']]}, {TITLES[net['network']]}"


def net_title(net: Mapping[str, Any]) -> str:
    """A net of `ARCHITECTURE`."""
    return panel_title(net).replace("\n", ", ")


def panel_title(net: Mapping[str, Any]) -> str:
    """The same in two lines, for two panels side by side."""
    images = f"{short_title(net['dataset'])}{AUGMENTED[net['augment']]}"
    return f"{images}\n{short_title(net['network'])}, width {net['width']:g}"


def short_title(name: str) -> str:
    """A data set's or network's title without what stands in brackets."""
    return TITLES.get(name, name).split(" (")[0]


def printed_accuracy(dataset: str, *timesteps: int) -> str:
    """What Table 2 prints of the method on a data set, by T, not saying with which network; "" if it has none.

    Several values have a line of their own.
    """
    printed = TABLE2_OURS.get(dataset, {})
    if not printed:
        return ""
    gap = " " if len(timesteps) == 1 else "\n"
    values = ", ".join(f"{printed[t]:.2f}" for t in timesteps)
    return f"paper at T = {', '.join(map(str, timesteps))}:{gap}{values} %"
