"""The exact memory beside the paper's and none: accuracy over T, over where phases begin, and the chance in rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter, StrMethodFormatter

from reproduce.experiments.memories.rates import COPIES, IMAGES
from reproduce.experiments.memories.table import (
    ENSEMBLE,
    EVEN,
    EXACT,
    HIDDEN,
    PAPER,
    PAPER_HIDDEN,
    PAPER_READOUT,
    READOUT,
    SPREADS,
    exact,
)
from reproduce.experiments.over_seeds import NET, at_timesteps, mean_and_sd
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    OF_PANEL,
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
    wrapped,
)
from reproduce.experiments.titles import net_title, panel_title

LOOKS = {
    ENSEMBLE: {"color": BLACK, "marker": "o"},
    PAPER: {"color": VERMILION, "marker": "s", "ls": "--"},
    exact(1.0): {"color": GREEN, "marker": "^", "ls": ":"},
    EXACT: {"color": BLUE, "marker": "D"},
}
CONTROLS = {
    PAPER: LOOKS[PAPER],
    EXACT: LOOKS[EXACT],
    READOUT: {"color": SKY, "marker": "<", "ls": "--"},
    HIDDEN: {"color": PURPLE, "marker": "X", "ls": ":"},
    EVEN: {"color": ORANGE, "marker": "v", "ls": "-."},
}
PAPERS = {
    PAPER: LOOKS[PAPER],
    PAPER_READOUT: CONTROLS[READOUT],
    PAPER_HIDDEN: CONTROLS[HIDDEN],
}
LEGEND = {  # where the name in the CSV says too little
    ENSEMBLE: "fresh noise (ensemble)",
    PAPER: "paper's memory (step 3)",
    exact(1.0): "exact, uniform phases",
    EXACT: "exact, readout near ½",
    READOUT: "exact, readout alone",
    HIDDEN: "exact, hidden alone",
    EVEN: "even noise",
    PAPER_READOUT: "paper's, readout alone",
    PAPER_HIDDEN: "paper's, hidden alone",
}
OVER = "points over the ensemble"
AT = (1, 2, 4, 10)  # T at which the spread is drawn
ASIDE = 1.024  # from one memory's T to the next's, so that bars stand apart


def accuracy(table: pd.DataFrame) -> Figure:
    """A panel for each net and noise: accuracy over T with each memory of `LOOKS`, mean ± sd over training seeds.

    Args:
        table: of `reproduce.experiments.memories.table.accuracies`, or its CSV.
    """
    return _panels(table, "test accuracy, %", partial(_each, LOOKS), "time steps T", "Accuracy with each memory")


def over_the_ensemble(table: pd.DataFrame) -> Figure:
    """The same for points over the ensemble, seed by seed, with each of `CONTROLS` that was run.

    Args:
        table: of `reproduce.experiments.memories.table.accuracies`, or its CSV.
    """
    draw = partial(_over_the_ensemble, CONTROLS)
    return _panels(table, OVER, draw, "time steps T", "Each memory over fresh noise")


def layers(table: pd.DataFrame) -> Figure:
    """Points over the ensemble with the paper's memory, in all layers or in some alone.

    A panel for each net and noise that was run in parts; `over_the_ensemble` has it in all layers of the others.

    Args:
        table: of `reproduce.experiments.memories.table.of_papers`, or its CSV.
    """
    parts = table.memory.isin((PAPER_HIDDEN, PAPER_READOUT))
    in_parts = parts.groupby([table[name] for name in (*NET, "noise")]).transform("any")
    draw = partial(_over_the_ensemble, PAPERS)
    return _panels(table[in_parts], OVER, draw, "time steps T", "Where the paper's memory acts")


def _each(looks: Mapping[str, dict[str, str]], ax: Axes, at: pd.DataFrame) -> None:
    """A line over T for each memory that was run, mean ± sd of the seeds."""
    there = [memory for memory in looks if memory in at.index.get_level_values("memory")]  # potentials have fewer
    for place, memory in enumerate(there):
        of_seeds, aside = at.xs(memory, level="memory"), ASIDE ** (place - (len(there) - 1) / 2)
        ax.errorbar(at.columns * aside, of_seeds.mean(), yerr=_sd(of_seeds), label=memory, **looks[memory])
    _doubling(ax, int(at.columns.max()))


def _over_the_ensemble(looks: Mapping[str, dict[str, str]], ax: Axes, at: pd.DataFrame) -> None:
    """The same of differences to the ensemble, seed by seed."""
    ax.axhline(0, color=BLACK, lw=1)
    ensemble = at.xs(ENSEMBLE, level="memory")
    _each(looks, ax, at.sub(ensemble.reindex(at.index.droplevel("memory")).to_numpy()))


def spread(table: pd.DataFrame, spreads: Sequence[float] = SPREADS) -> Figure:
    """A panel for each net and noise that has `variants`: accuracy of the exact memory over the spread, for some T.

    Args:
        table: of `reproduce.experiments.memories.table.accuracies`, or its CSV.
    """

    def draw(ax: Axes, at: pd.DataFrame) -> None:
        last = at.columns.max()
        chosen = [t for t in (*AT, *([last] if last > max(AT) else [])) if t in at]
        for t, look in zip(chosen, sequence(len(chosen)), strict=True):
            of_seeds = [at.xs(exact(s), level="memory")[t] for s in spreads]
            mean, sd = ([getattr(x, what)() for x in of_seeds] for what in ("mean", "std"))
            ax.errorbar(spreads, mean, yerr=np.nan_to_num(sd), label=f"T = {t}", **look)

    there = table[table.memory.isin(map(exact, spreads))]
    return _panels(there, "test accuracy, %", draw, "spread of U(0) around 1/2", "Where phases begin")


def ceiling(table: pd.DataFrame) -> Figure:
    """A panel for each net and noise: points over the ensemble at the last T, far, with what the images leave open.

    Args:
        table: of `reproduce.experiments.memories.ceiling.accuracies`, or its CSV.
    """
    last = table.timesteps.max()
    points, errors = (
        table.assign(accuracy=table[column] / 100) for column in ("points", "image_error")
    )  # `at_timesteps` has accuracies in percent
    errors = 1.96 * at_timesteps(errors, *NET, "noise", "memory")

    def draw(ax: Axes, at: pd.DataFrame) -> None:
        ax.axhline(0, color="grey", lw=1, label=f"{ENSEMBLE} at T = {last}")
        for memory, aside in ((ENSEMBLE, 0.85), (PAPER, 1.0), (EXACT, 1.18)):  # so that bars stand apart
            of_seeds, error = (x.xs(memory, level="memory").mean() for x in (at, errors.loc[at.index]))
            ax.errorbar(at.columns * aside, of_seeds, yerr=error, label=memory, **LOOKS[memory])
        ax.set_xscale("log")
        ax.set_xticks(at.columns)
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.xaxis.set_minor_locator(NullLocator())

    images = table.images.iloc[0]
    what = f"Where it ends, on {images} images (bars: their 95 % interval; none where none changed)"
    return _panels(points, OVER, draw, "time steps T", what)


def chance(table: pd.DataFrame) -> Figure:
    """A panel for each memory: how far a rate over T steps is chance, a line for each layer.

    Args:
        table: of `rates.with_each_memory`, or its CSV. Where all simulations gave the same
            rates, as in the first step of phases near 1/2, nothing is drawn.
    """
    names, layers = list(table.memory.unique()), list(table.layer.unique())
    looks = dict(zip(layers, sequence(len(layers)), strict=True))
    first = table.iloc[0]
    with style():
        fig, axes = grid(len(names), 2.6)
        for ax, name in zip(axes[:, 0], names, strict=True):
            ax.sharey(axes[0, 0])
            of_memory = table[table.memory == name].replace({"sd": {0: math.nan}})
            for layer, rows in of_memory.groupby("layer", sort=False):
                ax.loglog(rows.timesteps, rows.sd, label=layer, **looks[layer])
            t = np.array([1, table.timesteps.max()])
            for power, ls, label in ((0.5, ":", "as 1/√T"), (1, "--", "as 1/T")):
                ax.loglog(t, table.sd.max() / t**power, color="grey", ls=ls, lw=1, label=label)
            ax.set(title=name, xlabel="time steps T")
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_locator(LogLocator(numticks=9))
                axis.set_major_formatter(StrMethodFormatter("{x:g}"))
                axis.set_minor_locator(NullLocator())
        for ax in leftmost(axes.flat):
            ax.set_ylabel("sd of a neuron's rate")
        net = f"{net_title(first)}, {first.noise}, readout {first.readout}, seed {first.seed}"
        entitle(fig, "Chance in firing rates", net, f"(rms of a layer: {IMAGES} images, {COPIES} simulations each)")
        legend(fig, named(axes.flat))
    return fig


def _panels(
    table: pd.DataFrame, ylabel: str, draw: Callable[[Axes, pd.DataFrame], None], xlabel: str, what: str
) -> Figure:
    """For each net and noise a panel of what the function draws."""
    nets = list(at_timesteps(table, *NET, "noise", "memory").groupby([*NET, "noise"], sort=False))
    with style():
        fig, axes = grid(len(nets), 2.6)
        for ax, (net, at) in zip(axes[:, 0], nets, strict=True):
            draw(ax, at)
            of = dict(zip([*NET, "noise"], net, strict=True))
            lines = [*panel_title(of).splitlines(), f"{of['noise']}, {of['readout']} read"]
            ax.set_title(wrapped(*lines, characters=OF_PANEL))
            ax.set_xlabel(xlabel)
        for ax in leftmost(axes.flat):
            ax.set_ylabel(ylabel)
        entitle(fig, f"{what}: {mean_and_sd([table.seed.nunique()])}")
        legend(fig, {LEGEND.get(name, name): look for name, look in named(axes.flat).items()})
    return fig


def _doubling(ax: Axes, last: int) -> None:
    """A logarithmic axis of T with numbers at powers of two that are not near the last, and at the last."""
    ax.set_xscale("log", base=2)
    ax.set_xticks([t for t in (2**i for i in range(last.bit_length())) if 1.5 * t < last] + [last])
    ax.xaxis.set_major_formatter(ScalarFormatter())


def _sd(of_seeds: pd.DataFrame) -> pd.Series:
    return of_seeds.std().fillna(0)
