"""What all figures share: style, colours, and how a figure and its table reach ``figures/``."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from snnlib.experiments.made_with import NAMES
from snnlib.store.files import write
from snnlib.store.paths import figures_dir

# Okabe & Ito (2008): colours that colour-blind readers can tell apart.
BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7",
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


def figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that belongs to no pyplot state. Draw on it inside `style`."""
    return Figure(figsize=(width, height), layout="constrained")


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


def save(fig: Figure, table: pd.DataFrame, name: str, preset: str) -> Path:
    """Write ``name``.svg, .png and the .csv it was drawn from to ``figures/<preset>/``; returns the folder."""
    folder = figures_dir() / preset
    write(folder / f"{name}.csv", table.to_csv(index=False))
    write(folder / f"{name}.svg", svg(fig))
    write(folder / f"{name}.png", png(fig))
    return folder


def save_table(table: pd.DataFrame, name: str, preset: str, shown: pd.DataFrame | None = None) -> Path:
    """Write ``name``.csv, and for readers .md, to ``figures/<preset>/``; returns the folder.

    Args:
        shown: what readers see; if not given, all but the names of runs.
    """
    shown = table.drop(columns=list(NAMES), errors="ignore") if shown is None else shown
    folder = figures_dir() / preset
    write(folder / f"{name}.csv", table.to_csv(index=False))
    write(folder / f"{name}.md", shown.to_markdown(index=False) + "\n")
    return folder
