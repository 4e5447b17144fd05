"""What a user of the method asks next: anytime inference, operations per image, robustness to input noise."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator, NullLocator, StrMethodFormatter

from reproduce.experiments.beyond import anytime as rules
from reproduce.experiments.beyond import energy
from reproduce.experiments.over_seeds import at_timesteps, mean_and_sd
from reproduce.experiments.style import (
    BLACK,
    BLUE,
    GREEN,
    HALO,
    LEGEND_LINE,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    entitle,
    figure,
    key,
    legend,
    named,
    sequence,
    style,
)
from reproduce.experiments.titles import net_title
from snnlib.deploy import operations

_PARTS = {
    (operations.SYNAPSES, operations.ACCUMULATE): ("synapses, accumulates", BLUE, "o"),
    (operations.FIRST, operations.MAC): ("first layer, multiply-accumulates", BLACK, "s"),
    (operations.NORMALISATION, operations.ACCUMULATE): ("normalisation, accumulates", VERMILION, "^"),
    (operations.NEURONS, operations.ACCUMULATE): ("neurons, accumulates", GREEN, "D"),
    (operations.NEURONS, operations.MAC): ("neurons, multiply-accumulates", SKY, "v"),
    (operations.NOISE, operations.DRAW): ("noise draws", ORANGE, "X"),
}
_COST = np.logspace(-1, 3, 81)  # of a draw, pJ


def anytime(table: pd.DataFrame) -> Figure:
    """Average steps against accuracy for each rule, mean and sd over training seeds; one seed has no bar.

    Args:
        table: from `reproduce.experiments.beyond.anytime.tradeoffs`.
    """
    seeds = table.seed.nunique()
    timesteps = int(table[table.rule == rules.FIXED].threshold.max())
    looks = {
        rules.FIXED: ("every image takes T steps", BLACK, "o-"),
        rules.LEAD: ("until the best class leads by n spikes (n: at the points)", BLUE, "s-"),
        rules.SETTLED: (f"until no class can overtake: predictions as at T = {timesteps}", VERMILION, "*"),
    }
    each = rules.by_seed(table.assign(accuracy=table.accuracy * 100))
    points = each.groupby(["rule", "threshold"], dropna=False, sort=False).agg(["mean", "std"])
    with style():
        fig = figure(2.9)
        ax = fig.subplots()
        for rule, (label, colour, look) in looks.items():
            if rule not in points.index.get_level_values("rule"):
                continue
            p = points.loc[rule]
            steps, accuracy = p.mean_steps, p.accuracy
            spread = {"xerr": steps["std"], "yerr": accuracy["std"]} if seeds > 1 else {}
            spread["ms"] = 13 if look == "*" else 5
            ax.errorbar(steps["mean"], accuracy["mean"], fmt=look, color=colour, label=label, **spread)
            if rule == rules.LEAD:
                _name_leads(ax, p)
        ax.margins(y=0.12)
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set(xlabel="time steps per image, average", ylabel="test accuracy, %")
        entitle(fig, "Anytime inference", net_title(table.iloc[0]), f"({mean_and_sd([seeds])})")
        legend(fig, named([ax]), columns=1)
    return fig


def _name_leads(ax: Axes, points: pd.DataFrame) -> None:
    """The threshold beside each of the first points, which lie apart."""
    look = {"color": BLUE, "path_effects": [HALO]}
    for threshold, p in points.loc[1:4].iterrows():
        at = (p["mean_steps", "mean"], p["accuracy", "mean"])
        ax.annotate(f"{threshold:g}", at, xytext=(4, 5), textcoords="offset points", zorder=5, **look)


def operations_per_image(table: pd.DataFrame, accuracies: pd.DataFrame) -> Figure:
    """Operations by part, accuracy against the energy proxy, the proxy by what a draw costs, and firing rates.

    Args:
        table: from `reproduce.experiments.beyond.energy.operation_counts`.
        accuracies: from `reproduce.experiments.beyond.energy.accuracy_of_pairs`.
    """
    nets = dict(list(table.groupby("net", sort=False)))
    at = at_timesteps(accuracies, "net")
    panels = {"parts": (2.2, 7), "equal": (2.2, 5), "proxy": (2.2, 6)}  # inches, and lines of the legend below
    heights = [inches for height, lines in panels.values() for inches in (height, LEGEND_LINE * lines)]
    with style():
        fig = figure(sum(heights) + 1.8)
        *drawn, rates = fig.subplots(len(heights) + 1, 1, height_ratios=[*heights, 1.8])
        axes = dict(zip(panels, drawn[::2], strict=True))
        _parts(axes["parts"], nets)
        equal, within = energy.at_equal_accuracy(accuracies)
        _equal(axes["equal"], nets, at, equal, "first above the dotted line" if within else "most accurate")
        _proxy(axes["proxy"], nets, at, equal)
        _rates(rates, nets[energy.CONVERTED])
        for ax, below in zip(drawn[::2], drawn[1::2], strict=True):
            key(below, ax)
        entitle(
            fig,
            "Operations per image, mean over the test set",
            net_title(table.iloc[0]),
            f"({mean_and_sd([table.seed.nunique()])})",
        )
    return fig


def _parts(ax: Axes, nets: dict[str, pd.DataFrame]) -> None:
    by = nets[energy.CONVERTED].groupby(["part", "operation", "timesteps"]).per_image.agg(["mean", "std"])
    for part, (label, colour, marker) in _PARTS.items():
        if part in by.index.droplevel("timesteps"):
            n = by.loc[part]
            n = n[n["mean"] > 0]
            ax.errorbar(n.index, n["mean"], yerr=_bar(n["std"]), marker=marker, color=colour, label=label)
    ann = nets[energy.ANN]
    products = ann[ann.operation == operations.MAC].groupby("seed").per_image.sum().mean()  # the same in every seed
    ax.axhline(products, color=PURPLE, ls="--", label="ReLU net, all its multiply-accumulates")
    ax.set_yscale("log")
    ax.yaxis.set_major_formatter(EngFormatter())
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(title="the converted net's operations", xlabel="time steps T", ylabel="operations per image")


def _relative(nets: dict[str, pd.DataFrame], net: str, draw: float = 0.0) -> pd.DataFrame:
    """Energy proxy over that of the ReLU net: a row for each T, a column for each training seed."""
    ann = {seed: energy.energy(rows).iloc[0] for seed, rows in nets[energy.ANN].groupby("seed")}
    return pd.DataFrame({seed: energy.energy(rows, draw) / ann[seed] for seed, rows in nets[net].groupby("seed")})


def _equal(ax: Axes, nets: dict[str, pd.DataFrame], at: pd.DataFrame, equal: int, of_star: str) -> None:
    """Accuracy against the proxy with free noise, T by T, ``equal`` with a star; the ReLU nets beside it."""
    proxy, ours = _relative(nets, energy.CONVERTED), at.loc[energy.CONVERTED]
    spread = {"xerr": _bar(proxy.std(axis=1)), "yerr": _bar(ours.std()), "fmt": "o-"}
    ax.errorbar(proxy.mean(axis=1), ours.mean(), color=BLUE, label="converted net, T at the points", **spread)
    for t, x in proxy.mean(axis=1).items():
        if t in {1, 2, equal, ours.columns[-1]}:
            ax.annotate(f"{t}", (x, ours[t].mean()), xytext=(7, -9), textcoords="offset points", color=BLUE)
    x, y = proxy.loc[equal].mean(), ours[equal].mean()
    ax.plot(x, y, "*", ms=14, mfc="none", color=BLUE, label=f"{of_star}, T = {equal}: {y:.1f} % at {x:.2f}")
    ann, skipping = at.loc[energy.ANN][1], _relative(nets, energy.SKIPPING).loc[1]
    bar = None if np.isnan(ann.std()) else ann.std()
    ax.errorbar(1, ann.mean(), yerr=bar, fmt="s", color=PURPLE, label=f"ReLU net: {ann.mean():.1f} % at 1")
    named = f"the same, zeros skipped: at {skipping.mean():.2f}"
    ax.errorbar(skipping.mean(), ann.mean(), yerr=bar, fmt="s", mfc="white", color=PURPLE, label=named)
    ax.axhline(
        ann.mean() - energy.EQUAL, color=PURPLE, ls=":", lw=1, label=f"{energy.EQUAL:g} points below the ReLU net"
    )
    ax.set_xlim(left=0)
    ax.margins(y=0.15)
    ax.set(title="accuracy against energy, with free noise", ylabel="test accuracy, %")
    ax.set_xlabel("energy proxy, relative to the ReLU net")


def _proxy(ax: Axes, nets: dict[str, pd.DataFrame], at: pd.DataFrame, equal: int) -> None:
    last = int(at.columns[-1])
    by_cost = pd.concat({cost: _relative(nets, energy.CONVERTED, cost) for cost in _COST})
    shown = sorted({1, min(2, last), equal, last})
    for t, look in zip(shown, sequence(len(shown)), strict=True):
        proxy = by_cost.xs(t, level=1)
        mean, spread = proxy.mean(axis=1), proxy.std(axis=1).fillna(0)
        ax.fill_between(_COST, mean - spread, mean + spread, color=look["color"], alpha=0.25, lw=0)
        name = f"converted, T = {t}: {at.loc[energy.CONVERTED][t].mean():.1f} %"
        ax.plot(_COST, mean, markevery=10, label=name, **look)
    accuracy = at.loc[energy.ANN][1].mean()
    ax.axhline(1, color=PURPLE, ls="--", label=f"ReLU net: {accuracy:.1f} %")
    skipping = _relative(nets, energy.SKIPPING).loc[1].mean()
    ax.axhline(skipping, color=PURPLE, ls=":", label=f"ReLU net, zeros skipped: {accuracy:.1f} %")
    ax.set(xscale="log", yscale="log", xlabel="cost of one noise draw, pJ (unknown)")
    ax.set(title="energy proxy (arithmetic at 45 nm, no memory)", ylabel="relative to the ReLU net")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.set_minor_locator(NullLocator())


def _rates(ax: Axes, net: pd.DataFrame) -> None:
    last = net.timesteps.max()
    rates = {seed: energy.spikes_per_step(rows).xs(last, level="timesteps") for seed, rows in net.groupby("seed")}
    rates = pd.DataFrame(rates)
    mean = rates.mean(axis=1)
    bars = ax.bar(range(len(mean)), mean, width=0.6, color=BLUE, yerr=_bar(rates.std(axis=1)))
    ax.bar_label(bars, fmt="%.2f", padding=2)
    ax.set_xticks(range(len(mean)), [name.removeprefix("layer ") for name in mean.index])
    ax.margins(y=0.2)
    ax.set(title=f"firing rates up to T = {last}", ylabel="spikes per\nneuron and step")
    ax.set_xlabel("layer of neurons, from the image on")
    ax.grid(axis="x", visible=False)


def _bar(sd: pd.Series) -> pd.Series | None:
    """Error bars; none where one seed has no standard deviation."""
    return None if sd.isna().all() else sd


def robustness(table: pd.DataFrame) -> Figure:
    """Accuracy against the deviation of the noise on the images, mean and sd over training seeds; one has no bar.

    Args:
        table: from `reproduce.experiments.beyond.robustness.accuracies_under_noise`; T = 1 and the last are drawn.
    """
    seeds = table.seed.nunique()
    with style():
        fig = figure(2.9)
        ax = fig.subplots()
        for i, (net, rows) in enumerate(table.groupby("net", sort=False)):
            each = rows.groupby(["timesteps", "input_noise", "seed"]).accuracy.mean() * 100
            by = each.groupby(["timesteps", "input_noise"])
            last = rows.timesteps.max()
            # At T = 1 the conversions of one net are the same net.
            for t in sorted({1, last}) if i == 0 else [last]:
                look = {"ls": ":", "mfc": "white"} if t < last else {}
                look |= {"color": (BLUE, ORANGE, VERMILION)[i], "marker": "os^"[i]}
                spread = by.std()[t] if seeds > 1 else None
                name = f"{net}, T = {t}" if last > 1 else net
                ax.errorbar(by.mean()[t].index, by.mean()[t], yerr=spread, label=name, **look)
        ax.axhline(10, color="grey", lw=1, ls="--")  # of ten classes, which all data sets here have
        ax.annotate("chance", (0, 10), xytext=(0, 3), textcoords="offset points", color="grey")
        ax.set_ylim(0, 100)
        ax.set_xlabel("standard deviation of the noise on the image\n(1 = that of the training pixels)")
        ax.set_ylabel("test accuracy, %")
        entitle(fig, "Noise on the images", net_title(table.iloc[0]), f"({mean_and_sd([seeds])})")
        legend(fig, named([ax]))
    return fig
