"""The paper's claims and the verdict on each. What decides a claim stands beside its figure, in `claims`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from snnlib.experiments.evidence import Claim
from snnlib.experiments.fig2_accuracy_vs_timesteps import claims as fig2
from snnlib.experiments.fig3_4_training_time import claims as training
from snnlib.experiments.fig5_alpha import claims as fig5
from snnlib.experiments.fig6_noise_type import claims as fig6
from snnlib.experiments.fig7_potential_dynamics import claims as fig7
from snnlib.experiments.table2_inference_time import claims as table2
from snnlib.experiments.tables import NotTestedError, Tables
from snnlib.experiments.what_noise_does import claims as noise

COLUMNS = ["id", "claim", "section", "quote", "test", "tables", "scale", "paper", "measured", "verdict"]

_lossless, *_alphas = fig5.CLAIMS  # the first is one of the abstract's, and stands with those
CLAIMS: tuple[Claim, ...] = (
    *fig2.CLAIMS, _lossless, *training.CLAIMS, *table2.CLAIMS, *_alphas, *fig6.CLAIMS, *noise.CLAIMS, *fig7.CLAIMS,
)  # fmt: skip


def decide(folder: Path, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """Each claim with its verdict from the CSV files in a folder alone, a row each, columns `COLUMNS`.

    A table that is missing or cannot be used makes its claims "not tested", with the reason as what was measured.
    """
    tables, rows = Tables(folder), []
    for claim in claims:
        try:
            finding = claim.decide(tables)
            measured, verdict = finding.measured, finding.verdict
        except NotTestedError as error:
            measured, verdict = str(error), error.verdict
        found = {"tables": ", ".join(table.name for table in claim.tables), "scale": tables.scale(claim.tables)}
        rows.append({**vars(claim), **found, "measured": measured, "verdict": verdict})
    return pd.DataFrame(rows)[COLUMNS]


def told(folder: Path, claims: Iterable[Claim]) -> str:
    """`decide` in words: each claim with its verdict, below it what was measured."""
    rows = decide(folder, claims).itertuples()
    return "\n".join(f"{row.claim} ({row.section}): {row.verdict}\n  {row.measured}" for row in rows)
