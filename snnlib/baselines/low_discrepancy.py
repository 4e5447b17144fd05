"""Evenly spread noise without memory: what the exact memory is compared with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from snnlib.checks import instance, magnitude
from snnlib.fast import GRID, Currents, firing_probability, phases
from snnlib.noise import Bounded, Gaussian, Noise
from snnlib.spelling import Value

STEP = round((math.sqrt(5) - 1) / 2 / GRID) * GRID  # 0.618, the golden ratio: multiples of it spread evenly mod 1


@dataclass(frozen=True)
class LowDiscrepancy(Value):
    """S(t) = 1 where U(t) + p(I(t)) >= 1, with U(t) = U(0) + 0.618 t mod 1 and p as in `snnlib.exact_memory`.

    At each step U is uniform, as with fresh noise, so the law of a step is that of the trained net; over time U covers
    [0, 1) evenly, whatever the neuron fired. Stochastic computing calls such numbers low-discrepancy (Alaghi & Hayes
    2014, DATE).
    """

    noise: Noise = field(default_factory=Gaussian)  # N_noise, as it was in training
    v_th: float = 1.0
    kind: Literal["low_discrepancy"] = "low_discrepancy"

    def __post_init__(self) -> None:
        instance("noise", self.noise, Bounded, "Gaussian()")
        self.noise.survival(torch.zeros(()))  # refuses noise that has none
        magnitude("v_th", self.v_th)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        u = phases(Currents(current, timesteps=1), 1.0, generator) if state is None else state
        fires = u + firing_probability(current, self.v_th, self.noise) >= 1.0
        return fires.to(current.dtype), (u + STEP).frac()
