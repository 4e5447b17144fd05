"""How likely a neuron fires and what its training takes for a derivative; and one image's spikes, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.experiments.method.raster import Raster
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    VERMILION,
    entitle,
    figure,
    grid,
    leftmost,
    legend,
    named,
    style,
)

_STEPS = {2: "Step 2: noise anew at each step", 3: "Step 3: part of it is memory"}


def firing(table: pd.DataFrame) -> Figure:
    """For each noise, the firing probability above, its derivative and the surrogate's below.

    Args:
        table: from `reproduce.experiments.method.firing.firing`.
    """
    noises = list(table.groupby("noise", sort=False))
    with style():
        fig, axes = grid(len(noises), 2.3, 2.4)
        for (above, below), (noise, rows) in zip(axes, noises, strict=True):
            above.sharey(axes[0, 0])
            below.sharey(axes[0, 1])
            above.plot(rows.current, rows.probability, color=BLUE, label="P(I) = 1 − F(V_th − I)")
            above.plot(rows.current, rows.drawn, "o", color=BLACK, ms=4, mfc="none", label="share of draws that fire")
            above.set(title=f"N_noise {noise}")
            below.plot(rows.current, rows.derivative, color=BLUE, label="dP/dI, the truth")
            below.plot(rows.current, rows.surrogate, color=ORANGE, ls="--", label="surrogate at the mean noise")
            below.plot(rows.current, rows.mean_surrogate, color=VERMILION, ls="-.", label="surrogate, mean over noise")
            below.set(xlabel="current I (threshold = 1)")
            for ax in (above, below):
                ax.set_xticks([-0.5, 0, 0.5, 1, 1.5])
        for ax in leftmost(axes[:, 0]):
            ax.set_ylabel("probability of a spike")
        for ax in leftmost(axes[:, 1]):
            ax.set_ylabel("derivative")
        entitle(fig, "What is trained is the expected spike: P(I),", "with a surrogate for its derivative")
        handles = {f"above: {name}": handle for name, handle in named(axes[:, 0]).items()}
        legend(fig, handles | {f"below: {name}": handle for name, handle in named(axes[:, 1]).items()}, columns=1)
    return fig


def raster(table: pd.DataFrame, rasters: dict[int, Raster], classes: tuple[str, ...], label: int) -> Figure:
    """A row for each step of the method: spikes over time, a block for each layer; right of it the output's sums.

    Args:
        table: from `reproduce.experiments.method.raster.spikes`.
        rasters: by step, for the outputs.
        classes, label: the classes' names, and which of them is right.
    """
    layers = list(next(iter(rasters.values())).spikes)
    with style():
        fig = figure(3.3 * len(rasters))
        axes = fig.subplots(len(rasters), 2, width_ratios=[1.4, 1], squeeze=False)
        for (left, right), (step, found) in zip(axes, rasters.items(), strict=True):
            _spikes(left, table, step, layers, found.outputs.shape)
            _sums(right, found, classes, label)
            left.set_title(f"{_STEPS[step]}\n{_said(found, classes, label)}", loc="left", x=-0.25)
        entitle(fig, "One test image through the layers:", "a mark is a spike of one of a few neurons")
    return fig


def _said(found: Raster, classes: tuple[str, ...], label: int) -> str:
    sums = found.outputs.sum(0)
    equal = int((sums == sums.max()).sum())
    first = f"the first of {equal} equal, " if equal > 1 else ""
    right = "right" if found.predicted == label else f"it is {classes[label]}"
    return f"predicted: {classes[found.predicted]} ({first}{right})"


def _spikes(ax: Axes, table: pd.DataFrame, step: int, layers: list[str], shape: tuple[int, int]) -> None:
    """The first layer at the bottom, the output, of shape [T, classes], at the top."""
    (timesteps, classes), base, ticks = shape, 0, []
    for i, layer in enumerate(layers):
        rows = table[table.layer == layer]  # of both steps: the same places
        height = classes if i == len(layers) - 1 else int(rows.place.max()) + 1 if len(rows) else 1
        mine = rows[rows.step == step]
        colour = VERMILION if i == len(layers) - 1 else BLUE if i % 2 == 0 else GREEN
        ax.scatter(mine.timestep, base + mine.place, marker="|", s=16, lw=1.5, color=colour)
        ticks.append((base + (height - 1) / 2, "output" if i == len(layers) - 1 else layer))
        base += height + 1.5
        if i < len(layers) - 1:
            ax.axhline(base - 1.25, color="#BBBBBB", lw=0.8)
    ax.set_yticks(*zip(*ticks, strict=True))
    ax.set_xticks(range(1, timesteps + 1, -(-timesteps // 10)))
    ax.set_xlim(0.5, timesteps + 0.5)
    ax.set_ylim(-1, base - 1)
    ax.grid(visible=False)
    ax.set_xlabel("time step")


def _sums(ax: Axes, found: Raster, classes: tuple[str, ...], label: int) -> None:
    sums = found.outputs.sum(0).numpy()
    colours = [GREEN if c == label else BLUE for c in range(len(classes))]
    hatches = ["//" if c == label else "" for c in range(len(classes))]
    bars = ax.barh(np.arange(len(classes)), sums, color=colours, hatch=hatches, edgecolor="white", lw=0)
    ax.bar_label(bars, [f"{value:g}" for value in sums], padding=2)
    ax.set_yticks(range(len(classes)), classes)
    ax.get_yticklabels()[label].set_fontweight("bold")
    ax.margins(x=0.2)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel("output spikes\n(bold: right)")
