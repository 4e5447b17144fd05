"""Where the paper is silent: what each choice does to accuracy, as a forest plot."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from snnlib.experiments.over_seeds import plus_minus
from snnlib.experiments.silent_choices.table import default, effects, shown
from snnlib.experiments.style import VERMILION, Picture, entitle, figure, legend, style
from snnlib.experiments.titles import net_title

GREY, BAND = "#555555", "#DDDDDD"
ROW = 0.36  # inches; in it stand a name, the point at the last T, and that at T = 1, so far below its middle
NAME, LAST, FIRST = -0.25, 0.13, 0.38
HEADING = 0.1
WHITE = {"fc": "white", "ec": "none", "pad": 1}
# Values whose names in the CSV say too little.
LABELS = {
    "spikes": "the output layer spikes",
    "potential": "no spikes, output = mean current",
    "max_normalised": "divided by the largest draw (Eq. 9)",
    "layer": "over layer and batch",
    "sample": "each image alone",
    "frozen": "constants from training images",
    "noise": "the full N_noise",
    "rest": "potential at rest, and N'",
}


def silent_choices(table: pd.DataFrame, points: pd.DataFrame) -> Figure:
    """A row for each setting: its difference to the default in points, the choice with the largest effect on top.

    Args:
        table: of `snnlib.experiments.silent_choices.table.measure`, or its CSV.
        points: of `snnlib.experiments.silent_choices.table.differences`, or its CSV.
    """
    last, found = table.timesteps.max(), effects(points, table)
    rows = _rows(found[found.timesteps == last])
    with style():
        fig = figure(ROW * (len(rows) + 1) + 0.4)
        ax = fig.subplots()
        low, high = _limits(found, points)
        ax.set(xlim=(low, high), ylim=(len(rows) - 0.4, -1.1))
        spread = default(table).sd.fillna(0)[last]
        ax.axvspan(-spread, spread, color=BAND, lw=0, zorder=0)
        ax.axvline(0, color="black", lw=0.8, zorder=1)
        for t, offset, right in ((last, LAST, 0.78), (1, FIRST, 1)):
            at = found[found.timesteps == t].set_index(["choice", "value"])
            seeds = points[points.timesteps == t].set_index(["choice", "value"]).points
            _write(ax, -0.5, f"T = {t}", right, "bold")
            for y, row in enumerate(rows):
                if row in at.index:
                    _point(ax, y + offset, at.loc[row], seeds.loc[[row]], t == last)
                    _write(ax, y, _number(at.loc[row]), right, "bold" if at.loc[row].matters else "normal")
        _name(fig, ax, table, rows, last)
    return fig


def _rows(found: pd.DataFrame) -> list[tuple[str, str]]:
    """(choice, "") for a heading, then (choice, value) for each setting, by size."""
    by_size = found.assign(size=found["mean"].abs()).sort_values("size", ascending=False)
    rows = []
    for choice in by_size.choice.unique():
        rows += [(choice, value) for value in ("", *by_size.value[by_size.choice == choice])]
    return rows


def _limits(found: pd.DataFrame, seeds: pd.DataFrame) -> tuple[float, float]:
    """Room for every setting."""
    error = found.half.where(np.isfinite(found.half), 0)
    low = min((found["mean"] - error).min(), seeds.points.min(), -1)
    high = max((found["mean"] + error).max(), seeds.points.max(), 1)
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _point(ax: Axes, y: float, row: pd.Series, seeds: pd.Series, filled: bool) -> None:
    """Mean, its interval and each seed."""
    look = {"color": VERMILION if row.matters else GREY, "alpha": 1 if filled else 0.7}
    look["mfc"] = look["color"] if filled else "white"
    if not seeds.any():  # the same by construction
        return
    ax.plot(seeds, np.full(len(seeds), y), "|", ms=6 if filled else 4, mew=0.8, **look)
    marker = "D" if row.matters else "o"
    error = row.half if np.isfinite(row.half) else None
    size = {"ms": 7, "lw": 1.6, "capsize": 0} if filled else {"ms": 5, "lw": 0.7, "capsize": 0}
    ax.errorbar(row["mean"], y, xerr=error, fmt=marker, zorder=3, **size, **look)


def _number(row: pd.Series) -> str:
    always_same = row["mean"] == 0 and row.sd == 0
    return "same" if always_same else shown(row["mean"], row.half)


def _write(ax: Axes, y: float, text: str, right: float, weight: str) -> None:
    """Text that ends at a share of the width of the axes."""
    at = ax.get_yaxis_transform()
    ax.text(right, y + NAME, text, transform=at, ha="right", va="center", fontweight=weight, bbox=WHITE)


def _name(fig: Picture, ax: Axes, table: pd.DataFrame, rows: list[tuple[str, str]], last: int) -> None:
    usual = table[table.default].drop_duplicates("choice").set_index("choice").value
    heading = []
    for choice, value in rows:
        default_value = LABELS.get(usual[choice], usual[choice])
        heading.append(LABELS.get(value, value) if value else f"{choice} (default: {default_value})")
    ax.set_yticks([y + (NAME if value else HEADING) for y, (_, value) in enumerate(rows)], heading)
    for label, (_, value) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set(fontweight="normal" if value else "bold", ha="left", bbox=WHITE)
    ax.tick_params(axis="y", length=0, pad=0)
    ax.grid(axis="y", visible=False)
    ax.set_axisbelow(False)  # so that names are on the lines
    ax.spines["left"].set_visible(False)
    first, at = table.iloc[0], default(table)
    seeds = int(at.seeds[last])
    spread = f"mean ± sd of {seeds} seeds" if seeds > 1 else "1 seed"
    values = ", ".join(f"{plus_minus(at['mean'][t], at.sd[t], '.1f')} % at T = {t}" for t in (last, 1))
    ax.set_xlabel("difference to the default's test accuracy, points, paired by seed")
    entitle(
        fig,
        f"Where the paper is silent: {net_title(first)}",
        f"default: {values}",
        f"({spread})",
    )
    entries = {
        "matters: its interval (line, ±; at least 95 %) excludes 0,\nand it lies beyond the band": {
            "color": VERMILION,
            "marker": "D",
            "ls": "",
        },
        "no clear effect": {"color": GREY, "marker": "o", "ls": ""},
        "the same at T = 1": {"color": GREY, "marker": "o", "ms": 4.5, "mfc": "white", "lw": 1},
        "one training seed": {"color": GREY, "marker": "|", "ms": 5, "ls": ""},
        f"± sd of the default over seeds, T = {last}": {"color": BAND, "lw": 7},
    }
    legend(fig, {name: Line2D([], [], **look) for name, look in entries.items()}, columns=1)
