"""How a forward pass runs: for how many time steps, with which noise, and who looks on.

Only neurons read a `Simulation`; `simulate` runs a long one in pieces that fit into memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from snnlib.checks import InputError, shown, whole
from snnlib.fast.process import autocast

CHUNK = 16  # time steps in one pass of a long simulation: enough to keep a processor busy

MOST_TIMESTEPS = 10_000  # time steps: more are a slip, and would take all memory there is

Observer = Callable[[nn.Module, int, Tensor, Any], None]


@dataclass(frozen=True)
class Simulation:
    """A forward pass over ``timesteps`` steps, whose noise comes from ``generator``.

    ``observe(neuron, t, spikes, state)`` is called after each step of each neuron, t from 1 in each pass.
    ``states``, if given, is where neurons take their state from and leave it, so that one long
    simulation can be run as several passes, with the memory of the longest of them.
    """

    generator: torch.Generator
    timesteps: int = 1
    observe: Observer | None = None
    states: dict[nn.Module, Any] | None = None

    def __post_init__(self) -> None:
        whole("timesteps", self.timesteps, 1, MOST_TIMESTEPS)
        if not isinstance(self.generator, torch.Generator):
            raise InputError(f"generator = {shown(self.generator)}: must be a torch.Generator")


def simulate(
    model: nn.Module,
    images: Tensor,
    generator: torch.Generator,
    timesteps: int,
    precision: str = "float32",
    observe: Observer | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Outputs of a long simulation in pieces, in evaluation mode and without gradients.

    Args:
        model: takes images and a `Simulation`.
        images: standardised, [B, C, H, W].
        generator: of the noise, on the images' device.
        timesteps: T.

    Raises:
        InputError: more than `MOST_TIMESTEPS` time steps, or fewer than one.

    Yields:
        The number of steps before this piece, and its outputs, float32 [steps, B, classes].
    """
    whole("timesteps", timesteps, 1, MOST_TIMESTEPS)
    training = model.training
    model.eval()
    states: dict[nn.Module, Any] = {}
    try:
        for t in range(0, timesteps, CHUNK):
            sim = Simulation(generator, min(CHUNK, timesteps - t), observe, states)
            with torch.no_grad(), autocast(images.device, precision):
                outputs = model(images, sim)
            yield t, outputs.float()
    finally:
        model.train(training)
