"""What the ablation of silent_choices decides: the claim on noise in training."""

from __future__ import annotations

import pandas as pd

from snnlib.experiments.evidence import Claim, Finding, Item, accuracy_at, each_network, exceeds
from snnlib.experiments.silent_choices.table import ABLATION
from snnlib.experiments.tables import RUN_COLUMNS, NotTestedError, Table, Tables

CHOICES = Table("silent_choices", {**RUN_COLUMNS, "choice": "text", "default": "bool"})


def noise_gains(tables: Tables) -> Finding:
    def judge(label: str, at: pd.DataFrame) -> list[Item]:
        ours, without = at[10].gaussian, at.xs("none", axis=1, level="noise").max(axis=1)
        return [exceeds(label, ours - at[1].gaussian, 0), exceeds(label, ours - without, 0)]

    table = tables.read(CHOICES)
    table = table[table.choice == ABLATION]
    if not {"gaussian", "none"} <= set(table.noise):
        raise NotTestedError("silent_choices.csv has no nets with and without noise")
    items = each_network(accuracy_at(table, (1, 10), "noise").unstack("noise").dropna(), judge, expected=())
    if not items:
        raise NotTestedError("silent_choices.csv has no seed with and without noise")
    return Finding(items, "points from T = 1 to 10, and over training without noise")


CLAIMS = (
    Claim(
        "noise_gains", "noise in training raises accuracy", "abstract",
        "The introduction of Gaussian distributed noise leads to a significant gain in accuracy after conversion.",
        "accuracy rises from T = 1 to 10, where it is above that of a net trained at T = 1 without noise, at T = 1 or "
        "as a LIF net at T = 10, whichever is better",
        "significant", (CHOICES,), noise_gains,
    ),
)  # fmt: skip
