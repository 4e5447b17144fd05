"""The claims of Figure 6, and how they are decided."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from snnlib.experiments.evidence import CLOSE, Claim, Finding, Item, accuracy_at, each_network, exceeds, missing, within
from snnlib.experiments.tables import RUN_COLUMNS, Table, Tables

FIG6 = Table("fig6_noise_type", RUN_COLUMNS)


def gaussian_ahead(tables: Tables) -> Finding:
    return _gap(tables, 1, partial(exceeds, least=0))


def gap_closes(tables: Tables) -> Finding:
    return _gap(tables, 10, partial(within, margin=CLOSE))


def _gap(tables: Tables, t: int, says: Callable[[str, Sequence[float]], Item]) -> Finding:
    def judge(label: str, noise: pd.DataFrame) -> list[Item]:
        if not {"gaussian", "uniform"} <= set(noise):
            return [missing(label)]
        return [says(label, (noise.gaussian - noise.uniform).dropna())]

    items = each_network(accuracy_at(tables.read(FIG6), (1, 10), "noise")[t].unstack("noise"), judge)
    return Finding(items, f"points Gaussian over uniform at T = {t}")


CLAIMS = (
    Claim(
        "gaussian", "Gaussian noise beats uniform at T = 1", "3.4, Fig. 6",
        "For single-step SNNs, models with Gaussian noise reach the higher accuracy than those with uniform noise.",
        "accuracy at T = 1 above that of the net trained with uniform noise",
        "higher", (FIG6,), gaussian_ahead,
    ),
    Claim(
        "gap_closes", "after conversion that gap is closed", "3.4, Fig. 6",
        "But after conversion, the gap is not obvious any more.",
        f"at T = 10, Gaussian and uniform within {CLOSE:g} point",
        "not obvious", (FIG6,), gap_closes,
    ),
)  # fmt: skip
