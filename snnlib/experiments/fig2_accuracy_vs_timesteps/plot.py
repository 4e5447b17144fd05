"""Figure 2: accuracy against the number of time steps, with either readout, and how often the output ties."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from snnlib.experiments.fig2_accuracy_vs_timesteps.table import CONSTANT, NOISE
from snnlib.experiments.over_seeds import ARCHITECTURE, over_seeds
from snnlib.experiments.paper import TABLE2_OURS
from snnlib.experiments.style import BLACK, BLUE, GREEN, VERMILION, figure, style
from snnlib.experiments.titles import TITLES

READOUTS = {"spikes": (BLUE, "o"), "potential": (VERMILION, "s")}
SHARES = {"tied": ("several classes have the largest output", "-"), "silent": ("no output neuron has fired", ":")}
SHIFT = 0.12  # of a readout's points from their T, so that error bars stand apart
STAR = 0.6  # by which the point without noise stands left of T = 1


def accuracy_vs_timesteps(table: pd.DataFrame) -> Figure:
    """A column for each data set and network: accuracy above, the paper's printed values beside it; below, ties.

    Args:
        table: of `snnlib.experiments.fig2_accuracy_vs_timesteps.table.accuracies`, or its CSV.
    """
    nets = list(table.groupby(ARCHITECTURE, sort=False))
    fig = figure(max(3.1 * len(nets) + 0.3, 7.2), 6.4)  # at least as wide as the legend
    with style():
        axes = fig.subplots(2, len(nets), squeeze=False, height_ratios=[1.8, 1], sharex=True)
        for (above, below), (_, net) in zip(axes.T, nets, strict=True):
            _accuracy(above, net)
            _ties(below, net)
        axes[0, 0].set_ylabel("test accuracy, %")
        axes[1, 0].set_ylabel("share of test images, %")
        printed = any(name in TABLE2_OURS for name in table.dataset)
        fig.legend(handles=_legend(table, printed), loc="outside lower center", ncols=3, fontsize=8)
        fig.suptitle(
            "Accuracy against time steps T: the net trained at T = 1, then converted\n"
            f"(mean over training seeds, bars: ± sd of {_counts(table)})",
            fontsize=10,
        )
    return fig


def _accuracy(ax: Axes, net: pd.DataFrame) -> None:
    first = net.iloc[0]
    for readout, rows in net.groupby("readout", sort=False):
        colour, marker = READOUTS[readout]
        shift = -SHIFT if readout == "spikes" else SHIFT
        at = _over_seeds(rows[rows.inference == NOISE], "accuracy")
        usual, random = at.loc["first"], at.loc["random"]
        x = usual.index + shift
        ax.errorbar(x, usual["mean"], usual.sd.fillna(0), color=colour, marker=marker, ms=4, capsize=2, lw=1.4)
        if not random.equals(usual):  # mean currents do not tie
            ax.plot(x, random["mean"], ls="--", lw=0.9, color=colour, marker=marker, ms=4, mfc="white", zorder=3)
        constant = _over_seeds(rows[rows.inference == CONSTANT], "accuracy").loc["first"]
        ax.errorbar(
            constant.index + shift - STAR, constant["mean"], constant.sd.fillna(0), color=colour, marker="*", ms=12,
            mec=BLACK, mew=0.6, capsize=2, ls="", zorder=4,
        )  # fmt: skip
        for t in (1, usual.index.max()):
            _write(ax, t, usual.loc[t], colour, above=readout == "potential")
    printed = TABLE2_OURS.get(first.dataset, {})
    ax.plot(list(printed), list(printed.values()), "D", color=GREEN, ms=6, mfc="none", mew=1.4)
    for t, value in printed.items():
        ax.annotate(
            f"{value:.2f}", (t, value), (0, 6), textcoords="offset points", ha="center", fontsize=8, color=GREEN
        )
    ax.margins(y=0.14)
    ax.set_title(f"{TITLES[first.dataset]}\n{TITLES[first.network]}, width {first.width:g}")


def _write(ax: Axes, t: int, row: pd.Series, colour: str, above: bool) -> None:
    sd = 0 if pd.isna(row.sd) else row.sd
    y, offset = (row["mean"] + sd, 4) if above else (row["mean"] - sd, -4)
    ax.annotate(
        f"{row['mean']:.1f}", (t, y), (8 if t == 1 else 0, offset), textcoords="offset points", ha="center",
        va="bottom" if above else "top", fontsize=8, color=colour,
    )  # fmt: skip


def _ties(ax: Axes, net: pd.DataFrame) -> None:
    rows = net[(net.inference == NOISE) & (net.ties == "first")]
    for readout, found in rows.groupby("readout", sort=False):
        colour, marker = READOUTS[readout]
        for share, (_, line) in SHARES.items():
            if share == "silent" and readout != "spikes":
                continue  # that readout has no output neurons
            at = _over_seeds(found, share).loc["first"]
            ax.plot(at.index, at["mean"], ls=line, color=colour, marker=marker, ms=3)
    ax.set(xlabel="time steps T", ylim=(min(ax.get_ylim()[0], -0.5), None))
    last = rows.timesteps.max()
    ax.set_xticks([1, *range(2, last + 1, 2 * -(-last // 20))])


def _over_seeds(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """In percent, over training seeds, each averaged over its noise seeds: indexed by ties and T."""
    return over_seeds(rows.groupby(["ties", "timesteps", "seed"], sort=False)[column].mean() * 100)


def _counts(table: pd.DataFrame) -> str:
    counts = sorted(set(table.groupby([*ARCHITECTURE, "readout"]).seed.nunique()))
    return f"{' or '.join(map(str, counts))} seed{'s' * (counts != [1])}"


def _legend(table: pd.DataFrame, printed: bool) -> list[Line2D]:
    handles = [
        Line2D([], [], color=colour, marker=marker, ms=4, label=f"readout {readout}")
        for readout, (colour, marker) in READOUTS.items() if readout in set(table.readout)
    ]  # fmt: skip
    dark = "#444444"
    handles += [
        Line2D([], [], color=dark, ls="--", lw=0.9, marker="o", mfc="white", ms=4, label="ties broken at random"),
        Line2D([], [], color=dark, ls="", marker="*", ms=11, mec=BLACK, label="T = 1, constant ½ for the noise"),
    ]
    if printed:
        handles.append(Line2D([], [], color=GREEN, ls="", marker="D", mfc="none", mew=1.4, label="paper, Table 2"))
    return handles + [Line2D([], [], color=dark, ls=ls, label=f"below: {words}") for words, ls in SHARES.values()]
