"""What is known of each claim, at the largest scale that decides it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reproduce.batch.answers import SCALES, answers, ours, published
from reproduce.batch.ledger import Ledger, ledger
from reproduce.experiments.claims import BEYOND, CLAIMS
from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import Claim, Finding, Item, exceeds, missing
from reproduce.experiments.tables import PARTLY, SCALE, NotTestedError, Tables
from reproduce.runs.preset_found import preset_names
from snnlib.checks import InputError
from snnlib.store.paths import published_dir

NOWHERE = Tables(Path("nowhere"))
LARGE, SMALL = Path("large"), Path("small")


def claim(*items: Item) -> Claim:
    return replace(CLAIMS[0], decide=lambda tables: Finding(items))


def said(measured: str, *verdicts: str) -> Ledger:
    """A ledger whose first claims have these verdicts, and the others none."""
    found = ledger(Path("nowhere"), "cpu")
    claims = found.claims.assign(measured=measured)
    claims.loc[: len(verdicts) - 1, "verdict"] = verdicts
    return replace(found, claims=claims)


def test_a_claim_is_told_at_the_largest_scale_that_decides_it() -> None:
    found = answers({LARGE: said("large", PARTLY, SCALE), SMALL: said("small", PARTLY, PARTLY, SCALE)})
    assert list(found) == [claim.id for claim in (*CLAIMS, *BEYOND)]
    told = [(a.preset, a.row.measured, a.tested) for a in list(found.values())[:3]]
    assert told == [("large", "large", True), ("small", "small", True), ("small", "small", False)]


def test_a_claim_that_no_ledger_has_is_named() -> None:
    older = said("older", PARTLY)
    older = replace(older, beyond=older.beyond[older.beyond.id != BEYOND[0].id])
    for ledgers in ({}, {LARGE: older}):
        with pytest.raises(InputError, match=r"is in no published ledger, `python -m reproduce publish claims`"):
            answers(ledgers)


def test_the_scales_are_all_presets_and_what_is_published_comes_in_their_order() -> None:
    assert sorted(SCALES) == sorted(preset_names())
    assert list(published()) == [f for s in SCALES if ((f := published_dir() / s) / "claims.csv").exists()]


def test_told_are_the_lowest_and_the_highest_of_a_claims_last_part_or_of_the_one_that_is_asked() -> None:
    nets = {"CNN": (1, 5), "VGG-16": (3, 2), "ResNet-18": (2, 4)}
    asked = claim(
        *(exceeds(net, Effect([value] * 3), 0) for net, values in nets.items() for value in values), missing("LeNet")
    )
    assert ours(asked, NOWHERE) == "VGG-16 +2.0 ± 0.0; CNN +5.0 ± 0.0"
    assert ours(asked, NOWHERE, part=0) == "CNN +1.0 ± 0.0; VGG-16 +3.0 ± 0.0"


def test_one_number_is_told_once_and_what_is_no_number_whole() -> None:
    assert ours(claim(exceeds("", Effect([99.5, 99.6, 99.7], 0.05), 99, form=".2f", unit=" %")), NOWHERE) == (
        "99.60 ± 0.25 ± 0.10 %"  # t(0.975, 2) = 4.3027 times 0.1 / √3; 1.96 times 0.05
    )
    assert ours(claim(missing("CNN")), NOWHERE) == "no runs"
    assert ours(claim(Item("CNN", "larger", "yes"), missing("VGG-16")), NOWHERE) == "CNN larger"

    def cannot(tables: Tables) -> Finding:
        raise NotTestedError("needs MNIST at full width", SCALE)

    assert ours(replace(CLAIMS[0], decide=cannot), NOWHERE) == "needs MNIST at full width"
