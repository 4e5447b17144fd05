"""The picture of Table 2: accuracy against time steps, for ours and for what it is compared with."""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from reproduce.experiments.paper import OUR_TIMESTEPS
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    entitle,
    grid,
    leftmost,
    legend,
    named,
    style,
)
from reproduce.experiments.table2_inference_time.claims import WITHIN
from reproduce.experiments.table2_inference_time.names import METHOD_TITLES, conversion_title
from reproduce.experiments.table2_inference_time.table import LINE, by_line, power_of_two, printed_rows
from reproduce.experiments.titles import panel_title

PANEL = ["dataset", "network", "augment"]
GREY = "#777777"
GREYS = {"at T = 10": BLACK, "at T = 4": "#555555", "at T = 2": "#999999"}  # direct training at T
BROWN = "#7A4A1E"
PRINTED = {"Spike-based BP": "s", "ANN-SNN": "^", "Hybrid": "v"}


def methods_vs_timesteps(table: pd.DataFrame, tested: int | None = None) -> Figure:
    """A panel for each data set and network, T on a log axis; cut off below what ours and the paper's rows reach.

    Args:
        table: as from `table2_inference_time.table.accuracy_by_method` or `table2_inference_time.table.thinned`.
        tested: on how many images conversions were, if not on all (`Preset.ann_images`).
    """
    panels = list(by_line(table).groupby(PANEL, sort=False))
    with style():
        fig, axes = grid(len(panels), 4.0 if len(panels) == 1 else 3.2)
        for ax, (net, lines) in zip(axes[:, 0], panels, strict=True):
            of = dict(zip(PANEL, net, strict=True)) | {"width": _width(lines)}
            printed = printed_rows()
            _panel(ax, lines, printed[printed.dataset == of["dataset"]], 8 if len(panels) == 1 else 5)
            ax.set_title(panel_title(of))
        for ax in leftmost(axes.flat):
            ax.set_ylabel("test accuracy, %")
        of_ann = "(to IF: the ANN's accuracy on all images, less what"
        few = [of_ann, f"the first {tested:,} of them lose by conversion)"] if tested else []
        entitle(fig, "Accuracy against time steps", "(mean over training seeds, bars: ± sd)", *few)
        handles = named(axes.flat)
        legend(fig, {name: handles[name] for name in sorted(handles, key=_place)}, columns=1)
    return fig


