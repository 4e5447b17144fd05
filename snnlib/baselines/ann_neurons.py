"""The neurons of ANN-to-SNN conversion, the opponent of Table 2: what is trained, and what it becomes.

`ReLU` and `QCFS` are activations without time, trained at T = 1 like any ANN; `IF` spikes at the rate
that approximates them. All three are dynamics of the same `snnlib.neurons.Neuron`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from snnlib.checks import between, instance, magnitude, moderate, whole
from snnlib.fast import Currents, phases
from snnlib.spelling import Value
from snnlib.surrogate import Derivative, Surrogate, Triangle, spike


@dataclass(frozen=True)
class ReLU(Value):
    """max(0, x), without time and noise."""

    kind: Literal["relu"] = "relu"

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, None]:
        return current.relu(), None


@dataclass(frozen=True)
class QCFS(Value):
    """Quantised clip-floor-shift: theta * clip(floor(x L / theta + 1/2) / L, 0, 1) (Bu et al. 2022, ICLR, Eq. 15).

    What an `IF` neuron of threshold theta and V(0) = theta / 2 fires in L steps at a constant current. The
    floor's gradient is taken as 1, so that of the whole is 1 within the clip's range and 0 outside. Theta
    is learned there and a constant here: affine batch norm, or a linear layer, before the activation takes
    on 1 / theta, the linear map after it theta, so the nets that can be expressed are the same. Only where
    an identity shortcut adds one activation to the next current do both have one theta here.
    """

    levels: int = 8  # L
    threshold: float = 1.0  # theta
    kind: Literal["qcfs"] = "qcfs"

    def __post_init__(self) -> None:
        whole("qcfs levels", self.levels, least=1, most=10**9)
        magnitude("qcfs threshold", self.threshold)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, None]:
        clipped = (current / self.threshold + 0.5 / self.levels).clamp(0, 1)
        floor = (clipped.detach() * self.levels).floor() / self.levels
        return self.threshold * (clipped + (floor - clipped.detach())), None


@dataclass(frozen=True)
class IF(Value):
    """Integrate and fire without leak, soft reset: V = H - V_th S (Rueckauer et al. 2017, Front. Neurosci. 11:682).

    A spike is ``height`` high. With height = V_th, the mean output over T steps approaches
    clip(x, 0, V_th) at a constant current x, within V_th / T, so a layer's weights need no rescaling.
    ``v_init`` is V(0), in units of the potential; with a ``spread``, V(0) is drawn for each neuron, uniform within
    v_init -/+ V_th spread/2.
    """

    v_init: float = 0.0
    spread: float = 0.0
    surrogate: Surrogate = field(default_factory=Triangle)
    v_th: float = 1.0
    height: float = 1.0
    kind: Literal["if"] = "if"

    def __post_init__(self) -> None:
        instance("surrogate", self.surrogate, Derivative, "Triangle()")
        magnitude("v_th", self.v_th)
        magnitude("height", self.height)
        moderate("v_init", self.v_init)
        between("spread", self.spread, 0, 1)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if state is None:
            state = self.v_init
            if self.spread:
                state = state + self.v_th * (phases(Currents(current, timesteps=1), self.spread, generator) - 0.5)
        h = current + state
        s = spike(h, self.v_th, self.surrogate)
        v = h - self.v_th * s
        return (s if self.height == 1 else self.height * s).to(current.dtype), v
