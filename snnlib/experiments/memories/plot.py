"""The exact memory beside the paper's and none: accuracy over T, over where phases begin, and the chance in rates."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from snnlib.experiments.memories.table import ENSEMBLE, EVEN, EXACT, PAPER, SPREADS, exact
from snnlib.experiments.over_seeds import NET, at_timesteps
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, figure, style
from snnlib.experiments.titles import short_title

LOOKS = {
    ENSEMBLE: {"color": BLACK, "marker": "o"},
    PAPER: {"color": VERMILION, "marker": "s"},
    EVEN: {"color": ORANGE, "marker": "v"},
    exact(1.0): {"color": GREEN, "marker": "^"},
    EXACT: {"color": BLUE, "marker": "D"},
}
AT = (1, 2, 4, 10)  # T at which the spread is drawn


def accuracy(table: pd.DataFrame) -> Figure:
    """A panel for each net and noise: accuracy over T with each memory of `LOOKS`, mean ± sd over training seeds.

    Args:
        table: of `snnlib.experiments.memories.table.accuracies`, or its CSV.
    """

    def draw(ax: Axes, at: pd.DataFrame) -> None:
        for memory, look in LOOKS.items():
            of_seeds = at.xs(memory, level="memory")
            ax.errorbar(at.columns, of_seeds.mean(), yerr=_sd(of_seeds), ms=4, capsize=1.5, label=memory, **look)
        _powers_of_two(ax, at.columns.max())

    return _panels(table, draw, "time steps T", "Accuracy with each memory")


def spread(table: pd.DataFrame) -> Figure:
    """A panel for each net and noise: accuracy of the exact memory over the spread of its first phases, for some T.

    Args:
        table: of `snnlib.experiments.memories.table.accuracies`, or its CSV.
    """

    def draw(ax: Axes, at: pd.DataFrame) -> None:
        chosen = [t for t in AT if t in at]
        for t, colour in zip(chosen, mpl.colormaps["viridis"](np.linspace(0, 0.85, len(chosen))), strict=True):
            of_seeds = [at.xs(exact(s), level="memory")[t] for s in SPREADS]
            mean, sd = ([getattr(x, what)() for x in of_seeds] for what in ("mean", "std"))
            ax.errorbar(
                SPREADS, mean, yerr=np.nan_to_num(sd), fmt="o-", ms=4, capsize=1.5, color=colour, label=f"T = {t}"
            )

    return _panels(table, draw, "spread of U(0) around 1/2", "Where phases begin")


def chance(table: pd.DataFrame) -> Figure:
    """A panel for each memory: how far a rate over T steps is chance, a line for each layer, the last one in black.

    Args:
        table: of `snnlib.experiments.memories.rates.with_each_memory`, or its CSV. Where there is no chance at all, as
            in the first step of phases near 1/2, nothing is drawn.
    """
    names, layers = list(table.memory.unique()), list(table.layer.unique())
    colours = dict(zip(layers, [*mpl.colormaps["viridis"](np.linspace(0, 0.9, len(layers) - 1)), BLACK], strict=True))
    dataset, network, width, readout = next(table[NET].itertuples(index=False, name=None))
    fig = figure(3.2 * len(names), 3.7)
    with style():
        axes = fig.subplots(1, len(names), sharey=True, squeeze=False)[0]
        for ax, name in zip(axes, names, strict=True):
            of_memory = table[(table.memory == name) & (table.sd > 0)]
            for layer, rows in of_memory.groupby("layer", sort=False):
                ax.loglog(rows.timesteps, rows.sd, color=colours[layer], label=layer)
            t = np.array([1, table.timesteps.max()])
            for power, look in ((0.5, ":"), (1, "--")):
                ax.loglog(t, table.sd.max() / t**power, color="grey", ls=look, lw=1)
            ax.set(title=name, xlabel="time steps T")
        axes[0].set_ylabel("sd of a neuron's rate")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=8)
        net = f"{short_title(dataset)}, {short_title(network)}, width {width:g}, readout {readout}"
        fig.suptitle(f"Chance in firing rates: {net}\n(dots: as 1/√T, dashes: as 1/T)", fontsize=10)
    return fig


def _panels(table: pd.DataFrame, draw: Callable[[Axes, pd.DataFrame], None], xlabel: str, what: str) -> Figure:
    nets = list(at_timesteps(table, *NET, "noise", "memory").groupby([*NET, "noise"], sort=False))
    rows = -(-len(nets) // 4)
    columns = -(-len(nets) // rows)
    fig = figure(max(3.2 * columns, 6.4), 3 * rows + 0.8)
    with style():
        axes = fig.subplots(rows, columns, squeeze=False)
        for ax, (net, at) in zip(axes.flat, nets, strict=False):
            draw(ax, at)
            dataset, network, width, readout, noise = net
            ax.set_title(
                f"{short_title(dataset)}, {short_title(network)}, width {width:g}\n{noise}, {readout}", fontsize=8
            )
            ax.set_xlabel(xlabel)
        for ax in axes.flat[len(nets) :]:
            ax.remove()
        for ax in axes[:, 0]:
            ax.set_ylabel("test accuracy, %")
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=8)
        seeds = table.seed.nunique()
        fig.suptitle(f"{what}: mean ± sd of {seeds} training seed{'s' * (seeds > 1)}", fontsize=10)
    return fig


def _powers_of_two(ax: Axes, last: int) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks([2**i for i in range(int(last).bit_length())])
    ax.xaxis.set_major_formatter(ScalarFormatter())


def _sd(of_seeds: pd.DataFrame) -> pd.Series:
    return of_seeds.std().fillna(0)
