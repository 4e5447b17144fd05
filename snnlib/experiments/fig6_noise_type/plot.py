"""Figure 6: Gaussian against uniform noise at T = 1 and after conversion, and the gap between them."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments.fig6_noise_type.table import gaps
from snnlib.experiments.over_seeds import NET, at_timesteps, plus_minus
from snnlib.experiments.style import BLACK, BLUE, VERMILION, figure, style
from snnlib.experiments.titles import title

_ARMS = {"gaussian": ("Gaussian", BLUE, "o", -0.22), "uniform": ("uniform", VERMILION, "s", 0.22)}


def noise_type(table: pd.DataFrame) -> Figure:
    """A column for each pair of data set and network: accuracies above, their paired differences below.

    Args:
        table: from `snnlib.experiments.fig6_noise_type.table.accuracy_by_noise`.
    """
    at = at_timesteps(table, *NET, "noise")
    nets = list(gaps(table).groupby(NET, sort=False))
    fig = figure(2.6 * len(nets) + 0.6, 6.2)
    with style():
        axes = fig.subplots(2, len(nets), squeeze=False, sharey="row", height_ratios=[1.5, 1])
        for (above, below), (net, gap) in zip(axes.T, nets, strict=True):
            _accuracy(above, at.xs(net, level=NET))
            _gap(below, gap)
            named = dict(zip(NET, net, strict=True))
            above.set_title(title(named).replace(", ", "\n") + f", width {named['width']:g}, {len(gap)} seeds")
        axes[0, 0].set_ylabel(f"test accuracy, %\n(axis starts at {axes[0, 0].get_ylim()[0]:.0f} %)")
        axes[1, 0].set_ylabel("Gaussian minus uniform, points")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        fig.suptitle(
            "Gaussian or uniform noise in training: mean ± sd, dots are seeds; below, the difference in each seed",
            fontsize=10,
        )
    return fig


def _accuracy(ax: Axes, net: pd.DataFrame) -> None:
    for noise, (name, colour, marker, shift) in _ARMS.items():
        seeds = net.xs(noise, level="noise")
        for i, t in enumerate(seeds):
            _points(ax, i + shift, seeds[t], colour, marker, label=f"{name} noise" if i == 0 else None)
            _write(ax, i + shift, seeds[t], f"{seeds[t].mean():.2f}", colour, above=shift < 0)
    _steps(ax, list(net))


def _gap(ax: Axes, gap: pd.DataFrame) -> None:
    ax.axhline(0, color=BLACK, lw=0.8)
    for i, t in enumerate(gap):
        _points(ax, i, gap[t], BLACK, "D")
        _write(ax, i, gap[t], plus_minus(gap[t].mean(), gap[t].std()), BLACK)
    _steps(ax, list(gap))


def _points(ax: Axes, x: float, values: pd.Series, colour: str, marker: str, label: str | None = None) -> None:
    """The mean over training seeds with its standard deviation, each seed as a small dot beside it."""
    ax.plot([x + 0.1] * len(values), values, ".", color=colour, ms=4)
    sd = values.std() if len(values) > 1 else None
    ax.errorbar(x, values.mean(), yerr=sd, color=colour, marker=marker, mfc="none", ms=6, capsize=3, ls="", label=label)


def _write(ax: Axes, x: float, values: pd.Series, text: str, colour: str, above: bool = True) -> None:
    """Off the data: above the highest of dots and bar, or below the lowest."""
    sd = values.std() if len(values) > 1 else 0
    y = max(values.max(), values.mean() + sd) if above else min(values.min(), values.mean() - sd)
    ax.annotate(
        text, (x, y), xytext=(0, 6 if above else -6), textcoords="offset points", ha="center",
        va="bottom" if above else "top", fontsize=8, color=colour,
    )  # fmt: skip


def _steps(ax: Axes, timesteps: list[int]) -> None:
    ax.set_xticks(range(len(timesteps)), [f"T = {t}" for t in timesteps])
    ax.set_xlim(-0.6, len(timesteps) - 0.4)
    ax.margins(y=0.15)
    ax.grid(visible=False, axis="x")
