"""The claims of Figure 6, and how they are decided."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pandas as pd

from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import CLOSE, Claim, Finding, Item, each_network, exceeds, within
from reproduce.experiments.tables import CONTRAST_COLUMNS, RUN_COLUMNS, Table, Tables

FIG6 = Table("fig6_noise_type", RUN_COLUMNS)
GAPS = Table("fig6_gaps", {**CONTRAST_COLUMNS, "timesteps": "number"})


def gaussian_ahead(tables: Tables) -> Finding:
    return _gap(tables, 1, partial(exceeds, least=0))


def gap_closes(tables: Tables) -> Finding:
    return _gap(tables, 10, partial(within, margin=CLOSE))


def _gap(tables: Tables, t: int, says: Callable[[str, Effect], Item]) -> Finding:
    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        return [says(label, Effect.of(rows[rows.timesteps == t]))]

    return Finding(each_network(tables.read(GAPS), judge), f"points Gaussian over uniform at T = {t}")


CLAIMS = (
    Claim(
        "gaussian", "Gaussian noise beats uniform at T = 1", "3.4, Fig. 6",
        "For single-step SNNs, models with Gaussian noise reach the higher accuracy than those with uniform noise.",
        "accuracy at T = 1 above that of the net trained with uniform noise",
        "higher", (GAPS,), gaussian_ahead,
    ),
    Claim(
        "gap_closes", "after conversion that gap is closed", "3.4, Fig. 6",
        "But after conversion, the gap is not obvious any more.",
        f"at T = 10, Gaussian and uniform within {CLOSE:g} point",
        "not obvious", (GAPS,), gap_closes,
    ),
)  # fmt: skip
