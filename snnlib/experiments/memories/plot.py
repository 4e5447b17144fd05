"""The exact memory beside the paper's and none: accuracy over T, over where phases begin, and the chance in rates."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from snnlib.experiments.memories.table import ENSEMBLE, EVEN, EXACT, HIDDEN, PAPER, READOUT, SPREADS, exact
from snnlib.experiments.over_seeds import NET, at_timesteps
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILION, figure, style
from snnlib.experiments.titles import short_title

LOOKS = {
    ENSEMBLE: {"color": BLACK, "marker": "o"},
    PAPER: {"color": VERMILION, "marker": "s"},
    exact(1.0): {"color": GREEN, "marker": "^"},
    EXACT: {"color": BLUE, "marker": "D"},
}
CONTROLS = {
    EXACT: LOOKS[EXACT],
    READOUT: {"color": SKY, "marker": "P"},
    HIDDEN: {"color": PURPLE, "marker": "X"},
    EVEN: {"color": ORANGE, "marker": "v"},
}
AT = (1, 2, 4, 10)  # T at which the spread is drawn


def accuracy(table: pd.DataFrame) -> Figure:
    """Above, accuracy over T with each memory of `LOOKS`; below, points over the ensemble with each of `CONTROLS`.

    A column for each net and noise; mean ± sd over training seeds, below of the differences seed by seed.

    Args:
        table: of `snnlib.experiments.memories.table.accuracies`, or its CSV.
    """

    def each(ax: Axes, at: pd.DataFrame, looks: dict[str, dict[str, str]]) -> None:
        for memory, look in looks.items():
            if memory in at.index.get_level_values("memory"):  # a readout of potentials has fewer
                of_seeds = at.xs(memory, level="memory")
                ax.errorbar(at.columns, of_seeds.mean(), yerr=_sd(of_seeds), ms=4, capsize=1.5, label=memory, **look)
        _powers_of_two(ax, at.columns.max())

    def memories(ax: Axes, at: pd.DataFrame) -> None:
        each(ax, at, LOOKS)

    def controls(ax: Axes, at: pd.DataFrame) -> None:
        ax.axhline(0, color=BLACK, lw=1)
        ensemble = at.xs(ENSEMBLE, level="memory")
        each(ax, at.sub(ensemble.reindex(at.index.droplevel("memory")).to_numpy()), CONTROLS)

    draws = {"test accuracy, %": memories, "points over the ensemble": controls}
    return _panels(table, draws, "time steps T", "Accuracy with each memory")


def spread(table: pd.DataFrame, spreads: Sequence[float] = SPREADS) -> Figure:
    """A panel for each net and noise: accuracy of the exact memory over the spread of its first phases, for some T.

    Args:
        table: of `snnlib.experiments.memories.table.accuracies`, or its CSV.
    """

    def draw(ax: Axes, at: pd.DataFrame) -> None:
        last = at.columns.max()
        chosen = [t for t in (*AT, *([last] if last > max(AT) else [])) if t in at]
        for t, colour in zip(chosen, mpl.colormaps["viridis"](np.linspace(0, 0.85, len(chosen))), strict=True):
            of_seeds = [at.xs(exact(s), level="memory")[t] for s in spreads]
            mean, sd = ([getattr(x, what)() for x in of_seeds] for what in ("mean", "std"))
            ax.errorbar(
                spreads, mean, yerr=np.nan_to_num(sd), fmt="o-", ms=4, capsize=1.5, color=colour, label=f"T = {t}"
            )

    return _panels(table, {"test accuracy, %": draw}, "spread of U(0) around 1/2", "Where phases begin")


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


def _panels(
    table: pd.DataFrame, draws: dict[str, Callable[[Axes, pd.DataFrame], None]], xlabel: str, what: str
) -> Figure:
    """A panel for each net and noise of what each function draws, whose key is the label of its vertical axis."""
    nets = list(at_timesteps(table, *NET, "noise", "memory").groupby([*NET, "noise"], sort=False))
    rows = -(-len(nets) // 4)
    columns = -(-len(nets) // rows)
    fig = figure(max(3.2 * columns, 6.4), 3 * rows * len(draws) + 0.8)
    labelled = {}
    with style():
        axes = fig.subplots(rows * len(draws), columns, squeeze=False)
        for (ylabel, draw), part in zip(draws.items(), np.split(axes, len(draws)), strict=True):
            for ax, (net, at) in zip(part.flat, nets, strict=False):
                draw(ax, at)
                dataset, network, width, readout, noise = net
                name = f"{short_title(dataset)}, {short_title(network)}, width {width:g}\n{noise}, {readout}"
                ax.set_title(name, fontsize=8)
                ax.set_xlabel(xlabel)
                labelled |= dict(zip(*reversed(ax.get_legend_handles_labels()), strict=True))
            for ax in part.flat[len(nets) :]:
                ax.remove()
            for ax in part[:, 0]:
                ax.set_ylabel(ylabel)
        fig.legend(labelled.values(), labelled, loc="outside lower center", ncols=4, fontsize=8)
        seeds = table.seed.nunique()
        fig.suptitle(f"{what}: mean ± sd of {seeds} training seed{'s' * (seeds > 1)}", fontsize=10)
    return fig


def _powers_of_two(ax: Axes, last: int) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks([2**i for i in range(int(last).bit_length())])
    ax.xaxis.set_major_formatter(ScalarFormatter())


def _sd(of_seeds: pd.DataFrame) -> pd.Series:
    return of_seeds.std().fillna(0)
