"""Figure 5: accuracy against T for each alpha; below it how wide the terms of Eq. 6 really are."""

from __future__ import annotations

import math

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments import eq6_terms
from snnlib.experiments.over_seeds import NET, at_timesteps
from snnlib.experiments.style import BLACK, BLUE, GREEN, VERMILION, figure, style
from snnlib.experiments.titles import title

_MARKERS = "osD^vPX"
_TERMS = {
    eq6_terms.POTENTIAL: {"color": VERMILION, "marker": "o"},
    eq6_terms.RESIDUAL: {"color": BLUE, "marker": "s"},
    eq6_terms.SUM: {"color": GREEN, "marker": "^"},
    eq6_terms.NOISE: {"color": BLACK, "ls": ":"},
}


def alpha(accuracies: pd.DataFrame, spreads: pd.DataFrame) -> Figure:
    """A column for each network.

    Args:
        accuracies: from `snnlib.experiments.fig5_alpha.table.accuracy_by_alpha`.
        spreads: from `snnlib.experiments.fig5_alpha.table.term_spreads`.
    """
    nets = list(accuracies.groupby([*NET, "noise"], sort=False))
    fig = figure(4.4 * len(nets), 7.2)
    with style():
        above, below = fig.subfigures(2, 1, height_ratios=[1.2, 1])
        top = above.subplots(1, len(nets), squeeze=False)[0]
        bottom = below.subplots(1, len(nets), squeeze=False, sharey=True)[0]
        for i, (net, table) in enumerate(nets):
            _accuracy(top[i], table)
            _spread(bottom[i], spreads[(spreads[[*NET, "noise"]] == list(net)).all(axis=1)])
        top[0].set_ylabel("test accuracy, %")
        bottom[0].set_ylabel("standard deviation (threshold = 1)")
        for part, axes in ((above, top), (below, bottom)):
            handles, labels = axes[0].get_legend_handles_labels()
            part.legend(handles, labels, loc="outside lower center", ncols=4)
        seeds = accuracies.groupby([*NET, "noise"]).seed.nunique()
        many = f"{seeds.min()}" if seeds.min() == seeds.max() else f"{seeds.min()} to {seeds.max()}"
        above.suptitle(f"Accuracy after conversion with each α: mean ± sd of {many} training seeds", fontsize=10)
        below.suptitle(
            "What a neuron adds to its input (Eq. 6): mean of layers, band from the narrowest to the widest",
            fontsize=10,
        )
    return fig


def _accuracy(ax: Axes, table: pd.DataFrame) -> None:
    at = at_timesteps(table, *NET, "alpha")
    values = sorted(table.alpha.unique())
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.88, len(values)))
    for i, a in enumerate(values):
        seeds = at.xs(a, level="alpha")
        mean, sd = seeds.mean(), seeds.std().fillna(0)
        x = mean.index + 0.07 * (i - (len(values) - 1) / 2)  # side by side, so that no bar hides another
        ax.errorbar(
            x, mean, yerr=sd, color=colours[i], marker=_MARKERS[i], ms=4, lw=1.2, elinewidth=0.8, capsize=1.5,
            label=_name(a),
        )  # fmt: skip
    single = at.xs(math.inf, level="alpha")[1].mean()
    ax.axhline(single, color=BLACK, ls=":", label="single-step net, T = 1")
    ax.annotate(
        f"{single:.1f}", (1, single), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
        ha="right", fontsize=8,
    )  # fmt: skip
    first = table.iloc[0]
    last = int(at.columns[-1])
    ax.set_xticks(sorted({1, *range(2, last + 1, -(-last // 6))}))
    ax.set(title=f"{title(first)}\nwidth {first.width:g}, readout {first.readout}", xlabel="time steps T")


def _spread(ax: Axes, table: pd.DataFrame) -> None:
    layers = table.groupby(["term", "alpha", "layer"], sort=False).sd.mean()  # over training seeds
    values = sorted(table.alpha.unique())
    for term, look in _TERMS.items():
        sd = layers[term].groupby("alpha").agg(["mean", "min", "max"]).loc[values]
        ax.fill_between(range(len(values)), sd["min"], sd["max"], color=look["color"], alpha=0.15, lw=0)
        ax.plot(
            range(len(values)),
            sd["mean"],
            ms=4,
            label=f"{term} of training" if term == eq6_terms.NOISE else term,
            **look,
        )
    ax.set_xticks(range(len(values)), ["inf" if math.isinf(a) else f"{a:g}" for a in values])
    ax.set_ylim(0, None)
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


def _name(a: float) -> str:
    return {2: "α = 2 (no N')", math.inf: "α = inf (step 2)"}.get(a, f"α = {a:g}")
