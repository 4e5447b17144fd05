"""The claims, the paper's and beyond it, and the verdict on each. What decides a claim stands beside its figure."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from reproduce.experiments.changed import in_words
from reproduce.experiments.evidence import MISSING, Claim, Finding, Item, parts
from reproduce.experiments.fig2_accuracy_vs_timesteps import claims as fig2
from reproduce.experiments.fig3_4_training_time import claims as training
from reproduce.experiments.fig5_alpha import claims as fig5
from reproduce.experiments.fig6_noise_type import claims as fig6
from reproduce.experiments.fig7_potential_dynamics import claims as fig7
from reproduce.experiments.memories import claims as memories
from reproduce.experiments.one_pass import claims as one_pass
from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.record import claims as record
from reproduce.experiments.table2_inference_time import claims as table2
from reproduce.experiments.tables import BEYOND_WORDS, NotTestedError, Tables
from reproduce.experiments.titles import net_title
from reproduce.experiments.what_noise_does import claims as noise
from snnlib.store.files import sha256
from snnlib.store.used import note

if TYPE_CHECKING:  # it brings matplotlib
    from reproduce.experiments.outputs import Outputs

COLUMNS = [
    "id", "claim", "section", "paper", "measured", "least", "most", "n", "scale", "rule", "verdict", "may_be", "quote",
    "tables",
]  # fmt: skip

_lossless, *_alphas = fig5.CLAIMS  # the first is one of the abstract's, and stands with those
CLAIMS: tuple[Claim, ...] = (
    *fig2.CLAIMS, _lossless, *training.CLAIMS, *table2.CLAIMS, *_alphas, *fig6.CLAIMS, *noise.CLAIMS, *fig7.CLAIMS,
)  # fmt: skip
# What the paper does not claim, decided by the same rule, where a figure has some.
BEYOND: tuple[Claim, ...] = tuple(
    claim
    for figure in (fig2, training, table2, fig5, fig6, noise, fig7, memories, one_pass, record)
    for claim in getattr(figure, "BEYOND", ())
)


def decide(folder: Path, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """Each claim with its verdict from the CSV files in a folder alone.

    A table that is missing or cannot be used makes its claims "not tested", with the reason as what was measured.

    Returns:
        A row each, columns `COLUMNS`: least and most are the means of the network, or readout, that is lowest and of
        that which is highest, for each part of the claim, "; " between parts, empty where these are no single numbers;
        n the numbers of training seeds, empty where they change nothing; scale the nets that were tested; rule the test
        in words; may_be the verdicts that are left to an undecided claim, empty if all are.
    """
    claims, tables = tuple(claims), Tables(folder)
    found = _verdicts(tables, claims)
    return found.assign(scale=[_scale(claim, tables) for claim in claims])[COLUMNS]


def verdicts(folder: Path, claims: Iterable[Claim] = CLAIMS) -> pd.DataFrame:
    """`decide` without the scale, for which each claim is decided again without one net after another."""
    return _verdicts(Tables(folder), claims)


def _verdicts(tables: Tables, claims: Iterable[Claim]) -> pd.DataFrame:
    rows = []
    for claim in claims:
        row = {"least": "", "most": "", "n": "", "may_be": ""}
        try:
            finding = claim.decide(tables)
            row |= {"measured": finding.measured, "verdict": finding.verdict, "n": finding.seeds}
            row["may_be"] = finding.may_be
            row["least"], row["most"] = _ends(finding.items)
        except NotTestedError as error:
            row |= {"measured": str(error), "verdict": error.verdict}
        for table in claim.tables:
            if (file := tables.folder / f"{table.name}.csv").is_file():
                note(file, sha256(file))
        rows.append({**vars(claim), "rule": claim.test, **row, "tables": ", ".join(t.name for t in claim.tables)})
    return pd.DataFrame(rows, columns=[column for column in COLUMNS if column != "scale"])


def _ends(items: Iterable[Item]) -> tuple[str, str]:
    """Least and most of each part of a claim."""
    found = [Finding(part).extremes for part in parts(items)]
    if not found or None in found:
        return "", ""
    return tuple("; ".join(f"{end:.6g}" for end in ends) for ends in zip(*found, strict=True))


def _scale(claim: Claim, tables: Tables) -> str:
    """The nets that a claim was tested with: without the rows of one, its evidence would be another."""
    found = _tested(claim, tables)
    nets = [net for net in tables.nets(claim.tables) if _tested(claim, tables.without(net, claim.tables)) != found]
    return "; ".join(net_title(dict(zip(ARCHITECTURE, net, strict=True))) for net in nets)


def _tested(claim: Claim, tables: Tables) -> list[Item]:
    try:
        return [item for item in claim.decide(tables).items if item.says != MISSING]
    except NotTestedError:
        return []


def decide_beyond(folder: Path, claims: Iterable[Claim] = BEYOND) -> pd.DataFrame:
    """`decide` of what the paper does not claim, the verdicts in the words of `BEYOND_WORDS`."""
    table = decide(folder, claims)
    left = [" or ".join(BEYOND_WORDS.get(word, word) for word in words.split(" or ")) for words in table.may_be]
    return table.assign(verdict=table.verdict.replace(BEYOND_WORDS), may_be=left)


def told(out: Outputs, claims: Iterable[Claim]) -> str:
    """`verdicts` in words, of what goes beyond the paper in its own: each claim, and below it what was measured.

    Args:
        out: what wrote the tables. If parameters were changed there is nothing to tell: claims are decided from the
            preset's own, which these are not.
    """
    if out.changed:
        return f"no verdicts: claims are decided with the preset's own values, not with {in_words(out.changed)}"
    words = {claim.id: BEYOND_WORDS for claim in BEYOND}
    return "\n".join(
        f"{row.claim} ({row.section}): {words.get(row.id, {}).get(row.verdict, row.verdict)}\n  {row.measured}"
        for row in verdicts(out.folder, claims).itertuples()
    )
