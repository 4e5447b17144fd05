"""Table 1 with what it leaves out: parameters, multiply-accumulates, and the epochs that a preset trains."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor, nn

from snnlib.experiments.paper import EPOCHS, STRUCTURES
from snnlib.models import INPUT_SHAPES, build
from snnlib.network import Spiking
from snnlib.neurons import SingleStep
from snnlib.runs.run import Spec
from snnlib.simulation import Simulation


def macs(model: Spiking) -> int:
    """Multiply-accumulates of convolutions and linear layers for one image at one time step."""
    counted: list[int] = []

    def count(layer: nn.Conv2d | nn.Linear, _inputs: object, output: Tensor) -> None:
        counted.append(output.numel() * layer.weight[0].numel())  # each output is a sum over so many weights

    layers = [module for module in model.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model.eval()(torch.zeros(1, *model.input_shape), simulation=Simulation(torch.Generator()))
    for hook in hooks:
        hook.remove()
    return sum(counted)


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
