"""Accuracy of nets trained with noise and with its mean in its place, run without noise and with it, and for longer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from snnlib.experiments.over_seeds import ARCHITECTURE, NET, over_seeds, percent
from snnlib.experiments.style import BLACK, BLUE, VERMILION, figure, style
from snnlib.experiments.titles import short_title
from snnlib.experiments.what_noise_does.table import AS_LIF, AT_MEAN, CONSTANT, EQ_4, NOISE, NONE, STEP_2, STEP_3

GREY = "#777777"
# Of each training: colour, marker, shift of its points, name.
LOOKS = {
    NOISE: (BLUE, "o", -0.07, "trained with noise (the paper's)"),
    CONSTANT: (VERMILION, "s", 0.07, "trained with the constant ½, its mean"),
    NONE: (GREY, "^", 0.0, "trained with nothing in its place (Eq. 4)"),
}


def what_noise_does(table: pd.DataFrame) -> Figure:
    """A column for each net, a row for each readout: from left to right noise at inference comes, then time.

    Args:
        table: of `snnlib.experiments.what_noise_does.table.accuracies`, or its CSV.
    """
    last = int(table.timesteps.max())
    places = {
        "½\nT = 1": ((AT_MEAN, 1), (EQ_4, 1)), "noise\nT = 1": ((STEP_2, 1),),
        f"step 2\nT = {last}": ((STEP_2, last),), f"step 3\nT = {last}": ((STEP_3, last),),
        f"LIF\nT = {last}": ((AS_LIF, last),),
    }  # fmt: skip
    nets = list(table[ARCHITECTURE].drop_duplicates().itertuples(index=False, name=None))
    readouts = list(dict.fromkeys(table.readout))
    fig = figure(max(3.2 * len(nets) + 0.3, 6.8), 3.0 * len(readouts) + 1.1)
    at = over_seeds(percent(table, *NET, "noise", "inference", "timesteps"))
    with style():
        axes = fig.subplots(len(readouts), len(nets), squeeze=False, sharex=True)
        for row, readout in zip(axes, readouts, strict=True):
            for ax, net in zip(row, nets, strict=True):
                _panel(ax, at.xs((*net, readout), level=NET), places)
                dataset, network, width = net
                ax.set_title(f"{short_title(dataset)}, {short_title(network)}\nwidth {width:g}, readout {readout}")
            row[0].set_ylabel("test accuracy, %")
        seeds = " or ".join(map(str, sorted(set(at.seeds))))
        trained = [noise for noise in LOOKS if noise in set(table.noise)]
        fig.legend(handles=[_handle(noise) for noise in trained], loc="outside lower center", ncols=2, fontsize=8)
        fig.suptitle(
            "What noise does: at each place the same weights, run without noise, with noise, for longer\n"
            f"(mean ± sd of {seeds} training seeds; blue over orange: what noise in training gives)",
            fontsize=10,
        )
    return fig


def _panel(ax: Axes, net: pd.DataFrame, places: dict[str, tuple[tuple[str, int], ...]]) -> None:
    apart = len(places) - 1  # plain LIF neurons: a way of its own, no step on the way from 1/2 to step 3
    for noise, (colour, marker, shift, _) in LOOKS.items():
        if noise not in net.index.get_level_values("noise"):
            continue
        points = {}
        for x, ways in enumerate(places.values()):
            found = [net.loc[noise, *way] for way in ways if (noise, *way) in net.index]
            points |= {x: found[0]} if found else {}
        rows = pd.DataFrame(points).T
        ax.errorbar(
            rows.index + shift, rows["mean"], rows.sd.fillna(0), color=colour, marker=marker, ms=5, capsize=2, ls=""
        )
        line = rows[rows.index < apart]
        ax.plot(line.index + shift, line["mean"], color=colour, lw=1.2)
        for x, row in rows.iterrows():
            ax.annotate(
                f"{row['mean']:.1f}", (x + shift, row["mean"]), (-5 if shift < 0 else 5, 0), va="center",
                textcoords="offset points", ha="right" if shift < 0 else "left", fontsize=8, color=colour,
            )  # fmt: skip
    ax.axvline(apart - 0.5, color=BLACK, lw=0.6, ls=":")
    ax.set_xticks(range(len(places)), list(places))
    ax.set_xlim(-0.65, len(places) - 0.35)
    ax.grid(visible=False, axis="x")


def _handle(noise: str) -> Line2D:
    colour, marker, _, name = LOOKS[noise]
    return Line2D([], [], color=colour, marker=marker, ms=5, lw=1.2, label=name)
