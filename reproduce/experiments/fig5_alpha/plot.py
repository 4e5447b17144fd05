"""Figure 5: accuracy against T for each alpha, and how wide the terms of Eq. 6 really are."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.experiments import eq6_terms
from reproduce.experiments.over_seeds import NET, at_timesteps, mean_and_sd
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    VERMILION,
    entitle,
    figure,
    grid,
    leftmost,
    legend,
    named,
    sequence,
    style,
)
from reproduce.experiments.titles import panel_title, printed_accuracy, title

_TERMS = {
    eq6_terms.POTENTIAL: {"color": VERMILION, "marker": "v"},
    eq6_terms.RESIDUAL: {"color": BLUE, "marker": "X"},
    eq6_terms.SUM: {"color": GREEN, "marker": "<"},
    eq6_terms.NOISE: {"color": BLACK, "ls": ":"},
}
_HATCHES = {eq6_terms.POTENTIAL: "\\\\\\", eq6_terms.SUM: "///"}  # of the bands that lie on each other


def alpha(accuracies: pd.DataFrame) -> Figure:
    """A panel for each network.

    Args:
        accuracies: from `reproduce.experiments.fig5_alpha.table.accuracy_by_alpha`.
    """
    nets = list(accuracies.groupby([*NET, "noise"], sort=False))
    with style():
        fig, axes = grid(len(nets), 2.9)
        for ax, (_, table) in zip(axes[:, 0], nets, strict=True):
            _accuracy(ax, table)
        for ax in leftmost(axes.flat):
            ax.set_ylabel("test accuracy, %")
        entitle(fig, "Accuracy after conversion with each α", f"({mean_and_sd(_seeds(accuracies))})")
        legend(fig, named(axes.flat))
    return fig


def _accuracy(ax: Axes, table: pd.DataFrame) -> None:
    at = at_timesteps(table, *NET, "alpha")
    looks = _looks(table)
    for i, (a, look) in enumerate(looks.items()):
        seeds = at.xs(a, level="alpha")
        mean, sd = seeds.mean(), seeds.std().fillna(0)
        x = mean.index + 0.07 * (i - (len(looks) - 1) / 2)  # side by side, so that no bar hides another
        ax.errorbar(x, mean, yerr=sd, lw=1.2, elinewidth=0.8, label=_name(a), **look)
    single = at.xs(max(looks), level="alpha")[1].mean()  # the same net at every alpha, but for the draws
    ax.axhline(single, color=BLACK, ls=":", label="single-step net, T = 1")
    ax.annotate(
        f"{single:.1f}", (1, single), xycoords=("axes fraction", "data"), xytext=(0, 3), textcoords="offset points",
        ha="right",
    )  # fmt: skip
    first = table.iloc[0]
    last = int(at.columns[-1])
    ax.set_xticks(sorted({1, *range(2, last + 1, -(-last // 6))}))
    printed = printed_accuracy(first.dataset, 5, 10)
    ax.set_title(f"{panel_title(first)}\nreadout {first.readout}\n{printed}".strip())
    ax.set_xlabel("time steps T")


def memory(spreads: pd.DataFrame) -> Figure:
    """For each network, N(leak V) of each layer and alpha beside its N' above, all terms by alpha below.

    Args:
        spreads: from `reproduce.experiments.fig5_alpha.table.term_spreads`.
    """
    nets = [table for _, table in spreads.groupby([*NET, "noise"], sort=False)]
    with style():
        fig, axes = grid(len(nets), 2.5, 1.9)
        for (above, below), table in zip(axes, nets, strict=True):
            above.sharey(axes[0, 0])
            below.sharey(axes[0, 1])
            _by_layer(above, table)
            _by_alpha(below, table)
        for ax in axes[0]:
            ax.set_ylim(0, None)
        for ax in leftmost(axes.flat):
            ax.set_ylabel("sd (threshold = 1)")
        entitle(
            fig,
            f"The terms of Eq. 6, {mean_and_sd(_seeds(spreads), 'mean')}",
            "above: N(λV) in each layer (filled), N' at the same α (dashes)",
            "below: mean of layers, band from narrowest to widest",
        )
        legend(fig, named([*axes[:, 0], *axes[:, 1]]))
    return fig


def _by_layer(ax: Axes, table: pd.DataFrame) -> None:
    sd = table.groupby(["term", "alpha", "layer"]).sd.mean()  # over training seeds
    names = list(table.layer.unique())
    for a, look in _looks(table).items():
        if math.isinf(a):
            continue  # there is no memory
        ax.plot(sd[eq6_terms.POTENTIAL, a][names].to_numpy(), lw=1, label=_name(a), **look)
        residual, across = sd[eq6_terms.RESIDUAL, a].mean(), ax.get_yaxis_transform()
        ax.plot(
            [0, 1], [residual] * 2, ls="--", lw=1, transform=across, clip_on=False, markevery=[1], label="_",
            **look | {"mfc": "white"},
        )  # fmt: skip
    ax.axhline(sd[eq6_terms.NOISE].mean(), color=BLACK, ls=":", label=f"{eq6_terms.NOISE} of training")
    every = -(-len(names) // 6)
    ax.set_xticks(range(0, len(names), every), [name.removeprefix("layer ") for name in names[::every]])
    ax.set(title=panel_title(table.iloc[0]), xlabel="layer")


def _by_alpha(ax: Axes, table: pd.DataFrame) -> None:
    sd = table.groupby(["term", "alpha", "layer"], sort=False).sd.mean()  # over training seeds
    values = sorted(table.alpha.unique())
    for term, look in _TERMS.items():
        of_layers = sd[term].groupby("alpha").agg(["mean", "min", "max"]).loc[values]
        ax.fill_between(
            range(len(values)), of_layers["min"], of_layers["max"], color=look["color"], alpha=0.2, lw=0,
            hatch=_HATCHES.get(term),
        )  # fmt: skip
        label = f"{term} of training" if term == eq6_terms.NOISE else term
        ax.plot(range(len(values)), of_layers["mean"], label=label, **look)
    ax.set_xticks(range(len(values)), ["∞" if math.isinf(a) else f"{a:g}" for a in values])
    ax.set_xlabel("α of Eq. 9")


def layers(spreads: pd.DataFrame, network: str, alpha: float) -> Figure:
    """The terms of Eq. 6 in each layer of one network at one alpha, mean over training seeds.

    Args:
        spreads: from `reproduce.experiments.fig5_alpha.table.term_spreads`.
    """
    table = spreads[(spreads.network == network) & (spreads.alpha == alpha)]
    sd = table.groupby(["layer", "term"], sort=False).sd.mean().unstack("layer", sort=False)
    with style():
        fig = figure(2.7)
        ax = fig.subplots()
        for term, look in _TERMS.items():
            ax.plot(range(sd.shape[1]), sd.loc[term], label=term, **look)
        ax.set_xticks(range(sd.shape[1]), [name.removeprefix("layer ") for name in sd])
        ax.set_ylim(0, spreads[spreads.network == network].sd.max() * 1.05)  # one scale for every alpha
        ax.set(title=f"{title(table.iloc[0])}, {_name(alpha)}", xlabel="layer", ylabel="sd (threshold = 1)")
        legend(fig, named([ax]), columns=4)
    return fig


def _seeds(table: pd.DataFrame) -> pd.Series:
    return table.groupby([*NET, "noise"]).seed.nunique()


def _looks(table: pd.DataFrame) -> dict[float, dict[str, Any]]:
    """How each alpha is drawn, ascending."""
    values = sorted(table.alpha.unique())
    return dict(zip(values, sequence(len(values)), strict=True))


def _name(a: float) -> str:
    return {2: "α = 2 (no N')", math.inf: "α = ∞ (step 2)"}.get(a, f"α = {a:g}")
