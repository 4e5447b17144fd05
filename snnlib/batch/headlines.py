"""The few questions that a newcomer asks, each answered by a claim: the paper's value, ours, its cost, the verdict."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from snnlib.batch.ledger import Ledger
from snnlib.experiments.claims import BEYOND, CLAIMS
from snnlib.experiments.evidence import Claim, parts
from snnlib.experiments.made_with import FILE, named_in
from snnlib.experiments.paper import NETWORKS
from snnlib.experiments.tables import SCALE, UNTESTED, NotTestedError, Tables
from snnlib.experiments.titles import TITLES
from snnlib.store.markdown import lines
from snnlib.store.sums import verified

HEADER = ("", "the paper", "ours", "seeds", "hours", "verdict", "command")


class Headline(NamedTuple):
    """A question, the claim that answers it, and which of the claim's parts does: its last, if not told."""

    claim: str
    question: str
    part: int = -1


HEADLINES = (
    Headline("table2_mnist", "accuracy, MNIST, T = 10"),
    Headline("table2_fashion_mnist", "accuracy, Fashion-MNIST, T = 10"),
    Headline("record", "accuracy, CIFAR-10, T = 6, on two cores"),
    Headline("faster", "training faster than direct training"),
    Headline("equal_time", "points over direct training in the same time"),
    Headline("lossless", "points that conversion adds at T = 2", part=0),
    Headline("gain_left", "points of T = 10 over T = 1 without noise"),
    Headline("speed_conversion", "inference faster than a converted ReLU net's, T = 10"),
)


def answered(ledger: Ledger, folder: Path) -> str:
    """A row for each question, as a table in Markdown.

    Args:
        folder: where the tables lie that the ledger is from, and `made_with.FILE`, which says how long runs took.

    Raises:
        DamagedError: that is not as it was written.
    """
    by_id, tables = {claim.id: claim for claim in (*CLAIMS, *BEYOND)}, Tables(folder)
    seconds = pd.read_csv(verified(folder / FILE)).set_index("run").train_seconds
    told = pd.concat([ledger.claims, ledger.beyond]).set_index("id").loc[[h.claim for h in HEADLINES]]
    rows = []
    for row, h in zip(told.itertuples(), HEADLINES, strict=True):
        tested = row.verdict not in (SCALE, UNTESTED)
        took = hours([folder / f"{name}.csv" for name in row.tables.split(", ")], seconds) if tested else ""
        command = row.command.partition(" snnlib ")[2].partition(" --preset")[0]
        measured = ours(by_id[h.claim], tables, h.part)
        rows.append((h.question, row.paper, measured, row.n, took, f"**{row.verdict}**", f"`{command}`"))
    return lines(HEADER, rows)


def hours(files: Iterable[Path], seconds: pd.Series) -> str:
    """How long two cores trained the runs that CSV files name, a net on each core; "" where there are none.

    Args:
        files: of a claim's tables.
        seconds: of training, by the run's name.
    """
    names = set().union(*map(named_in, files)) & {*seconds.dropna().index}
    return f"{seconds[[*names]].sum() / 2 / 3600:.2g}" if names else ""


def ours(claim: Claim, tables: Tables, part: int = -1) -> str:
    """What was measured, of the network or readout with the lowest mean and of that with the highest.

    Args:
        claim: what is asked.
        tables: to decide it from.
        part: which one, where a claim has several in each network, such as one for each T.
    """
    try:
        found = claim.decide(tables).items
    except NotTestedError as error:
        return str(error)
    items = sorted((item for item in parts(found)[part] if item.value is not None), key=attrgetter("value"))
    ends = [f"{item.label} {item.shown}".strip() for item in (*items[:1], *items[-1:])]
    return "; ".join(dict.fromkeys(ends)) or "no runs"


def without_runs(ledger: Ledger) -> str:
    """Which of the paper's networks lack runs for how many of its claims, "" if none does."""
    found = []
    for title in map(TITLES.get, NETWORKS):
        if count := int(ledger.claims.measured.str.contains(f"{title} no runs", regex=False).sum()):
            found.append(f"{title} for {count} claim{'' if count == 1 else 's'}")
    return ", ".join(found)
