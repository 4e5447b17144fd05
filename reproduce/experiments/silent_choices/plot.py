"""Where the paper is silent: what each choice does to accuracy, as a forest plot."""

from __future__ import annotations

from itertools import accumulate, pairwise

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from reproduce.experiments.over_seeds import mean_and_sd, plus_minus
from reproduce.experiments.silent_choices.table import (
    CONVERSION_CHOICES,
    READ,
    RECIPE,
    TRAINED,
    default,
    effects,
    shown,
)
from reproduce.experiments.style import VERMILION, Picture, entitle, figure, legend, style
from reproduce.experiments.titles import net_title

Rows = dict[tuple[str, str], float]
GREY, BAND = "#555555", "#DDDDDD"
ROW = 0.46  # inches from a name to the next; below stand its points, so far in rows, nearer to it than to the next
LAST, FIRST = 0.28, 0.42
TO_HEADING, FROM_HEADING = 1.1, 0.6  # rows
HEADER, TOP, BOTTOM = -0.6, 0.95, 0.65  # rows: from the first heading up to T, and to the edge; below the last name
AROUND = 0.95  # inches above and below a panel
DATA = 0.58  # the share of a panel's width that points have; numbers have the rest
COLUMNS = 0.785, 1.0  # where numbers end, at the last T and at T = 1
WHITE = {"fc": "white", "ec": "none", "pad": 1}
# Values whose names in the CSV say too little.
LABELS = {
    "spikes": "the output layer spikes",
    "potential": "no spikes, output = mean current",
    "max_normalised": "divided by the largest draw (Eq. 9)",
    "density, sigma 0.125, mean 0.5": "density of the noise",
    "density, sigma 0.125, mean 0.5, gain 0.4, bias 0.25": "the same, currents begun in it",
    "layer": "over layer and batch",
    "sample": "each image alone",
    "frozen": "constants from training images",
    "noise": "the full N_noise",
    "rest": "potential at rest, and N'",
    "crop": "crops of 4 pixels",
    "crop_flip": "crops of 4 pixels, and mirrored",
}


def pictures(table: pd.DataFrame, points: pd.DataFrame) -> dict[str, Figure]:
    """By name, a picture of the settings that are trained another way, and one of those that are run another way.

    Each has for each net a row for each setting: its difference to the default in points, the largest effect on top.
    There is none of a kind that has no settings. That of the conversion has only the nets with the most seeds, since
    one is too few to tell; the CSV has all.

    Args:
        table: of `reproduce.experiments.silent_choices.table.measure`, or its CSV.
        points: of `reproduce.experiments.silent_choices.table.differences`, or its CSV.
    """
    converted = points[points.choice.isin(CONVERSION_CHOICES)]
    seeds = converted.groupby("net").seed.transform("nunique")
    kinds = {
        "silent_choices": ("in training", points[points.choice.isin(TRAINED)]),
        "silent_choices_conversion": ("in the conversion", converted[seeds == seeds.max()]),
    }
    return {
        name: _picture(table, of_kind, effects(of_kind, table), where)
        for name, (where, of_kind) in kinds.items() if len(of_kind)
    }  # fmt: skip


def _picture(table: pd.DataFrame, points: pd.DataFrame, found: pd.DataFrame, where: str) -> Figure:
    last = table.timesteps.max()
    rows = {net: _rows(of_net[of_net.timesteps == last]) for net, of_net in found.groupby("net", sort=False)}
    heights = [TOP + max(of_net.values()) + BOTTOM for of_net in rows.values()]
    with style():
        fig = figure(ROW * sum(heights) + AROUND * len(rows))
        # As wide from the start as it will be, or the layout thinks that long headings need room on the right.
        wide = {"left": 0, "right": 1, "height_ratios": heights}
        axes = fig.subplots(len(rows), squeeze=False, gridspec_kw=wide)
        for ax, net in zip(axes[:, 0], rows, strict=True):
            of_net = (part[part.net == net] for part in (table, points, found))
            _panel(ax, *of_net, rows[net])
            ax.set_title(_entitled(table[table.net == net]))
        axes[-1, 0].set_xlabel("difference to the default's accuracy, points, paired by seed")
        entitle(fig, f"Where the paper is silent: choices {where}")
        _explain(fig, last, found.half)
    return fig


def _panel(ax: Axes, table: pd.DataFrame, points: pd.DataFrame, found: pd.DataFrame, rows: Rows) -> None:
    last = table.timesteps.max()
    spread = default(table).sd.fillna(0).xs(last, level="timesteps").item()
    ax.set_ylim(max(rows.values()) + BOTTOM, -TOP)
    _strip(ax, *_limits(found, points, spread))
    ax.axvspan(-spread, spread, color=BAND, lw=0, zorder=0)
    ax.axvline(0, color="black", lw=0.8, zorder=1)
    for t, offset, right in zip((last, 1), (LAST, FIRST), COLUMNS, strict=True):
        at = found[found.timesteps == t].set_index(["choice", "value"])
        seeds = points[points.timesteps == t].set_index(["choice", "value"]).points
        _write(ax, HEADER, f"T = {t}", right, "bold")
        for row, y in rows.items():
            if row in at.index:
                _point(ax, y + offset, at.loc[row], seeds.loc[[row]], t == last)
                _write(ax, y, _number(at.loc[row]), right, "bold" if at.loc[row].matters else "normal")
    _name(ax, table, rows)


