"""Names of data sets and networks for readers, not for files."""

from __future__ import annotations

TITLES = {
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "cifar10": "CIFAR-10",
    "fashion_mnist_mini": "Fashion-MNIST mini (6,000 images)",
    "cnn": "CNN",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
}
