"""What all figures share: style, colours, and the bytes of a picture."""

from __future__ import annotations

import io

import matplotlib as mpl
from matplotlib.figure import Figure

# Okabe & Ito (2008): colours that colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip

STYLE = {
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "svg.hashsalt": "snnlib",  # so that the same figure has the same bytes
    "svg.fonttype": "none",
}


class Picture(Figure):
    """Shows itself at the end of a notebook's cell, which without pyplot no plain figure does."""

    def _repr_png_(self) -> bytes:
        return png(self)


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that belongs to no pyplot state. Draw on it inside `style`."""
    return Picture(figsize=(width, height), layout="constrained")


def style() -> mpl.rc_context:
    """The context in which axes are made and drawn on."""
    return mpl.rc_context(STYLE)


def png(fig: Figure, dpi: int = 150) -> bytes:
    """The figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()


def svg(fig: Figure) -> bytes:
    """The figure as SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with style():
        fig.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
