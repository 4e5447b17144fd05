"""What one neuron's potential does over time, and whether that is an oscillation (Sec. 3.5, Figure 7).

Eqs. 8-9 measure each potential against all others of its layer, so a neuron alone has nothing to
remember: its potential equals its layer's mean, and the memory term is beta. Hence a layer is
simulated and one of its neurons is shown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from snnlib.checks import between, one_of, whole
from snnlib.dynamics import Converted
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.training.seeds import stream

NOISES = {"gaussian": Gaussian, "uniform": Uniform, "max_normalised": MaxNormalised}
NEURONS = 1000  # in the layer
TIMESTEPS = 120
ONSET = 20  # steps before the input; by then the first step has faded, so the autocorrelation starts here too
RATE = 0.3  # input spikes per time step
PERIOD = 12.0  # of the resonant membrane, in time steps
DECAY = 24.0  # time steps in which its oscillation falls to 1/e
LAGS = 40


@dataclass(frozen=True)
class Trace:
    """A layer over time; each array is [T, neurons]."""

    H: np.ndarray  # potential before the spike
    S: np.ndarray  # spike, 0 or 1
    V: np.ndarray  # potential after the spike
    memory: np.ndarray  # N(leak * V(t-1)) inside H; nan where H has no such term
    v_reset: float
    v_th: float

    @property
    def spikes(self) -> int:
        return int(self.S.sum())

    @property
    def inside(self) -> float:
        """Share of neurons and steps at which V_reset <= H <= V_th."""
        return float(((self.v_reset <= self.H) & (self.H <= self.v_th)).mean())


def simulate_layer(dynamics: Converted, currents: Tensor, generator: torch.Generator) -> Trace:
    """A layer of neurons under ``currents`` [T, neurons], which are one image of a batch to the dynamics."""
    state, steps = None, []
    for current in currents[:, None]:  # [1, neurons]
        remembers = state is not None and not dynamics.forgets(first=False)
        memory = dynamics.memory(state) if remembers else torch.full_like(current, math.nan)
        h = dynamics.potential(current, dynamics.draw(current, state, generator), state)
        s, state = dynamics.fire(h)
        steps.append(torch.cat([h, s, state, memory]))
    H, S, V, memory = torch.stack(steps, dim=1).numpy()
    return Trace(H, S, V, memory, dynamics.v_reset, dynamics.v_th)


def input_currents(
    weight: float, generator: torch.Generator, timesteps: int = TIMESTEPS, neurons: int = NEURONS
) -> Tensor:
    """Currents [T, neurons]: from step ``ONSET`` + 1 on, each neuron gets its own random spikes through one weight."""
    spikes = torch.rand(timesteps, neurons, generator=generator) < RATE
    spikes[:ONSET] = False
    return weight * spikes


def oscillate(
    generator: torch.Generator,
    timesteps: int = TIMESTEPS,
    neurons: int = NEURONS,
    period: float = PERIOD,
    decay: float = DECAY,
) -> np.ndarray:
    """Potentials [T, neurons] of a resonant membrane driven by noise, within 0.4 of 1/2: below a threshold of 1.

    The linear part of the resonate-and-fire neuron (Izhikevich 2001), dz/dt = (-1/decay + 2 pi i/period) z
    + noise, whose real part is the potential; advanced by its exact solution, from its stationary state on.
    Its autocorrelation is exp(-k/decay) cos(2 pi k/period).
    """
    turn = np.exp(-1 / decay + 2j * np.pi / period)
    kicks = torch.randn(timesteps, neurons, dtype=torch.complex128, generator=generator).numpy()
    z = [kicks[0]]
    for kick in kicks[1:]:
        z.append(turn * z[-1] + math.sqrt(1 - abs(turn) ** 2) * kick)
    potential = np.stack(z).real
    return 0.5 + 0.4 * potential / np.abs(potential).max()  # as Eq. 9 scales potentials, here with a margin


def autocorrelation(x: np.ndarray, lags: int = LAGS) -> np.ndarray:
    """Correlation of x(t) with x(t + k) over all neurons of x [T, neurons], for k = 0 ... lags.

    The mean is that of all neurons and steps: a trace's own mean would hide what it remembers throughout.
    """
    x = x.astype(np.float64)
    x = x - x.mean()
    variance = np.mean(x * x)
    if variance < 1e-12:  # a constant but for rounding: nothing to correlate
        return np.full(lags + 1, np.nan)
    return np.array([np.mean(x[: len(x) - k] * x[k:]) for k in range(lags + 1)]) / variance


def statistics(trace: Trace) -> dict[str, float]:
    """What the paper argues from, spikes and range, and what an oscillation would need: a negative correlation."""
    r = autocorrelation(trace.V[ONSET:])
    return {
        "neurons × steps": trace.H.size,
        "spikes": trace.spikes,
        "lowest H": trace.H.min(),
        "highest H": trace.H.max(),
        "share in [reset, threshold]": trace.inside,
        "correlation at lag 1": r[1],
        f"lowest correlation to lag {LAGS}": np.min(r),
    }


def without_input(
    alphas: Sequence[float], noises: Sequence[str] = tuple(NOISES), timesteps: int = 500, seed: int = 0
) -> pd.DataFrame:
    """The `statistics` of a layer without input for each noise and alpha, one row each, beside its `_parameters`."""
    rows = []
    for noise in noises:
        for alpha in alphas:
            unit = Converted(noise=NOISES[noise](), alpha=alpha)
            trace = simulate_layer(unit, torch.zeros(timesteps, NEURONS), stream(seed, "noise"))
            rows.append({"noise": noise, "alpha": alpha} | statistics(trace) | _parameters(unit, timesteps, seed))
    return pd.DataFrame(rows)


def silent(table: pd.DataFrame) -> bool:
    """Whether there is not one spike and not one potential outside, of what `without_input` found.

    It is so by construction: N_noise ends at the threshold, Eq. 6 keeps its range, and a spike needs more (Eq. 2). So
    this checks the code and says nothing for or against the paper.
    """
    return bool((table["spikes"] == 0).all() and (table["share in [reset, threshold]"] == 1).all())


def accumulation(weight: float = 0.4, seed: int = 0) -> dict[str, float]:
    """Share of input spikes at which their neuron fires, by what it got one step before; panel b's layer."""
    currents = input_currents(weight, stream(seed, "noise", 1))
    return firing_shares(simulate_layer(Converted(), currents, stream(seed, "noise")).S, currents.numpy() > 0)


