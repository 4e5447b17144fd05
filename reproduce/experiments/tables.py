"""The CSV files that the claims are decided from, checked as they are read.

A table that is missing, damaged or incomplete never counts for or against a claim.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from reproduce.experiments.over_seeds import ARCHITECTURE
from snnlib.store.files import StoreError
from snnlib.store.sums import verified

REPRODUCED, PARTLY, NOT, UNDECIDED = "reproduced", "partly", "not reproduced", "undecided"
UNTESTED, SCALE = "not tested", "not tested at this scale"
VERDICTS = (REPRODUCED, PARTLY, NOT, UNDECIDED, SCALE, UNTESTED)
# The same of what the paper does not claim: nothing is reproduced there.
BEYOND_WORDS = {REPRODUCED: "holds", PARTLY: "holds in part", NOT: "does not hold"}

# Of each kind of number, the smallest and the largest.
RANGES = {
    "number": (-math.inf, math.inf),
    "positive": (np.nextafter(0, 1), math.inf),
    "fraction": (0, 1),
    "alpha": (2, math.inf),
    "steps": (1, math.inf),
}
ENDLESS = ("alpha", "steps")  # those that may be inf: no memory; an ANN, which has no steps


@dataclass(frozen=True)
class Table:
    """A CSV file of a notebook: its name, the columns that claims read, and what may stand in each.

    That is "text", "bool" or one of `RANGES`; with "?" behind it, it may be empty.
    """

    name: str
    columns: dict[str, str]


# Columns that several tables have.
NET_COLUMNS = {"dataset": "text", "network": "text", "width": "positive", "augment": "text", "readout": "text"}
CONTRAST_COLUMNS = {**NET_COLUMNS, "noise": "text", "seed": "number", "points": "number", "image_error": "number"}
RUN_COLUMNS = {**NET_COLUMNS, "noise": "text", "seed": "number", "timesteps": "number", "accuracy": "fraction"}


Net = tuple[str, str, float, str]  # `ARCHITECTURE`


class NotTestedError(Exception):
    """The claim cannot be decided; ``verdict`` and the message say how so."""

    def __init__(self, reason: str, verdict: str = UNTESTED) -> None:
        super().__init__(reason)
        self.verdict = verdict


@dataclass
class Tables:
    """The CSV files of one preset's figures, each checked when it is first read."""

    folder: Path
    _known: dict[str, pd.DataFrame | NotTestedError] = field(default_factory=dict)

    def read(self, table: Table) -> pd.DataFrame:
        """Its rows, not to be changed in place.

        Raises:
            NotTestedError: no such file, not a CSV, no rows, a column that is missing, a value that cannot be.
        """
        if table.name not in self._known:
            try:
                self._known[table.name] = _read(self.folder / f"{table.name}.csv", table.columns)
            except NotTestedError as error:
                self._known[table.name] = error
        found = self._known[table.name]
        if isinstance(found, NotTestedError):
            raise found
        return found

    def nets(self, tables: Iterable[Table]) -> list[Net]:
        """The nets in those of the tables that were read."""
        known = [self._known.get(table.name) for table in tables]
        return sorted({net for rows in known if _has_nets(rows) for net in rows[ARCHITECTURE].itertuples(False, None)})

    def without(self, net: Net, tables: Iterable[Table]) -> Tables:
        """What was read of these tables so far, as if this net had no rows."""
        known = {table.name: self._known[table.name] for table in tables if table.name in self._known}
        return Tables(self.folder, {name: _without(net, name, rows) for name, rows in known.items()})


def _has_nets(rows: pd.DataFrame | NotTestedError | None) -> bool:
    return isinstance(rows, pd.DataFrame) and {*ARCHITECTURE} <= set(rows)


def _without(net: Net, name: str, rows: pd.DataFrame | NotTestedError) -> pd.DataFrame | NotTestedError:
    if not _has_nets(rows):
        return rows
    others = rows[~(rows[ARCHITECTURE] == list(net)).all(axis=1)]
    return NotTestedError(f"{name}.csv has no rows") if others.empty else others


def whole_table(file: Path) -> Path:
    """The path of a table that is as it was written; a `NotTestedError` if it is missing or is not."""
    if not file.exists():
        raise NotTestedError(f"no {file.name}")
    try:
        return verified(file)
    except StoreError:
        raise NotTestedError(f"{file.name} is not as it was drawn, draw it again") from None


def _read(file: Path, kinds: dict[str, str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(whole_table(file))
    except (OSError, ValueError):  # not text, not a table, or nothing in it
        raise NotTestedError(f"{file.name} cannot be read") from None
    if missing := [column for column in kinds if column not in table]:
        raise NotTestedError(f"{file.name} has no column {', '.join(missing)}")
    if table.empty:
        raise NotTestedError(f"{file.name} has no rows")
    return table.assign(**{column: _checked(table[column], kind, file.name) for column, kind in kinds.items()})


def _checked(values: pd.Series, kind: str, file: str) -> pd.Series:
    """A column with its type, if every value is of its kind."""
    empty, optional, kind = values.isna(), kind.endswith("?"), kind.rstrip("?")
    if kind == "text":
        values = values.astype(object).where(~empty, "").astype(str)
        right = ~empty
    elif kind == "bool":
        right = values.map(lambda value: isinstance(value, bool))
    else:
        values = pd.to_numeric(values, errors="coerce").astype(float)
        right = values.between(*RANGES[kind]) & (np.isfinite(values) | (kind in ENDLESS))
    if not (right | (empty & optional)).all():
        raise NotTestedError(f"{file} has a {values.name} that cannot be")
    return values
