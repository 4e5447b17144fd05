"""The few questions that a newcomer asks, each answered by a claim: the paper's value, ours, its cost, the verdict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import pandas as pd

from reproduce.batch.answers import SCALES, Answer, Question
from reproduce.batch.ledger import Ledger
from reproduce.experiments.evidence import CLOSE
from reproduce.experiments.fig2_accuracy_vs_timesteps.claims import lower_end
from reproduce.experiments.fig5_alpha.claims import LOSSLESS
from reproduce.experiments.made_with import FILE, named_in
from reproduce.experiments.paper import NETWORKS, TABLE2_OURS
from reproduce.experiments.titles import TITLES
from snnlib.data.sets import SIZES
from snnlib.store.markdown import lines
from snnlib.store.sums import verified

HEADER = ("", "the paper", "ours", "seeds", "hours", "verdict", "command")


def _accuracy(dataset: str) -> Question:
    printed = TABLE2_OURS[dataset][10]
    least = lower_end(printed, SIZES[dataset][1])
    words = f"accuracy on {TITLES[dataset]} at T = 10 (to be above {least:.2f} %)"
    return Question(f"table2_{dataset}", words, paper=f"{printed} %")


HEADLINES = (
    _accuracy("mnist"),
    _accuracy("fashion_mnist"),
    _accuracy("cifar10"),
    Question("faster", "times sooner at an accuracy than direct training at T = 10"),
    Question("equal_time", "points over direct training after the same time"),
    Question(
        "lossless", f"points of step 3 (memory) over step 2 (fresh noise) at T = 2 (to be above {LOSSLESS:g})", part=0
    ),
    Question(
        "current_now",
        f"points of the output layer's currents at T = 1 over its spikes at T = 10 (to be above {-CLOSE:g})",
    ),
    Question("speed_conversion", "times faster at T = 10 than a converted ReLU net within 0.5 points"),
)


def answered(found: Mapping[str, Answer]) -> str:
    """A row for each question, as a table in Markdown.

    Args:
        found: the answers, by claim. How long runs took says `made_with.FILE` beside them.

    Raises:
        DamagedError: that is not as it was written.
    """
    rows = []
    for question in HEADLINES:
        answer = found[question.claim]
        row, folder, took = answer.row, answer.folder, ""
        if answer.tested:
            seconds = pd.read_csv(verified(folder / FILE)).set_index("run").train_seconds
            nets = row.scale.split("; ") if row.scale else ()
            took = hours([folder / f"{name}.csv" for name in row.tables.split(", ")], seconds, nets)
        command = row.command.partition(" reproduce ")[2].removesuffix(f" --preset {SCALES[-1]}")  # what it is without
        paper = question.paper or row.paper
        ours = answer.ours(question.part)
        rows.append((question.words, paper, ours, row.n, took, f"**{row.verdict}**", f"`{command}`"))
    return lines(HEADER, rows)


def hours(files: Iterable[Path], seconds: pd.Series, nets: Collection[str] = ()) -> str:
    """How long two cores trained the runs that CSV files name, a net on each core; "" where there are none.

    Args:
        files: of a claim's tables.
        seconds: of training, by the run's name.
        nets: titles of those that decided it; all if none is given.
    """
    names = set().union(*(named_in(file, nets) for file in files)) & {*seconds.dropna().index}
    return f"{seconds[[*names]].sum() / 2 / 3600:.2g}" if names else ""


def without_runs(ledger: Ledger) -> str:
    """Which of the paper's networks lack runs for how many of its claims, "" if none does."""
    found = []
    for title in map(TITLES.get, NETWORKS):
        if count := int(ledger.claims.measured.str.contains(f"{title} no runs", regex=False).sum()):
            found.append(f"{title} for {count} claim{'' if count == 1 else 's'}")
    return ", ".join(found)
