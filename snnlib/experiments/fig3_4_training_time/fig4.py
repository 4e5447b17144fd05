"""Figure 4: time until a benchmark accuracy, the paper's beside ours, and what a training step costs."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from snnlib.experiments.fig3_4_training_time.curves import savings
from snnlib.experiments.fig3_4_training_time.fig3 import ARM_COLOURS
from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.paper import TRAINING_TIME
from snnlib.experiments.style import BLACK, figure, style
from snnlib.experiments.titles import TITLES, title

ORDER = ("direct", "ours", "tuned")
SIGNS = {"exact": "", "at least": "≥ ", "at most": "≤ "}
WHISKER = {"capsize": 2, "lw": 1}
PAPER = {"direct": "#EDBE99", "ours": "#99C7E0"}  # the same colours, paler


def time_to_accuracy(times: pd.DataFrame, costs: pd.DataFrame) -> Figure:
    """Above, seconds until the benchmark with direct training as 100 %; below, the costs of a step as factors.

    Args:
        times: from `fig3_4_training_time.curves.with_step_costs`.
        costs: from `fig3_4_training_time.cost.training_cost`.
    """
    pairs = list(times.groupby(ARCHITECTURE, sort=False))
    rows = [_rows(pair) for _, pair in pairs]
    fig = figure(max(4.0 * len(pairs), 5.5), 5.6)
    with style():
        axes = fig.subplots(2, len(pairs), squeeze=False, height_ratios=(3, 2))
        for (key, pair), names, above, below in zip(pairs, rows, *axes, strict=True):
            _times(above, pair, names)
            _costs(below, costs.set_index(ARCHITECTURE).loc[key].set_index("arm"), savings(pair).iloc[0])
        same = all(names == rows[0] for names in rows)
        for row in axes if same else axes[1:]:
            for ax in row[1:]:
                ax.tick_params(axis="y", labelleft=False)
        diamond = Line2D([], [], color=BLACK, marker="D", mfc="white", ls="", ms=6)
        text = "by another clock: training steps needed × time of one step, both arms measured side by side"
        fig.legend([diamond], [text], loc="outside lower center")
        fig.suptitle("Training time until a benchmark accuracy, and the cost of a training step", fontsize=10)
        for _ in range(2):  # the width of an axis, known once it is laid out, depends on its limits a little
            fig.draw_without_rendering()
            for ax in axes[0]:
                _fit(ax)
    return fig


def _rows(pair: pd.DataFrame) -> list[str]:
    """The bars of one pair, from above."""
    return ["paper, direct", "paper, ours", *(f"here, {arm}" for arm in ORDER if arm in set(pair.arm))]


def _fit(ax: Axes) -> None:
    """Let the axis end just behind the longest of the texts beside bars, whose size does not scale with it."""
    width, end = ax.get_window_extent().width, ax.get_xlim()[1]
    right = 0.0
    for text in ax.texts:
        bar, beyond = text.xy[0], text.get_window_extent().x1 - ax.transData.transform((text.xy[0], 0))[0]
        right = max(right, bar * width / (0.97 * width - beyond)) if beyond < 0.9 * width else end
    ax.set_xlim(0, max(right, 105))


def _times(ax: Axes, pair: pd.DataFrame, rows: list[str]) -> None:
    """Bars of one pair, each a share of the time of the direct training beside it; outlined where never reached."""
    first = pair.iloc[0]
    dataset, printed = {network: (dataset, v) for (dataset, network), v in TRAINING_TIME.items()}[first.network]
    paper = {arm: printed[f"{arm}_seconds"] for arm in ("direct", "ours")}
    saved, by_steps = (savings(pair, clock).iloc[0] for clock in ("seconds", "seconds_by_steps"))
    about = "approximately" if first.network == "resnet18" else "about"  # its words, Sec. 3.2
    ends = []

    def bar(row: str, share: float, text: str, saving: str = "", error: float = 0.0, **look: object) -> None:
        y, colour = rows.index(row), ARM_COLOURS[row.split()[-1]]
        ends.append(100 * (share + error))
        if row == "here, ours" and by_steps.bound in SIGNS:
            ax.plot(100 * (1 - by_steps.saving), y, "D", color=BLACK, mfc="white", ms=6, zorder=3)
            ends[-1] = max(ends[-1], 100 * (1 - by_steps.saving))
        ax.barh(y, 100 * share, height=0.62, xerr=100 * error or None, error_kw=WHISKER, **{"color": colour, **look})
        text += f", saves{saving}" if saving else ""
        ax.annotate(text, (ends[-1], y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)

    for arm, seconds in paper.items():
        saving = f"\n{about} {_percent(printed['saving'])} (printed)" if arm == "ours" else ""
        bar(f"paper, {arm}", seconds / paper["direct"], f"{seconds:,} s", saving, color=PAPER[arm])
    unit = _whole(pair[pair.arm == "direct"]).mean()
    for arm, runs in pair.groupby("arm"):
        time, there = _whole(runs), runs.reached.sum()
        text = f"{_three(time.mean())} s"
        look = {}
        if there < len(runs):
            text = f"reached by {there} of {len(runs)}, {text}" if there else f"not reached in {text}"
            look = {"color": "white", "edgecolor": ARM_COLOURS[arm], "hatch": "////"}
        saving = f" {SIGNS[saved.bound]}{_percent(saved.saving)}" if arm == "ours" and saved.bound in SIGNS else ""
        bar(f"here, {arm}", time.mean() / unit, text, saving, time.std() / unit if len(runs) > 1 else 0.0, **look)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    ax.set(
        title=title(first).replace(", ", "\n") + f", width {first.width:g}, to {_percent(first.benchmark)}",
        xlabel=f"time, direct training = 100\n(paper: {TITLES[dataset]}, width 1, to {_percent(printed['benchmark'])})",
        xlim=(0, 1.9 * max(ends)),
        xticks=range(0, int(max(ends)) + 1, 25 if max(ends) < 200 else 100),
    )


def _costs(ax: Axes, costs: pd.DataFrame, saved: pd.Series) -> None:
    """Factors, direct training over ours, and for the batch ours over direct training."""
    ours, direct = costs.loc["ours"], costs.loc["direct"]
    gib = ours.memory_limit_bytes / 2**30
    bars = {
        "one epoch, runs' clock": (saved.epoch_ratio, ""),
        "one step, side by side": (
            direct.step_seconds / ours.step_seconds,
            f"{_three(1e3 * direct.step_seconds)} / {_three(1e3 * ours.step_seconds)} ms",
        ),
        "peak memory of a step": (
            direct.peak_bytes / ours.peak_bytes,
            f"{direct.peak_bytes / 2**20:,.0f} / {ours.peak_bytes / 2**20:,.0f} MiB",
        ),
        f"largest batch in {gib:g} GiB": (
            ours.largest_batch / direct.largest_batch if direct.largest_batch else 0.0,
            f"{ours.largest_batch:,} / {direct.largest_batch:,}",
        ),
    }
    for y, (factor, text) in enumerate(bars.values()):
        ax.barh(y, factor, height=0.62, color=PAPER["ours"])
        ax.annotate(
            f"{factor:.1f}" + (f"   {text}" if text else ""), (0, y),
            xytext=(4, 0), textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    ax.axvline(direct.timesteps, color=BLACK, ls=":", lw=1)
    ax.set_yticks(range(len(bars)), bars)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.set(xlabel=f"direct training / ours (batch: ours / direct)\ndotted: T = {direct.timesteps}")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlim(0, max(direct.timesteps, *(f for f, _ in bars.values())) * 1.1)


def _whole(runs: pd.DataFrame) -> pd.Series:
    """Seconds until the benchmark, of the whole run where it never was."""
    return runs.seconds.fillna(runs.total_seconds)


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _three(number: float) -> str:
    """A number with its first three digits, or all before the point."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
