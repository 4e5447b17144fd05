"""Figure 4: what is saved until a benchmark accuracy, beside what the paper prints, and what a training step costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from snnlib.experiments.evidence import Effect
from snnlib.experiments.fig3_4_training_time.claims import bound_sign, printed_saving
from snnlib.experiments.fig3_4_training_time.fig3 import ARM_LOOKS
from snnlib.experiments.fig3_4_training_time.paired import seconds_to_benchmark
from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.paper import TRAINING_TIME
from snnlib.experiments.style import BLACK, figure, style
from snnlib.experiments.titles import TITLES

OPPONENTS = ("direct", "direct4", "direct2")
PALE = "#99C7E0"


def time_to_accuracy(times: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Above, percent of direct training's time that ours saves until an accuracy; below, what a step costs, as factors.

    Args:
        times: from `fig3_4_training_time.curves.time_to_benchmark`.
        costs: from `fig3_4_training_time.cost.training_cost`.
    """
    nets = list(times.groupby(ARCHITECTURE, sort=False))
    fig = figure(max(4.6 * len(nets), 5.8), 6.2)
    with style():
        axes = fig.subplots(2, len(nets), squeeze=False, height_ratios=(3, 1.4))
        for (key, net), above, below in zip(nets, *axes, strict=True):
            _savings(above, net)
            _costs(below, costs.set_index(ARCHITECTURE).loc[key].set_index("arm"))
        for ax in axes[1, 1:]:
            ax.tick_params(axis="y", labelleft=False)
        axes[0, 0].set_ylabel("training time saved, %")
        lines = {line.get_label(): line for ax in axes[0] for line in ax.get_lines() if line.get_label()[0] != "_"}
        lines = dict(sorted(lines.items(), key=lambda item: not item[0].startswith("against")))
        fig.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=2)
        fig.suptitle(
            "Training time that ours saves until an accuracy that both reach, and the cost of a training step",
            fontsize=10,
        )
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
        counts = there.groupby("benchmark").saved.agg(["mean", "count"])
        mean = counts[counts["count"] == pairs.seed.nunique()]["mean"]
        label = f"against direct training at T = {timesteps}"
        ax.plot(100 * mean.index, mean, color=colour, ls=line, lw=1.6, label=label)
        if pairs.seed.nunique() > 1:
            for _, seed in there.groupby("seed"):
                ax.plot(100 * seed.benchmark, seed.saved, color=colour, ls=line, lw=0.6, alpha=0.5, label="_")
        if opponent == OPPONENTS[0]:
            _own_benchmark(ax, pairs[pairs.chosen], colour, marker)
    _printed(ax, first.network)
    ax.axhline(0, color=BLACK, lw=0.8)
    ax.set_ylim(bottom=min(ax.get_ylim()[0], -20), top=104)
    ax.set(
        title=f"{TITLES[first.dataset]}\n{TITLES[first.network]}, width {first.width:g}",
        xlabel="benchmark: test accuracy, %",
    )


def _own_benchmark(ax: Axes, pairs: pd.DataFrame, colour: str, marker: str) -> None:
    """The preset's benchmark, with what is saved there: mean and the 95 % interval's part of the seeds."""
    goal = 100 * pairs.benchmark.iloc[0]
    ax.axvline(goal, color=BLACK, ls=":", lw=1.2, label="benchmark of this preset")
    if not (pairs.ours_reached | pairs.other_reached).all():
        text = "no arm gets there" if not (pairs.ours_reached | pairs.other_reached).any() else "not in every seed"
    else:
        more, less = not pairs.other_reached.all(), not pairs.ours_reached.all()
        effect = Effect(pairs.saved.tolist())
        text = f"saves {bound_sign(more, less)}{effect.shown('.0f', ' %')}"
        error = effect.of_seeds if len(pairs) > 1 else None
        ax.errorbar(goal, effect.mean, yerr=error, color=colour, marker=marker, mfc="white", ms=6, capsize=3, label="_")
    right = goal < sum(ax.get_xlim()) / 2
    ax.annotate(
        f"to {goal:g} %: {text}", (goal, 0.03), xycoords=("data", "axes fraction"),
        xytext=(5 if right else -5, 0), textcoords="offset points", ha="left" if right else "right", fontsize=8,
    )  # fmt: skip


def _printed(ax: Axes, network: str) -> None:
    """What the paper's printed seconds save, at its own benchmark."""
    printed = next(values for (_, name), values in TRAINING_TIME.items() if name == network)
    about = "approximately" if network == "resnet18" else "about"  # its words, Sec. 3.2
    saved = printed_saving(network)
    ax.axhline(saved, color=BLACK, ls="--", lw=1, label="the paper's printed seconds")
    ax.annotate(
        f"paper, to {100 * printed['benchmark']:.0f} %: {printed['ours_seconds']:,} in place of "
        f"{printed['direct_seconds']:,} s\nsaves {saved:.0f} %, “{about} {100 * printed['saving']:.0f}%”",
        (0.02, 22), xycoords=("axes fraction", "data"), va="top", fontsize=8,
    )  # fmt: skip


def _costs(ax: Axes, costs: pd.DataFrame) -> None:
    """Factors, direct training over ours, and for the batch ours over direct training."""
    ours, direct = costs.loc["ours"], costs.loc["direct"]
    gib = ours.memory_limit_bytes / 2**30
    bars = {
        "time of a step": (
            direct.step_seconds / ours.step_seconds,
            f"{_three(1e3 * direct.step_seconds)} / {_three(1e3 * ours.step_seconds)} ms",
        ),
        "peak memory of a step": (
            direct.peak_bytes / ours.peak_bytes,
            f"{_three(direct.peak_bytes / 2**20)} / {_three(ours.peak_bytes / 2**20)} MiB",
        ),
        f"largest batch in {gib:g} GiB": (
            ours.largest_batch / direct.largest_batch if direct.largest_batch else 0.0,
            f"{ours.largest_batch:,} / {direct.largest_batch:,} images",
        ),
    }
    for y, (factor, text) in enumerate(bars.values()):
        ax.barh(y, factor, height=0.62, color=PALE)
        ax.annotate(
            f"{factor:.1f}×   {text}", (0, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    ax.axvline(direct.timesteps, color=BLACK, ls=":", lw=1)
    ax.set_yticks(range(len(bars)), bars)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    t = direct.timesteps
    ax.set(
        xlabel=f"direct training (T = {t}) / ours, factor; batch: ours / direct\ndotted: {t}×, the paper's “T folds”"
    )
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0, max(direct.timesteps, *(f for f, _ in bars.values())) * 1.1)


def _three(number: float) -> str:
    """A number with its first three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
