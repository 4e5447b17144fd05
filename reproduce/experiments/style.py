"""What all figures share: width, text, colours and markers, how panels stand, and the bytes of a picture."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Mapping
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.patheffects import withStroke

# Every picture is as wide, in inches, and all its text as large, in points: 7 points where it is 9 cm wide, on a phone.
WIDTH, SIZE = 5.0, 10
CHARACTERS, OF_PANEL = 64, 25  # of a line across the picture, and above one of two panels side by side
TITLE_LINE, LEGEND_LINE = 0.17, 0.22  # inches of height

# Okabe & Ito (2008): colours that colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
HALO = withStroke(linewidth=3, foreground="white")  # of a number that lies on a line

# What is printed in grey, or seen with colour-blind eyes, is told apart by these, or by dashes or hatching.
MARKERS = "os^Dv<X>P*hd"

STYLE = {
    "font.size": SIZE,
    "axes.titlesize": SIZE,
    "figure.titlesize": SIZE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "errorbar.capsize": 2,
    "legend.columnspacing": 1.5,
    "legend.frameon": False,
    "legend.handlelength": 2.4,  # so that dashes can be told from dots
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
    "svg.hashsalt": "snnlib",  # so that the same figure has the same bytes
    "svg.fonttype": "none",
}


class Picture(Figure):
    """Shows itself at the end of a notebook's cell, which without pyplot no plain figure does.

    Attributes:
        hole: inches of height of the place of one panel that is empty, at the right end of the last row; or 0.
    """

    hole = 0.0

    def _repr_png_(self) -> bytes:
        return png(self)


def figure(height: float) -> Picture:
    """An empty figure, as wide as all are and so many inches high, that belongs to no pyplot state."""
    return Picture(figsize=(WIDTH, height), layout="constrained")


def grid(n: int, *heights: float, columns: int = 2) -> tuple[Picture, np.ndarray]:
    """A figure with panels of these heights, one below another, for each of n: side by side, as many as columns.

    Returns:
        The figure, without room for title and legend yet, and its axes, [n, heights].
    """
    columns = min(n, columns)
    rows = -(-n // columns)
    fig = figure(rows * sum(heights))
    axes = fig.subplots(rows * len(heights), columns, squeeze=False, height_ratios=heights * rows)
    axes = axes.reshape(rows, len(heights), columns).transpose(0, 2, 1).reshape(-1, len(heights))
    for ax in axes[n:].flat:
        ax.remove()
    fig.hole = sum(heights) if n < len(axes) else 0.0
    return fig, axes[:n]


def leftmost(axes: Iterable[Axes]) -> list[Axes]:
    """Those that have none to the left of them, where the axis is named."""
    return [ax for ax in axes if ax.get_subplotspec().is_first_col()]


def wrapped(*lines: str, characters: int = CHARACTERS) -> str:
    """Lines of a title, each broken where it is wider than the picture, or than so many characters."""
    return "\n".join(textwrap.fill(line, characters) for line in lines)


def entitle(fig: Figure, *lines: str) -> None:
    """Put a title above a figure, which grows by it."""
    before = len(fig.get_suptitle().splitlines())
    fig.suptitle(wrapped(*lines))
    _grow(fig, TITLE_LINE * (len(fig.get_suptitle().splitlines()) - before))


def named(axes: Iterable[Axes]) -> dict[str, Any]:
    """What any of the axes would have in a legend, by name; of the first that has it."""
    found: dict[str, Any] = {}
    for ax in axes:
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            found.setdefault(name, handle)
    return found


def legend(fig: Picture, handles: Mapping[str, Any], columns: int = 2) -> None:
    """Put a legend into a figure's hole, if that is large enough, or else below the figure, which grows by it.

    Args:
        handles: by name; several are drawn side by side.
    """
    look = {"handler_map": {tuple: HandlerTuple(ndivide=None)}}
    if LEGEND_LINE * len(handles) < fig.hole and max(map(len, handles)) < CHARACTERS / 2 - 3:
        place = {"loc": "center", "bbox_to_anchor": (0.5, 0, 0.5, fig.hole / fig.get_figheight())}
        fig.legend(handles.values(), handles, **place, **look)
    else:
        fig.legend(handles.values(), handles, loc="outside lower center", ncols=columns, **look)
        lines = sum(len(name.splitlines()) for name in handles)
        _grow(fig, LEGEND_LINE * -(-lines // columns))


def key(below: Axes, ax: Axes, columns: int = 1) -> None:
    """Put the legend of one axes into the place of others, which are `LEGEND_LINE` high for each of its lines."""
    below.axis("off")
    below.legend(*ax.get_legend_handles_labels(), loc="center", ncols=columns)


def _grow(fig: Figure, inches: float) -> None:
    fig.set_figheight(fig.get_figheight() + inches)


def sequence(n: int) -> list[dict[str, Any]]:
    """How n things in order are drawn: ever lighter, each with a marker of its own, open from the thirteenth on."""
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.8, n))
    looks = [{"marker": marker} | face for face in ({}, {"mfc": "white"}) for marker in MARKERS]
    return [{"color": colour} | look for colour, look in zip(colours, cycle(looks), strict=False)]


def style() -> mpl.rc_context:
    """The context in which axes are made and drawn on."""
    return mpl.rc_context(STYLE)


def png(fig: Figure) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def svg(fig: Figure) -> bytes:
    """The figure as SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