def _panel(ax: Axes, lines: pd.DataFrame, paper: pd.DataFrame, labels: int) -> None:
    shown = lines[lines.method != "ann"]
    low = min(shown[shown.method == "ours"].accuracy_mean.min(), paper.accuracy_mean.min())  # nan is passed over
    tops = (lines.accuracy_mean + lines.accuracy_sd.fillna(0))[lines.accuracy_mean >= low]
    high = max(tops.max(), paper.accuracy_mean.max())
    bottom, top = low - 0.25 * (high - low), high + 0.04 * (high - low)
    for _, line in shown.groupby(LINE, sort=False):
        first = line.iloc[0]
        marked = power_of_two(line.timesteps) | (line.timesteps == line.timesteps.max())
        marked &= line.accuracy_mean.between(bottom, top)
        look = _look(first) | ({"lw": 0.9, "mfc": "white"} if first.width != _width(lines) else {})
        ax.plot(
            line.timesteps, line.accuracy_mean, markevery=marked.tolist(), label=_name(first, _width(lines)), **look
        )
        at = line[marked]
        # On the steep part of a curve the seeds differ by tens of points: such a bar would cross the whole panel.
        sd = at.accuracy_sd.where(at.accuracy_sd < (top - bottom) / 4, 0)
        ax.errorbar(at.timesteps, at.accuracy_mean, yerr=sd, fmt="none", ecolor=look["color"], elinewidth=0.8)
    for ann in lines[lines.method == "ann"].itertuples():
        colour, dots = (VERMILION, ":") if ann.variant == "ReLU" else (PURPLE, (0, (1, 4)))
        name = f"{ann.variant.partition(',')[0]} net before conversion"
        ax.axhline(ann.accuracy_mean, ls=dots, lw=1.6, color=colour, label=name)
    if (goal := _goal(lines)) is not None:
        name = f"{WITHIN:g} points below ours at T = {OUR_TIMESTEPS[-1]}, by the better readout"
        ax.axhline(goal, color=BLUE, lw=0.9, ls=(0, (6, 3)), label=name)
    for how, rows in paper.groupby("method", sort=False):
        others = rows[rows.author != "Ours"]
        name = f"paper, Table 2: {how}"
        if len(others):
            marker = PRINTED[how]
            ax.plot(others.timesteps, others.accuracy_mean, marker, color=GREY, mfc="none", label=name)
    ours = paper[paper.author == "Ours"]
    if len(ours):
        ax.plot(ours.timesteps, ours.accuracy_mean, "D", color=BLUE, ms=6, mfc="none", label="paper, Table 2: ours")
    ax.set_ylim(bottom, top)
    ax.set_xscale("log", base=2)
    doublings = int(math.log2(max(lines.timesteps.max(), paper.timesteps.max() if len(paper) else 1)))
    ax.set_xticks([2**i for i in range(0, doublings + 1, -(-doublings // labels))])
    ax.xaxis.set_major_formatter(ScalarFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("time steps T, log scale")


def _goal(lines: pd.DataFrame) -> float | None:
    """What a conversion is to come to, in the mean: `WITHIN` points below the better readout of ours at T = 10."""
    ours = lines[(lines.method == "ours") & (lines.timesteps == OUR_TIMESTEPS[-1]) & (lines.width == _width(lines))]
    return None if ours.empty or not (lines.method == "conversion").any() else ours.accuracy_mean.max() - WITHIN


def _width(lines: pd.DataFrame) -> float:
    """The width of the nets that are compared; direct training may have another one, with ours beside it."""
    converted = lines[lines.method == "conversion"]
    return (converted if len(converted) else lines[lines.method == "ours"]).width.iloc[0]


def _name(line: pd.Series, width: float) -> str:
    """A line in the legend; what is not said, the readout of spikes and the panel's width, is the rule."""
    match line.method:
        case "ours":
            name = f"ours, readout {line.readout}"
        case "direct" | "tuned":
            name = f"{METHOD_TITLES[line.method]} {line.variant}"
            name += "" if line.readout == "spikes" else f", readout {line.readout}"
        case _:
            name = conversion_title(line.method, line.variant)
    return name if line.width == width else f"{name}, width {line.width:g}"


def _place(name: str) -> int:
    """Where a name stands in the legend: methods in their order, ANNs, the paper."""
    starts = [*METHOD_TITLES.values(), f"{WITHIN:g} points", "ReLU net", "QCFS net", "paper"]
    return max(i for i, start in enumerate(starts) if name.startswith(start))


def _look(line: pd.Series) -> dict[str, str]:
    """Colour, marker and dashes of a line."""
    spikes = line.readout == "spikes"
    match line.method:
        case "ours":
            colour, marker, dashes = (BLUE, "o", "-") if spikes else (SKY, "s", "-")
        case "direct" | "tuned":
            looks = {"at T = 10": ("^", "-"), "at T = 4": ("v", "-."), "at T = 2": ("<", ":")}
            marker, dashes = looks.get(line.variant, (">", "-"))
            colour, marker = (GREYS.get(line.variant, BLACK), marker) if line.method == "direct" else (GREEN, "h")
            dashes = dashes if spikes else "--"
        case "conversion":
            limit, _, start = line.variant.partition(", ")
            colour, marker = {"max-norm": (ORANGE, "D"), "99.9 %": (VERMILION, "X")}.get(limit, (BROWN, "*"))
            dashes = "--" if start == "V(0) = 0" else "-"
        case _:
            colour, marker, dashes = PURPLE, "P", "-"
    return {"color": colour, "marker": marker, "ls": dashes}
