"""Figure 3: test accuracy against what was spent on training, time and FLOP."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from reproduce.experiments.fig3_4_training_time.race import SHARES
from reproduce.experiments.over_seeds import ARCHITECTURE, counted
from reproduce.experiments.paper import TRAINING_TIME
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    entitle,
    grid,
    legend,
    named,
    style,
)
from reproduce.experiments.titles import net_title

# How each arm is drawn: colour, marker, line.
ARM_LOOKS = {
    "ours": (BLUE, "o", "-"),
    "equal_time": (SKY, "^", "--"),
    "direct": (VERMILION, "s", "-"),
    "direct4": (ORANGE, "D", "--"),
    "direct2": (PURPLE, "v", "-."),
    "tuned": (GREEN, "P", "-"),
    "relu": (BLACK, "X", "-."),
}
SPENT = {  # column, unit, words of the title and of the axis
    "seconds": (1.0, "training time", "training time, s (steps × seconds of a step)"),
    "flop": (1e12, "FLOP of training", "10¹² FLOP of training (convolutions and products)"),
}
GREY = "#777777"
MARKED = 15  # evaluations of a line, up to which each has a marker
LABEL_DISTANCE = 0.085  # of the axis' height, between two labels
BELOW = 35  # points below the benchmark, at which the axis begins: the first steps have little to show


def training_speed(table: pd.DataFrame, benchmark: Mapping[str, float], spent: str = "seconds") -> Figure:
    """A panel for each net: each arm's mean over seeds, thin lines for the seeds.

    The benchmark of Fig. 4 is dotted. Upright lines stand at the shares of direct training's time at which it is
    compared with ours at equal time.

    Args:
        table: from `fig3_4_training_time.curves.learning_curves`.
        benchmark: accuracy (a fraction) by network.
        spent: of `SPENT`, on what: seconds, or flop, which are the same on every machine.
    """
    nets = list(table.groupby(ARCHITECTURE, sort=False))
    with style():
        fig, axes = grid(len(nets), 3.4, columns=1)
        for ax, (_, net) in zip(axes[:, 0], nets, strict=True):
            _panel(ax, net, 100 * benchmark[net.network.iloc[0]], spent)
        entitle(
            fig,
            f"Accuracy against {SPENT[spent][1]}: mean over seeds,",
            "thin lines for the seeds; right: the last accuracies, mean ± sd",
        )
        legend(fig, named(axes.flat), columns=1)
    return fig


def arm_label(arm: str, timesteps: int) -> str:
    """What an arm is, for legends; ``timesteps`` is the T of its accuracy."""
    return {
        "ours": f"ours: trained at T = 1, converted to T = {timesteps}",
        "equal_time": f"ours, for direct training's time, T = {timesteps}",
        "tuned": f"ours, then directly at T = {timesteps}",
        "relu": "ReLU in place of the neurons: an ANN",
    }.get(arm, f"direct training at T = {timesteps}")


def _panel(ax: Axes, net: pd.DataFrame, benchmark: float, spent: str) -> None:
    ends = []
    unit, _, words = SPENT[spent]
    net = net.assign(spent=net[spent] / unit)
    for arm, (colour, marker, line) in ARM_LOOKS.items():
        runs = net[net.arm == arm]
        if runs.empty:
            continue
        seeds = [run for _, run in runs.groupby("seed")]
        mean = runs.groupby("epoch")[["spent", "accuracy"]].mean()
        look = {"color": colour, "ls": line}
        ax.plot(
            mean.spent, 100 * mean.accuracy, marker=marker, markevery=-(-len(mean) // MARKED),
            label=arm_label(arm, runs.timesteps.iloc[0]), **look,
        )  # fmt: skip
        for run in seeds if len(seeds) > 1 else ():
            ax.plot(run.spent, 100 * run.accuracy, lw=0.6, alpha=0.5, label="_", **look)
        last = runs.loc[runs.groupby("seed").epoch.idxmax()]
        ends.append((100 * last.accuracy, colour, marker))
    ax.axhline(benchmark, color=BLACK, ls=":", lw=1.2, label="benchmark of Figure 4")
    first = net.iloc[0]
    printed = next((values for (_, network), values in TRAINING_TIME.items() if network == first.network), None)
    low, high = net.spent.min(), net.spent.max()
    for share in SHARES if spent == "seconds" and "equal_time" in set(net.arm) else ():
        at = share * net[net.arm == "direct"].spent.max()
        label = f"{', '.join(f'{100 * s:g}' for s in SHARES)} % of direct training's time"
        ax.axvline(at, color=GREY, ls=(0, (6, 3)), lw=0.9, zorder=0, label=label if share == SHARES[0] else "_")
    ax.set_xscale("log")
    ax.set_xlim(low / 1.5, high * 1.3)
    ax.margins(y=0.12)
    ax.set_ylim(bottom=max(ax.get_ylim()[0], benchmark - BELOW))
    _annotate(ax, ends)
    if high / low < 100:  # else the decades are labels enough
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda s, _: f"{s:,g}"))
    told = f"benchmark {benchmark:g} %" + (f" (paper: {100 * printed['benchmark']:g} %)" if printed else "")
    ax.set(
        title=f"{net_title(first)}, {counted([net.seed.nunique()], 'seed')}\n{told}",
        xlabel=words,
        ylabel="test accuracy, %",
    )


def _annotate(ax: Axes, ends: list[tuple[pd.Series, str, str]]) -> None:
    """Final accuracies (percent, mean and sd over seeds), right of the axis; moved apart where they would touch."""
    low, high = ax.get_ylim()
    distance = LABEL_DISTANCE * (high - low)
    ends = sorted(ends, key=lambda end: end[0].mean())
    heights = list(accumulate((end[0].mean() for end in ends), lambda below, y: max(y, below + distance)))
    heights = [min(y, high - i * distance) for i, y in enumerate(reversed(heights))]
    at = ax.get_yaxis_transform()
    for (percent, colour, marker), y in zip(reversed(ends), heights, strict=True):
        spread = f"±{percent.std():.1f}" if len(percent) > 1 else ""
        ax.plot(1.03, y, marker, color=colour, transform=at, clip_on=False, label="_")
        ax.annotate(
            f"{percent.mean():.1f}{spread}", (1.03, y), xycoords=at, xytext=(5, 0), textcoords="offset points",
            va="center", annotation_clip=False,
        )  # fmt: skip
    ax.set_ylim(low, high)
