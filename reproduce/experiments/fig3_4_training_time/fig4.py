"""Figure 4: what is saved until a benchmark accuracy, beside what the paper prints, and what a training step costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reproduce.experiments.at_equal_time import bound_sign
from reproduce.experiments.effects import LEAST_SEEDS
from reproduce.experiments.fig3_4_training_time.claims import printed_saving, saved
from reproduce.experiments.fig3_4_training_time.fig3 import ARM_LOOKS
from reproduce.experiments.fig3_4_training_time.paired import seconds_to_benchmark, times_faster
from reproduce.experiments.fig3_4_training_time.race import OPPONENTS
from reproduce.experiments.over_seeds import ARCHITECTURE, counted
from reproduce.experiments.paper import TRAINING_TIME
from reproduce.experiments.style import BLACK, entitle, grid, legend, named, style
from reproduce.experiments.titles import net_title

PALE = "#99C7E0"
DASHED = (0, (5, 2, 1, 2, 1, 2))  # as no arm is
FARTHEST = -1e3  # percent saved, down to which a bar is drawn: it may have no end
LOWEST = -100  # percent saved, down to which the axis goes: twice as long as the other
ROOM = 0.28  # of the axis' height, below all that is drawn, for words


def time_to_accuracy(times: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Above, percent of direct training's time that ours saves until an accuracy; below, what a step costs, as factors.

    Args:
        times: from `fig3_4_training_time.curves.time_to_benchmark`.
        costs: from `fig3_4_training_time.cost.training_cost`.
    """
    nets = list(times.groupby(ARCHITECTURE, sort=False))
    with style():
        fig, axes = grid(len(nets), 3.3, 1.6, columns=1)
        for (key, net), (above, below) in zip(nets, axes, strict=True):
            _savings(above, net)
            _costs(below, costs.set_index(ARCHITECTURE).loc[key].set_index("arm"))
        entitle(
            fig,
            "Training time saved until both reach an accuracy;",
            "below, what a step costs (geometric mean over seeds, thin",
            "lines for the seeds; bar, in brackets: its 95 % interval,",
            "with what the time between two tests leaves open)",
        )
        lines = named(axes[:, 0])
        legend(fig, dict(sorted(lines.items(), key=lambda item: not item[0].startswith("against"))), columns=1)
    return fig


def _savings(ax: Axes, net: pd.DataFrame) -> None:
    """A line against each opponent: the mean over seeds where each seed's pair gets there, thin lines for the seeds."""
    first = net.iloc[0]
    for opponent in OPPONENTS:
        pairs = seconds_to_benchmark(net, opponent)
        there = pairs[pairs.ours_reached & pairs.other_reached]
        if there.empty:
            continue
        timesteps = net[net.arm == opponent].timesteps.iloc[0]
        colour, marker, line = ARM_LOOKS[opponent]
        seeds = pairs.seed.nunique()
        means = {
            goal: saved(times_faster(rows).mean) for goal, rows in there.groupby("benchmark") if len(rows) == seeds
        }
        label = f"against direct training at T = {timesteps}"
        ax.plot([100 * goal for goal in means], list(means.values()), color=colour, ls=line, label=label)
        if seeds > 1:
            for _, seed in there.groupby("seed"):
                ax.plot(100 * seed.benchmark, seed.saved, color=colour, ls=line, lw=0.6, alpha=0.5, label="_")
        if opponent == OPPONENTS[0]:
            _own_benchmark(ax, pairs[pairs.chosen], colour, marker)
    _printed(ax, first.network)
    ax.axhline(0, color=BLACK, lw=0.8)
    low = max(min(ax.dataLim.y0, 0), LOWEST)
    ax.set_ylim(low - ROOM / (1 - ROOM) * (104 - low), 104)
    ax.set_yticks([percent for percent in range(LOWEST, 101, 20) if percent >= low])
    ax.set(
        title=net_title(first) + (f"\n({counted([1], 'training seed')})" if net.seed.nunique() == 1 else ""),
        xlabel="benchmark: test accuracy, %",
        ylabel="training time saved, %",
    )


