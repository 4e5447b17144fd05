"""Figure 1: the three steps, the accuracy at each, and the terms of Eq. 6 in every layer."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import NullLocator, StrMethodFormatter

from reproduce.experiments import eq6_terms
from reproduce.experiments.over_seeds import counted
from reproduce.experiments.style import BLACK, BLUE, GREEN, ORANGE, VERMILION, figure, style, wrapped
from reproduce.experiments.titles import title

# Colour and dashes of each term.
_TERMS = {
    eq6_terms.NOISE: (BLACK, "-"),
    eq6_terms.POTENTIAL: (VERMILION, "--"),
    eq6_terms.RESIDUAL: (BLUE, ":"),
    eq6_terms.SUM: (GREEN, "-."),
}
_COLUMNS = 3  # of histograms
_SHOWN = 3  # copies of the net that the sketch shows of T


def method(steps: pd.DataFrame, densities: pd.DataFrame, net: dict) -> Figure:
    """Three sketches with their measured accuracies above, histograms of Eq. 6 below.

    Args:
        steps: columns step (1, 2, 3), timesteps, mean, std (accuracy in percent, over noise seeds), noise_seeds.
        densities: from `eq6_terms.histograms`.
        net: the run's columns, `reproduce.runs.spec.Spec.columns`.
    """
    layers = list(densities.layer.unique())
    rows = -(-len(layers) // _COLUMNS)
    heights = [1.6 * len(steps) + 0.7, 1.5 * rows + 0.7]
    with style():
        fig = figure(sum(heights))
        above, below = fig.subfigures(2, 1, height_ratios=heights)
        for ax, (_, row) in zip(above.subplots(len(steps), 1), steps.iterrows(), strict=True):
            _sketch(ax, row)
        axes = below.subplots(rows, _COLUMNS, sharey=True, squeeze=False)
        for ax, layer in zip(axes.flat, layers, strict=False):
            _histograms(ax, layer, densities[densities.layer == layer])
        for ax in axes.flat[len(layers) :]:
            ax.axis("off")
        for ax in axes[:, 0]:
            ax.set_ylabel("density")
        below.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        below.suptitle(
            "What a neuron adds to its input, from the second step on (Eq. 6):\n"
            "potential (threshold = 1), density on a logarithmic scale"
        )
        draws = counted([steps.noise_seeds.min()], "noise seed")
        above.suptitle(
            wrapped(
                f"{title(net)}, width {net['width']:g}, readout {net['readout']}, seed {net['seed']}",
                "one set of weights, three dynamics",
                f"test accuracy, mean ± standard deviation of {draws}",
            )
        )
    return fig


def _histograms(ax: Axes, layer: str, table: pd.DataFrame) -> None:
    for term, (colour, ls) in _TERMS.items():
        h = table[table.term == term]
        ax.stairs(h.density, [*h.left, h.right.iloc[-1]], color=colour, lw=1.4, ls=ls, label=term)
    ax.set_yscale("log")
    ax.set_ylim(1e-3, None)
    ax.set(title=layer, xticks=[0, 0.5, 1])
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())


def _sketch(ax: Axes, row: pd.Series) -> None:
    """Boxes for the copies of the net; time runs to the right."""
    step, t = int(row.step), int(row.timesteps)
    copies = min(t, _SHOWN)
    ax.set(xlim=(0, 10), ylim=(0, 10))
    ax.axis("off")
    names = {
        1: "Step 1: train for one step",
        2: "Step 2: T steps, the mean is the output",
        3: "Step 3: the steps remember",
    }
    inside = {1: "N_noise", 2: "N_noise", 3: "N'"}
    centres = {1: [5.0], 2: [3.0, 7.0], _SHOWN: [1.7, 5.0, 8.3]}[copies]
    for i, x in enumerate(centres):
        ax.add_patch(FancyBboxPatch((x - 1.1, 4.1), 2.2, 3.2, boxstyle="round,pad=0.05", fc="#EEF3F7", ec=BLACK))
        noise = "N_noise" if i == 0 else inside[step]
        ax.text(x, 5.7, f"weights\n+ {noise}", ha="center", va="center")
        ax.annotate("", (x, 8.6), (x, 7.4), arrowprops={"arrowstyle": "->"})
        ax.annotate("", (x, 4.0), (x, 2.8), arrowprops={"arrowstyle": "->"})
        ax.text(x, 2.6, "image", ha="center", va="top")
        moment = "t = 1" if i == 0 else ("t = 2" if i == 1 else f"t = {t}")
        ax.text(x, 8.7, f"output, {moment}", ha="center")
        if i:
            before = centres[i - 1]
            if step == 3:
                ax.annotate("", (x - 1.2, 5.7), (before + 1.2, 5.7), arrowprops={"arrowstyle": "->", "color": ORANGE})
                ax.text((x + before) / 2, 6.0, "λV", ha="center", color=VERMILION)
            if i == copies - 1 and t > copies:
                ax.text((x + before) / 2, 4.9, "…", ha="center", va="center")
    spread = f" ± {row['std']:.2f}" if row.noise_seeds > 1 else ""
    ax.text(5, -0.3, f"T = {t}: {row['mean']:.2f}{spread} %", ha="center", weight="bold", color=BLUE)
    ax.set_title(names[step])
