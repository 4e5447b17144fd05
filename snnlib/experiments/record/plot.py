"""What each trick gives, and how far the nets get that have those that help."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments.one_pass.table import PIPELINED, SPIKING
from snnlib.experiments.over_seeds import over_seeds, percent
from snnlib.experiments.record.table import AT, BASE, GOALS, MIRRORED, NET, NET_AND_ARM, TRICKS, ablation
from snnlib.experiments.style import BLACK, BLUE, ORANGE, SKY, figure, style
from snnlib.experiments.titles import short_title

LOOKS = {
    "one_step": ("T = 1", {"color": BLUE, "marker": "o", "mfc": "white"}),
    "spiking": ("T = {t}", {"color": BLUE, "marker": "o"}),
    "pipelined": ("T = {t}, each layer waits", {"color": ORANGE, "marker": "D"}),
    "at_once": ("an ANN, no steps", {"color": BLACK, "marker": "s"}),
}


def tricks(table: pd.DataFrame, timesteps: int = AT) -> Figure:
    """A panel for each net that has tricks: accuracy of each arm, in each way; the base's as a line.

    Args:
        table: of `snnlib.experiments.record.table.accuracies`, or its CSV.
        timesteps: T of the goals.
    """
    found = ablation(table, timesteps)
    nets = list(found.groupby(NET, sort=False))
    nets = [(net, arms) for net, arms in nets if len(arms) > 1] or nets
    fig = figure(7.6, sum(0.33 * len(arms) + 1.1 for _, arms in nets) + 0.5)
    with style():
        axes = fig.subplots(len(nets), 1, squeeze=False, height_ratios=[len(arms) + 2 for _, arms in nets])[:, 0]
        for ax, (net, arms) in zip(axes, nets, strict=True):
            _arms(ax, arms, timesteps)
            name, dataset, width, hold_out = net
            images = f"{hold_out} held-out training images" if hold_out else "test images"
            ax.set_title(
                f"{name}, {short_title(dataset)}, width {width:g}: % right of {images}", fontsize=9, loc="left"
            )
        fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=8)
        fig.suptitle(f"What each trick gives at equal epochs (mean ± sd of {_seeds(found)})", fontsize=10)
    return fig


def _arms(ax: Axes, arms: pd.DataFrame, timesteps: int) -> None:
    rows = np.arange(len(arms))
    for way, (label, look) in LOOKS.items():
        if arms[way].notna().any():
            ax.errorbar(
                arms[way], rows, xerr=arms[f"{way}_sd"].fillna(0), fmt="none", ecolor=look["color"], capsize=2, lw=1
            )
            ax.plot(arms[way], rows, ls="", ms=6, label=label.format(t=timesteps), **look)
    base = arms[arms.arm == BASE].iloc[0]
    ax.axvline(base.spiking, color=SKY, lw=1)
    ax.set_yticks(rows, [_label(arm, points) for arm, points in zip(arms.arm, arms.points, strict=True)], fontsize=8)
    ax.invert_yaxis()


def _label(arm: str, points: float) -> str:
    return "the base" if arm == BASE else TRICKS[arm] + ("" if np.isnan(points) else f" ({points:+.1f})")


def reached(table: pd.DataFrame) -> Figure:
    """Accuracy over T of each net and arm, with its minutes of training; the goals as lines.

    Args:
        table: of `snnlib.experiments.record.table.accuracies`, or its CSV.
    """
    at, found = over_seeds(percent(table, *NET_AND_ARM, "way", "timesteps")), ablation(table)
    nets = list(table[NET].drop_duplicates().itertuples(index=False, name=None))
    fig = figure(3.8 * len(nets), 4.2)
    with style():
        axes = fig.subplots(1, len(nets), squeeze=False)[0]
        for ax, net in zip(axes, nets, strict=True):
            of_net, minutes = at.xs(net, level=NET), found.set_index(NET_AND_ARM).minutes.xs(net, level=NET)
            arms = [arm for arm in (BASE, *TRICKS) if arm in of_net.index.get_level_values("arm")]
            colours = mpl.colormaps["viridis"](np.linspace(0, 0.9, len(arms)))
            for arm, colour in zip(arms, colours, strict=True):
                for way, ls in ((SPIKING, "-"), (PIPELINED, ":"), (MIRRORED, "--")):
                    if (arm, way) in of_net.index.droplevel("timesteps"):
                        rows = of_net.loc[arm, way]
                        label = f"{_label(arm, np.nan)}, {minutes[arm]:.2g} min" if way == SPIKING else None
                        ax.errorbar(
                            rows.index, rows["mean"], rows.sd.fillna(0), fmt=f"o{ls}", ms=3, capsize=1.5,
                            color=colour, label=label,
                        )  # fmt: skip
            for goal, accuracy in GOALS.items() if net[1] == "cifar10" else ():
                ax.axhline(100 * accuracy, color=BLACK, lw=0.8, ls="--")
                ax.annotate(goal, (1, 100 * accuracy), xytext=(0, 2), textcoords="offset points", fontsize=7)
            ax.set_title(f"{net[0]}, {short_title(net[1])}, width {net[2]:g}", fontsize=9)
            ax.set_xlabel("time steps T (dots: of each layer, which waits;\ndashes: images are seen mirrored too)")
            ax.legend(fontsize=7)
        axes[0].set_ylabel("accuracy, %")
        fig.suptitle(f"Trained in single passes ({_seeds(found)})", fontsize=10)
    return fig


def _seeds(found: pd.DataFrame) -> str:
    seeds = sorted({int(n) for n in found.seeds.dropna()})
    return f"{' or '.join(map(str, seeds))} training seed{'s' * (seeds != [1])}"
