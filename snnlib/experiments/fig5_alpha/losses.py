"""What conversion from step 2 to step 3 adds, with intervals: is it lossless (Sec. 3.3)?"""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from snnlib.experiments.evidence import Effect
from snnlib.experiments.fig5_alpha.claims import IN_PART, LOSSLESS
from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.style import BLACK, BLUE, VERMILION, figure, style
from snnlib.experiments.titles import title

_NOISES = {"gaussian": ("Gaussian", BLUE), "uniform": ("uniform", VERMILION)}
_READOUTS = {"spikes": {"marker": "o"}, "potential": {"marker": "s", "mfc": "white"}}


def lossless(table: pd.DataFrame) -> Figure:
    """A panel for each network: points of step 3 over step 2 at each T, by readout and noise, with 95 % intervals.

    Args:
        table: from `snnlib.experiments.fig5_alpha.table.losses`.
    """
    nets = [rows for _, rows in table.groupby(ARCHITECTURE, sort=False)]
    fig = figure(max(3.9 * len(nets), 7.2), 4.0)  # at least as wide as the legend
    with style():
        axes = fig.subplots(1, len(nets), squeeze=False, sharey=True)[0]
        for ax, rows in zip(axes, nets, strict=True):
            _panel(ax, rows)
        axes[0].set_ylabel("step 3 over step 2, points")
        named = {label: h for ax in axes for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
        fig.legend(named.values(), named.keys(), loc="outside lower center", ncols=4)
        seeds = " or ".join(
            map(str, sorted(table.groupby([*ARCHITECTURE, "readout", "noise"]).seed.nunique().unique()))
        )
        fig.suptitle(
            f"Is conversion lossless? Mean and 95 % interval (of seeds and test images), {seeds} training seeds",
            fontsize=10,
        )
    return fig


def _panel(ax: Axes, rows: pd.DataFrame) -> None:
    steps = sorted(rows.timesteps.unique())
    arms = list(rows.groupby(["readout", "noise"], sort=False))
    for i, ((readout, noise), arm) in enumerate(arms):
        effects = [Effect.of(arm[arm.timesteps == t]) for t in steps]
        # What fewer than three seeds leave open has no interval: the part of the images alone is drawn.
        half = [
            effect.mean - low if math.isfinite(low := effect.interval[0]) else effect.of_images for effect in effects
        ]
        name, colour = _NOISES[noise]
        x = [place + 0.15 * (i - (len(arms) - 1) / 2) for place in range(len(steps))]
        ax.errorbar(
            x, [effect.mean for effect in effects], yerr=half, color=colour, ls="none", ms=5, capsize=2.5,
            lw=1.2, label=f"{name}, {readout}", **_READOUTS[readout],
        )  # fmt: skip
    ax.axhline(0, color=BLACK, lw=1, label="the paper: lossless")
    ax.axhline(LOSSLESS, color=BLACK, lw=1, ls="--", label=f"lossless above {LOSSLESS:g}")
    ax.axhline(IN_PART, color=BLACK, lw=1, ls=":", label=f"in part above {IN_PART:g}")
    ax.set_xticks(range(len(steps)), [f"{t:g}" for t in steps])
    ax.set_xlim(-0.5, len(steps) - 0.5)
    ax.set(title=f"{title(rows.iloc[0])}\nwidth {rows.width.iloc[0]:g}", xlabel="time steps T")
