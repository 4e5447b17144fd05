"""Figure 1: the three steps, the accuracy at each, and the terms of Eq. 6 in every layer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from snnlib.experiments import eq6_terms
from snnlib.experiments.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, figure, style
from snnlib.experiments.titles import TITLES

_TERM_COLOURS = {
    eq6_terms.NOISE: BLACK,
    eq6_terms.POTENTIAL: VERMILION,
    eq6_terms.RESIDUAL: BLUE,
    eq6_terms.SUM: GREEN,
}
_SHOWN = 3  # copies of the net that the sketch shows of T


def method(steps: pd.DataFrame, densities: pd.DataFrame, net: dict) -> Figure:
    """Three sketches with their measured accuracies above, histograms of Eq. 6 below.

    Args:
        steps: columns step (1, 2, 3), timesteps, mean, std (accuracy in percent, over noise seeds), noise_seeds.
        densities: from `eq6_terms.histograms`.
        net: the run's columns, `snnlib.runs.run.Spec.columns`.
    """
    layers = list(densities.layer.unique())
    fig = figure(2.2 * max(len(layers), 4), 5.4)
    with style():
        above, below = fig.subfigures(2, 1, height_ratios=[1.05, 1])
        for ax, (_, row) in zip(above.subplots(1, len(steps)), steps.iterrows(), strict=True):
            _sketch(ax, row)
        axes = below.subplots(1, len(layers), sharey=True)
        for ax, layer in zip(axes, layers, strict=True):
            _histograms(ax, layer, densities[densities.layer == layer])
        axes[0].set_ylabel("density (log scale)")
        handles, labels = axes[0].get_legend_handles_labels()
        below.legend(handles, labels, loc="outside lower center", ncols=len(handles))
        below.suptitle("What a neuron adds to its input, from the second step on (Eq. 6)", fontsize=10)
        n = int(steps.noise_seeds.min())
        above.suptitle(
            f"{TITLES[net['dataset']]}, {TITLES[net['network']]} of width {net['width']:g}, "
            f"readout {net['readout']}, seed {net['seed']}: one set of weights, three dynamics\n"
            f"test accuracy, mean ± standard deviation of {n} noise seed{'s' * (n > 1)}",
            fontsize=10,
        )
    return fig


def _histograms(ax: Axes, layer: str, table: pd.DataFrame) -> None:
    for term, colour in _TERM_COLOURS.items():
        h = table[table.term == term]
        ax.stairs(h.density, [*h.left, h.right.iloc[-1]], color=colour, lw=1.4, label=term)
    ax.set_yscale("log")
    ax.set_ylim(1e-3, None)
    ax.set(title=layer, xlabel="potential (threshold = 1)", xticks=[0, 0.5, 1])


def _sketch(ax: Axes, row: pd.Series) -> None:
    """Boxes for the copies of the net; time runs to the right."""
    step, t = int(row.step), int(row.timesteps)
    copies = 1 if t == 1 else _SHOWN
    ax.set(xlim=(0, 10), ylim=(0, 10))
    ax.axis("off")
    names = {
        1: "Step 1: train for one step",
        2: "Step 2: T steps, the mean is the output",
        3: "Step 3: the steps remember",
    }
    inside = {1: "N_noise", 2: "N_noise", 3: "N'"}
    centres = [5.0] if copies == 1 else [1.7, 5.0, 8.3]
    for i, x in enumerate(centres):
        ax.add_patch(FancyBboxPatch((x - 1, 4.5), 2, 2.4, boxstyle="round,pad=0.05", fc="#EEF3F7", ec=BLACK))
        noise = "N_noise" if i == 0 else inside[step]
        ax.text(x, 5.7, f"weights\n+ {noise}", ha="center", va="center", fontsize=8)
        ax.annotate("", (x, 8.2), (x, 7.0), arrowprops={"arrowstyle": "->"})
        ax.annotate("", (x, 4.4), (x, 3.2), arrowprops={"arrowstyle": "->"})
        ax.text(x, 2.9, "image", ha="center", va="top", fontsize=8)
        moment = "t = 1" if i == 0 else ("t = 2" if i == 1 else f"t = {t}")
        ax.text(x, 8.4, f"output, {moment}", ha="center", fontsize=7.5)
        if i:
            before = centres[i - 1]
            dots = " …" if i == copies - 1 else ""
            if step == 3:
                ax.annotate("", (x - 1.1, 5.7), (before + 1.1, 5.7), arrowprops={"arrowstyle": "->", "color": ORANGE})
                ax.text((x + before) / 2, 6.0, f"λV{dots}", ha="center", color=VERMILION, fontsize=8)
            elif dots:
                ax.text((x + before) / 2, 5.7, "…", ha="center", va="center")
    spread = f" ± {row['std']:.2f}" if row.noise_seeds > 1 else ""
    ax.text(5, 0.2, f"T = {t}: {row['mean']:.2f}{spread} %", ha="center", fontsize=11, weight="bold", color=BLUE)
    ax.set_title(names[step])
