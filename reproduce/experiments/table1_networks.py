"""Table 1 with what it leaves out: parameters, multiply-accumulates, and the epochs that a preset trains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from reproduce.experiments.paper import EPOCHS, STRUCTURES
from reproduce.runs.spec import Spec
from snnlib.dynamics import SingleStep
from snnlib.models import INPUT_SHAPES, build
from snnlib.network import Spiking
from snnlib.simulation import Simulation, evaluating


@dataclass(frozen=True)
class Layer:
    """A module without parts of its own, and how many numbers it puts out for one image at one time step."""

    module: nn.Module
    outputs: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or linear layer: each output is a sum over so many weights."""
        sums = isinstance(self.module, nn.Conv2d | nn.Linear)
        return self.outputs * self.module.weight[0].numel() if sums else 0


def layers(model: nn.Module, image: Tensor, **options: Any) -> list[Layer]:
    """The layers in the order in which a forward pass of one image [1, ...] calls them."""
    found: list[Layer] = []

    def note(module: nn.Module, _inputs: object, output: Tensor) -> None:
        found.append(Layer(module, output.numel()))

    hooks = [m.register_forward_hook(note) for m in model.modules() if not list(m.children())]
    with evaluating(model), torch.no_grad():
        model(image, **options)
    for hook in hooks:
        hook.remove()
    return found


def layers_of(model: Spiking) -> list[Layer]:
    """`layers` of a network of Table 1, at a single time step."""
    return layers(model, torch.zeros(1, *model.input_shape), simulation=Simulation(torch.Generator()))


def macs(model: Spiking) -> int:
    """Multiply-accumulates of convolutions and linear layers for one image at one time step."""
    return sum(layer.macs for layer in layers_of(model))


def size(network: str, width: float) -> tuple[int, int]:
    """Trainable parameters, and multiply-accumulates per image and step, of a network of Table 1."""
    model = build(network, SingleStep(), width=width)
    return sum(p.numel() for p in model.parameters() if p.requires_grad), macs(model)


def table1(specs: Iterable[Spec]) -> pd.DataFrame:
    """The rows of Table 1, each beside the spec that stands for it: of its data set, or else of its network.

    Returns:
        Columns dataset, network, structure, input, epochs, parameters, macs (the paper's, at full width),
        and run (the spec's name), run_dataset, run_width, run_epochs, run_parameters, run_macs (the spec's).
    """
    specs = list(specs)
    rows = []
    for (dataset, network), epochs in EPOCHS.items():
        same = [s for s in specs if s.network == network]
        spec = next((s for s in same if s.dataset == dataset), same[0] if same else None)
        row = {"dataset": dataset, "network": network, "structure": STRUCTURES[network]}
        row |= {"input": "x".join(map(str, INPUT_SHAPES[network])), "epochs": epochs}
        row |= dict(zip(("parameters", "macs"), size(network, 1.0), strict=True))
        if spec is not None:
            row |= {"run": spec.name, "run_dataset": spec.dataset, "run_width": spec.width}
            row |= {"run_epochs": spec.recipe.epochs}
            row |= dict(zip(("run_parameters", "run_macs"), size(network, spec.width), strict=True))
        rows.append(row)
    return pd.DataFrame(rows)
