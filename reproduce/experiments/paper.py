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
NETWORKS = tuple(STRUCTURES)

# Table 2 as printed: author, method, inference time in time steps, and accuracy on MNIST, Fashion-MNIST and
# CIFAR-10. It does not say which network stands behind a row, so CIFAR-10 of "Ours" is VGG-16 or ResNet-18.
TABLE2 = (
    ("(Wu et al., 2019)", "Spike-based BP", "12", "-", "-", "90.53%"),
    ("(Rathi & Roy, 2021)", "Spike-based BP", "10", "-", "-", "93.44%"),
    ("(Cheng et al.)", "Spike-based BP", "20", "99.50%", "92.07%", "93.5%"),
    ("(Severa et al., 2019)", "Spike-based BP", "1", "99.53%", "-", "84.67%"),
    ("(Sengupta et al., 2019)", "ANN-SNN", "2500", "-", "-", "91.46%"),
    ("(Han et al., 2020)", "ANN-SNN", "2048", "-", "-", "91.36%"),
    ("(Diehl et al., 2015)", "ANN-SNN", "2500", "-", "-", "91.89%"),
    ("(Lee et al., 2020)", "ANN-SNN", "50/100", "99.59%", "-", "90.95%"),
    ("(Stöckl & Maass, 2021)", "Hybrid", "500", "-", "-", "92.42%"),
    ("(Rathi et al., 2020)", "Hybrid", "200", "-", "-", "92.02%"),
    ("Ours", "Hybrid", "5", "99.61%", "93.89%", "91.82%"),
    ("Ours", "Hybrid", "10", "99.64%", "94.07%", "92.07%"),
)
TABLE2_DATASETS = ("mnist", "fashion_mnist", "cifar10")

# Its rows "Ours": accuracy in percent by data set and T.
TABLE2_OURS = {
    dataset: {int(row[2]): float(row[3 + i].rstrip("%")) for row in TABLE2 if row[0] == "Ours"}
    for i, dataset in enumerate(TABLE2_DATASETS)
}
OUR_TIMESTEPS = tuple(TABLE2_OURS[TABLE2_DATASETS[0]])  # T of these rows: 5 and 10

# Sec. 3.2, of Fig. 4: the benchmark accuracy, the seconds until it by direct training at T = 10 and by the paper's
# method, and the saving "about 75%", "about 70%", "approximately 65%". By data set and network.
TRAINING_TIME = {
    ("fashion_mnist", "cnn"): {"benchmark": 0.92, "direct_seconds": 528, "ours_seconds": 135, "saving": 0.75},
    ("cifar10", "vgg16"): {"benchmark": 0.88, "direct_seconds": 9900, "ours_seconds": 3132, "saving": 0.70},
    ("cifar10", "resnet18"): {"benchmark": 0.90, "direct_seconds": 19998, "ours_seconds": 7290, "saving": 0.65},
}
