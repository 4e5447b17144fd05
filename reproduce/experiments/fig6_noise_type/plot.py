"""Figure 6: Gaussian against uniform noise at T = 1 and after conversion, and the gap between them."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.experiments.effects import LEAST_SEEDS, Effect
from reproduce.experiments.over_seeds import NET, at_timesteps, mean_and_sd
from reproduce.experiments.style import BLACK, BLUE, VERMILION, entitle, grid, leftmost, legend, named, style
from reproduce.experiments.titles import panel_title, printed_accuracy

_ARMS = {"gaussian": ("Gaussian", BLUE, "o", -0.22), "uniform": ("uniform", VERMILION, "s", 0.22)}


def noise_type(table: pd.DataFrame, gaps: pd.DataFrame) -> Figure:
    """For each pair of data set and network, accuracies above, their paired differences below.

    Args:
        table: from `reproduce.experiments.fig6_noise_type.table.accuracy_by_noise`.
        gaps: from `reproduce.experiments.fig6_noise_type.table.gaps`.
    """
    at = at_timesteps(table, *NET, "noise")
    nets = list(gaps.groupby(NET, sort=False))
    with style():
        fig, axes = grid(len(nets), 2.7, 1.9)
        for (above, below), (net, gap) in zip(axes, nets, strict=True):
            _accuracy(above, at.xs(net, level=NET))
            _gap(below, gap)
            of_net = dict(zip(NET, net, strict=True))
            printed = printed_accuracy(of_net["dataset"], 10)
            above.set_title(f"{panel_title(of_net)}\n{printed}".strip())
            low, high = below.get_ylim()
            below.set_ylim(low, high + 0.7 * (high - low))  # room for three lines above the highest
        for ax in leftmost(axes[:, 0]):
            ax.set_ylabel("test accuracy, %")
        for ax in leftmost(axes[:, 1]):
            ax.set_ylabel("difference, points")
        entitle(
            fig,
            f"Accuracy by noise in training ({mean_and_sd(gaps.groupby(NET).seed.nunique())}, dots); "
            "below, Gaussian minus uniform in each seed and its 95 % interval, of seeds and test images",
        )
        legend(fig, named(axes.flat))
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
    timesteps = sorted(set(gap.timesteps))
    for i, t in enumerate(timesteps):
        rows = gap[gap.timesteps == t]
        effect = Effect.of(rows)
        half = effect.interval[1] - effect.mean if len(rows) >= LEAST_SEEDS else 0.0
        ax.plot([i + 0.1] * len(rows), rows.points, ".", color=BLACK, ms=4)
        ax.errorbar(i, effect.mean, half or None, color=BLACK, marker="D", mfc="none", ms=6, ls="")
        top = max(rows.points.max(), effect.mean + half)
        text = effect.shown().replace(" ±", "\n±")
        ax.annotate(text, (i, top), (0, 6), textcoords="offset points", ha="center", va="bottom")
    _steps(ax, timesteps)


def _points(ax: Axes, x: float, values: pd.Series, colour: str, marker: str, label: str | None = None) -> None:
    """The mean over training seeds with its standard deviation, each seed as a small dot beside it."""
    ax.plot([x + 0.1] * len(values), values, ".", color=colour, ms=4)
    sd = values.std() if len(values) > 1 else None
    ax.errorbar(x, values.mean(), yerr=sd, color=colour, marker=marker, mfc="none", ms=6, ls="", label=label)


def _write(ax: Axes, x: float, values: pd.Series, text: str, colour: str, above: bool = True) -> None:
    """Off the data: above the highest of dots and bar, or below the lowest."""
    sd = values.std() if len(values) > 1 else 0
    y = max(values.max(), values.mean() + sd) if above else min(values.min(), values.mean() - sd)
    ax.annotate(
        text, (x, y), xytext=(0, 6 if above else -6), textcoords="offset points", ha="center",
        va="bottom" if above else "top", color=colour,
    )  # fmt: skip


def _steps(ax: Axes, timesteps: list[int]) -> None:
    ax.set_xticks(range(len(timesteps)), [f"T = {t}" for t in timesteps])
    ax.set_xlim(-0.6, len(timesteps) - 0.4)
    ax.margins(y=0.25)
    ax.grid(visible=False, axis="x")
