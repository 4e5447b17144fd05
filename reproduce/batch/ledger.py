"""The ledger of a preset: each claim with its verdict, the picture that shows it and the command that draws it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

import pandas as pd

from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.experiments.claims import BEYOND, CLAIMS, decide, decide_beyond
from reproduce.experiments.evidence import Claim
from reproduce.experiments.fig7_potential_dynamics.table import silent
from reproduce.experiments.tables import NotTestedError, Table, Tables
from snnlib.store.sums import verified

COLUMNS = [
    "id", "claim", "section", "paper", "measured", "least", "most", "n", "scale", "rule", "verdict", "may_be", "figure",
    "command", "quote", "tables",
]  # fmt: skip
WITHIN = "share in [reset, threshold]"
SILENCE = Table("fig7_silence", {"spikes": "number", WITHIN: "fraction"})


@dataclass(frozen=True)
class Ledger:
    """What is written of a preset's claims.

    Attributes:
        claims: those of the paper, columns `COLUMNS`.
        beyond: what the paper does not claim, likewise, in words of its own for the verdicts.
        checks: what holds by construction and is looked at all the same, in words.
    """

    claims: pd.DataFrame
    beyond: pd.DataFrame
    checks: str


def ledger(folder: Path, preset: str, claims: Iterable[Claim] = CLAIMS, beyond: Iterable[Claim] = BEYOND) -> Ledger:
    """Decide everything from the CSV files in a preset's folder of figures."""
    sides = decide(folder, claims), decide_beyond(folder, beyond)
    return Ledger(*(_with_sources(table, preset) for table in sides), checks(folder))


def drawn_by(table: str) -> tuple[str, str]:
    """The notebook that writes a CSV file, and the picture that shows it: its own, or else the figure's first.

    Names begin with their figure's: "fig4_training_cost" is shown in "fig4_time_to_accuracy".
    """
    notebook, files = next((name, files) for name, files in NOTEBOOK_FILES.items() if f"{table}.csv" in files)
    pictures = [file for file in files if file.endswith(".png")]
    of_figure = [file for file in pictures if file.startswith(f"{table.partition('_')[0]}_")]
    return notebook, f"{table}.png" if f"{table}.png" in pictures else next(iter(of_figure), "")


def as_written(folder: Path) -> Ledger:
    """The ledger that a folder of figures holds, each value as its CSV file has it.

    Raises:
        DamagedError: a file is not as it was written.
    """
    files = (verified(folder / f"{name}.csv") for name in ("claims", "claims_beyond"))
    return Ledger(*(pd.read_csv(file, dtype=str, keep_default_na=False) for file in files), checks(folder))


def checks(folder: Path) -> str:
    """Silence without input, which the noise's range makes certain (Sec. 3.5), as Figure 7 counted it."""
    try:
        table = Tables(folder).read(SILENCE)
    except NotTestedError as error:
        return f"silent without input: {error}"
    holds = "holds" if silent(table) else "FAILS"
    return (
        f"silent without input, potential between reset and threshold (3.5, Fig. 7): {holds}, "
        f"{table.spikes.sum():,.0f} spikes, {100 * table[WITHIN].min():.4g} % of potentials in range; the noise "
        "ends at the threshold by construction, so this could not come out otherwise"
    )


def _with_sources(table: pd.DataFrame, preset: str) -> pd.DataFrame:
    """A claim's figure and command, by the first of its tables."""
    sources = [drawn_by(tables.split(", ")[0]) for tables in table.tables]
    commands = [f"python -m reproduce draw {notebook} --preset {quote(preset)}" for notebook, _ in sources]
    return table.assign(figure=[picture for _, picture in sources], command=commands)[COLUMNS]
