"""Figure 7: the potential without input, with input, and a subthreshold oscillation beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from reproduce.experiments.fig7_potential_dynamics import table as potential
from reproduce.experiments.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, entitle, grid, legend, named, style
from snnlib.dynamics import Converted

V_RESET, V_TH = Converted.v_reset, Converted.v_th
NOISES = {"gaussian": "Gaussian", "uniform": "uniform", "max_normalised": "max-normalised Gaussian"}


def potential_dynamics(table: pd.DataFrame) -> Figure:
    """Figure 7 from the table of `fig7_potential_dynamics.table.experiment`."""
    with style():
        fig, axes = grid(4, 2.0, columns=1)
        a, b, c, d = axes[:, 0]
        _converted(a, table[table.panel == "a"])
        _converted(b, table[table.panel == "b"])
        _membrane(c, table[table.panel == "c"])
        _autocorrelation(d, table[table.panel == "d"])

        number = _layer(table)
        a.set_title(
            f"(a) Without input: {number['a', 'spikes']:,.0f} spikes in the layer,\n"
            f"{100 * number['a', 'share in [reset, threshold]']:.4g} % of potentials between reset and threshold"
        )
        b.set_title(
            f"(b) With input from step {potential.ONSET + 1} on, per neuron and step:\n"
            f"{number['b', 'input spikes per step']:.2f} spikes in, {number['b', 'spikes per step']:.2f} spikes out"
        )
        c.set_title("(c) A subthreshold oscillation (own simulation):\nresonant membrane driven by noise")
        p = table.iloc[0]
        entitle(
            fig,
            f"A simulated layer of {potential.NEURONS:,} neurons, no data set, no training",
            f"α = {'∞' if np.isinf(p.alpha) else f'{p.alpha:g}'}, β = {p.beta:g}, leak λ = {p.leak:g}, "
            f"input weight {p.input:g}",
            f"{NOISES[p.noise]} noise in [0, 1]",
        )
        legend(fig, named([b, d]))
    return fig


def _series(rows: pd.DataFrame, name: str, x: str = "timestep") -> tuple[np.ndarray, np.ndarray]:
    one = rows[rows.series == name]
    return one[x].to_numpy(np.float64), one.value.to_numpy()


def _layer(table: pd.DataFrame) -> dict[tuple[str, str], float]:
    """The numbers of the whole layer by panel and name."""
    rows = table[table.series.str.startswith("layer: ")]
    return dict(zip(zip(rows.panel, rows.series.str.removeprefix("layer: "), strict=True), rows.value, strict=True))


def _frame(ax: Axes, top: float = V_TH) -> None:
    """What the potential panels share: both levels, named beside the axes where no curve passes, and labels."""
    for level, name in ((V_TH, "threshold"), (V_RESET, "reset")):
        ax.axhline(level, color=BLACK, linewidth=0.9, linestyle="--")
        ax.annotate(name, (1, level), (3, 0), ("axes fraction", "data"), "offset points", ha="left", va="center")
    ax.set(xlim=(0, potential.TIMESTEPS + 2), ylim=(-0.2, max(1.25, top + 0.15)))
    ax.yaxis.set_major_locator(MultipleLocator(0.5))
    ax.xaxis.set_major_locator(MultipleLocator(20))
    ax.set(xlabel="time step", ylabel="potential")


def _converted(ax: Axes, rows: pd.DataFrame) -> None:
    step, h = _series(rows, "H")
    _, v = _series(rows, "V")
    _, spike = _series(rows, "spike")
    # H, then V at the same step: the line drops where a spike resets the potential and is H alone elsewhere.
    ax.plot(np.repeat(step, 2), np.stack([h, v], axis=1).ravel(), color=BLUE, label="potential H, then V")
    ax.plot(*_series(rows, "memory"), color=ORANGE, ls="--", label="memory term N(λV)")
    fired = spike == 1
    ax.plot(step[fired], h[fired], "v", color=VERMILION, label="spike")
    at, current = _series(rows, "input")
    at = at[current > 0]
    ax.plot(at, np.full(len(at), -0.12), "|", color=BLACK, markersize=6, markeredgewidth=1.2, label="input spike")
    _frame(ax, h.max())


def _membrane(ax: Axes, rows: pd.DataFrame) -> None:
    ax.plot(*_series(rows, "resonant membrane"), color=GREEN)
    _frame(ax)


def _autocorrelation(ax: Axes, rows: pd.DataFrame) -> None:
    lag, a = _series(rows, "a", "lag")
    _, c = _series(rows, "c", "lag")
    ax.axhline(0, color=BLACK, linewidth=0.9)
    ax.axvline(potential.PERIOD, color=BLACK, linewidth=0.9, linestyle=":", label="(d): one period of (c)")
    ax.plot(lag, a, "o-", color=BLUE, markersize=4, label="(d): the layer of (a)")
    ax.plot(lag, c, "s-", color=GREEN, markersize=4, mfc="white", label="(d): membranes as of (c)")
    period = round(potential.PERIOD)
    ax.set_title(
        f"(d) Correlation of the potential with itself\n{period} steps later: (a) {_r(a, period)}, (c) {_r(c, period)}"
    )
    ax.set(xlabel="lag (time steps)", ylabel="autocorrelation", xlim=(0, lag.max()), ylim=(-1.05, 1.05))
    ax.xaxis.set_major_locator(MultipleLocator(10))


def _r(autocorrelation: np.ndarray, lag: int) -> str:
    r = autocorrelation[lag]
    return "undefined (constant)" if np.isnan(r) else f"{round(r, 2) + 0:.2f}"  # + 0 turns -0.00 into 0.00
