"""The verdicts for readers: all beside the figures and in docs/claims.md, a few on the README's first screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from snnlib.batch.ledger import Ledger
from snnlib.checks import InputError
from snnlib.experiments.evidence import RULE
from snnlib.experiments.tables import VERDICTS
from snnlib.runs.preset import load_preset
from snnlib.store.markdown import put
from snnlib.store.paths import DOCS, README, figures_dir, published_dir
from snnlib.store.sums import verified


class Headline(NamedTuple):
    """A question of the README and the claim that answers it; ``{}`` in the answer is where its numbers go."""

    claim: str
    question: str
    answer: str
    form: str = "+.1f"


HEADLINES = (
    Headline("faster", "Does it train faster?", "direct training takes {} times as long to the same accuracy", ".1f"),
    Headline(
        "equal_time", "Is it ahead in the same time?",
        "trained for direct training's time, it is {} points more accurate",
    ),
    Headline(
        "accuracy_kept", "Is it as accurate as direct training?",
        "after as many epochs its accuracy is {} points off direct training's",
    ),
    Headline(
        "lossless", "Does conversion lose anything?",
        "a memory between the steps changes accuracy by {} points, at T = 2, 5 and 10",
    ),
    Headline("rises", "Does accuracy rise with T?", "{} points from T = 1 to 5, and from 5 to 10"),
    Headline("noise_gains", "Is it the noise?", "{} points, from T = 1 to 10 and over training without noise"),
    Headline(
        "speed_conversion", "Is inference 100 times faster?", "a converted ReLU net takes {} times as long", ".1f"
    ),
    Headline("memory", "Does it need less memory?", "direct training needs {} times as much for a step", ".1f"),
)  # fmt: skip


def verdict_counts(table: pd.DataFrame) -> str:
    """How many claims got each verdict, in words."""
    found = Counter(table.verdict)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def claims_markdown(ledger: Ledger, preset: str) -> str:
    """The ledger for readers, with what they must know of it below."""
    table = ledger.claims
    nets = sorted({net for scale in table.scale if scale for net in scale.split(", ")})
    scale = "the paper's scale" if preset == "paper" else "far below the paper's scale, for which it settles nothing"
    caption = (
        f"*{verdict_counts(table)}, at preset `{preset}` ({load_preset(preset).description}): {scale}. "
        f"Nets: {', '.join(nets) or 'none'}. Mean ± the half-width of its 95 % interval that the training seeds give ± "
        f"that of the test images. {' '.join(RULE)} The paper's words and every test: `notebooks/claims.ipynb`.*"
    )
    rows = [(f"{r.claim} ({r.section})", r.paper, r.measured, f"**{r.verdict}**") for r in table.itertuples()]
    parts = [_markdown(("claim (section)", "paper", "measured here", "verdict"), rows), caption]
    if len(ledger.beyond):
        rows = [(r.claim, r.measured, f"**{r.verdict}**") for r in ledger.beyond.itertuples()]
        parts += ["Beyond the paper, by the same rule:", _markdown(("statement", "measured here", "verdict"), rows)]
    return "\n\n".join([*parts, f"A check, without a verdict: {ledger.checks}."]) + "\n"


def headlines(table: pd.DataFrame, preset: str) -> str:
    """The questions of `HEADLINES`, each answered in a sentence, from the claims' table; and how many there are."""
    few = table.set_index("id")
    rows = [
        (h.question, few.paper[h.claim], _answer(h, few.loc[h.claim]), f"**{few.verdict[h.claim]}**") for h in HEADLINES
    ]
    told = (
        f"*Preset `{preset}`, {load_preset(preset).description}; from the lowest to the highest mean of any network or "
        f"part of the claim. [All {len(table)} claims, with intervals](docs/claims.md): {verdict_counts(table)}; "
        "[how a verdict is reached](docs/verdicts.md).*"
    )
    return f"{_markdown(('', 'the paper', 'measured here', 'claim'), rows)}\n\n{told}\n"


def _answer(headline: Headline, row: Mapping[str, Any]) -> str:
    """The headline's sentence with the claim's numbers, or why there are none."""
    if row["least"] == "" or pd.isna(row["least"]):
        return row["measured"]
    ends = dict.fromkeys(f"{float(row[end]):{headline.form}}" for end in ("least", "most"))
    bound = "at least " if "≥" in row["measured"] else ""  # a converted net that did not get there
    return headline.answer.format(bound + " to ".join(ends))


def _markdown(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A line for each row; unpadded, so that a changed number changes one line."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ("---",) * len(header), *rows])


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
