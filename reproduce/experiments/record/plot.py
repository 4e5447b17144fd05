"""What each trick gives, and how far the nets get that have those that help."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.experiments.one_pass.table import PIPELINED, SPIKING
from reproduce.experiments.over_seeds import counted, mean_and_sd, over_seeds, percent
from reproduce.experiments.record.table import AT, BASE, GOALS, MIRRORED, NAMED_NET, NET_AND_ARM, TRICKS, ablation
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    LEGEND_LINE,
    ORANGE,
    SKY,
    entitle,
    figure,
    key,
    legend,
    named,
    sequence,
    style,
)
from reproduce.experiments.titles import short_title
from snnlib.data.sets import SIZES

LOOKS = {
    "one_step": ("T = 1", {"color": BLUE, "marker": "o", "mfc": "white"}),
    "spiking": ("T = {t}", {"color": BLUE, "marker": "o"}),
    "pipelined": ("T = {t}, each layer waits", {"color": ORANGE, "marker": "D"}),
    "at_once": ("an ANN, no steps", {"color": BLACK, "marker": "s"}),
}
WAYS = {SPIKING: {"ls": "-"}, PIPELINED: {"ls": ":"}, MIRRORED: {"ls": "--"}}
TICKS = (0, 20, 40, 50, 60, 70, 75, 80, 85, 88, 90, 92, 94, 95, 96, 97, 98, 99)  # on a scale of the error
CHARACTERS = 28  # of a line of a row's name


def tricks(table: pd.DataFrame, timesteps: int = AT) -> Figure:
    """A panel for each net that has tricks: accuracy of each arm, in each way; the base's as a line.

    Args:
        table: of `reproduce.experiments.record.table.accuracies`, or its CSV.
        timesteps: T of the goals.
    """
    found = ablation(table, timesteps)
    nets = list(found.groupby(NAMED_NET, sort=False))
    nets = [(net, arms) for net, arms in nets if len(arms) > 1] or nets
    heights = [0.42 * len(arms) + 0.9 for _, arms in nets]
    with style():
        fig = figure(sum(heights))
        axes = fig.subplots(len(nets), 1, squeeze=False, height_ratios=heights)[:, 0]
        for ax, (net, arms) in zip(axes, nets, strict=True):
            _arms(ax, arms, timesteps)
            name, dataset, _, hold_out = net
            images = f"{hold_out:,} held-out images" if hold_out else "the test images"
            base = arms[arms.arm == BASE].iloc[0].spiking
            error = 1.96 * math.sqrt(base * (100 - base) / (hold_out or SIZES[dataset][1]))
            ax.set(title=_title(table, name))
            ax.set_xlabel(f"% right of {images} (± {error:.1f})")
        entitle(
            fig,
            f"What each trick gives ({mean_and_sd(found.seeds.dropna())};",
            "below each axis: 95 % interval that so many images give)",
        )
        legend(fig, named(axes))
    return fig


def _arms(ax: Axes, arms: pd.DataFrame, timesteps: int) -> None:
    rows = np.arange(len(arms))
    for way, (label, look) in LOOKS.items():
        if arms[way].notna().any():
            ax.errorbar(arms[way], rows, xerr=arms[f"{way}_sd"].fillna(0), fmt="none", ecolor=look["color"], lw=1)
            ax.plot(arms[way], rows, ls="", ms=6, label=label.format(t=timesteps), **look)
    base = arms[arms.arm == BASE].iloc[0]
    ax.axvline(base.spiking, color=SKY, lw=1, label=f"the base at T = {timesteps}")
    names = [_label(arm, points) for arm, points in zip(arms.arm, arms.points, strict=True)]
    ax.set_yticks(rows, [textwrap.fill(name, CHARACTERS) for name in names])
    ax.set_ylim(len(arms) - 0.5, -0.5)


def _label(arm: str, points: float) -> str:
    if arm == BASE:
        return "the base (the paper's noise)"
    return TRICKS[arm] + ("" if np.isnan(points) else f" ({points:+.1f})")


def reached(table: pd.DataFrame) -> Figure:
    """Accuracy over T of each net and arm, with its minutes of training; the goals as lines.

    Nets that parts were chosen with, on held-out images, are shown where there are no others: `tricks` is theirs.

    Args:
        table: of `reproduce.experiments.record.table.accuracies`, or its CSV.
    """
    if (table.hold_out == 0).any():
        table = table[table.hold_out == 0]
    at, found = over_seeds(percent(table, *NET_AND_ARM, "way", "timesteps")).sort_index(), ablation(table)
    nets = list(table[NAMED_NET].drop_duplicates().itertuples(index=False, name=None))
    there = {net: at.xs(net, level=NAMED_NET).index.get_level_values("arm") for net in nets}
    arms = {net: [arm for arm in (BASE, *TRICKS) if arm in there[net]] for net in nets}
    heights = [height for net in nets for height in (2.9, LEGEND_LINE * len(arms[net]))]
    with style():
        fig = figure(sum(heights))
        axes = fig.subplots(len(heights), 1, height_ratios=heights).reshape(-1, 2)
        for (ax, below), net in zip(axes, nets, strict=True):
            of_net = at.xs(net, level=NAMED_NET)
            minutes = found.set_index(NET_AND_ARM).minutes.xs(net, level=NAMED_NET)
            for arm, look in zip(arms[net], sequence(len(arms[net])), strict=True):
                for way, dashes in WAYS.items():
                    if (arm, way) in of_net.index.droplevel("timesteps"):
                        rows = of_net.loc[arm, way]
                        name = f"{_label(arm, np.nan)}, {_time(minutes[arm])}" if way == SPIKING else None
                        ax.errorbar(rows.index, rows["mean"], rows.sd.fillna(0), label=name, **look | dashes)
            for goal, accuracy in GOALS.items() if net[1] == "cifar10" else ():
                ax.axhline(100 * accuracy, color=BLACK, lw=0.8, ls="-.")
                side = "top" if accuracy == min(GOALS.values()) else "bottom"  # so that none lies on another
                at_right = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": side}
                ax.annotate(goal, (1, 100 * accuracy), xytext=(4, 0), **at_right)
            ax.set(title=_title(table, net[0]), xlabel="time steps T", ylabel="accuracy, %\n(log scale of the error)")
            _by_error(ax)
            key(below, ax)
        entitle(
            fig,
            f"Trained in single passes ({counted(found.seeds.dropna(), 'training seed')})",
            "(dots: each layer waits; dashes: images are seen mirrored too;",
            "behind a name: the time that training took one thread)",
        )
    return fig


def _by_error(ax: Axes) -> None:
    """Accuracies in percent on a logarithmic scale of the error, so that those near a goal can be told apart."""
    low, high = ax.get_ylim()
    low -= (100 - low) / 20  # what is lowest stands clear of the axis on this scale too
    ax.set_yscale("function", functions=(lambda y: -np.log(100 - y), lambda z: 100 - np.exp(-z)))
    ax.set(ylim=(low, high), yticks=[tick for tick in TICKS if low <= tick <= high])


def _title(table: pd.DataFrame, net: str) -> str:
    """The net as it is without tricks, in two lines."""
    base = table[(table.net == net) & (table.arm == BASE)].iloc[0]
    return f"{short_title(base.network)},\n{short_title(base.dataset)}, width {base.width:g}"


def _time(minutes: float) -> str:
    """With two digits."""
    value, unit = (60 * minutes, "s") if minutes < 1 else (minutes, "min") if minutes < 60 else (minutes / 60, "h")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"
