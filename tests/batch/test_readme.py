"""What readers are told of the claims, in README and docs: the same as beside the figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reproduce.batch import readme
from reproduce.batch.answers import published
from reproduce.batch.headlines import HEADLINES
from reproduce.batch.ledger import as_written, ledger
from reproduce.cli.commands import app
from reproduce.experiments.claims import BEYOND, CLAIMS
from reproduce.experiments.evidence import RULE
from reproduce.experiments.made_with import made_with
from reproduce.experiments.outputs import Outputs
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED
from reproduce.runs.preset import as_written as preset_as_written
from reproduce.runs.preset_file import toml
from snnlib.checks import InputError
from snnlib.store import paths
from snnlib.store.markdown import markers, part
from snnlib.store.paths import published_dir


def text_for(name: str) -> str:
    return "\n".join(["# Title", "", *markers(name), "", "The rest.", ""])


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A README and claims that nothing was drawn for: the reader's own, and other ones that are published."""
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    found = ledger(tmp_path, "cpu")
    Outputs(paths.figures_dir() / "cpu").write_table(found.claims, "claims", readme.claims_markdown(found, "cpu"))
    found = replace(found, claims=found.claims.assign(verdict=PARTLY))
    Outputs(published_dir() / "cpu").write_table(found.claims, "claims", readme.claims_markdown(found, "cpu"))
    Outputs(published_dir() / "cpu").write_csv(found.beyond, "claims_beyond")
    Outputs(published_dir() / "cpu").write_csv(made_with(tmp_path), "runs")
    file, docs = tmp_path / "README.md", tmp_path / "docs"
    file.write_text(text_for("headlines"))
    docs.mkdir()
    (docs / "claims.md").write_text(text_for("claims"))
    monkeypatch.setattr(readme, "README", file)
    monkeypatch.setattr(readme, "DOCS", docs)
    return file


def test_readme_and_docs_have_the_committed_claims() -> None:
    ledgers = published()
    for file, name, expected in (
        (readme.README, "headlines", readme.headlines(ledgers)),
        (readme.DOCS / "claims.md", "claims", readme.every_claim(ledgers)),
    ):
        text = file.read_text(encoding="utf-8")
        start, end = part(text, name)
        assert text[start:end].strip() == expected.strip(), "run `python -m reproduce publish claims`"


def test_the_readme_fits_on_a_few_screens_and_names_what_matters() -> None:
    text = readme.README.read_text(encoding="utf-8")
    assert len(text.encode()) <= 7700
    first = text.partition("\n## ")[0]
    for words in ("make figures", "make test", *markers("headlines"), "figures/cpu/fig2_accuracy_vs_timesteps.png"):
        assert words in first
    for variable in ("SNNLIB_RUNS", "SNNLIB_DATA", "SNNLIB_FIGURES"):
        assert variable in text


@pytest.mark.parametrize("folder", published(), ids=lambda folder: folder.name)
def test_the_committed_claims_agree_with_each_other(folder: Path) -> None:
    whole = as_written(folder)
    assert list(whole.claims.id) == [claim.id for claim in CLAIMS]
    assert list(whole.beyond.id) == [claim.id for claim in BEYOND]
    assert (folder / "claims.md").read_text(encoding="utf-8") == readme.claims_markdown(whole, folder.name)


def test_the_ledger_is_whole_and_the_readme_has_the_headlines(drawn: Path) -> None:
    readme.update()
    whole, headlines = (drawn.parent / "docs" / "claims.md").read_text(), drawn.read_text()
    assert (published_dir() / "cpu" / "claims.md").read_text() in whole
    rows = [line.strip("| ").split(" | ") for line in headlines.splitlines() if "**" in line]
    by_id = {c.id: c for c in (*CLAIMS, *BEYOND)}
    for row, question in zip(rows, HEADLINES, strict=True):
        claim = by_id[question.claim]
        assert row[:2] == [question.words, question.paper or claim.paper]
        assert question.paper in claim.paper
        assert row[-2] == ("**not tested**" if claim in BEYOND else f"**{PARTLY}**")
        assert row[-1].startswith("`draw ")
    assert f"All {len(CLAIMS)} claims](docs/claims.md): at `cpu` {len(CLAIMS)} partly" in headlines
    once = whole, headlines
    readme.update()
    assert ((drawn.parent / "docs" / "claims.md").read_text(), drawn.read_text()) == once


