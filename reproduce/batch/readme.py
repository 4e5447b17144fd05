"""The verdicts for readers: beside the figures, in docs/claims.md, and in the README."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from shlex import quote
from typing import Any

import pandas as pd

from reproduce.batch.answers import SCALES, answers, published
from reproduce.batch.headlines import HEADLINES, answered, without_runs
from reproduce.batch.ledger import Ledger, as_written
from reproduce.experiments.claims import CLAIMS
from reproduce.experiments.evidence import RULE
from reproduce.experiments.tables import SCALE, UNTESTED, VERDICTS
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_folder import figures_of
from snnlib.checks import InputError
from snnlib.store.markdown import lines, put_all
from snnlib.store.paths import DOCS, README
from snnlib.store.sums import verified

WIDTHS = "widths (the paper's: 1)"


def verdict_counts(table: pd.DataFrame) -> str:
    """How many claims got each verdict, in words."""
    found = Counter(table.verdict)
    return ", ".join(f"{found[verdict]} {verdict}" for verdict in VERDICTS if found[verdict])


def claims_markdown(ledger: Ledger, preset: str) -> str:
    """The ledger for readers, with what they must know of it below."""
    table = ledger.claims
    nets = sorted({net for scale in table.scale if scale for net in scale.split("; ")})
    p = load_preset(preset)
    scale = "the paper's scale" if p.name == "paper" else "narrower or shorter trained than the paper's nets"
    if p.own:
        scale = "a preset of the reader's own"
    parts = [
        f"**{verdict_counts(table)}**{_left(table)}, at preset `{p.name}` ({p.description}): {scale}.",
        "Mean ± the half-width of its 95 % interval that the training seeds give ± that of the test images. "
        f"{' '.join(RULE)} The paper's words and every test: `notebooks/claims.ipynb`.",
    ]
    # The verdict comes second: on a phone there is room for two columns, and the others are behind a swipe.
    rows = [
        (f"{r.claim} ({r.section})", _verdict(r), r.paper, _by_network(r), _widths(r.scale)) for r in table.itertuples()
    ]
    parts += [lines(("claim (section)", "verdict", "paper", "measured here", WIDTHS), rows)]
    if lacking := without_runs(ledger):
        parts += [f"Networks without runs at this preset: {lacking}."]
    if len(ledger.beyond):
        rows = [(r.claim, _verdict(r), _by_network(r), _widths(r.scale)) for r in ledger.beyond.itertuples()]
        header = "statement", "verdict", "measured here", WIDTHS
        parts += ["Beyond the paper, by the same rule:", lines(header, rows)]
    checked = f"A check, without a verdict: {ledger.checks}."
    return "\n\n".join([*parts, checked, f"Nets: {'; '.join(nets) or 'none'}."]) + "\n"


def _left(table: pd.DataFrame) -> str:
    """What the undecided can still become, where that is not all."""
    found = Counter(filter(None, table.may_be))
    return f" ({', '.join(f'{count} {words}' for words, count in found.most_common())})" if found else ""


def _verdict(row: Any) -> str:
    return f"**{row.verdict}**" + (f" ({row.may_be})" if row.may_be else "")


def _by_network(row: Any) -> str:
    """What was measured with a line for each network, in a cell of a table."""
    lead, colon, rest = row.measured.partition(": ")
    led = colon and "(seeds" not in lead and row.verdict not in (SCALE, UNTESTED)  # else it is a reason, or has no lead
    return (f"{lead}:<br>{rest}" if led else row.measured).replace("; ", "<br>")


def _widths(scale: str) -> str:
    """Those of the nets that decided a claim, a line for each network."""
    found: dict[str, set[float]] = {}
    for net in scale.split("; ") if scale else ():
        *_, network, width = net.split(", ")
        found.setdefault(network, set()).add(float(width.removeprefix("width ")))
    return "<br>".join(f"{network} {', '.join(f'{w:g}' for w in sorted(widths))}" for network, widths in found.items())


def headlines(ledgers: Mapping[Path, Ledger]) -> str:
    """The few questions with their answers, and below them what the columns are, and how many claims came out how.

    Args:
        ledgers: what is published, by folder.

    Raises:
        DamagedError: what lies beside them is not as it was written.
    """
    found = answers(ledgers)
    largest, ledger = next(iter(ledgers.items()))
    toys = any(found[question.claim].preset == SCALES[-1] for question in HEADLINES)
    usual = f"; with no preset they are `{SCALES[-1]}`'s, of toys" if toys else ""
    told = (
        "*Ours: mean ± half of its 95 % interval over training seeds ± that over test images (with one seed, this "
        "alone), or mean [interval]; lowest and highest of all networks and readouts. Hours: training of the nets "
        "compared, with both readouts, one on each of two cores; choosing them on held-out images is not in it. "
        f"Commands, after `python -m reproduce`{usual}, draw the published nets, or with "
        "`SNNLIB_PRETRAINED=none` train anew. "
        f"[All {len(CLAIMS)} claims](docs/claims.md): at `{largest.name}` {verdict_counts(ledger.claims)}.*"
    )
    return f"{answered(found)}\n\n{told}\n"


def every_claim(ledgers: Mapping[Path, Ledger]) -> str:
    """All claims at each preset that is published, the largest first.

    Raises:
        DamagedError: one is not as it was published.
    """
    texts = {folder.name: verified(folder / "claims.md").read_text(encoding="utf-8") for folder in ledgers}
    return "\n".join(f"## At preset `{preset}`\n\n{text}" for preset, text in texts.items())


def drawn(preset: str) -> str:
    """The reader's own verdicts on the claims at a preset, as the notebook wrote them.

    Raises:
        InputError: an unknown preset, its claims have not been drawn, or another one's of that name.
        DamagedError: they are not as they were drawn.
    """
    file = figures_of(load_preset(preset)) / "claims.md"
    if not file.exists():
        raise InputError(f"{file} is missing: `python -m reproduce figures --preset {quote(preset)}` writes it")
    return verified(file).read_text(encoding="utf-8")


def drawn_as_json(preset: str) -> dict[str, Any]:
    """The same as plain values: columns as in the ledger's CSV files, all text; errors as of `drawn`."""
    drawn(preset)
    p = load_preset(preset)
    found = as_written(figures_of(p))
    tables = {"claims": found.claims, "beyond": found.beyond}
    return {"preset": p.name, **{name: t.to_dict("records") for name, t in tables.items()}, "checks": found.checks}


def update() -> None:
    """Put what is published of the claims into docs/claims.md and the README. Twice is once.

    Raises:
        InputError: as in `put_all` and `answers`.
        DamagedError: something is not as it was published. Nothing has changed then, nor in the other case.
    """
    ledgers = published()
    put_all(
        {
            DOCS / "claims.md": {"claims": every_claim(ledgers)},
            README: {"headlines": headlines(ledgers)},
        }
    )
