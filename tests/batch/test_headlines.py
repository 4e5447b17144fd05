"""The questions that README and the notebook of claims begin with: each answered in one plain sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from snnlib.batch.headlines import HEADLINES, PLACE, Headline, answer, answered, without_runs
from snnlib.batch.ledger import Ledger, as_written, ledger
from snnlib.experiments.claims import BEYOND, CLAIMS
from snnlib.experiments.tables import REPRODUCED, SCALE, UNDECIDED, UNTESTED
from snnlib.store.paths import published_dir

NUMBER = r"[-+]?\d+\.\d"
RANGE = rf"(at least |at most )?{NUMBER}( to {NUMBER})?"
TWO = Headline("a claim", "Does it?", "it gains {} points at first, and {} later")


def row(least: str, most: str, measured: str = "CNN 1.0", verdict: str = UNDECIDED) -> dict[str, str]:
    return {"least": least, "most": most, "measured": measured, "verdict": verdict}


def fits(headline: Headline, said: str) -> bool:
    return bool(re.fullmatch(RANGE.join(map(re.escape, headline.answer.split(PLACE))), said))


def test_every_question_is_answered_by_a_claim() -> None:
    ids = [h.claim for h in HEADLINES]
    assert 6 <= len(ids) == len(set(ids)) <= 9
    assert set(ids) <= {claim.id for claim in (*CLAIMS, *BEYOND)}
    assert "gain_left" in ids  # why accuracy rises with T
    for h in HEADLINES:
        assert h.question.endswith("?")
        assert h.answer.count(PLACE) >= 1


def test_each_part_of_a_claim_has_a_place_and_a_range_of_its_own() -> None:
    assert answer(TWO, row("-1.26; 2", "3.14; 2.01")) == "it gains -1.3 to +3.1 points at first, and +2.0 later"
    assert answer(TWO._replace(form=".1f"), row("8; 9", "8; 10.06")) == (
        "it gains 8.0 points at first, and 9.0 to 10.1 later"
    )


@pytest.mark.parametrize(
    ("measured", "word"),
    [("CNN ≥ 3.1×", "at least "), ("CNN > 200×", "at least "), ("CNN ≤ 3.1×", "at most "), ("CNN 3.1×", "")],
)
def test_a_run_that_never_got_there_makes_it_a_bound(measured: str, word: str) -> None:
    h = Headline("faster", "Is it faster?", "it takes {} times as long", ".1f")
    assert answer(h, row("1.5", "3.1", measured)) == f"it takes {word}1.5 to 3.1 times as long"


def test_where_there_is_no_number_the_row_says_so_in_words() -> None:
    for verdict in (UNTESTED, SCALE):
        assert answer(TWO, row("", "", "no fig2.csv", verdict)) == "not tested: no fig2.csv"
    bounded_both_ways = row("1; 2", "1; 2", "CNN ≥ 3×; VGG-16 ≤ 2×")
    for without in (row("", ""), row("1", "2"), row("1; 2; 3", "1; 2; 3"), bounded_both_ways):
        assert answer(TWO, without) == "no single number, see all claims"


def test_the_table_has_a_line_for_each_question() -> None:
    found = ledger(Path("nowhere"), "smoke")
    at = {h.claim: "; ".join(["2"] * h.answer.count(PLACE)) for h in HEADLINES}
    tables = [
        table.assign(least=table.id.map(at), most=table.id.map(at), measured="CNN 2.0", verdict=REPRODUCED)
        for table in (found.claims, found.beyond)
    ]
    _, _, *lines = answered(Ledger(*tables, "")).splitlines()
    by_id = {claim.id: claim for claim in (*CLAIMS, *BEYOND)}
    for line, h in zip(lines, HEADLINES, strict=True):
        question, verdict, paper, said = line.strip("| ").split(" | ")
        assert (question, paper, verdict) == (h.question, by_id[h.claim].paper, f"**{REPRODUCED}**")
        assert fits(h, said)


def test_networks_that_lack_runs_are_counted() -> None:
    found = ledger(Path("nowhere"), "smoke")
    assert without_runs(found) == ""
    measured = ["CNN +1.0; VGG-16 no runs (3 seeds)", "VGG-16 no runs; ResNet-18 no runs", "CNN, spikes no runs"]
    claims = found.claims.head(3).assign(measured=measured)
    assert without_runs(replace(found, claims=claims)) == "VGG-16 for 2 claims, ResNet-18 for 1 claim"


@pytest.mark.parametrize("headline", HEADLINES, ids=lambda headline: headline.claim)
def test_what_is_published_is_a_sentence(headline: Headline) -> None:
    published = as_written(published_dir() / "smoke")
    rows = {row["id"]: row for table in (published.claims, published.beyond) for row in table.to_dict("records")}
    found = rows[headline.claim]
    said = answer(headline, found)
    assert fits(headline, said) or found["verdict"] in (UNTESTED, SCALE), "run `make publish PRESET=smoke`"
