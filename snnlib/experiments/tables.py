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

from snnlib.experiments.titles import TITLES

REPRODUCED, PARTLY, NOT, UNDECIDED = "reproduced", "partly", "not reproduced", "undecided"
UNTESTED, SCALE = "not tested", "not tested at this scale"
VERDICTS = (REPRODUCED, PARTLY, NOT, UNDECIDED, SCALE, UNTESTED)

NET = ["dataset", "network", "width", "readout"]
_NET = {"dataset": "text", "network": "text", "width": "positive", "readout": "text"}
_RUN = {**_NET, "noise": "text", "seed": "number", "timesteps": "number", "accuracy": "fraction"}
# The columns that the claims read from each notebook's CSV, and what may stand in them; "?" may be empty.
TABLES = {
    "fig2_accuracy_vs_timesteps": _RUN,
    "fig3_training_speed": {
        **_NET, "seed": "number", "arm": "text", "epoch": "number",
        "train_seconds": "positive", "accuracy": "fraction?",
    },
    "fig4_time_to_accuracy": {
        **_NET, "seed": "number", "arm": "text", "benchmark": "fraction", "reached": "bool",
        "seconds": "positive?", "total_seconds": "positive",
        "seconds_by_steps": "positive?", "total_seconds_by_steps": "positive?",
    },
    "fig4_training_cost": {
        "dataset": "text", "network": "text", "width": "positive", "batch_size": "positive", "arm": "text",
        "timesteps": "positive", "step_seconds": "positive", "peak_bytes": "positive", "largest_batch": "number",
    },
    "table2_accuracy_vs_timesteps": {
        **_NET, "seed": "number", "method": "text", "variant": "text?", "timesteps": "number", "accuracy": "fraction",
    },
    "table2_speedup": {
        **_NET, "our_timesteps": "positive", "our_accuracy": "number", "opponent": "text", "last_timesteps": "positive",
        "steps_least": "positive?", "steps_most": "positive?", "seeds": "positive", "step_factor": "positive?",
        "time_factor": "positive?", "time_factor_sd": "number?",
    },
    "fig5_alpha": {**_RUN, "alpha": "alpha"},
    "fig6_noise_type": _RUN,
    "silent_choices": {**_RUN, "choice": "text", "default": "bool"},
    "fig7_silence": {"alpha": "alpha", "noise": "text", "spikes": "number", "share_in_range": "fraction"},
    "fig7_potential_dynamics": {"panel": "text", "series": "text", "lag": "number?", "value": "number?"},
}  # fmt: skip

# Of each kind of number, the smallest and the largest.
RANGES = {
    "number": (-math.inf, math.inf),
    "positive": (np.nextafter(0, 1), math.inf),
    "fraction": (0, 1),
    "alpha": (2, math.inf),
}


class NotTestedError(Exception):
    """The claim cannot be decided; ``verdict`` and the message say how so."""

    def __init__(self, reason: str, verdict: str = UNTESTED) -> None:
        super().__init__(reason)
        self.verdict = verdict


def plain(name: str) -> str:
    """A data set's or network's title without what stands in brackets."""
    return TITLES.get(name, name).split(" (")[0]


@dataclass
class Tables:
    """The CSV files of one preset's figures, each checked when it is first read."""

    folder: Path
    _known: dict[str, pd.DataFrame | NotTestedError] = field(default_factory=dict)

    def read(self, name: str) -> pd.DataFrame:
        """A table with the columns of `TABLES`, not to be changed in place.

        Raises:
            NotTestedError: no such file, not a CSV, no rows, a column that is missing, a value that cannot be.
        """
        if name not in self._known:
            try:
                self._known[name] = _read(self.folder / f"{name}.csv", TABLES[name])
            except NotTestedError as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, NotTestedError):
            raise found
        return found

    def scale(self, names: Iterable[str]) -> str:
        """The nets in those of the tables that were read: data set, network, width."""
        read = (self._known.get(name) for name in names)
        columns = ["dataset", "network", "width"]
        nets = {net for table in read if isinstance(table, pd.DataFrame) and {*columns} <= set(table)
                for net in table[columns].itertuples(index=False, name=None)}  # fmt: skip
        return ", ".join(f"{plain(d)} {plain(n)} at width {width:g}" for d, n, width in sorted(nets))


def _read(file: Path, kinds: dict[str, str]) -> pd.DataFrame:
    if not file.exists():
        raise NotTestedError(f"no {file.name}")
    try:
        table = pd.read_csv(file)
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
        right = values.between(*RANGES[kind]) & (np.isfinite(values) | (kind == "alpha"))
    if not (right | (empty & optional)).all():
        raise NotTestedError(f"{file} has a {values.name} that cannot be")
    return values
