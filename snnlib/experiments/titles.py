"""Names of data sets and networks for readers, not for files."""

from __future__ import annotations

from collections.abc import Mapping

TITLES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "fashion_mnist_mini": "Fashion-MNIST mini (6,000 images)",
    "cnn": "CNN",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
}


def title(net: Mapping[str, str]) -> str:
    """Data set and network of a net."""
    return f"{TITLES[net['dataset']]}, {TITLES[net['network']]}"


def short_title(name: str) -> str:
    """A data set's or network's title without what stands in brackets."""
    return TITLES.get(name, name).split(" (")[0]
