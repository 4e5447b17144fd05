"""The benchmark's pictures: milliseconds of each contestant, and how time and memory grow."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

from reproduce.bench.contestants import BARE, DIRECT, EXACT, INSTALLED, OURS, RELU
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    VERMILION,
    entitle,
    figure,
    grid,
    legend,
    named,
    style,
)

COLUMNS = {
    ("tuned", "bfloat16"): (BLUE, "", "bfloat16, tuned"),
    ("tuned", "float32"): (SKY, "//", "float32, tuned"),
    (INSTALLED, "float32"): (ORANGE, "..", "float32, as installed"),
}
PANELS = (("training", 1), ("training", 10), ("inference", 10))
# In this order, then the peers.
NAMES = {BARE: "no neurons", RELU: "ReLU net", OURS: "ours", EXACT: "ours, exact\nmemory", DIRECT: "ours"}
LOOKS = {"single-step training": (BLUE, "o"), "direct training": (VERMILION, "s"), "inference, converted": (GREEN, "^")}
AXES = {"timesteps": "time steps T", "batch_size": "images in a batch", "width": "width (1: the paper's)"}
BAR, ROW = 0.29, 0.5  # of a row, and its inches


def times(table: pd.DataFrame) -> Figure:
    """A panel for each task on the CNN, a group of bars for each contestant, whiskers from quartile to quartile.

    Args:
        table: from `reproduce.bench.contest.quartiles`.
    """
    table = table[table.network == "cnn"]
    tasks = {(task, t): table[(table.task == task) & (table.timesteps == t)] for task, t in PANELS}
    heights = [ROW * rows.who.nunique() + 0.6 for rows in tasks.values()]
    with style():
        fig = figure(sum(heights))
        axes = fig.subplots(len(tasks), 1, height_ratios=heights)
        for ax, ((task, timesteps), rows) in zip(axes, tasks.items(), strict=True):
            _bars(ax, rows)
            ax.set_title(f"{'training step' if task == 'training' else 'inference'} at T = {timesteps}")
        axes[-1].set_xlabel("milliseconds")
        first = table.iloc[0]
        entitle(
            fig,
            f"The paper's CNN, {first.batch_size} images, on {first.device}:",
            f"medians of {first.rounds} rounds with quartiles, ms",
            "(the ReLU net infers ten times)",
        )
        legend(fig, named(axes))
    return fig


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    names = list(dict.fromkeys([*(name for name in NAMES if name in set(table.who)), *table.who.sort_values()]))
    for i, ((setting, precision), (colour, hatch, label)) in enumerate(COLUMNS.items()):
        found = table[(table.setting == setting) & (table.precision == precision)]
        y = [names.index(who) + (i - 1) * BAR for who in found.who]
        error = [found.ms - found.ms_q25, found.ms_q75 - found.ms]
        look = {"color": colour, "hatch": hatch, "edgecolor": "white", "lw": 0}
        ax.barh(y, found.ms, BAR, label=label, xerr=error, error_kw={"lw": 0.8}, **look)
        for at, ms, end in zip(y, found.ms, found.ms_q75, strict=True):
            label = f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"
            ax.annotate(label, (end, at), xytext=(3, 0), textcoords="offset points", va="center")
    ax.set_yticks(range(len(names)), [NAMES.get(name, name) for name in names])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, 1.2 * table.ms_q75.max())


def scaling_plot(table: pd.DataFrame) -> Figure:
    """Time and memory; a row for each axis, the dotted line through the last point grows linearly.

    Args:
        table: from `reproduce.bench.scaling.scaling`.
    """
    with style():
        fig, axes = grid(2 * len(AXES), 2.1)
        for (left, right), (axis, title) in zip(axes.reshape(-1, 2), AXES.items(), strict=True):
            points = table[table.axis == axis]
            _curves(left, points, "ms", 1.0)
            _curves(right, points, "peak_bytes", 2.0**-20)
            for ax in (left, right):
                ax.set_xlabel(title)
        axes[0, 0].set_title("time, ms")
        axes[1, 0].set_title("peak memory, MiB")
        first = table.iloc[0]
        entitle(
            fig,
            f"One batch of the CNN in bfloat16 on {first.device};",
            "where not varied: width 1, 100 images, T = 10 (single-step: 1)",
        )
        legend(fig, named(axes[-1]), columns=2)
    return fig


def _curves(ax: Axes, points: pd.DataFrame, quantity: str, unit: float) -> None:
    for arm, (colour, marker) in LOOKS.items():
        line = points[points.arm == arm].sort_values("value")
        if line.empty:
            continue
        y = unit * line[quantity]
        ax.plot(line.value, y, color=colour, marker=marker, label=arm)
        if quantity == "ms":
            ax.fill_between(line.value, line.ms_q25, line.ms_q75, color=colour, alpha=0.25, lw=0)
        ax.plot(line.value, y.iloc[-1] * line.value / line.value.iloc[-1], color=BLACK, ls=":", lw=0.8, label="_")
    ax.plot([], [], color=BLACK, ls=":", lw=0.8, label="linear, through the last point")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    values = sorted(points.value.unique())
    ticks = values[:: len(values) // 7 + 1]
    ax.set_xticks(ticks, [f"{v:g}" for v in ticks])
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    for of in (ax.xaxis, ax.yaxis):
        of.set_minor_locator(NullLocator())