def _own_benchmark(ax: Axes, pairs: pd.DataFrame, colour: str, marker: str) -> None:
    """The preset's benchmark, with what is saved there: mean and, of enough seeds, its 95 % interval."""
    goal = 100 * pairs.benchmark.iloc[0]
    ax.axvline(goal, ymin=ROOM, color=BLACK, ls=":", lw=1.2, label="benchmark of this preset")
    if not (pairs.ours_reached | pairs.other_reached).all():
        text = "no arm gets there" if not (pairs.ours_reached | pairs.other_reached).any() else "not in every seed"
    else:
        more, less = not pairs.other_reached.all(), not pairs.ours_reached.all()
        factor = times_faster(pairs)
        mean, low, high = map(saved, (factor.mean, *factor.interval))
        text = f"saves {bound_sign(more, less)}{factor.shown('.0f', ' %', saved)}"
        look = {"color": colour, "marker": marker, "mfc": "white", "ms": 6, "label": "_"}
        if len(pairs) >= LEAST_SEEDS:
            ax.errorbar(goal, mean, yerr=[[mean - max(low, FARTHEST)], [high - mean]], **look)
        else:
            ax.errorbar(goal, mean, **look)
    _write(ax, f"ours, to {goal:g} %: {text}", 30)


def _printed(ax: Axes, network: str) -> None:
    """What the paper's printed seconds save, at its own benchmark."""
    printed = next((values for (_, name), values in TRAINING_TIME.items() if name == network), None)
    if printed is None:
        return  # a network that the paper does not have
    about = "approximately" if network == "resnet18" else "about"  # its words, Sec. 3.2
    saved = printed_saving(network)
    ax.axhline(saved, color=BLACK, ls=DASHED, lw=1, label="the paper's printed seconds")
    ax.annotate(
        f"paper\n{saved:.0f} %", (1, saved), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", annotation_clip=False,
    )  # fmt: skip
    _write(
        ax,
        f"paper, to {100 * printed['benchmark']:.0f} %: {printed['ours_seconds']:,} in place of "
        f"{printed['direct_seconds']:,} s\nsaves {saved:.0f} %, “{about} {100 * printed['saving']:.0f}%”",
        4,
    )


def _write(ax: Axes, text: str, height: float) -> None:
    """In the room at the bottom, so many points above it."""
    ax.annotate(text, (0.02, 0), (0, height), "axes fraction", "offset points", va="bottom")


def _costs(ax: Axes, costs: pd.DataFrame) -> None:
    """Factors, direct training over ours, and for the batch ours over direct training."""
    ours, direct = costs.loc["ours"], costs.loc["direct"]
    gib = ours.memory_limit_bytes / 2**30
    bars = {
        "time of a step": (
            direct.step_seconds / ours.step_seconds,
            f"{_three(1e3 * direct.step_seconds)} / {_three(1e3 * ours.step_seconds)} ms",
        ),
        "FLOP of a step": (
            direct.step_flop / ours.step_flop,
            f"{_three(direct.step_flop / 1e9)} / {_three(ours.step_flop / 1e9)} GFLOP",
        ),
        "peak memory": (
            direct.peak_bytes / ours.peak_bytes,
            f"{_three(direct.peak_bytes / 2**20)} / {_three(ours.peak_bytes / 2**20)} MiB",
        ),
        f"batch in {gib:g} GiB": (
            ours.largest_batch / direct.largest_batch if direct.largest_batch else 0.0,
            f"{ours.largest_batch:,} / {direct.largest_batch:,} images",
        ),
    }
    for y, (factor, text) in enumerate(bars.values()):
        ax.barh(y, factor, height=0.62, color=PALE)
        ax.annotate(f"{factor:.1f}×   {text}", (0, y), xytext=(4, 0), textcoords="offset points", va="center")
    ax.axvline(direct.timesteps, color=BLACK, ls=":", lw=1)
    ax.set_yticks(range(len(bars)), bars)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    t = direct.timesteps
    ax.set(xlabel=f"direct training (T = {t}) / ours; batch: ours / direct\ndotted: {t}×, the paper's “T folds”")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0, max(direct.timesteps, *(f for f, _ in bars.values())) * 1.1)


def _three(number: float) -> str:
    """A number with its first three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
