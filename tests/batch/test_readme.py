"""The claims on the README's first screen: put there by the command, the same as beside the figures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from snnlib.__main__ import app
from snnlib.batch import readme
from snnlib.checks import InputError
from snnlib.experiments.claims import CLAIMS, decide
from snnlib.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED
from snnlib.store.markdown import markers, part
from snnlib.store.paths import ROOT

BEGIN, END = markers("claims")
SMOKE = ROOT / "figures" / "smoke"
TEXT = f"# Title\n\nIntro.\n\n{BEGIN}\n{END}\n\nThe rest.\n"


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A README and, in the figures' folder, claims that nothing was drawn for."""
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    readme.save(decide(tmp_path), "cpu")
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    return file


def test_the_readme_has_the_committed_claims_of_smoke() -> None:
    text = readme.README.read_text(encoding="utf-8")
    start, end = part(text, "claims")
    assert text[start:end].strip() == (SMOKE / "claims.md").read_text(encoding="utf-8").strip(), (
        "run `python -m snnlib claims --readme`"
    )
    assert text[:start].count("\n") < 12  # the first screen
    assert not any(line.startswith("## ") for line in text[:start].splitlines())


def test_the_committed_claims_agree_with_each_other() -> None:
    table = pd.read_csv(SMOKE / "claims.csv", keep_default_na=False)
    assert list(table.id) == [claim.id for claim in CLAIMS]
    assert (SMOKE / "claims.md").read_text(encoding="utf-8") == readme.markdown(table, "smoke")


def test_twice_is_once_and_the_rest_stays(drawn: Path) -> None:
    found = readme.update("cpu", drawn)
    once = drawn.read_text()
    assert readme.update("cpu", drawn) == found
    assert drawn.read_text() == once
    assert found in once
    assert once.startswith(f"# Title\n\nIntro.\n\n{BEGIN}\n\n| claim")
    assert once.endswith(f"\n{END}\n\nThe rest.\n")


def test_new_claims_take_the_place_of_the_old(drawn: Path) -> None:
    readme.update("cpu", drawn)
    file = drawn.parent / "figures" / "cpu" / "claims.md"
    file.write_text("| new |\n")
    readme.update("cpu", drawn)
    assert drawn.read_text() == TEXT.replace(f"{BEGIN}\n", f"{BEGIN}\n\n| new |\n\n")


@pytest.mark.parametrize(
    "text",
    [
        "no markers",
        TEXT.replace(END, ""),
        TEXT + BEGIN,
        f"{END}\n{BEGIN}",
    ],
)
def test_a_readme_without_its_markers_is_left_alone(drawn: Path, text: str) -> None:
    drawn.write_text(text)
    with pytest.raises(InputError, match="must have <!-- claims:begin --> once") as error:
        readme.update("cpu", drawn)
    assert "\n" not in str(error.value)
    assert drawn.read_text() == text


def test_claims_that_were_not_drawn_are_named_with_the_command(drawn: Path) -> None:
    for preset, words in (
        ("smoke", "snnlib draw claims --preset smoke"),
        ("big", "preset = 'big': must be one of cpu"),
    ):
        with pytest.raises(InputError, match=words) as error:
            readme.update(preset, drawn)
        assert "\n" not in str(error.value)
    assert drawn.read_text() == TEXT


def test_the_command_prints_what_was_drawn_and_writes_only_when_asked(drawn: Path) -> None:
    before = readme.README.read_bytes()
    done = CliRunner().invoke(app, ["claims", "--preset", "cpu"])
    assert done.exit_code == 0
    assert done.stdout.strip() == readme.drawn("cpu").strip()
    assert readme.README.read_bytes() == before
    assert isinstance(CliRunner().invoke(app, ["claims", "--readme"]).exception, InputError)
    assert readme.README.read_bytes() == before


def test_the_readers_table_says_in_words_what_came_of_each_claim_and_at_what_scale() -> None:
    table = decide(Path("nowhere")).assign(measured="CNN +1.0 (1 seed)", verdict=PARTLY)
    table.loc[0, "verdict"], table.loc[1, "verdict"], table.loc[2, "verdict"] = REPRODUCED, NOT, UNDECIDED
    text = readme.markdown(table, "smoke")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == len(CLAIMS) + 2
    assert {row.count(" | ") for row in rows} == {3}
    assert "**reproduced**" in rows[2]
    assert "**not reproduced**" in rows[3]
    assert "**undecided**" in rows[4]
    assert all("**partly**" in row for row in rows[5:])
    assert f"1 reproduced, {len(CLAIMS) - 3} partly, 1 not reproduced, 1 undecided, at preset `smoke`" in text
    assert "far below the paper's scale" in text
    assert "far below" not in readme.markdown(table, "paper")
    assert "python -m snnlib claims --preset smoke --readme" in text


def test_the_readme_has_the_committed_table_of_faults() -> None:
    text = readme.README.read_text(encoding="utf-8")
    start, end = part(text, "faults")
    table = (ROOT / "figures" / "faults" / "faults.md").read_text(encoding="utf-8")
    assert text[start:end].strip() == table.strip(), "run `make test-faults`"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    assert rows[0] == ["fault", "tries", "survived", "lost"]
    counts = [[int(cell) for cell in row[1:]] for row in rows[2:]]
    assert all(tries == survived + lost > 0 for tries, survived, lost in counts)
