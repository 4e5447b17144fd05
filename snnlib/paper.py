"""The numbers that the paper printed (Jiang & Zhang 2023), with where it printed them.

Figures of which the paper prints no values have none here: nothing is read off a picture.
"""

from __future__ import annotations

# Table 1. Epochs by data set and network.
EPOCHS = {
    ("mnist", "cnn"): 100,
    ("fashion_mnist", "cnn"): 200,
    ("cifar10", "vgg16"): 1000,
    ("cifar10", "resnet18"): 800,
}
STRUCTURES = {
    "cnn": "64C3-AP2-128C3-AP2-128C3-AP2-512FC-10FC",
    "vgg16": "VGG-16",
    "resnet18": "ResNet-18",
}

# Table 2, rows "Ours": accuracy in percent at T = 5 and 10. It has one CIFAR-10 column and does not
# say whether VGG-16 or ResNet-18 stands behind it.
TABLE2_OURS = {
    "mnist": {5: 99.61, 10: 99.64},
    "fashion_mnist": {5: 93.89, 10: 94.07},
    "cifar10": {5: 91.82, 10: 92.07},
}
