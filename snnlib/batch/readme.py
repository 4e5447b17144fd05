"""The verdicts for readers: all beside the figures and in docs/claims.md, a few on the README's first screen."""

from __future__ import annotations

from collections import Counter

import pandas as pd

from snnlib.checks import InputError
from snnlib.experiments.evidence import RULE
from snnlib.experiments.tables import VERDICTS
from snnlib.runs.preset import load_preset
from snnlib.store.markdown import put
from snnlib.store.paths import DOCS, README, figures_dir, published_dir
from snnlib.store.sums import verified

HEADLINES = ("rises", "lossless", "faster", "accuracy_kept", "speed_conversion")  # the claims of the README


def verdict_counts(table: pd.DataFrame) -> str:
    """How many claims got each verdict, in words."""
    found = Counter(table.verdict)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def claims_markdown(table: pd.DataFrame, preset: str) -> str:
    """The table of `snnlib.experiments.claims.decide` for readers, with what they must know of it below."""
    nets = sorted({net for scale in table.scale if scale for net in scale.split(", ")})
    scale = "the paper's scale" if preset == "paper" else "far below the paper's scale, for which it settles nothing"
    caption = (
        f"*{verdict_counts(table)}, at preset `{preset}` ({load_preset(preset).description}): {scale}. "
        f"Nets: {', '.join(nets) or 'none'}. Mean ± standard deviation over training seeds. {' '.join(RULE)} "
        "The paper's words and every test: `notebooks/claims.ipynb`.*"
    )
    return f"{_rows(table)}\n\n{caption}\n"


def headlines(table: pd.DataFrame, preset: str) -> str:
    """The claims of `HEADLINES` alone, and how many there are in all."""
    few = table.set_index("id", drop=False).loc[list(HEADLINES)]
    told = f"*Preset `{preset}`, {load_preset(preset).description}. All {len(table)} claims: {verdict_counts(table)}.*"
    return f"{_rows(few)}\n\n{told}\n"


def _rows(table: pd.DataFrame) -> str:
    """A line for each claim; unpadded, so that a changed number changes one line."""
    rows = [("claim (section)", "paper", "measured here", "verdict"), ("---",) * 4]
    rows += [(f"{r.claim} ({r.section})", r.paper, r.measured, f"**{r.verdict}**") for r in table.itertuples()]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def drawn(preset: str) -> str:
    """The reader's own verdicts on the claims at a preset, as the notebook wrote them.

    Raises:
        InputError: an unknown preset, or its claims have not been drawn.
        DamagedError: they are not as they were drawn.
    """
    file = figures_dir() / load_preset(preset).name / "claims.md"
    if not file.exists():
        raise InputError(f"{file} is missing: `python -m snnlib figures --preset {preset}` writes it")
    return verified(file).read_text(encoding="utf-8")


def update(preset: str) -> None:
    """Put a preset's published claims into docs/claims.md, and the headlines into the README. Twice is once.

    Raises:
        InputError: as in `put`; that file is untouched then.
        DamagedError: they are not as they were published; nothing has changed then.
    """
    folder = published_dir() / preset
    put(DOCS / "claims.md", "claims", verified(folder / "claims.md").read_text(encoding="utf-8"))
    table = pd.read_csv(verified(folder / "claims.csv"), keep_default_na=False)
    put(README, "headlines", headlines(table, preset))
