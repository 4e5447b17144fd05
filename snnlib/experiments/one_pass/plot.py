"""Accuracy over T of nets trained in one pass: as they spike, and as they were trained, each layer after the other."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from snnlib.experiments.one_pass.table import AT_ONCE, HALF, PIPELINED, RANDOM, SPIKING, STARTS, WARM_UP, WARMED
from snnlib.experiments.over_seeds import ARCHITECTURE, over_seeds, percent
from snnlib.experiments.style import BLACK, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure, style
from snnlib.experiments.titles import short_title

TITLES = {
    SPIKING: "all layers step together",
    WARMED: f"the same, outputs of the\nfirst {WARM_UP} steps not counted",
    PIPELINED: "each layer waits for T steps\n(latency: number of layers × T)",
}
# What is compared, where there is such an arm: its look, and its name.
OPPONENTS = {
    "rate4_then1": ({"color": GREEN, "marker": "v", "ls": "-."}, "L = 4, then one epoch at L = 1"),
    "rate4_in_time": ({"color": GREEN, "marker": "^"}, "L = 4, then one epoch through time, T = 4"),
    "potential": ({"color": BLACK, "marker": "o"}, "the paper's training, exact memory"),
    "qcfs": ({"color": PURPLE, "marker": "P", "ls": "--"}, "QCFS, L = 4, other start"),
    "direct4": ({"color": VERMILION, "marker": "X"}, "direct training at T = 4, equal epochs"),
    "direct4_short": ({"color": ORANGE, "marker": "X"}, "direct training at T = 4, equal time"),
}


def one_pass(table: pd.DataFrame) -> Figure:
    """A row for each net, a column for each way of running it: accuracy over T, mean ± sd over training seeds.

    Args:
        table: of `snnlib.experiments.one_pass.table.accuracies`, or its CSV.
    """
    nets = list(table[ARCHITECTURE].drop_duplicates().itertuples(index=False, name=None))
    at = over_seeds(percent(table, *ARCHITECTURE, "arm", "way", "timesteps"))
    ticks = sorted(int(t) for t in set(table.timesteps) if t < math.inf)
    fig = figure(9.6, 3.1 * len(nets) + 1.5)
    with style():
        axes = fig.subplots(len(nets), len(TITLES), squeeze=False, sharex=True, sharey="row")
        for row, net in zip(axes, nets, strict=True):
            of_net = at.xs(net, level=ARCHITECTURE)
            for ax, way in zip(row, TITLES, strict=True):
                _panel(ax, of_net, way, ticks)
                dataset, network, width = net
                ax.set_title(f"{short_title(dataset)}, {short_title(network)} {width:g}:\n{TITLES[way]}", fontsize=9)
            row[0].set_ylabel("test accuracy, %")
        for ax in axes[-1]:
            ax.set_xlabel("time steps T")
        handles = {
            label: handle for ax in axes.flat for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
        }
        fig.legend(handles.values(), handles, loc="outside lower center", ncols=3, fontsize=8)
        seeds = " or ".join(map(str, sorted(set(at.seeds))))
        fig.suptitle(f"Trained in one pass on the rates of L steps (mean ± sd of {seeds} training seeds)", fontsize=10)
    return fig


def _panel(ax: Axes, at: pd.DataFrame, way: str, ticks: list[int]) -> None:
    colours = dict(zip(RANDOM.values(), mpl.colormaps["viridis"](np.linspace(0, 0.85, len(RANDOM))), strict=True))
    looks = {arm: ({"color": colours[n], "marker": "o"}, f"L = {n}, random phases") for arm, n in RANDOM.items()}
    looks |= {arm: ({"color": colours[n], "marker": "s", "ls": "--"}, f"L = {n}, U = ½") for arm, n in HALF.items()}
    looks |= {
        arm: (
            {"color": colours[RANDOM[of]], "marker": "o", "mfc": "white", "ls": ":"},
            f"L = {RANDOM[of]}, other start",
        )
        for arm, of in STARTS.items()
    }
    for arm, (look, name) in (looks | OPPONENTS).items():
        if (arm, way) in at.index.droplevel("timesteps"):
            rows = at.loc[arm, way]
            ax.errorbar(rows.index, rows["mean"], rows.sd.fillna(0), ms=4, capsize=1.5, lw=1.2, label=name, **look)
    if ("relu", AT_ONCE) in at.index.droplevel("timesteps"):
        ceiling = at.loc["relu", AT_ONCE].iloc[0]
        ax.axhline(ceiling["mean"], color=SKY, ls=":", label="ReLU net, no steps")
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(ScalarFormatter())
