"""The benchmark's pictures: milliseconds of each contestant, and how time and memory grow."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.bench.contestants import BARE, DIRECT, EXACT, INSTALLED, OURS, RELU
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, SKY, VERMILION, figure, style

COLUMNS = {
    ("tuned", "bfloat16"): (BLUE, "bfloat16, tuned"),
    ("tuned", "float32"): (SKY, "float32, tuned"),
    (INSTALLED, "float32"): (ORANGE, "float32, as installed"),
}
PANELS = (("training", 1), ("training", 10), ("inference", 10))
# In this order, then the peers.
NAMES = {BARE: "no neurons", RELU: "ReLU net", OURS: "ours", EXACT: "ours, exact\nmemory", DIRECT: "ours"}
LOOKS = {"single-step training": (BLUE, "o"), "direct training": (VERMILION, "s"), "inference, converted": (GREEN, "^")}
AXES = {"timesteps": "time steps T", "batch_size": "images in a batch", "width": "width (1: the paper's)"}
BAR = 0.26


def times(table: pd.DataFrame) -> Figure:
    """A panel for each task on the CNN, a group of bars for each contestant, whiskers from quartile to quartile.

    Args:
        table: from `snnlib.bench.contest.quartiles`.
    """
    table = table[table.network == "cnn"]
    fig = figure(9.5, 4.2)
    with style():
        axes = fig.subplots(1, len(PANELS))
        for ax, (task, timesteps) in zip(axes, PANELS, strict=True):
            _bars(ax, table[(table.task == task) & (table.timesteps == timesteps)])
            ax.set_title(f"{'training step' if task == 'training' else 'inference'} at T = {timesteps}")
            ax.set_xlabel("milliseconds")
        handles, labels = axes[0].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        first = table.iloc[0]
        fig.suptitle(
            f"The paper's CNN, {first.batch_size} images, on {first.device}: medians of {first.rounds} rounds with "
            "quartiles; the ReLU net infers ten times",
            fontsize=9,
        )
    return fig


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    names = list(dict.fromkeys([*(name for name in NAMES if name in set(table.who)), *table.who.sort_values()]))
    for i, ((setting, precision), (colour, label)) in enumerate(COLUMNS.items()):
        found = table[(table.setting == setting) & (table.precision == precision)]
        y = [names.index(who) + (i - 1) * BAR for who in found.who]
        error = [found.ms - found.ms_q25, found.ms_q75 - found.ms]
        ax.barh(y, found.ms, BAR, color=colour, label=label, xerr=error, error_kw={"lw": 0.8})
        for at, ms, end in zip(y, found.ms, found.ms_q75, strict=True):
            label = f"{ms:.1f}" if ms < 100 else f"{ms:.0f}"
            ax.annotate(label, (end, at), xytext=(3, 0), textcoords="offset points", va="center", fontsize=7)
    ax.set_yticks(range(len(names)), [NAMES.get(name, name) for name in names])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set_xlim(0, 1.2 * table.ms_q75.max())


def scaling_plot(table: pd.DataFrame) -> Figure:
    """Time above, memory below; a column for each axis, the dotted line through the last point grows linearly.

    Args:
        table: from `snnlib.bench.scaling.scaling`.
    """
    fig = figure(9.5, 5.6)
    with style():
        axes = fig.subplots(2, len(AXES))
        for column, (axis, title) in enumerate(AXES.items()):
            points = table[table.axis == axis]
            _curves(axes[0, column], points, "ms", 1.0)
            _curves(axes[1, column], points, "peak_bytes", 2.0**-20)
            axes[1, column].set_xlabel(title)
        axes[0, 0].set_ylabel("time, ms")
        axes[1, 0].set_ylabel("peak memory, MiB")
        handles, labels = axes[0, -1].get_legend_handles_labels()
        fig.legend(handles, labels, loc="outside lower center", ncols=len(labels))
        first = table.iloc[0]
        fig.suptitle(
            "One batch of the CNN in bfloat16; where not varied: width 1, 100 images, "
            f"T = 10 (single-step: 1). {first.device}",
            fontsize=10,
        )
    return fig


def _curves(ax: Axes, points: pd.DataFrame, quantity: str, unit: float) -> None:
    for arm, (colour, marker) in LOOKS.items():
        line = points[points.arm == arm].sort_values("value")
        if line.empty:
            continue
        y = unit * line[quantity]
        ax.plot(line.value, y, color=colour, marker=marker, ms=4, label=arm)
        if quantity == "ms":
            ax.fill_between(line.value, line.ms_q25, line.ms_q75, color=colour, alpha=0.25, lw=0)
        ax.plot(line.value, y.iloc[-1] * line.value / line.value.iloc[-1], color=BLACK, ls=":", lw=0.8, label="_")
    ax.plot([], [], color=BLACK, ls=":", lw=0.8, label="linear, through the last point")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ticks = sorted(points.value.unique())
    ax.set_xticks(ticks, [f"{v:g}" for v in ticks], fontsize=7)
    ax.minorticks_off()
