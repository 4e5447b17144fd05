"""Figure 5: accuracy against T for each alpha, and how wide the terms of Eq. 6 really are."""

from __future__ import annotations

import math
from itertools import cycle

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments import eq6_terms
from snnlib.experiments.over_seeds import NET, at_timesteps
from snnlib.experiments.style import BLACK, BLUE, GREEN, VERMILION, figure, style
from snnlib.experiments.titles import printed_accuracy, title

WIDTH = 6.4  # inches, at least, for titles and legends
_MARKERS = "osD^vPX"
_TERMS = {
    eq6_terms.POTENTIAL: {"color": VERMILION, "marker": "o"},
    eq6_terms.RESIDUAL: {"color": BLUE, "marker": "s"},
    eq6_terms.SUM: {"color": GREEN, "marker": "^"},
    eq6_terms.NOISE: {"color": BLACK, "ls": ":"},
}


def alpha(accuracies: pd.DataFrame) -> Figure:
    """A panel for each network.

    Args:
        accuracies: from `snnlib.experiments.fig5_alpha.table.accuracy_by_alpha`.
    """
    nets = list(accuracies.groupby([*NET, "noise"], sort=False))
    fig = figure(max(4.2 * len(nets), WIDTH), 4.2)
    with style():
        axes = fig.subplots(1, len(nets), squeeze=False)[0]
        for ax, (_, table) in zip(axes, nets, strict=True):
            _accuracy(ax, table)
        axes[0].set_ylabel("test accuracy, %")
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        fig.suptitle(f"Accuracy after conversion with each α: mean ± sd of {_seeds(accuracies)}", fontsize=10)
    return fig


