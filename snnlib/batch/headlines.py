"""The few questions that a newcomer asks, each answered in a sentence from the ledger's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from snnlib.batch.ledger import Ledger
from snnlib.experiments.paper import NETWORKS
from snnlib.experiments.tables import SCALE, UNTESTED
from snnlib.experiments.titles import TITLES
from snnlib.store.markdown import lines

PLACE = "{}"  # of a number, or range, in an answer


class Headline(NamedTuple):
    """A question and the claim that answers it; in the answer, each `PLACE` is one part of the claim."""

    claim: str
    question: str
    answer: str
    form: str = "+.1f"


HEADLINES = (
    Headline("faster", "Does it train faster?", "direct training takes {} times as long to the same accuracy", ".1f"),
    Headline(
        "equal_time", "Is it ahead in the same time?",
        "trained for as long as direct training, its accuracy differs by {} points after a quarter of that time, {} "
        "after half and {} at the end",
    ),
    Headline(
        "accuracy_kept", "Is it as accurate as direct training?",
        "after as many epochs its accuracy differs by {} points from direct training's",
    ),
    Headline(
        "lossless", "Does conversion lose anything?",
        "giving the trained network a memory between time steps changes its accuracy by {} points at T = 2, {} at 5 "
        "and {} at 10",
    ),
    Headline("rises", "Does accuracy rise with T?", "it changes by {} points from T = 1 to 5, and by {} from 5 to 10"),
    Headline(
        "gain_left", "How much of that is left over T = 1 without noise?",
        "at T = 10 accuracy differs by {} points from that of the same weights, run at T = 1 without noise",
    ),
    Headline(
        "noise_gains", "Is it the noise in training?",
        "accuracy changes by {} points from T = 1 to 10, and there it differs by {} from that of the same network "
        "trained with the constant ½ in place of noise",
    ),
    Headline(
        "speed_conversion", "Is inference 100 times faster?",
        "until it is as accurate, a converted ReLU network takes {} times as long as ours at T = 5, and {} times as "
        "long as ours at T = 10", ".1f",
    ),
    Headline(
        "memory", "Does it need less memory?",
        "direct training needs {} times as much for a step; for a small network on a CPU, most of what ours needs is "
        "noise drawn in advance, whose size is fixed", ".1f",
    ),
)  # fmt: skip


def answered(ledger: Ledger) -> str:
    """The questions with the verdict, the paper's value and what was measured, as a table in Markdown."""
    few = pd.concat([ledger.claims, ledger.beyond]).set_index("id")
    rows = [
        (h.question, f"**{few.verdict[h.claim]}**", few.paper[h.claim], answer(h, few.loc[h.claim])) for h in HEADLINES
    ]
    return lines(("", "verdict", "the paper", "measured here"), rows)


def answer(headline: Headline, row: Mapping[str, Any]) -> str:
    """The headline's sentence with the claim's numbers, or in a few words why there are none."""
    if row["verdict"] in (UNTESTED, SCALE):
        return f"not tested: {row['measured']}"
    parts = list(zip(*(row[end].split("; ") for end in ("least", "most")), strict=True))
    over, under = ("≥" in row["measured"] or ">" in row["measured"]), "≤" in row["measured"]
    if "" in parts[0] or len(parts) != headline.answer.count(PLACE) or (over and under):
        return "no single number, see all claims"
    bound = "at least " if over else "at most " if under else ""  # a run that never got there
    ranges = (dict.fromkeys(f"{float(end):{headline.form}}" for end in ends) for ends in parts)
    return headline.answer.format(*(bound + " to ".join(ends) for ends in ranges))


def without_runs(ledger: Ledger) -> str:
    """Which of the paper's networks lack runs for how many of its claims, "" if none does."""
    found = []
    for title in map(TITLES.get, NETWORKS):
        if count := int(ledger.claims.measured.str.contains(f"{title} no runs", regex=False).sum()):
            found.append(f"{title} for {count} claim{'' if count == 1 else 's'}")
    return ", ".join(found)
