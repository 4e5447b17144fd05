"""Figure 2: accuracy against the number of time steps, with either readout; how often the output ties."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reproduce.experiments.fig2_accuracy_vs_timesteps.table import CONSTANT, CURRENT, FIRST, NOISE
from reproduce.experiments.over_seeds import ARCHITECTURE, counted, mean_and_sd, over_seeds
from reproduce.experiments.paper import TABLE2_OURS
from reproduce.experiments.style import BLACK, BLUE, GREEN, VERMILION, Picture, entitle, grid, leftmost, legend, style
from reproduce.experiments.titles import panel_title

READOUTS = {"spikes": (BLUE, "o"), "potential": (VERMILION, "s")}
STARS = {"spikes": "*", "potential": (4, 1, 0)}  # five points and four
READ_AS_CURRENT = {"marker": "o", "mfc": "white", "ls": "--", "lw": 0.9, "zorder": 3}
SHARES = {"tied": ("several are largest", "-"), "silent": ("no output has fired", ":")}
SHIFT = 0.12  # of a readout's points from their T, so that error bars stand apart
DARK = "#444444"  # of what stands for either readout
STAR = 0.6  # by which the point without noise stands left of T = 1
HEIGHT, LINE = 90, 12  # of a panel and of a number in it, about, in points
REACH = 1.5  # in T, of a number to either side


def accuracy_vs_timesteps(table: pd.DataFrame) -> Figure:
    """A panel for each data set and network, with the paper's printed values.

    Args:
        table: of `reproduce.experiments.fig2_accuracy_vs_timesteps.table.accuracies`, or its CSV.
    """
    fig = _panels(table, 2.4, _accuracy, "test accuracy, %")
    with style():
        entitle(
            fig, "Accuracy against time steps T: trained at T = 1, then converted", f"({mean_and_sd(_seeds(table))})"
        )
        legend(fig, _handles(table))
    return fig


def ties(table: pd.DataFrame) -> Figure:
    """How often the decision is a tie, and how often not one output neuron has fired.

    Args:
        table: of `reproduce.experiments.fig2_accuracy_vs_timesteps.table.shares`, or its CSV.
    """
    fig = _panels(table, 2.0, _ties, "images, %")
    with style():
        entitle(fig, "How often classes tie after T steps", f"({mean_and_sd(_seeds(table))})")
        lines = {words: _handle(DARK, "", ls=ls) for words, ls in SHARES.values()}
        legend(fig, {f"readout {readout}": _handle(*READOUTS[readout]) for readout in _readouts(table)} | lines)
    return fig


def _panels(table: pd.DataFrame, height: float, draw: Callable[[Axes, pd.DataFrame], None], ylabel: str) -> Picture:
    nets = list(table.groupby(ARCHITECTURE, sort=False))
    differ = _seeds(table).nunique() > 1
    with style():
        fig, axes = grid(len(nets), height)
        for ax, (_, net) in zip(axes[:, 0], nets, strict=True):
            draw(ax, net)
            ax.set_title(panel_title(net.iloc[0]) + (_few(_seeds(net)) if differ else ""))
            ax.set_xlabel("time steps T")
            last = net.timesteps.max()
            ax.set_xticks([1, *range(2, last + 1, 2 * -(-last // 20))])
        for ax in leftmost(axes[:, 0]):
            ax.set_ylabel(ylabel)
    return fig


def _seeds(table: pd.DataFrame) -> pd.Series:
    return table.groupby([*ARCHITECTURE, "readout"]).seed.nunique()


def _few(seeds: pd.Series) -> str:
    """A line for what has no spread, since the figure's title, which counts for all, does not say where."""
    return f"\n({counted(seeds, 'training seed')})" if seeds.min() == 1 else ""


def _readouts(table: pd.DataFrame) -> list[str]:
    return [readout for readout in READOUTS if readout in set(table.readout)]


def _accuracy(ax: Axes, net: pd.DataFrame) -> None:
    printed = TABLE2_OURS.get(net.iloc[0].dataset, {})
    rows = net[net.ties == FIRST].groupby("readout", sort=False)
    drawn = {readout: _readout(ax, found, readout) for readout, found in rows}
    ax.plot(list(printed), list(printed.values()), "D", color=GREEN, ms=6, mfc="none", mew=1.4, zorder=5)
    ax.margins(y=0.27)
    _write(ax, drawn, printed)