def _accuracy(ax: Axes, table: pd.DataFrame) -> None:
    at = at_timesteps(table, *NET, "alpha")
    colours = _colours(table)
    for i, a in enumerate(colours):
        seeds = at.xs(a, level="alpha")
        mean, sd = seeds.mean(), seeds.std().fillna(0)
        x = mean.index + 0.07 * (i - (len(colours) - 1) / 2)  # side by side, so that no bar hides another
        marker = _MARKERS[i % len(_MARKERS)]
        ax.errorbar(
            x, mean, yerr=sd, color=colours[a], marker=marker, ms=4, lw=1.2, elinewidth=0.8, capsize=1.5,
            label=_name(a),
        )  # fmt: skip
    single = at.xs(max(colours), level="alpha")[1].mean()  # the same net at every alpha, but for the draws
    ax.axhline(single, color=BLACK, ls=":", label="single-step net, T = 1")
    ax.annotate(
        f"{single:.1f}", (1, single), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
        ha="right", fontsize=8,
    )  # fmt: skip
    first = table.iloc[0]
    last = int(at.columns[-1])
    ax.set_xticks(sorted({1, *range(2, last + 1, -(-last // 6))}))
    printed = printed_accuracy(first.dataset, 5, 10)
    ax.set_title(f"{title(first)}\nwidth {first.width:g}, readout {first.readout}\n{printed}".strip())
    ax.set_xlabel("time steps T")


def memory(spreads: pd.DataFrame) -> Figure:
    """A column for each network: N(leak V) of each layer and alpha beside its N' above, all terms by alpha below.

    Args:
        spreads: from `snnlib.experiments.fig5_alpha.table.term_spreads`.
    """
    nets = [table for _, table in spreads.groupby([*NET, "noise"], sort=False)]
    fig = figure(max(4.2 * len(nets), WIDTH), 7.4)
    with style():
        above, below = fig.subfigures(2, 1, height_ratios=[1.15, 1])
        top = above.subplots(1, len(nets), squeeze=False, sharey=True)[0]
        bottom = below.subplots(1, len(nets), squeeze=False, sharey=True)[0]
        for i, table in enumerate(nets):
            _by_layer(top[i], table)
            _by_alpha(bottom[i], table)
        for part, axes in ((above, top), (below, bottom)):
            axes[0].set_ylabel("standard deviation (threshold = 1)")
            axes[0].set_ylim(0, None)
            part.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
        above.suptitle(
            f"The memory N(λV) in each layer (marks), and N' at the same α (dashes)\nmean of {_seeds(spreads)}",
            fontsize=10,
        )
        below.suptitle("All terms of Eq. 6: mean of layers, band from the narrowest to the widest", fontsize=10)
    return fig


def _by_layer(ax: Axes, table: pd.DataFrame) -> None:
    sd = table.groupby(["term", "alpha", "layer"]).sd.mean()  # over training seeds
    names = list(table.layer.unique())
    colours = {a: colour for a, colour in _colours(table).items() if not math.isinf(a)}  # there is no memory at inf
    for marker, (a, colour) in zip(cycle(_MARKERS), colours.items(), strict=False):
        ax.plot(sd[eq6_terms.POTENTIAL, a][names].to_numpy(), color=colour, marker=marker, ms=4, lw=1, label=_name(a))
        ax.axhline(sd[eq6_terms.RESIDUAL, a].mean(), color=colour, ls="--", lw=1)
    ax.axhline(sd[eq6_terms.NOISE].mean(), color=BLACK, ls=":", label=f"{eq6_terms.NOISE} of training")
    every = -(-len(names) // 9)
    ax.set_xticks(range(0, len(names), every), [name.removeprefix("layer ") for name in names[::every]])
    ax.set(title=title(table.iloc[0]), xlabel="layer")


def _by_alpha(ax: Axes, table: pd.DataFrame) -> None:
    sd = table.groupby(["term", "alpha", "layer"], sort=False).sd.mean()  # over training seeds
    values = sorted(table.alpha.unique())
    for term, look in _TERMS.items():
        of_layers = sd[term].groupby("alpha").agg(["mean", "min", "max"]).loc[values]
        ax.fill_between(range(len(values)), of_layers["min"], of_layers["max"], color=look["color"], alpha=0.15, lw=0)
        label = f"{term} of training" if term == eq6_terms.NOISE else term
        ax.plot(range(len(values)), of_layers["mean"], ms=4, label=label, **look)
    ax.set_xticks(range(len(values)), ["inf" if math.isinf(a) else f"{a:g}" for a in values])
    ax.set(title=title(table.iloc[0]), xlabel="α of Eq. 9")


def layers(spreads: pd.DataFrame, network: str, alpha: float) -> Figure:
    """The terms of Eq. 6 in each layer of one network at one alpha, mean over training seeds.

    Args:
        spreads: from `snnlib.experiments.fig5_alpha.table.term_spreads`.
    """
    table = spreads[(spreads.network == network) & (spreads.alpha == alpha)]
    sd = table.groupby(["layer", "term"], sort=False).sd.mean().unstack("layer", sort=False)
    fig = figure(7, 3.4)
    with style():
        ax = fig.subplots()
        for term, look in _TERMS.items():
            ax.plot(range(sd.shape[1]), sd.loc[term], ms=4, label=term, **look)
        ax.set_xticks(range(sd.shape[1]), [name.removeprefix("layer ") for name in sd])
        ax.set_ylim(0, spreads[spreads.network == network].sd.max() * 1.05)  # one scale for every alpha
        ax.set(title=f"{title(table.iloc[0])}, {_name(alpha)}", xlabel="layer", ylabel="sd (threshold = 1)")
        fig.legend(loc="outside right upper")
    return fig


def _seeds(table: pd.DataFrame) -> str:
    counts = table.groupby([*NET, "noise"]).seed.nunique()
    low, high = int(counts.min()), int(counts.max())
    return f"{low if low == high else f'{low} to {high}'} training seed{'s' * (high > 1)}"


def _colours(table: pd.DataFrame) -> dict[float, np.ndarray]:
    """A colour for each alpha, ascending."""
    values = sorted(table.alpha.unique())
    return dict(zip(values, mpl.colormaps["viridis"](np.linspace(0, 0.88, len(values))), strict=True))


def _name(a: float) -> str:
    return {2: "α = 2 (no N')", math.inf: "α = inf (step 2)"}.get(a, f"α = {a:g}")
