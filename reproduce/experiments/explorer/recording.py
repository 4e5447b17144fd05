"""What one image does in a net: spikes of every layer, and in one of them all that is compared with the threshold."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from snnlib.conversion import with_dynamics
from snnlib.dynamics import Converted, Dynamics
from snnlib.exact_memory import ExactMemory
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import simulate
from snnlib.training.seeds import stream


@dataclass(frozen=True)
class Recording:
    """What one image does.

    Attributes:
        spikes: of each layer by name, bool [T, neurons].
        currents: I of the layer that was looked at, [T, neurons].
        sums: what is compared with its threshold, [T, neurons]: H, or U(t-1) + p where phases are integrated.
        memories: of each sum the part that is N(leak V(t-1)) of Eq. 9, 0 where there is none.
        phased: whether they are.
        outputs: of the net, [T, classes].
    """

    spikes: dict[str, Tensor]
    currents: Tensor
    sums: Tensor
    memories: Tensor
    phased: bool
    outputs: Tensor

    @property
    def predicted(self) -> list[int]:
        """After 1, 2, ... T steps: the class with the largest sum of outputs, the first of several."""
        return self.outputs.cumsum(0).argmax(1).tolist()


@dataclass(frozen=True)
class _Overheard:
    """A dynamics that does the same, and of which currents and sums are kept; the first of the batch's images."""

    inner: Converted | ExactMemory
    currents: list[Tensor] = field(default_factory=list)
    sums: list[Tensor] = field(default_factory=list)
    memories: list[Tensor] = field(default_factory=list)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor | None]:
        if isinstance(self.inner, ExactMemory):
            s, after = self.inner.step(current, state, generator)
            h = after + s  # U(t) = U(t-1) + p - S
        else:
            h = self.inner.potential(current, self.inner.draw(current, state, generator), state)
            s, after = self.inner.fire(h)
        self.currents.append(current[0].flatten().float())
        self.sums.append(h[0].flatten().float())
        self.memories.append(_memory(self.inner, current, state)[0].flatten().float())
        return s, after


def _memory(d: Dynamics, current: Tensor, state: Tensor | None) -> Tensor:
    if not isinstance(d, Converted) or d.forgets(state is None):
        return torch.zeros_like(current)
    return torch.full_like(current, d.beta) if state is None else d.memory(state)


def record(model: Spiking, image: Tensor, layer: str, timesteps: int) -> Recording:
    """Run one image and keep what it does.

    Args:
        model: a converted net, with either memory.
        image: standardised, [C, H, W].
        layer: of which currents and sums are kept; a name of `Spiking.neurons`.
        timesteps: T.
    """
    overheard: dict[str, _Overheard] = {}
    names = {neuron: name for name, neuron in model.neurons()}

    def change(neuron: Neuron) -> Dynamics:
        if names[neuron] != layer:
            return neuron.dynamics
        return overheard.setdefault(layer, _Overheard(neuron.dynamics))

    twin = with_dynamics(model, change)
    fired: dict[Neuron, list[Tensor]] = {neuron: [] for _, neuron in twin.neurons()}

    def observe(neuron: Neuron, t: int, spikes: Tensor, state: object) -> None:
        fired[neuron].append(spikes[0].flatten() > 0)

    generator = stream(0, "evaluation", device=image.device)
    outputs = [out[:, 0] for _, out in simulate(twin, image[None], generator, timesteps, observe=observe)]
    heard = overheard[layer]
    return Recording(
        {name: torch.stack(fired[neuron]) for name, neuron in twin.neurons()},
        torch.stack(heard.currents),
        torch.stack(heard.sums),
        torch.stack(heard.memories),
        isinstance(heard.inner, ExactMemory),
        torch.cat(outputs),
    )
