"""What is known of each claim: as it was decided at the largest published scale at which it was tested."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from reproduce.batch.ledger import Ledger, as_written
from reproduce.experiments.claims import BEYOND, CLAIMS
from reproduce.experiments.evidence import MISSING, Claim, parts
from reproduce.experiments.tables import SCALE, UNTESTED, NotTestedError, Tables
from snnlib.checks import InputError
from snnlib.store.paths import published_dir

SCALES = ("paper", "cpu", "smoke")  # presets, the largest first


class Question(NamedTuple):
    """What a reader asks, and the claim that answers it.

    Attributes:
        part: which of the claim's parts does, its last if not told.
        paper: what the paper says to that part, where it is not what it says to the claim.
    """

    claim: str
    words: str
    part: int = -1
    paper: str = ""


class Answer(NamedTuple):
    """A claim, its row of the ledger, and the folder of figures that this is from."""

    claim: Claim
    row: Any
    folder: Path

    @property
    def preset(self) -> str:
        """The preset whose folder it is."""
        return self.folder.name

    @property
    def tested(self) -> bool:
        """Whether there is anything to decide it from, in that folder."""
        return self.row.verdict not in (SCALE, UNTESTED)

    def ours(self, part: int = -1) -> str:
        """What was measured, of the network or readout with the lowest mean and of that with the highest.

        Args:
            part: which one, where a claim has several in each network, such as one for each T.
        """
        return ours(self.claim, Tables(self.folder), part)


def published() -> dict[Path, Ledger]:
    """The ledgers that are published, by folder, the largest scale first.

    Raises:
        DamagedError: one is not as it was written.
    """
    folders = [published_dir() / preset for preset in SCALES]
    return {folder: as_written(folder) for folder in folders if (folder / "claims.csv").exists()}


def answers(ledgers: Mapping[Path, Ledger]) -> dict[str, Answer]:
    """By claim, from the first ledger in which it was tested at all, if only to stay undecided.

    Where it was not tested in any, from the first that says at what scale it could be, else from the first.

    Args:
        ledgers: by the folder of the tables that they were decided from.

    Raises:
        InputError: a claim is in none of them.
    """
    rows = {
        folder: {row.id: row for row in pd.concat([ledger.claims, ledger.beyond]).itertuples()}
        for folder, ledger in ledgers.items()
    }
    found = {}
    for claim in (*CLAIMS, *BEYOND):
        said = [Answer(claim, known[claim.id], folder) for folder, known in rows.items() if claim.id in known]
        if not said:
            raise InputError(
                f"claim {claim.id} is in no published ledger, `python -m reproduce publish claims` decides it"
            )
        found[claim.id] = min(said, key=lambda answer: (not answer.tested, answer.row.verdict == UNTESTED))
    return found


def ours(claim: Claim, tables: Tables, part: int = -1) -> str:
    """As `Answer.ours`, from tables."""
    try:
        found = claim.decide(tables).items
    except NotTestedError as error:
        return str(error)
    there = [item for item in parts(found)[part] if item.says != MISSING]
    numbers = sorted((item for item in there if item.value is not None), key=attrgetter("value"))
    told = [*numbers[:1], *numbers[-1:]] or there  # what is no number is told whole
    return "; ".join(dict.fromkeys(f"{item.label} {item.shown}".strip() for item in told)) or "no runs"
