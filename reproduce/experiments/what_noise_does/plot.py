"""Accuracy of nets trained with noise and with its mean in its place, run without noise and with it, and for longer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reproduce.experiments.over_seeds import ARCHITECTURE, NET, mean_and_sd, over_seeds, percent
from reproduce.experiments.style import BLACK, BLUE, HALO, VERMILION, entitle, grid, legend, style
from reproduce.experiments.titles import panel_title
from reproduce.experiments.what_noise_does.table import AS_LIF, AT_MEAN, CONSTANT, EQ_4, NOISE, NONE, STEP_2, STEP_3

GREY = "#777777"
# Of each training: colour, marker, shift of its points, name.
LOOKS = {
    NOISE: (BLUE, "o", -0.1, "trained with noise (the paper's)"),
    CONSTANT: (VERMILION, "s", 0.1, "trained with the constant ½, its mean"),
    NONE: (GREY, "^", 0.0, "trained with nothing in its place (Eq. 4)"),
}


def what_noise_does(table: pd.DataFrame) -> Figure:
    """A panel for each readout and net: from left to right noise at inference comes, then time.

    Args:
        table: of `reproduce.experiments.what_noise_does.table.accuracies`, or its CSV.
    """
    last = int(table.timesteps.max())
    places = {
        "no noise\nT = 1": ((AT_MEAN, 1), (EQ_4, 1)), "noise\nT = 1": ((STEP_2, 1),),
        f"step 2\nT = {last}": ((STEP_2, last),), f"step 3\nT = {last}": ((STEP_3, last),),
        f"LIF\nT = {last}": ((AS_LIF, last),),
    }  # fmt: skip
    nets = list(table[ARCHITECTURE].drop_duplicates().itertuples(index=False, name=None))
    readouts = list(dict.fromkeys(table.readout))
    at = over_seeds(percent(table, *NET, "noise", "inference", "timesteps")).sort_index()
    with style():
        panels = [(*net, readout) for readout in readouts for net in nets]
        fig, axes = grid(len(panels), 2.6, columns=1)
        for ax, net in zip(axes[:, 0], panels, strict=True):
            _panel(ax, at.xs(net, level=NET), places)
            of = dict(zip(NET, net, strict=True))
            ax.set(title=f"{panel_title(of)}, readout {of['readout']}", ylabel="test accuracy, %")
        entitle(
            fig,
            "What noise does: at each place the same weights,",
            "run without noise, with noise, for longer",
            f"({mean_and_sd(at.seeds)}; axes differ; ↓: lies below)",
        )
        trained = [noise for noise in LOOKS if noise in set(table.noise)]
        legend(fig, {LOOKS[noise][3]: _handle(noise) for noise in trained}, columns=1)
    return fig


def _panel(ax: Axes, net: pd.DataFrame, places: dict[str, tuple[tuple[str, int], ...]]) -> None:
    apart = len(places) - 1  # plain LIF neurons: a way of its own, no step on the way from 1/2 to step 3
    rows = pd.DataFrame(
        [
            (x, noise, *net.loc[noise, *way][["mean", "sd"]])
            for x, ways in enumerate(places.values()) for way in ways for noise in LOOKS if (noise, *way) in net.index
        ],
        columns=["x", "noise", "mean", "sd"],
    ).fillna({"sd": 0.0})  # fmt: skip
    line = rows[rows.x < apart]
    low, high = (line["mean"] - line.sd).min(), (line["mean"] + line.sd).max()
    room = 0.22 * max(high - low, 6)
    ax.set(xlim=(-0.6, len(places) - 0.4), ylim=(low - room, high + room))
    for noise, found in rows.groupby("noise"):
        colour, marker, shift, _ = LOOKS[noise]
        inside = found[found["mean"] - found.sd > low - room]
        ax.errorbar(inside.x + shift, inside["mean"], inside.sd, color=colour, marker=marker, ls="")
        ax.plot(*found[found.x < apart][["x", "mean"]].add([shift, 0]).T.to_numpy(), color=colour, lw=1.2)
    for _, found in rows.groupby("x"):
        _write(ax, found.sort_values("mean"), low - room)
    ax.axvline(apart - 0.5, color=BLACK, lw=0.6, ls=":")
    ax.set_xticks(range(len(places)), list(places))
    ax.grid(visible=False, axis="x")


def _write(ax: Axes, found: pd.DataFrame, bottom: float) -> None:
    """The values at one place: largest above its bar, least below, others at the left; an arrow if below the axes."""
    for i, row in enumerate(found.itertuples()):
        colour, marker, shift, _ = LOOKS[row.noise]
        style = {"textcoords": "offset points", "ha": "center", "color": colour, "path_effects": [HALO]}
        mean = found["mean"].iloc[i]
        if mean - row.sd <= bottom:
            ax.plot(row.x + shift, bottom, marker, color=colour, clip_on=False)
            ax.annotate(f"↓ {mean:.1f}", (row.x, bottom), (0, 6 + 12 * i), va="bottom", **style)
        elif i == len(found) - 1:
            ax.annotate(f"{mean:.1f}", (row.x + shift, mean + row.sd), (0, 4), va="bottom", **style)
        elif i == 0:
            ax.annotate(f"{mean:.1f}", (row.x + shift, mean - row.sd), (0, -4), va="top", **style)
        else:
            first = min(shift for _, _, shift, _ in LOOKS.values())  # left of all markers, which may lie close together
            ax.annotate(f"{mean:.1f}", (row.x + first, mean), (-5, 0), va="center", **{**style, "ha": "right"})


def _handle(noise: str) -> Line2D:
    colour, marker, *_ = LOOKS[noise]
    return Line2D([], [], color=colour, marker=marker, lw=1.2)
