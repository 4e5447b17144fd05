"""A user's script, which `mypy --strict` accepts: what the library is given, and what it gives, has types."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import assert_type

import torch
from torch import Tensor, nn

import snnlib as sn
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset, load_dataset
from snnlib.models import build
from snnlib.simulation import simulate
from snnlib.training.recipe import Recipe

assert_type(sn.__version__, str)


def trained() -> sn.Spiking:
    """A run's network."""
    recipe = Recipe(epochs=1, batch_size=500, lr=1e-2, schedule="one_cycle")
    run = ensure(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe))
    assert_type(run, Run)
    return run.model("cpu")


def outputs(model: nn.Module, images: Tensor, alpha: float = 4.0) -> list[Tensor]:
    """The converted network's output at each time step."""
    snn = sn.convert(model, alpha=alpha, statistics="sample", noise=sn.Uniform())
    assert_type(snn, sn.Spiking)
    generator = torch.Generator().manual_seed(0)
    return [output for _, output in simulate(snn, images, generator, timesteps=2)]


data = load_dataset("fashion_mnist_mini")
assert_type(data, Dataset)
images, labels = data.test.images[:8], data.test.labels[:8]

model = nn.Sequential(nn.Flatten(), nn.Linear(784, 20), nn.ReLU(), nn.Linear(20, 10))
net = sn.spiking(model, noise=sn.Gaussian(k=3.0), surrogate=sn.Arctan())
assert_type(net, sn.Spiking)
history = sn.fit(net, (images, labels), epochs=2, batch_size=4)
snn = sn.convert(net, alpha=4)
result = sn.evaluate(snn, (images, labels), timesteps=2, noise_seeds=range(2))
figure = result.draw()
with TemporaryDirectory() as folder:
    again = sn.load(sn.save(snn, Path(folder) / "net.safetensors"), model)
output: Tensor = again(images, timesteps=2)

table_1 = build("cnn", sn.SingleStep(), width=1 / 16)
print(sn.Converted(sn.Gaussian(), alpha=3.0).residual.half_width, dict(table_1.neurons()))


def refused() -> None:
    """Each of these is wrong: were it to pass for right, the comment that expects an error would be one."""
    sn.convert(table_1, beta="4")  # type: ignore[arg-type]
    sn.spiking("resnet18")  # type: ignore[arg-type]
    sn.fit(net, (images, labels), lr=None)  # type: ignore[arg-type]
    Recipe(epochs="many")  # type: ignore[arg-type]
    sn.Uniform(high=None)  # type: ignore[arg-type]
    load_dataset(3)  # type: ignore[arg-type]
    outputs(model, images, alpha=images)  # type: ignore[arg-type]