def firing_shares(spikes: np.ndarray, driven: np.ndarray) -> dict[str, float]:
    """The shares of `accumulation` from spikes and input spikes, both [T, neurons]; nan where there are none."""
    fired, now = spikes[1:], driven[1:]
    return {
        "right after another, unfired": _mean(fired[now & driven[:-1] & (spikes[:-1] == 0)]),
        "after a step without input": _mean(fired[now & ~driven[:-1]]),
    }


def _mean(x: np.ndarray) -> float:
    return float(x.mean()) if x.size else math.nan


def dynamics(alpha: float, beta: float, leak: float, noise: str) -> Converted:
    """The converted neuron with this noise, by name, in [0, 1]."""
    one_of("noise", noise, NOISES)
    return Converted(noise=NOISES[noise](), alpha=alpha, beta=beta, leak=leak)


def experiment(
    alpha: float = 4.0,
    beta: float = 0.5,
    leak: float = 0.5,
    noise: str = "gaussian",
    weight: float = 0.4,
    seed: int = 0,
    neuron: int = 0,
) -> pd.DataFrame:
    """All that Figure 7 shows, as a tidy table.

    Panels a (no input) and b (input spikes through ``weight``) draw the same noise, so that they differ by
    the input alone; c is the resonant membrane; d compares the autocorrelations of a and c. Rows without
    a time step or lag are numbers of the whole layer.

    Returns:
        Columns panel, series, timestep, lag, value, then all that decides the numbers: those of `_parameters`, input
        (the weight), rate and onset of the input, period and decay of the membrane, and neuron.
    """
    between("weight", weight, 0, 1)
    whole("neuron", neuron, least=0)
    between("neuron", neuron, 0, NEURONS - 1)
    unit = dynamics(alpha, beta, leak, noise)
    currents = input_currents(weight, stream(seed, "noise", 1))
    a = simulate_layer(unit, torch.zeros_like(currents), stream(seed, "noise"))
    b = simulate_layer(unit, currents, stream(seed, "noise"))
    membrane = oscillate(stream(seed, "noise", 2))

    steps, lags = np.arange(1, TIMESTEPS + 1), np.arange(LAGS + 1)
    parts = [_rows("a", s, x[:, neuron], timestep=steps) for s, x in _potentials(a).items()]
    parts += [_rows("b", s, x[:, neuron], timestep=steps) for s, x in _potentials(b).items()]
    parts += [
        _rows("b", "input", currents.numpy()[:, neuron], timestep=steps),
        _rows("c", "resonant membrane", membrane[:, neuron], timestep=steps),
        _rows("d", "a", autocorrelation(a.V[ONSET:]), lag=lags),
        _rows("d", "c", autocorrelation(membrane[ONSET:]), lag=lags),
        _rows("a", "layer: spikes", [a.spikes]),
        _rows("a", "layer: share in [reset, threshold]", [a.inside]),
        _rows("b", "layer: spikes per step", [b.S[ONSET:].mean()]),
        _rows("b", "layer: input spikes per step", [(currents[ONSET:] > 0).float().mean().item()]),
    ]
    table = pd.concat(parts, ignore_index=True)
    others = {"input": weight, "rate": RATE, "onset": ONSET, "period": PERIOD, "decay": DECAY, "neuron": neuron}
    return table.assign(**_parameters(unit, TIMESTEPS, seed), **others)


def correlations(table: pd.DataFrame) -> pd.DataFrame:
    """Panel d of an `experiment`: one row per lag, columns a and c."""
    return table[table.panel == "d"].pivot(index="lag", columns="series", values="value")


def _parameters(unit: Converted, timesteps: int, seed: int) -> dict[str, Any]:
    """The columns of a simulated layer: its neurons' parameters, their number, the time steps and the seed."""
    noise = unit.noise
    return {
        "alpha": unit.alpha, "beta": unit.beta, "leak": unit.leak,
        "noise": noise.kind, "noise_low": noise.low, "noise_high": noise.high, "noise_k": getattr(noise, "k", None),
        "statistics": unit.statistics.kind, "first_step": unit.first_step, "v_th": unit.v_th, "v_reset": unit.v_reset,
        "neurons": NEURONS, "timesteps": timesteps, "seed": seed,
    }  # fmt: skip


def _potentials(trace: Trace) -> dict[str, np.ndarray]:
    return {"H": trace.H, "V": trace.V, "spike": trace.S, "memory": trace.memory}


def _rows(
    panel: str,
    series: str,
    value: Sequence[float],
    timestep: Sequence[int] | None = None,
    lag: Sequence[int] | None = None,
) -> pd.DataFrame:
    n = len(value)
    whole_numbers = {
        name: pd.array([pd.NA] * n if x is None else list(x), dtype="Int64")
        for name, x in (("timestep", timestep), ("lag", lag))
    }
    return pd.DataFrame({"panel": panel, "series": series, **whole_numbers, "value": np.asarray(value, np.float64)})
