"""A memory that changes no law: the neuron integrates its firing probability (beyond the paper).

With noise N on its input, a neuron of current I fires with p(I) = P(N > V_th - I) = 1 - F(V_th - I) (Eqs. 5, 2), where
F is the noise's distribution function. Here p itself is integrated, from a random phase U(0), and a spike takes a
whole threshold away:

    S(t) = 1 where U(t-1) + p(I(t)) >= 1, else 0;   U(t) = U(t-1) + p(I(t)) - S(t)

If U(0) is uniform in [0, 1), so is U(t), whatever current came before that does not depend on it. So at each step a
feedforward net of such neurons, whose phases are independent, has the joint law of spikes that it was trained with.
Over time, ``|sum of (S - p)| < 1`` for any currents, where independent draws are off by the square root of T. No noise
is drawn after the first step.

Per neuron this is systematic sampling (Madow 1949, Ann. Math. Stat. 20:333), or a sigma-delta modulator.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from snnlib.checks import between, instance, magnitude
from snnlib.fast import Currents, phase_steps, phases
from snnlib.noise import Bounded, Gaussian, Noise
from snnlib.spelling import Value


@dataclass(frozen=True)
class ExactMemory(Value):
    """Soft-reset integration of the firing probability, from phases U(0) within 1/2 -/+ spread/2.

    A spread of 1 keeps the law of the trained net at each step. At 0 all begin at 1/2: the first step is that of the
    noise's median in place of noise, and later phases depend on the currents alone. The state is U, in float32
    whatever the currents are in. The gradient of a spike is dp/dI, the noise's density at V_th - I; none runs through
    U.

    Raises:
        InputError: a spread outside [0, 1], noise whose F is not known (`MaxNormalised`).
    """

    noise: Noise = field(default_factory=Gaussian)  # N_noise, as it was in training
    spread: float = 1.0
    v_th: float = 1.0
    kind: Literal["exact_memory"] = "exact_memory"

    def __post_init__(self) -> None:
        instance("noise", self.noise, Bounded, "Gaussian()")
        self.noise.survival(torch.zeros(()))  # refuses noise that has none
        between("spread", self.spread, 0, 1)
        magnitude("v_th", self.v_th)

    @property
    def quiet(self) -> ExactMemory:
        """The same neuron without randomness."""
        return replace(self, spread=0.0)

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return self.all_steps(Currents(current, timesteps=1), state, generator)

    def all_steps(self, currents: Currents, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if state is None:
            # Just below 1/2 where there is one alone: p = 1/2 does not fire, as H = V_th does not (Eq. 2).
            state = phases(currents, self.spread, generator)
        return phase_steps(currents, state, self.v_th, self.noise)