def _readout(ax: Axes, rows: pd.DataFrame, readout: str) -> dict[str, pd.DataFrame]:
    """Draw it; what is drawn, by inference."""
    colour, marker = READOUTS[readout]
    shift = -SHIFT if readout == "spikes" else SHIFT
    star = {"marker": STARS[readout], "ms": 12, "mec": BLACK, "mew": 0.6, "ls": "", "zorder": 4}
    looks = {NOISE: (shift, {"marker": marker}), CURRENT: (shift, READ_AS_CURRENT), CONSTANT: (shift - STAR, star)}
    by = {way: _over_seeds(found, "accuracy") for way, found in rows.groupby("inference")}
    drawn = {way: by[way] for way in looks if way in by}
    for way, at in drawn.items():
        beside, look = looks[way]
        ax.errorbar(at.index + beside, at["mean"], at.sd.fillna(0), color=colour, **look)
    return drawn


def _write(ax: Axes, drawn: dict[str, dict[str, pd.DataFrame]], printed: dict[int, float]) -> None:
    """Ours at the first and the last T, in as many digits as the paper's, and all of the paper's, each at its point."""
    written = (lambda value: f"{value:.2f}") if printed else (lambda value: f"{value:.1f}")
    low, high = ax.get_ylim()
    ax.set_ylim(low, high)  # labels are placed for these
    line = LINE * (high - low) / HEIGHT
    tops = pd.concat([at["mean"] + at.sd.fillna(0) for ways in drawn.values() for at in ways.values()])
    right: dict[int, list[tuple[float, str]]] = {}
    for readout, ways in drawn.items():
        at, (colour, _) = ways[NOISE], READOUTS[readout]
        first, last, sd = at.loc[1], at.index.max(), np.nan_to_num(at.sd[1])
        if readout == "potential":  # there may be a star
            _label(ax, (1, _over(tops, 1, first["mean"] + sd, line)), written(first["mean"]), colour, (-5, 8))
        else:
            _label(ax, (1, first["mean"] - sd), written(first["mean"]), colour, (-5, -5))
        right.setdefault(last, []).append((at["mean"][last], colour))
    for t, value in printed.items():
        if t < max(printed):
            _label(ax, (t, _over(tops, t, value, line)), written(value), GREEN, (0, 6))
        else:
            right.setdefault(t, []).append((value, GREEN))
    for t, values in right.items():
        values = sorted(values)
        for y, (value, colour) in zip(_apart([value for value, _ in values], line), values, strict=True):
            _label(ax, (t + SHIFT, y), written(value), colour, (8, 0))


def _label(ax: Axes, at: tuple[float, float], text: str, colour: str, offset: tuple[int, int]) -> None:
    """Text so many points from a place: above or below it, or right of it; it begins there, or is centred over it."""
    beside, up = offset
    ax.annotate(
        text, at, offset, textcoords="offset points", color=colour,
        ha="left" if beside else "center", va="bottom" if up > 0 else "top" if up else "center",
    )  # fmt: skip


def _over(tops: pd.Series, t: int, y: float, line: float) -> float:
    """Where a label that stands on this height hits no curve near its T: as high, or over what it would lie on."""
    for top in sorted(tops[abs(tops.index - t) < REACH]):
        if y < top < y + 1.5 * line:
            y = top
    return y


def _apart(heights: list[float], gap: float) -> list[float]:
    """Ascending heights, changed as little as lets neighbours be so far apart."""
    groups: list[list[float]] = []
    for i, height in enumerate(heights):
        groups.append([height - i * gap])
        while len(groups) > 1 and np.mean(groups[-2]) > np.mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    return [np.mean(group) + i * gap for i, group in enumerate(group for group in groups for _ in group)]


def _ties(ax: Axes, net: pd.DataFrame) -> None:
    for readout, found in net.groupby("readout", sort=False):
        colour, marker = READOUTS[readout]
        for share, (_, line) in SHARES.items():
            if share == "silent" and readout != "spikes":
                continue  # that readout has no output neurons
            at = _over_seeds(found, share)
            ax.errorbar(at.index, at["mean"], at.sd.fillna(0), ls=line, color=colour, marker=marker)


def _over_seeds(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """In percent by T, over training seeds, each averaged over its noise seeds."""
    return over_seeds(rows.groupby(["timesteps", "seed"], sort=False)[column].mean() * 100)


def _handles(table: pd.DataFrame) -> dict[str, object]:
    there = _readouts(table)
    handles: dict[str, object] = {}
    for readout in there:
        handles[f"readout {readout}"] = _handle(*READOUTS[readout])
        if CURRENT in set(table[table.readout == readout].inference):
            handles["the same, currents read"] = _handle(READOUTS[readout][0], **READ_AS_CURRENT)
    handles["T = 1, run without noise"] = tuple(
        _handle(READOUTS[readout][0], STARS[readout], ls="", ms=11, mec=BLACK, mew=0.6) for readout in there
    )
    if any(name in TABLE2_OURS for name in table.dataset):
        handles["paper, Table 2"] = _handle(GREEN, "D", ls="", mfc="none", mew=1.4)
    return handles


def _handle(colour: str, marker: object, **look: object) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, **look)
