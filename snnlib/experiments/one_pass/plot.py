"""Accuracy over T of nets trained in one pass: as they spike, and as they were trained, each layer after the other."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from snnlib.experiments.one_pass.table import AT_ONCE, HALF, PIPELINED, RANDOM, SPIKING, STARTS, WARM_UP, WARMED
from snnlib.experiments.over_seeds import ARCHITECTURE, over_seeds, percent
from snnlib.experiments.style import (
    BLACK,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    entitle,
    grid,
    leftmost,
    legend,
    named,
    sequence,
    style,
)
from snnlib.experiments.titles import panel_title

TITLES = {
    SPIKING: "all layers step together",
    WARMED: f"the same, outputs of the\nfirst {WARM_UP} steps not counted",
    PIPELINED: "each layer waits for T steps\n(latency: layers × T)",
}
# What is compared, where there is such an arm: its look, and its name.
OPPONENTS = {
    "rate4_then1": ({"color": GREEN, "marker": "v", "ls": "-."}, "L = 4, then one epoch at L = 1"),
    "rate4_in_time": ({"color": GREEN, "marker": "<"}, "L = 4, then one epoch through time, T = 4"),
    "potential": ({"color": BLACK, "marker": "*", "ms": 8}, "the paper's training, exact memory"),
    "qcfs": ({"color": PURPLE, "marker": "P", "ls": "--"}, "QCFS, L = 4, other start"),
    "direct4": ({"color": VERMILION, "marker": "X"}, "direct training at T = 4, equal epochs"),
    "direct4_short": ({"color": ORANGE, "marker": "X", "ls": "--"}, "direct training at T = 4, equal time"),
}


def one_pass(table: pd.DataFrame) -> Figure:
    """For each net a panel for each way of running it: accuracy over T, mean ± sd over training seeds.

    Args:
        table: of `snnlib.experiments.one_pass.table.accuracies`, or its CSV.
    """
    nets = list(table[ARCHITECTURE].drop_duplicates().itertuples(index=False, name=None))
    at = over_seeds(percent(table, *ARCHITECTURE, "arm", "way", "timesteps"))
    ticks = sorted(int(t) for t in set(table.timesteps) if t < math.inf)
    with style():
        fig, axes = grid(len(nets), *[2.7] * len(TITLES))
        for panels, net in zip(axes, nets, strict=True):
            of_net = at.xs(net, level=ARCHITECTURE)
            for ax, (way, name) in zip(panels, TITLES.items(), strict=True):
                ax.sharey(panels[0])
                _panel(ax, of_net, way, ticks)
                ax.set_title(name)
            panels[0].set_title(f"{panel_title(dict(zip(ARCHITECTURE, net, strict=True)))}\n{TITLES[SPIKING]}")
            panels[-1].set_xlabel("time steps T")
        for ax in leftmost(axes.flat):
            ax.set_ylabel("test accuracy, %")
        seeds = " or ".join(map(str, sorted(set(at.seeds))))
        entitle(fig, "Trained in one pass on the rates of L steps", f"(mean ± sd of {seeds} training seeds)")
        legend(fig, named(axes.flat), columns=1)
    return fig


def _panel(ax: Axes, at: pd.DataFrame, way: str, ticks: list[int]) -> None:
    levels = dict(zip(RANDOM.values(), sequence(len(RANDOM)), strict=True))
    looks = {arm: (levels[n], f"L = {n}, random phases") for arm, n in RANDOM.items()}
    looks |= {arm: (levels[n] | {"ls": "--"}, f"L = {n}, U = ½") for arm, n in HALF.items()}
    looks |= {
        arm: (levels[RANDOM[of]] | {"ls": ":", "mfc": "white"}, f"L = {RANDOM[of]}, other start")
        for arm, of in STARTS.items()
    }
    for arm, (look, name) in (looks | OPPONENTS).items():
        if (arm, way) in at.index.droplevel("timesteps"):
            rows = at.loc[arm, way]
            ax.errorbar(rows.index, rows["mean"], rows.sd.fillna(0), lw=1.2, label=name, **look)
    if ("relu", AT_ONCE) in at.index.droplevel("timesteps"):
        ceiling = at.loc["relu", AT_ONCE].iloc[0]
        ax.axhline(ceiling["mean"], color=SKY, ls=":", label="ReLU net, no steps")
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(ScalarFormatter())
