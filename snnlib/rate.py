"""One pass for any T: a neuron that says at once what an integrate-and-fire neuron fires in L steps (`Rate`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from snnlib.baselines.ann_neurons import IF
from snnlib.checks import InputError, between, whole
from snnlib.conversion import with_dynamics
from snnlib.fast import Currents, phases, spike_rate
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.spelling import Value


@dataclass(frozen=True)
class Rate(Value):
    """floor(U + L clip(I, 0, 1)) / L: the mean output in L steps of a neuron that integrates a constant current.

    That neuron is `IF` with threshold 1, soft reset and V(0) = U, its phase, but where a potential is just 1: the floor
    counts it, `IF` has Eq. 2's H > V_th. A net of these is trained in one pass and runs for L steps, or any other
    number, as a net of those (`integrated`). The gradient is that of the clip, which
    over uniform phases is the mean: 1 between 0 and 1, else 0.

    L = 1 with random U is the paper's single-step neuron with uniform noise (Eqs. 2, 5), but for its gradient; U = 1/2,
    no ``spread``, computes what QCFS does (Bu et al. 2022, ICLR), whose gradient is 1 half a level lower and whose
    threshold is learned; L to infinity is a clipped ReLU.
    """

    levels: int = 4  # L
    spread: float = 1.0  # of U around 1/2: 1 is uniform on [0, 1)
    kind: Literal["rate"] = "rate"

    def __post_init__(self) -> None:
        whole("rate levels", self.levels, least=1, most=10_000)
        between("rate spread", self.spread, 0, 1)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, None]:
        """A rate in [0, 1] for each current, and no state: steps do not know each other."""
        if self.spread:
            u = phases(Currents(current, timesteps=1), self.spread, generator)
        else:
            u = torch.full_like(current, 0.5, dtype=torch.float32)
        return spike_rate(current, u, self.levels), None


def integrated(model: Spiking, timesteps: int | None = None) -> Spiking:
    """A net of `Rate` neurons as one that spikes: `IF` from the same phases, for any number of steps.

    Where currents differ from step to step, as in all layers but the first, spikes come in another order than a
    constant current's, and an early one cannot be taken back: at T = L it is not quite the net that was trained.

    Args:
        timesteps: L of a run in which each layer waits for all steps of the one before, which is exactly that net,
            and answers after depth x L steps: its neurons stay `Rate`, and one pass is the whole run. None spikes.

    Raises:
        InputError: other neurons.
    """

    def change(neuron: Neuron) -> Rate | IF:
        d: Any = neuron.dynamics
        if not isinstance(d, Rate):
            raise InputError(f"dynamics = {getattr(d, 'kind', d)}: must be rate, to be integrated")
        return IF(v_init=0.5, spread=d.spread) if timesteps is None else replace(d, levels=timesteps)

    return with_dynamics(model, change)
