"""How likely a neuron fires and what its training takes for a derivative; and one image's spikes, layer by layer."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments.method.raster import Raster
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, figure, style

_STEPS = {2: "Step 2: noise anew at each step", 3: "Step 3: part of it is memory"}


def firing(table: pd.DataFrame) -> Figure:
    """A column for each noise: the firing probability above, its derivative and the surrogate's below.

    Args:
        table: from `snnlib.experiments.method.firing.firing`.
    """
    noises = list(table.groupby("noise", sort=False))
    fig = figure(4.0 * len(noises), 5.6)
    with style():
        axes = fig.subplots(2, len(noises), sharex=True, sharey="row", squeeze=False)
        for (above, below), (noise, rows) in zip(axes.T, noises, strict=True):
            above.plot(rows.current, rows.probability, color=BLUE, label="P(I) = 1 - F(V_th - I)")
            above.plot(rows.current, rows.drawn, "o", color=BLACK, ms=4, mfc="none", label="share of draws that fire")
            above.set(title=f"N_noise {noise}")
            below.plot(rows.current, rows.derivative, color=BLUE, label="dP/dI, the truth")
            below.plot(rows.current, rows.surrogate, color=ORANGE, ls="--", label="surrogate at the mean noise")
            below.plot(rows.current, rows.mean_surrogate, color=VERMILION, ls="-.", label="surrogate, mean over noise")
            below.set(xlabel="current I (threshold = 1)", xticks=[-0.5, 0, 0.5, 1, 1.5])
        axes[0, 0].set_ylabel("probability of a spike")
        axes[1, 0].set_ylabel("derivative")
        axes[0, 0].legend(loc="upper left")
        axes[1, -1].legend(loc="upper right")
        fig.suptitle("What is trained is the expected spike: P(I), with a surrogate for its derivative", fontsize=10)
    return fig


def raster(table: pd.DataFrame, rasters: dict[int, Raster], classes: tuple[str, ...], label: int) -> Figure:
    """A column for each step of the method: spikes over time, a block for each layer; right of it the output's sums.

    Args:
        table: from `snnlib.experiments.method.raster.spikes`.
        rasters: by step, for the outputs.
        classes, label: the classes' names, and which of them is right.
    """
    layers = list(next(iter(rasters.values())).spikes)
    fig = figure(6.2 * len(rasters), 6.4)
    with style():
        axes = fig.subplots(1, 2 * len(rasters), width_ratios=[2.6, 1] * len(rasters), squeeze=False)[0]
        for i, (step, found) in enumerate(rasters.items()):
            _spikes(axes[2 * i], table, step, layers, found.outputs.shape)
            _sums(axes[2 * i + 1], found, classes, label)
            axes[2 * i].set_title(f"{_STEPS[step]}\n{_said(found, classes, label)}")
        fig.suptitle("One test image through the layers: a mark is a spike of one of a few neurons", fontsize=10)
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
        ax.scatter(mine.timestep, base + mine.place, marker="|", s=24, lw=1.8, color=colour)
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
    bars = ax.barh(np.arange(len(classes)), sums, color=colours)
    ax.bar_label(bars, [f"{value:g}" for value in sums], padding=2, fontsize=8)
    ax.set_yticks(range(len(classes)), classes, fontsize=8)
    ax.margins(x=0.2)
    ax.grid(visible=False, axis="y")
    ax.set(title="sum over t\n(green: right)", xlabel="output spikes")
