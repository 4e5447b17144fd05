"""Figure 3: test accuracy against the time spent on training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.style import BLACK, BLUE, GREEN, VERMILION, figure, style
from snnlib.experiments.titles import TITLES

ARM_COLOURS = {"ours": BLUE, "direct": VERMILION, "tuned": GREEN}
MARKED = 30  # evaluations, up to which each gets a marker
LABEL_DISTANCE = 0.065  # of the axis' height, between two labels


def training_speed(table: pd.DataFrame, benchmark: Mapping[str, float]) -> Figure:
    """A panel for each pair, a line for each run, the benchmark of Fig. 4 dotted.

    Args:
        table: from `fig3_4_training_time.curves.learning_curves`.
        benchmark: accuracy (a fraction) by network.
    """
    pairs = list(table.groupby(ARCHITECTURE, sort=False))
    fig = figure(max(3.4 * len(pairs), 5.0), 3.8)
    with style():
        axes = fig.subplots(1, len(pairs), squeeze=False)[0]
        for ax, (_, pair) in zip(axes, pairs, strict=True):
            _panel(ax, pair, 100 * benchmark[pair.network.iloc[0]])
        axes[0].set_ylabel("test accuracy, %")
        lines = {line.get_label(): line for ax in axes for line in ax.get_lines() if line.get_label()[0] != "_"}
        fig.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=len(lines))
        fig.suptitle("Accuracy against training time (evaluation not counted), a line for each seed", fontsize=10)
    return fig


def arm_label(arm: str, timesteps: int) -> str:
    """What an arm is, for legends; ``timesteps`` is the T of its accuracy."""
    return {
        "ours": f"ours: trained at T = 1, converted to T = {timesteps}",
        "direct": f"direct training at T = {timesteps}",
        "tuned": f"ours, then directly at T = {timesteps}",
    }[arm]


def _panel(ax: Axes, pair: pd.DataFrame, benchmark: float) -> None:
    ends = []
    for arm, colour in ARM_COLOURS.items():
        runs = pair[pair.arm == arm]
        if runs.empty:
            continue
        for i, (_, run) in enumerate(runs.groupby("seed")):
            marker = "o" if len(run) <= MARKED else ""
            label = arm_label(arm, run.timesteps.iloc[0]) if not i else "_"
            ax.plot(run.train_seconds, 100 * run.accuracy, color=colour, marker=marker, ms=3.5, lw=1.2, label=label)
        last = runs.loc[runs.groupby("seed").epoch.idxmax()]
        ends.append((100 * last.accuracy, colour))
    ax.axhline(benchmark, color=BLACK, ls=":", lw=1.2, label="benchmark of Figure 4")
    ax.annotate(
        f"{benchmark:g} %", (0, benchmark), xycoords=("axes fraction", "data"),
        xytext=(3, 3), textcoords="offset points", fontsize=8,
    )  # fmt: skip
    ax.set_xscale("log")
    low, high = pair.train_seconds.min(), pair.train_seconds.max()
    ax.set_xlim(low / 1.5, high * 1.3)
    ax.margins(y=0.12)
    _annotate(ax, ends)
    if high / low < 100:  # else the decades are labels enough
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:,g}"))
    first = pair.iloc[0]
    ax.set(title=f"{TITLES[first.dataset]}\n{TITLES[first.network]}, width {first.width:g}", xlabel="training time, s")


def _annotate(ax: Axes, ends: list[tuple[pd.Series, str]]) -> None:
    """Final accuracies (percent, mean and sd over seeds), right of the axis; moved up where they would touch."""
    low, high = ax.get_ylim()
    y = -math.inf
    for percent, colour in sorted(ends, key=lambda end: end[0].mean()):
        spread = f"±{percent.std():.1f}" if len(percent) > 1 else ""
        y = max(percent.mean(), y + LABEL_DISTANCE * (high - low))
        ax.annotate(
            f"{percent.mean():.1f}{spread}", (1, y), xycoords=("axes fraction", "data"),
            xytext=(3, 0), textcoords="offset points", va="center", fontsize=8, color=colour, annotation_clip=False,
        )  # fmt: skip
    ax.set_ylim(low, high)
