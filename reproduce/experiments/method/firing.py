"""How likely the single-step neuron fires at a current (Eqs. 2, 5), and which derivative training puts in its place.

A neuron with current I fires if I + N_noise > V_th, so with P(I) = 1 - F(V_th - I), F the noise's distribution. What
is trained is that expected spike. Its derivative is the noise's density at V_th - I; the surrogate gradient's mean over
the noise takes its place.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from scipy.stats import norm

from snnlib.noise import Gaussian, Noise, Uniform
from snnlib.surrogate import Surrogate
from snnlib.training.seeds import stream

NOISES = {"Gaussian, clipped": Gaussian(), "uniform": Uniform()}  # the paper's, and that of its Figure 6
CURRENTS = (-0.5, 1.5)  # from, to
POINTS = 201  # currents
DRAWS = 20_000  # at each current


def distribution(noise: Noise, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F, and its derivative between the ends of the range, where a Gaussian that is clipped has a jump besides.

    Raises:
        TypeError: a noise of which no closed form is known, as of `MaxNormalised`.
    """
    inside = (x >= noise.low) & (x < noise.high)
    match noise:
        case Gaussian():
            z = (x - noise.centre) * noise.k / noise.half_width
            f, density = norm.cdf(z), norm.pdf(z) * noise.k / noise.half_width
        case Uniform():
            f, density = (x - noise.low) / (noise.high - noise.low), np.full_like(x, 1 / (noise.high - noise.low))
        case _:
            raise TypeError(f"no closed form for {noise}")
    return np.where(inside, f, x >= noise.high), np.where(inside, density, 0.0)


def firing(surrogate: Surrogate, v_th: float = 1.0) -> pd.DataFrame:
    """P(I) in closed form and from draws, its derivative, and what training takes for it, for each of `NOISES`.

    Returns:
        Columns noise, current, probability, drawn (share of `DRAWS` neurons that fire; of every tenth current, else
        nan), derivative (of the probability), surrogate (at the mean of the noise), mean_surrogate (over the noise).
    """
    currents = np.linspace(*CURRENTS, POINTS)
    tables = []
    for name, noise in NOISES.items():
        f, density = distribution(noise, v_th - currents)
        numbers = noise.numbers(DRAWS, torch.float64, stream(0, "evaluation"))
        x = torch.from_numpy(currents)[:, None] - v_th  # H - V_th without the noise
        drawn = (x + numbers > 0).double().mean(1).numpy()
        table = pd.DataFrame({
            "noise": name, "current": currents, "probability": 1 - f,
            "drawn": np.where(np.arange(POINTS) % 10 == 0, drawn, math.nan), "derivative": density,
            "surrogate": surrogate(x[:, 0] + noise.centre).numpy(),
            "mean_surrogate": surrogate(x + numbers).mean(1).numpy(),
        })  # fmt: skip
        tables.append(table)
    return pd.concat(tables, ignore_index=True)
