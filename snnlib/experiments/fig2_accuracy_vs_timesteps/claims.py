"""The claim of Figure 2, and how it is decided."""

from __future__ import annotations

import pandas as pd

from snnlib.experiments.evidence import Claim, Finding, Item, accuracy_at, each_network, exceeds
from snnlib.experiments.tables import RUN_COLUMNS, Table, Tables

FIG2 = Table("fig2_accuracy_vs_timesteps", RUN_COLUMNS)


def rises(tables: Tables) -> Finding:
    def judge(label: str, at: pd.DataFrame) -> list[Item]:
        return [exceeds(label, at[5] - at[1], 0), exceeds(label, at[10] - at[5], 0)]

    items = each_network(accuracy_at(tables.read(FIG2), (1, 5, 10)), judge)
    return Finding(items, "points from T = 1 to 5 and from 5 to 10")


CLAIMS = (
    Claim(
        "rises", "accuracy rises from T = 1 to 5 to 10", "3.1, Fig. 2",
        "as T increases, the accuracy of the SNN improves dramatically",
        "accuracy at T = 5 above T = 1, and at T = 10 above T = 5",
        "5 to 10: +0.03 to +0.25", (FIG2,), rises,
    ),
)  # fmt: skip
