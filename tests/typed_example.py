"""A user's script, which `mypy --strict` accepts: what the library is given, and what it gives, has types."""

from __future__ import annotations

from typing import assert_type

import torch
from torch import Tensor

import snnlib
from snnlib.conversion import convert
from snnlib.data.sets import Dataset, load_dataset
from snnlib.models import Network, build
from snnlib.neurons import LIF, Converted
from snnlib.noise import Gaussian, Uniform
from snnlib.runs.run import Run, ensure
from snnlib.runs.spec import Spec
from snnlib.simulation import Simulation, simulate
from snnlib.training.loop import Recipe

assert_type(snnlib.__version__, str)


def trained() -> Network:
    """A run's network."""
    recipe = Recipe(epochs=1, batch_size=500, lr=1e-2, schedule="one_cycle")
    run = ensure(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe))
    assert_type(run, Run)
    return run.model("cpu")


def outputs(model: Network, images: Tensor, alpha: float = 4.0) -> list[Tensor]:
    """The converted network's output at each time step."""
    snn = convert(model, alpha=alpha, statistics="sample", noise=Uniform())
    assert_type(snn, Network)
    generator = torch.Generator().manual_seed(0)
    return [output for _, output in simulate(snn, images, generator, timesteps=2)]


data = load_dataset("fashion_mnist_mini")
assert_type(data, Dataset)
images = (data.test.images[:8] / 255 - data.mean) / data.std

network = build("cnn", LIF(leak=0.5), width=1 / 16)
output: Tensor = network(images, Simulation(torch.Generator().manual_seed(0), 1))
print(Converted(Gaussian(), alpha=3.0).residual.half_width)


def refused() -> None:
    """Each of these is wrong: were it to pass for right, the comment that expects an error would be one."""
    convert(network, alpha="4")  # type: ignore[arg-type]
    Recipe(epochs="many")  # type: ignore[arg-type]
    Uniform(high=None)  # type: ignore[arg-type]
    load_dataset(3)  # type: ignore[arg-type]
    outputs(images, images)  # type: ignore[arg-type]
