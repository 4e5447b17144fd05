"""The claim of Figure 2, and how it is decided."""

from __future__ import annotations

import pandas as pd

from snnlib.experiments.evidence import Claim, Effect, Finding, Item, each_network, exceeds
from snnlib.experiments.fig2_accuracy_vs_timesteps.table import NOISE
from snnlib.experiments.tables import CONTRAST_COLUMNS, RUN_COLUMNS, Table, Tables

FIG2 = Table("fig2_accuracy_vs_timesteps", {**RUN_COLUMNS, "ties": "text", "inference": "text"})
GAINS = Table(
    "fig2_gains",
    {**CONTRAST_COLUMNS, "ties": "text", "later": "number", "earlier": "number", "inference": "text"},
)
RISES = ((5, 1), (10, 5))  # later and earlier T


def rises(tables: Tables) -> Finding:
    def judge(label: str, rows: pd.DataFrame) -> list[Item]:
        found = [rows[(rows.later == later) & (rows.earlier == earlier)] for later, earlier in RISES]
        return [exceeds(label, Effect.of(gain), 0) for gain in found]

    table = tables.read(GAINS)
    items = each_network(table[(table.ties == "first") & (table.inference == NOISE)], judge)
    return Finding(items, "points from T = 1 to 5 and from 5 to 10")


CLAIMS = (
    Claim(
        "rises", "accuracy rises from T = 1 to 5 to 10", "3.1, Fig. 2",
        "as T increases, the accuracy of the SNN improves dramatically",
        "with each readout, accuracy at T = 5 above T = 1, and at T = 10 above T = 5",
        "5 to 10: +0.03 to +0.25", (GAINS,), rises,
    ),
)  # fmt: skip
