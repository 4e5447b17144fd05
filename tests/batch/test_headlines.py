"""The questions that README and the notebook of claims begin with: each answered by a claim, in a row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from reproduce.batch.answers import answers, published
from reproduce.batch.headlines import HEADER, HEADLINES, answered, hours, without_runs
from reproduce.batch.ledger import ledger
from reproduce.experiments.claims import BEYOND, CLAIMS
from reproduce.experiments.made_with import FILE
from reproduce.experiments.tables import PARTLY, UNTESTED
from snnlib.store.sums import write_summed

BY_ID = {claim.id: claim for claim in (*CLAIMS, *BEYOND)}


def test_every_question_is_answered_by_a_claim() -> None:
    ids = [question.claim for question in HEADLINES]
    assert len(ids) == len(set(ids)) <= 8  # a screen
    assert set(ids) <= {*BY_ID}
    assert "current_now" in ids  # why accuracy rises with T


def test_hours_are_of_two_cores_and_of_each_run_once(tmp_path: Path) -> None:
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    pd.DataFrame({"run": ["one", "two", "one"], "seed": 0}).to_csv(files[0], index=False)
    pd.DataFrame({"runs": ["two three", ""], "other_run": ["unknown", "one"]}).to_csv(files[1], index=False)
    seconds = pd.Series({"one": 3600.0, "two": 7200.0, "three": 36000.0, "four": 1.0, "unknown": float("nan")})
    assert hours(files[:1], seconds) == "1.5"
    assert hours(files, seconds) == "6.5"
    assert hours([tmp_path / "missing.csv"], seconds) == ""
    net = {"dataset": "mnist", "network": "cnn", "width": 1.0, "augment": "none"}
    rows = [{**net, "run": "one"}, {**net, "augment": "crop", "run": "two", "other_run": "three"}]
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    assert hours([tmp_path / "c.csv"], seconds, ["MNIST, crops, CNN, width 1"]) == "6"
    assert hours([tmp_path / "c.csv"], seconds) == "6.5"


def test_the_table_has_a_row_for_each_question(tmp_path: Path) -> None:
    write_summed({tmp_path / FILE: "run,train_seconds\n"})
    rows = table(tmp_path, UNTESTED)
    for (words, paper, measured, *_, verdict, command), question in zip(rows, HEADLINES, strict=True):
        assert (words, paper) == (question.words, question.paper or BY_ID[question.claim].paper)
        assert measured.startswith("no ")
        assert verdict == f"**{UNTESTED}**"
        assert command.startswith("`draw ")
        assert command.endswith(" --preset cpu`")


def test_hours_are_told_of_what_was_tested(tmp_path: Path) -> None:
    write_summed({tmp_path / FILE: "run,train_seconds\none,7200\n"})
    for name in BY_ID[HEADLINES[0].claim].tables:
        pd.DataFrame({"run": ["one"]}).to_csv(tmp_path / f"{name.name}.csv", index=False)
    assert table(tmp_path, PARTLY)[0][4:6] == ["1", f"**{PARTLY}**"]
    assert table(tmp_path, UNTESTED)[0][4] == ""


def table(folder: Path, verdict: str) -> list[list[str]]:
    """The rows of a folder in which all claims have a verdict."""
    found = ledger(Path("nowhere"), "cpu")
    found = replace(
        found, claims=found.claims.assign(n="3", verdict=verdict), beyond=found.beyond.assign(n="3", verdict=verdict)
    )
    header, _, *rows = (line.strip("| ").split(" | ") for line in answered(answers({folder: found})).splitlines())
    assert len(header) == len(HEADER) - 1  # the first is empty
    return rows


def test_networks_that_lack_runs_are_counted() -> None:
    found = ledger(Path("nowhere"), "smoke")
    assert without_runs(found) == ""
    measured = ["CNN +1.0; VGG-16 no runs (3 seeds)", "VGG-16 no runs; ResNet-18 no runs", "CNN, spikes no runs"]
    claims = found.claims.head(3).assign(measured=measured)
    assert without_runs(replace(found, claims=claims)) == "VGG-16 for 2 claims, ResNet-18 for 1 claim"


@pytest.mark.parametrize("folder", published(), ids=lambda folder: folder.name)
def test_what_is_published_is_decided_from_what_is_published_beside_it(folder: Path) -> None:
    written, found = published()[folder], ledger(folder, folder.name)
    for one, other in ((written.claims, found.claims), (written.beyond, found.beyond)):
        pd.testing.assert_frame_equal(one, other.astype(str), obj=f"claims (run `make publish PRESET={folder.name}`)")