def test_claims_that_were_not_drawn_are_named_with_the_command(drawn: Path) -> None:
    for preset, words in (
        ("smoke", "reproduce figures --preset smoke"),
        ("big", "preset = 'big': must be one of cpu"),
    ):
        with pytest.raises(InputError, match=words) as error:
            readme.drawn(preset)
        assert "\n" not in str(error.value)


def test_the_command_prints_the_readers_own_and_writes_nothing(drawn: Path) -> None:
    done = CliRunner().invoke(app, ["claims", "--preset", "cpu"])
    assert done.exit_code == 0
    assert done.stdout.strip() == (drawn.parent / "figures" / "mine" / "cpu" / "claims.md").read_text().strip()
    assert drawn.read_text() == text_for("headlines")


def test_the_readers_table_says_in_words_what_came_of_each_claim_and_at_what_scale(tmp_path: Path) -> None:
    found = ledger(Path("nowhere"), "smoke")
    table = found.claims.assign(measured="points: CNN +1.0; VGG-16 +2.0 (seeds: 1)", verdict=PARTLY)
    table.loc[0, "verdict"], table.loc[1, "verdict"], table.loc[2, "verdict"] = REPRODUCED, NOT, UNDECIDED
    table.loc[0, "scale"] = "CIFAR-10, VGG-16, width 0.25; CIFAR-10, crops, VGG-16, width 1; MNIST, CNN, width 0.5"
    found = replace(found, claims=table, beyond=table.head(1).assign(verdict="holds"))
    text = readme.claims_markdown(found, "smoke")
    rows = [line for line in text.split("Beyond the paper")[0].splitlines() if line.startswith("| ")]
    assert len(rows) == len(CLAIMS) + 2
    assert {row.count(" |") for row in rows} == {5}
    assert "**reproduced**" in rows[2]
    assert "**not reproduced**" in rows[3]
    assert "**undecided**" in rows[4]
    assert all("**partly**" in row for row in rows[5:])
    assert f"**1 reproduced, {len(CLAIMS) - 3} partly, 1 not reproduced, 1 undecided**, at preset `smoke`" in text
    assert all(sentence in text for sentence in RULE)
    measured = "points:<br>CNN +1.0<br>VGG-16 +2.0 (seeds: 1) | VGG-16 0.25, 1<br>CNN 0.5 |"
    assert f"| {table.claim[0]} | **holds** | {measured}" in text
    assert "A check, without a verdict: silent without input: no fig7_silence.csv." in text
    assert ": narrower or shorter trained than the paper's nets." in text
    assert "Nets: CIFAR-10, VGG-16, width 0.25; " in text
    assert "narrower" not in readme.claims_markdown(found, "paper")
    own = tmp_path / "mine.toml"
    own.write_text(toml(preset_as_written("paper", ["seeds=0,1"])))
    own_text = readme.claims_markdown(found, str(own))
    assert "at preset `mine` (" in own_text
    assert "; with seeds = 0,1): a preset of the reader's own." in own_text
    assert "Beyond the paper" not in readme.claims_markdown(replace(found, beyond=table.head(0)), "paper")


def test_docs_have_the_committed_table_of_faults() -> None:
    text = (readme.DOCS / "when_something_breaks.md").read_text(encoding="utf-8")
    start, end = part(text, "faults")
    table = (published_dir() / "faults" / "faults.md").read_text(encoding="utf-8")
    assert text[start:end].strip() == table.strip(), "run `make test-faults publish-faults`"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    assert rows[0] == ["fault", "tries", "survived", "lost"]
    counts = [[int(cell) for cell in row[1:]] for row in rows[2:]]
    assert all(tries == survived > 0 and lost == 0 for tries, survived, lost in counts)
