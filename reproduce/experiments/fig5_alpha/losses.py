"""What conversion from step 2 to step 3 adds, with intervals: is it lossless (Sec. 3.3)?"""

from __future__ import annotations

import math

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reproduce.experiments.effects import Effect
from reproduce.experiments.fig5_alpha.claims import IN_PART, LOSSLESS
from reproduce.experiments.over_seeds import ARCHITECTURE, counted
from reproduce.experiments.style import BLACK, BLUE, VERMILION, entitle, grid, leftmost, legend, named, style
from reproduce.experiments.titles import panel_title

_NOISES = {
    "gaussian": ("Gaussian", {"color": BLUE, "marker": "o"}),
    "uniform": ("uniform", {"color": VERMILION, "marker": "s"}),
}
_READOUTS = {"spikes": {}, "potential": {"mfc": "white"}}


def lossless(table: pd.DataFrame) -> Figure:
    """A panel for each network: points of step 3 over step 2 at each T, by readout and noise, with 95 % intervals.

    Args:
        table: from `reproduce.experiments.fig5_alpha.table.losses`.
    """
    nets = [rows for _, rows in table.groupby(ARCHITECTURE, sort=False)]
    seeds = table.groupby([*ARCHITECTURE, "readout", "noise"]).seed.nunique()
    with style():
        fig, axes = grid(len(nets), 2.6)
        for ax, rows in zip(axes[:, 0], nets, strict=True):
            ax.sharey(axes[0, 0])
            _panel(ax, rows)
        for ax in leftmost(axes.flat):
            ax.set_ylabel("step 3 over step 2, points")
        entitle(
            fig,
            "Is conversion lossless? Mean and 95 % interval",
            f"(of seeds and test images; {counted(seeds, 'training seed')})",
        )
        legend(fig, named(axes.flat))
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
        name, look = _NOISES[noise]
        x = [place + 0.15 * (i - (len(arms) - 1) / 2) for place in range(len(steps))]
        ax.errorbar(
            x, [effect.mean for effect in effects], yerr=half, ls="none", label=f"{name}, {readout}",
            **look, **_READOUTS[readout],
        )  # fmt: skip
    ax.axhline(0, color=BLACK, lw=1, label="the paper: lossless")
    ax.axhline(LOSSLESS, color=BLACK, lw=1, ls="--", label=f"lossless above {LOSSLESS:g}")
    ax.axhline(IN_PART, color=BLACK, lw=1, ls=":", label=f"in part above {IN_PART:g}")
    ax.set_xticks(range(len(steps)), [f"{t:g}" for t in steps])
    ax.set_xlim(-0.5, len(steps) - 0.5)
    ax.set(title=panel_title(rows.iloc[0]), xlabel="time steps T")
