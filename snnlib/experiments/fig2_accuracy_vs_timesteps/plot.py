"""Figure 2: accuracy against the number of time steps."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnlib.experiments.over_seeds import NET, over_seeds, percent
from snnlib.experiments.paper import TABLE2_OURS
from snnlib.experiments.style import BLUE, VERMILION, figure, style
from snnlib.experiments.titles import TITLES


def accuracy_vs_timesteps(table: pd.DataFrame) -> Figure:
    """A panel for each data set and network: ours with its spread, the paper's printed values beside it.

    Args:
        table: columns dataset, network, width, readout, noise, seed, noise_seed, timesteps, accuracy.
    """
    at = over_seeds(percent(table, *NET, "noise", "timesteps")).reset_index()
    nets = list(at.groupby([*NET, "noise"], sort=False))
    columns = min(len(nets), 2) if len(nets) != 3 else 3
    rows = -(-len(nets) // columns)
    fig = figure(3.6 * columns, 2.9 * rows + 0.4)
    with style():
        axes = fig.subplots(rows, columns, squeeze=False).flat
        for ax, (_, net) in zip(axes, nets, strict=False):
            _panel(ax, net)
        for ax in list(axes)[len(nets) :]:
            ax.remove()
        fig.suptitle("Accuracy against time steps T: the net trained at T = 1, then converted", fontsize=10)
    return fig


def _panel(ax: Axes, net: pd.DataFrame) -> None:
    first = net.iloc[0]
    spread = net.sd.fillna(0)
    ax.fill_between(net.timesteps, net["mean"] - spread, net["mean"] + spread, color=BLUE, alpha=0.2, lw=0)
    label = f"ours, mean ± sd of {first.seeds} seeds" if first.seeds > 1 else "ours, 1 seed"
    ax.errorbar(net.timesteps, net["mean"], yerr=spread, color=BLUE, marker="o", ms=4, capsize=2, label=label)
    printed = TABLE2_OURS.get(first.dataset)
    if printed:
        ax.plot(list(printed), list(printed.values()), "D", color=VERMILION, ms=6, mfc="none", label="paper, Table 2")
    for t in (1, 5, 10):
        at = net[net.timesteps == t]
        if len(at):
            below = (t, (at["mean"] - spread[at.index]).iloc[0])
            text = {"xytext": (0, -12), "textcoords": "offset points", "ha": "center", "fontsize": 8, "color": BLUE}
            ax.annotate(f"{at['mean'].iloc[0]:.1f}", below, **text)
    ax.margins(y=0.22)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set(
        title=f"{TITLES[first.dataset]}\n{TITLES[first.network]}, width {first.width:g}, readout {first.readout}",
        xlabel="time steps T",
        ylabel="test accuracy, %",
    )
    ax.legend(loc="lower right")
