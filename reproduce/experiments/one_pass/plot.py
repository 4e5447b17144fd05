"""Accuracy over T of nets trained in one pass: as they spike, and as they were trained, each layer after the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import ScalarFormatter

from reproduce.experiments.one_pass.table import AT_ONCE, HALF, PIPELINED, RANDOM, SPIKING, STARTS
from reproduce.experiments.over_seeds import ARCHITECTURE, mean_and_sd, over_seeds, percent
from reproduce.experiments.style import (
    BLACK,
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
from reproduce.experiments.titles import panel_title
from reproduce.runs.arms import ARMS, CENTRED

USUAL, OTHER = "gain 1, bias 0", "gain 0.4, bias ¼"  # of batch norm
OPEN = {"mfc": "white"}  # what begins with the other
NOTE = "gain, bias: how batch norm begins; the paper's: exact memory"
DIFFERENCE = "over the paper's training"
Looks = Mapping[str, tuple[dict[str, Any], str]]  # by arm: how it is drawn, and its name
GREY = "#555555"
OF_OTHERS = 4  # L that is compared with other ways to train
FROM = 4  # T at which it begins: before, the levels differ by more than all that is to be seen
TITLES = {
    SPIKING: "all layers step together",
    DIFFERENCE: f"over the paper's training\nfrom {USUAL}",
    PIPELINED: "each layer waits for T steps\n(latency: layers × T)\nstars do not wait",
}
# What is compared, where there is such an arm: its look, and its name.
PAPERS = {
    "potential": ({"color": BLACK, "marker": "*", "ms": 8}, f"paper's, {USUAL}"),
    "potential_start": ({"color": BLACK, "marker": "*", "ms": 8, "ls": ":"}, f"paper's, {OTHER}"),
}
OPPONENTS = {
    "rate4_short": ({"color": VERMILION, "marker": "d", "ls": "--"}, "L = 4, fewer epochs"),
    "rate4_longer": ({"color": VERMILION, "marker": "^", "ls": ":"}, "L = 4, for longer"),
    "rate4_then1": ({"color": VERMILION, "marker": "v", "ls": "-."}, "L = 4, + epoch of L = 1"),
    "rate4_in_time": ({"color": VERMILION, "marker": "<"}, "L = 4, + epoch in time"),
    **PAPERS,
    "qcfs": ({"color": PURPLE, "marker": "P", "ls": "--"}, f"QCFS, {USUAL}"),
    "direct4_short": ({"color": ORANGE, "marker": "X", "ls": "--"}, "direct at T = 4"),
}


def levels(table: pd.DataFrame) -> Figure:
    """For each net the levels L, with either phase, beside the paper's training; below, ways of running them.

    Accuracy over T, mean ± sd over training seeds.

    Args:
        table: of `reproduce.experiments.one_pass.table.accuracies`, or its CSV.
    """
    return _beside(table, lambda _: {"": _levels()}, "Trained in one pass on the rates of L steps")


def others(table: pd.DataFrame) -> Figure | None:
    """For each net starts of batch norm, and a level beside other ways to train, drawn as `levels` are.

    Args:
        table: of `reproduce.experiments.one_pass.table.accuracies`, or its CSV.

    Returns:
        None where the table has no such arms.
    """
    title = "Levels (random phases), other starts and other ways to train"
    return _beside(table, _others, title) if _others({*table.arm}) else None


def _beside(table: pd.DataFrame, compared: Callable[[set[str]], dict[str, Looks]], title: str) -> Figure:
    """A column for each net and each thing that is compared of those arms that the net has."""
    nets = {net: {*rows.arm} for net, rows in table.groupby(ARCHITECTURE, sort=False)}
    percents = percent(table, *ARCHITECTURE, "arm", "way", "timesteps")
    at, over = over_seeds(percents), over_seeds(_over_base(percents))
    titles = {way: name for way, name in TITLES.items() if way != DIFFERENCE or len(over)}
    alone = len(nets) == 1  # else each has an axis of its own for differences: one net's hide another's
    ticks = sorted(int(t) for t in set(table.timesteps) if t < math.inf)
    columns = [(net, words, looks) for net, arms in nets.items() for words, looks in compared(arms).items()]
    with style():
        fig, axes = grid(len(columns), *[2.7] * len(titles))
        for panels, (net, words, looks) in zip(axes, columns, strict=True):
            of_net = at.xs(net, level=ARCHITECTURE)
            for ax, (way, name) in zip(panels, titles.items(), strict=True):
                if way == DIFFERENCE:
                    ax.set_xlabel("time steps T")
                    _panel(ax, over.xs(net, level=ARCHITECTURE), SPIKING, [t for t in ticks if t >= FROM], looks)
                    ax.axhline(0, color=BLACK, lw=1)
                else:
                    _panel(ax, of_net, way, ticks, looks)
                    if way == PIPELINED:  # to be held against it
                        _panel(ax, of_net, SPIKING, ticks, {arm: PAPERS[arm] for arm in PAPERS if arm in looks})
                    _ceiling(ax, of_net)
                ax.set_title(name if way != DIFFERENCE or alone else f"{name}\n(axes differ)")
            lines = [panel_title(dict(zip(ARCHITECTURE, net, strict=True))), words, TITLES[SPIKING]]
            panels[0].set_title("\n".join(filter(None, lines)))
            panels[-1].set_xlabel("time steps T")
        for way, column in zip(titles, axes.T, strict=True):
            if way != DIFFERENCE or alone:
                _alike(column)
            for ax in leftmost(column):
                ax.set_ylabel("points" if way == DIFFERENCE else "test accuracy, %")
        entitle(fig, title, f"({mean_and_sd(at.seeds)})", NOTE)
        legend(fig, named([*axes.T.flat]) | _starting(), columns=2)
    return fig


def _levels() -> Looks:
    look = dict(zip(RANDOM.values(), sequence(len(RANDOM)), strict=True))
    random = {arm: (look[n], f"L = {n}, random phases") for arm, n in RANDOM.items()}
    half = {arm: (look[n] | {"ls": "--"}, f"L = {n}, U = ½") for arm, n in HALF.items()}
    return random | half | PAPERS


def _others(arms: set[str]) -> dict[str, Looks]:
    """What stands side by side, as far as there are such arms."""
    levels = {arm: (look, f"L = {RANDOM[arm]}, {_start(arm)}") for arm, (look, _) in _levels().items() if arm in RANDOM}
    starts = {}
    for arm, of in STARTS.items():
        if arm in arms and arm not in PAPERS:  # these stand beside anything
            look, name = (levels | OPPONENTS)[of]
            starts |= {of: (look, name), arm: (look | {"ls": ":"}, f"{name.split(',')[0]}, {_start(arm)}")}
    found = {}
    if len(starts) > 2:  # one alone stands with the others
        found["start of batch norm"], starts = starts | PAPERS, {}
    if starts or arms & {*OPPONENTS} - {*PAPERS}:
        of_level = {arm: levels[arm] for arm, n in RANDOM.items() if n == OF_OTHERS}
        found[f"L = {OF_OTHERS} and others"] = of_level | starts | OPPONENTS
    return found


def _start(arm: str) -> str:
    return OTHER if _open(arm) else USUAL


def _open(arm: str) -> bool:
    return ARMS[arm].changes.get("norm_start") == CENTRED["norm_start"]


def _starting() -> dict[str, Line2D]:
    """What markers tell, whichever they are."""
    faces = {f"filled: {USUAL}": {}, f"open: {OTHER}": OPEN}
    return {name: Line2D([], [], color=GREY, marker="o", ls="", **face) for name, face in faces.items()}


def _alike(panels: Iterable[Axes]) -> None:
    """Let panels of one row have one range."""
    first, *others = panels
    for ax in others:
        ax.sharey(first)
    first.autoscale(axis="y")


def _over_base(percents: pd.Series) -> pd.Series:
    """Points of nets that spike over the paper's training, seed by seed, from T = `FROM` on; none without that."""
    spiking = percents[percents.index.get_level_values("way") == SPIKING]
    spiking = spiking[spiking.index.get_level_values("timesteps") >= FROM]
    base = spiking[spiking.index.get_level_values("arm") == "potential"].droplevel("arm")
    base = base.reindex(spiking.index.droplevel("arm"))
    return (spiking - base.to_numpy()).dropna()


def _ceiling(ax: Axes, at: pd.DataFrame) -> None:
    if ("relu", AT_ONCE) in at.index.droplevel("timesteps"):
        ceiling = at.loc["relu", AT_ONCE].iloc[0]
        ax.axhline(ceiling["mean"], color=SKY, ls=":", label="ReLU net (band: ± sd)")
        sd = np.nan_to_num(ceiling.sd)
        ax.axhspan(ceiling["mean"] - sd, ceiling["mean"] + sd, color=SKY, alpha=0.2, lw=0)


def _panel(
    ax: Axes, at: pd.DataFrame, way: str, ticks: list[int], looks: Mapping[str, tuple[dict[str, Any], str]]
) -> None:
    for arm, (look, name) in looks.items():
        if (arm, way) in at.index.droplevel("timesteps"):
            rows = at.loc[arm, way]
            face = OPEN if _open(arm) else {}
            ax.errorbar(rows.index, rows["mean"], rows.sd.fillna(0), lw=1.2, label=name, **look | face)
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks)
    ax.xaxis.set_major_formatter(ScalarFormatter())
