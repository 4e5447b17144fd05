"""The questions that README and the notebook of claims begin with: each answered by a claim, in a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from snnlib.batch.headlines import HEADER, HEADLINES, answered, hours, ours, without_runs
from snnlib.batch.ledger import as_written, ledger
from snnlib.batch.readme import TOLD
from snnlib.experiments.claims import BEYOND, CLAIMS
from snnlib.experiments.evidence import Claim, Effect, Finding, Item, exceeds, missing
from snnlib.experiments.made_with import FILE
from snnlib.experiments.tables import SCALE, UNTESTED, NotTestedError, Tables
from snnlib.store.paths import published_dir
from snnlib.store.sums import write_summed

BY_ID = {claim.id: claim for claim in (*CLAIMS, *BEYOND)}
NOWHERE = Tables(Path("nowhere"))


def claim(*items: Item) -> Claim:
    return replace(CLAIMS[0], decide=lambda tables: Finding(items))


def test_every_question_is_answered_by_a_claim() -> None:
    ids = [h.claim for h in HEADLINES]
    assert len(ids) == len(set(ids)) <= 8  # a screen
    assert set(ids) <= {*BY_ID}
    assert "gain_left" in ids  # why accuracy rises with T


def test_told_are_the_lowest_and_the_highest_of_a_claims_last_part_or_of_the_one_that_is_asked() -> None:
    nets = {"CNN": (1, 5), "VGG-16": (3, 2), "ResNet-18": (2, 4)}
    asked = claim(
        *(exceeds(net, Effect([value] * 3), 0) for net, values in nets.items() for value in values), missing("LeNet")
    )
    assert ours(asked, NOWHERE) == "VGG-16 +2.0 ± 0.0; CNN +5.0 ± 0.0"
    assert ours(asked, NOWHERE, part=0) == "CNN +1.0 ± 0.0; VGG-16 +3.0 ± 0.0"


def test_one_number_is_told_once_and_none_in_words() -> None:
    assert ours(claim(exceeds("", Effect([99.5, 99.6, 99.7], 0.05), 99, form=".2f", unit=" %")), NOWHERE) == (
        "99.60 ± 0.25 ± 0.10 %"  # t(0.975, 2) = 4.3027 times 0.1 / √3; 1.96 times 0.05
    )
    assert ours(claim(missing("CNN")), NOWHERE) == "no runs"
    assert ours(claim(Item("CNN", "larger", "yes")), NOWHERE) == "no runs"

    def cannot(tables: Tables) -> Finding:
        raise NotTestedError("needs MNIST at full width", SCALE)

    assert ours(replace(CLAIMS[0], decide=cannot), NOWHERE) == "needs MNIST at full width"


def test_hours_are_of_two_cores_and_of_each_run_once(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    pd.DataFrame({"run": ["one", "two", "one"], "seed": 0}).to_csv(files[0], index=False)
    pd.DataFrame({"runs": ["two three", ""], "other_run": ["unknown", "one"]}).to_csv(files[1], index=False)
    seconds = pd.Series({"one": 3600.0, "two": 7200.0, "three": 36000.0, "four": 1.0, "unknown": float("nan")})
    assert hours(files[:1], seconds) == "1.5"
    assert hours(files, seconds) == "6.5"
    assert hours([tmp_path / "missing.csv"], seconds) == ""


def test_the_table_has_a_row_for_each_question(tmp_path: Path) -> None:
    write_summed({tmp_path / FILE: "run,train_seconds\n"})
    found = ledger(tmp_path, "cpu")
    found = replace(found, claims=found.claims.assign(n="3"))
    header, _, *rows = (line.strip("| ").split(" | ") for line in answered(found, tmp_path).splitlines())
    assert len(header) == len(HEADER) - 1  # the first is empty
    for (question, paper, measured, *_, verdict, command), h in zip(rows, HEADLINES, strict=True):
        assert (question, paper) == (h.question, BY_ID[h.claim].paper)
        assert measured.startswith("no ")
        assert verdict == f"**{UNTESTED}**"
        assert command.startswith("`draw ")


def test_networks_that_lack_runs_are_counted() -> None:
    found = ledger(Path("nowhere"), "smoke")
    assert without_runs(found) == ""
    measured = ["CNN +1.0; VGG-16 no runs (3 seeds)", "VGG-16 no runs; ResNet-18 no runs", "CNN, spikes no runs"]
    claims = found.claims.head(3).assign(measured=measured)
    assert without_runs(replace(found, claims=claims)) == "VGG-16 for 2 claims, ResNet-18 for 1 claim"


@pytest.mark.parametrize("preset", sorted({"smoke", TOLD}))
def test_what_is_published_is_decided_from_what_is_published_beside_it(preset: str) -> None:
    folder = published_dir() / preset
    written, found = as_written(folder), ledger(folder, preset)
    for one, other in ((written.claims, found.claims), (written.beyond, found.beyond)):
        pd.testing.assert_frame_equal(one, other.astype(str), obj=f"the claims (run `make publish PRESET={preset}`)")