def _entitled(table: pd.DataFrame) -> str:
    """Which net it is, and how good by default."""
    at = default(table).droplevel("net")
    values = ", ".join(f"{plus_minus(at['mean'][t], at.sd[t], '.1f')} % at T = {t}" for t in sorted(at.index)[::-1])
    first = table[table.default].iloc[0]
    images = f", {first.hold_out:,} held-out images" if first.hold_out else ""
    read = ", potentials read" if first.net.endswith(READ) else ""
    return f"{net_title(first)}{read}\ndefault: {values}\n({mean_and_sd([at.seeds.max()])}{images})"


def _rows(found: pd.DataFrame) -> Rows:
    """(choice, "") for a heading, then (choice, value) for each setting, by size; and how far below the first."""
    by_size = found.assign(size=found["mean"].abs()).sort_values("size", ascending=False)
    rows = []
    for choice in by_size.choice.unique():
        rows += [(choice, value) for value in ("", *by_size.value[by_size.choice == choice])]
    steps = [(1.0 if below else TO_HEADING) if above else FROM_HEADING for (_, above), (_, below) in pairwise(rows)]
    return dict(zip(rows, accumulate(steps, initial=0.0), strict=True))


def _limits(found: pd.DataFrame, seeds: pd.DataFrame, spread: float) -> tuple[float, float]:
    """Room for every setting, and for the band."""
    error = found.half.where(np.isfinite(found.half), 0)
    low = min((found["mean"] - error).min(), seeds.points.min(), -spread, -1)
    high = max((found["mean"] + error).max(), seeds.points.max(), spread, 1)
    return low - 0.04 * (high - low), high + 0.04 * (high - low)


def _strip(ax: Axes, low: float, high: float) -> None:
    """Let the axis go on where numbers stand, without ticks, so that none lies on data."""
    ax.set_xlim(low, low + (high - low) / DATA)
    ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    ax.set_xticks([tick for tick in ticks if low <= tick <= high])
    ax.spines["bottom"].set_bounds(low, high)


def _point(ax: Axes, y: float, row: pd.Series, seeds: pd.Series, filled: bool) -> None:
    """Mean, its interval and each seed."""
    look = {"color": VERMILION if row.matters else GREY, "alpha": 1 if filled else 0.7}
    look["mfc"] = look["color"] if filled else "white"
    if not seeds.any():  # the same by construction
        return
    ax.plot(seeds, np.full(len(seeds), y), "|", ms=6 if filled else 4, mew=0.8, **look)
    tested = np.isfinite(row.half)
    marker = "D" if row.matters else "o" if tested else "s"
    error = row.half if tested else None
    size = {"ms": 7, "lw": 1.6, "capsize": 0} if filled else {"ms": 5, "lw": 0.7, "capsize": 0}
    ax.errorbar(row["mean"], y, xerr=error, fmt=marker, zorder=3, **size, **look)


def _number(row: pd.Series) -> str:
    always_same = row["mean"] == 0 and not row.sd > 0  # of one seed there is no sd
    return "same" if always_same else shown(row["mean"], row.half)


def _write(ax: Axes, y: float, text: str, right: float, weight: str) -> None:
    """Text that ends at a share of the width of the axes."""
    at = ax.get_yaxis_transform()
    ax.text(right, y, text, transform=at, ha="right", va="center_baseline", fontweight=weight, bbox=WHITE)


def _name(ax: Axes, table: pd.DataFrame, rows: Rows) -> None:
    usual = table[table.default].drop_duplicates("choice").set_index("choice").value
    heading = []
    for choice, value in rows:
        of_paper = "paper: " if choice == RECIPE else ""
        named = of_paper + _words(choice, value) if value else f"{choice} (default: {_words(choice, usual[choice])})"
        heading.append(named)
    ax.set_yticks([*rows.values()], heading)
    for label, (_, value) in zip(ax.get_yticklabels(), rows, strict=True):
        label.set(fontweight="normal" if value else "bold", ha="left", bbox=WHITE)
    ax.tick_params(axis="y", length=0, pad=0)
    ax.grid(axis="y", visible=False)
    ax.set_axisbelow(False)  # so that names are on the lines
    ax.spines["left"].set_visible(False)


def _words(choice: str, value: str) -> str:
    if choice == RECIPE:
        epochs, optimiser, *_, rate = value.split(", ")  # the CSV has the rest
        return f"{optimiser.capitalize()}, {float(rate):g}, {epochs}"
    return LABELS.get(value, value)


def _explain(fig: Picture, last: int, halves: pd.Series) -> None:
    entries = {
        "matters: its interval (line, ±; at least 95 %) excludes 0,\nand it lies beyond the band": {
            "color": VERMILION,
            "marker": "D",
            "ls": "",
        },
        "no clear effect": {"color": GREY, "marker": "o", "ls": ""},
        "one training seed: too few to tell": {"color": GREY, "marker": "s", "ls": ""},
        "the same at T = 1": {"color": GREY, "marker": "o", "ms": 4.5, "mfc": "white", "lw": 1},
        "each training seed": {"color": GREY, "marker": "|", "ms": 5, "ls": ""},
        f"± sd of the default over seeds, T = {last}": {"color": BAND, "lw": 7},
    }
    if np.isfinite(halves).all():
        del entries["one training seed: too few to tell"]
    legend(fig, {name: Line2D([], [], **look) for name, look in entries.items()}, columns=1)
