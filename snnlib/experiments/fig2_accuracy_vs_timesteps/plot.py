"""Figure 2: accuracy against the number of time steps, with either readout; how often the output ties."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from snnlib.experiments.fig2_accuracy_vs_timesteps.table import CONSTANT, CURRENT, FIRST, NOISE
from snnlib.experiments.over_seeds import ARCHITECTURE, mean_and_sd, over_seeds
from snnlib.experiments.paper import TABLE2_OURS
from snnlib.experiments.style import BLACK, BLUE, GREEN, VERMILION, Picture, entitle, grid, leftmost, legend, style
from snnlib.experiments.titles import panel_title

READOUTS = {"spikes": (BLUE, "o"), "potential": (VERMILION, "s")}
STARS = {"spikes": "*", "potential": (4, 1, 0)}  # five points and four
READ_AS_CURRENT = {"marker": "o", "mfc": "white", "ls": "--", "lw": 0.9, "zorder": 3}
SHARES = {"tied": ("several are largest", "-"), "silent": ("no output has fired", ":")}
SHIFT = 0.12  # of a readout's points from their T, so that error bars stand apart
DARK = "#444444"  # of what stands for either readout
STAR = 0.6  # by which the point without noise stands left of T = 1


def accuracy_vs_timesteps(table: pd.DataFrame) -> Figure:
    """A panel for each data set and network, with the paper's printed values.

    Args:
        table: of `snnlib.experiments.fig2_accuracy_vs_timesteps.table.accuracies`, or its CSV.
    """
    fig = _panels(table, 2.2, _accuracy, "test accuracy, %")
    with style():
        entitle(
            fig, "Accuracy against time steps T: trained at T = 1, then converted", f"({mean_and_sd(_seeds(table))})"
        )
        legend(fig, _handles(table))
    return fig


def ties(table: pd.DataFrame) -> Figure:
    """How often the decision is a tie, and how often not one output neuron has fired.

    Args:
        table: of `snnlib.experiments.fig2_accuracy_vs_timesteps.table.shares`, or its CSV.
    """
    fig = _panels(table, 1.8, _ties, "images, %")
    with style():
        entitle(fig, "How often classes tie after T steps", f"({mean_and_sd(_seeds(table))})")
        lines = {words: _handle(DARK, "", ls=ls) for words, ls in SHARES.values()}
        legend(fig, {f"readout {readout}": _handle(*READOUTS[readout]) for readout in _readouts(table)} | lines)
    return fig


def _panels(table: pd.DataFrame, height: float, draw: Callable[[Axes, pd.DataFrame], None], ylabel: str) -> Picture:
    nets = list(table.groupby(ARCHITECTURE, sort=False))
    with style():
        fig, axes = grid(len(nets), height)
        for ax, (_, net) in zip(axes[:, 0], nets, strict=True):
            draw(ax, net)
            ax.set_title(panel_title(net.iloc[0]))
            ax.set_xlabel("time steps T")
            last = net.timesteps.max()
            ax.set_xticks([1, *range(2, last + 1, 2 * -(-last // 20))])
        for ax in leftmost(axes[:, 0]):
            ax.set_ylabel(ylabel)
    return fig


def _seeds(table: pd.DataFrame) -> pd.Series:
    return table.groupby([*ARCHITECTURE, "readout"]).seed.nunique()


def _readouts(table: pd.DataFrame) -> list[str]:
    return [readout for readout in READOUTS if readout in set(table.readout)]


def _accuracy(ax: Axes, net: pd.DataFrame) -> None:
    first = net.iloc[0]
    printed = TABLE2_OURS.get(first.dataset, {})
    for readout, rows in net[net.ties == FIRST].groupby("readout", sort=False):
        colour, marker = READOUTS[readout]
        shift = -SHIFT if readout == "spikes" else SHIFT
        by = {way: _over_seeds(found, "accuracy") for way, found in rows.groupby("inference")}
        usual = by[NOISE]
        ax.errorbar(usual.index + shift, usual["mean"], usual.sd.fillna(0), color=colour, marker=marker)
        if CURRENT in by:
            current = by[CURRENT]
            ax.errorbar(current.index + shift, current["mean"], current.sd.fillna(0), color=colour, **READ_AS_CURRENT)
        if CONSTANT in by:
            constant = by[CONSTANT]
            ax.errorbar(
                constant.index + shift - STAR, constant["mean"], constant.sd.fillna(0), color=colour,
                marker=STARS[readout], ms=12, mec=BLACK, mew=0.6, ls="", zorder=4,
            )  # fmt: skip
        for t in (1, usual.index.max()):
            _write(ax, t, usual.loc[t], printed, colour, above=readout == "potential")
    ax.plot(list(printed), list(printed.values()), "D", color=GREEN, ms=6, mfc="none", mew=1.4, zorder=5)
    for t, value in printed.items():  # at the bottom, where no curve is
        ax.text(t, 0.03, f"{value:.2f}", transform=ax.get_xaxis_transform(), ha="center", color=GREEN)
    ax.margins(y=0.27)


def _write(ax: Axes, t: int, row: pd.Series, printed: dict[int, float], colour: str, above: bool) -> None:
    """The mean, in as many digits as the paper's beside it, clear of its error bar and of the paper's value."""
    sd = 0 if pd.isna(row.sd) else row.sd
    there = printed.get(t, row["mean"])
    gap = 8 if t == 1 else 5  # beside T = 1 there may be a star
    y, offset = (max(row["mean"] + sd, there), gap) if above else (min(row["mean"] - sd, there), -5)
    written = f"{row['mean']:.{2 if printed else 1}f}"
    ax.annotate(
        written, (t, y), (8 if t == 1 else 0, offset), textcoords="offset points", ha="center",
        va="bottom" if above else "top", color=colour,
    )  # fmt: skip


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
