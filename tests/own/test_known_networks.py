"""Networks as torchvision and timm have them: trained, converted and tested, each learns two hundred images by heart.

`make test-slow`: a few minutes for each on one core. That each step of theirs is that of a loop, and that every
activation is replaced, other tests say.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import models

import snnlib as sn
from snnlib.data.batches import standardise
from snnlib.data.sets import load_dataset

pytestmark = pytest.mark.slow


def timm_resnet18() -> nn.Module:
    timm = pytest.importorskip("timm", reason="in the extra `interop`")
    return timm.create_model("resnet18", num_classes=10)


# Without dropout, which is there to keep a net from doing this. Two have no shortcuts, or narrow ones: through dozens
# of layers of fresh weights little is left of the image but noise, so those begin with weights of some ReLU training.
Options = dict[str, float]
NETWORKS: dict[str, tuple[Callable[[], nn.Module], Options, Options]] = {
    "torchvision resnet18": (lambda: models.resnet18(num_classes=10), {}, {"epochs": 80, "lr": 5e-3}),
    "torchvision vgg16_bn": (
        lambda: models.vgg16_bn(num_classes=10, dropout=0.0),
        {"epochs": 40, "lr": 3e-4}, {"epochs": 120, "lr": 3e-4},
    ),
    "torchvision mobilenet_v2": (
        lambda: models.mobilenet_v2(num_classes=10, dropout=0.0),
        {"epochs": 40, "lr": 5e-3}, {"epochs": 150, "lr": 5e-3},
    ),
    "timm resnet18": (timm_resnet18, {}, {"epochs": 80, "lr": 5e-3}),
}  # fmt: skip


@pytest.mark.parametrize("network", NETWORKS)
def test_two_hundred_images_are_learnt_by_heart(network: str) -> None:
    make, before, training = NETWORKS[network]
    data = load_dataset("fashion_mnist_mini", shape=(3, 32, 32))
    images, labels = standardise(data.train.images[:200], data), data.train.labels[:200]
    torch.manual_seed(0)
    model = make()
    if before:
        train_relus(model, images, labels, **before)
    net = sn.spiking(model, surrogate=sn.Arctan())
    sn.fit(net, (images, labels), **training, batch_size=25)
    result = sn.evaluate(sn.convert(net), (images, labels), timesteps=8)
    print(f"\n{network}\n{result}")  # seen with -s
    assert result.accuracy.iloc[-1] >= 0.95


def train_relus(model: nn.Module, images: Tensor, labels: Tensor, epochs: int, lr: float) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr)
    for _ in range(epochs):
        for some in torch.randperm(len(images)).split(25):
            loss = F.cross_entropy(model(images[some]), labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
