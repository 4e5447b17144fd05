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
from snnlib.experiments.outputs import Outputs
from snnlib.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED
from snnlib.store import paths
from snnlib.store.markdown import markers, part
from snnlib.store.paths import published_dir

BEGIN, END = markers("claims")
SMOKE = published_dir() / "smoke"
TEXT = f"# Title\n\nIntro.\n\n{BEGIN}\n{END}\n\nThe rest.\n"


@pytest.fixture
def drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A README and claims that nothing was drawn for: the reader's own, and other ones that are published."""
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    table = decide(tmp_path)
    Outputs(paths.figures_dir() / "cpu").write_table(table, "claims", readme.markdown(table, "cpu"))
    table = table.assign(verdict=PARTLY)
    Outputs(published_dir() / "cpu").write_table(table, "claims", readme.markdown(table, "cpu"))
    file = tmp_path / "README.md"
    file.write_text(TEXT)
    monkeypatch.setattr(readme, "README", file)
    return file


def test_the_readme_has_the_committed_claims_of_smoke() -> None:
    text = readme.README.read_text(encoding="utf-8")
    start, end = part(text, "claims")
    assert text[start:end].strip() == (SMOKE / "claims.md").read_text(encoding="utf-8").strip(), (
        "run `make publish PRESET=smoke`"
    )
    assert text[:start].count("\n") < 12  # the first screen
    assert not any(line.startswith("## ") for line in text[:start].splitlines())


def test_the_committed_claims_agree_with_each_other() -> None:
    table = pd.read_csv(SMOKE / "claims.csv", keep_default_na=False)
    assert list(table.id) == [claim.id for claim in CLAIMS]
    assert (SMOKE / "claims.md").read_text(encoding="utf-8") == readme.markdown(table, "smoke")


def test_twice_is_once_and_the_rest_stays(drawn: Path) -> None:
    readme.update("cpu")
    once = drawn.read_text()
    readme.update("cpu")
    assert drawn.read_text() == once
    assert (published_dir() / "cpu" / "claims.md").read_text() in once
    assert once.startswith(f"# Title\n\nIntro.\n\n{BEGIN}\n\n| claim")
    assert once.endswith(f"\n{END}\n\nThe rest.\n")


def test_new_claims_take_the_place_of_the_old(drawn: Path) -> None:
    readme.update("cpu")
    file = drawn.parent / "figures" / "cpu" / "claims.md"
    file.write_text("| new |\n")
    readme.update("cpu")
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
        readme.update("cpu")
    assert "\n" not in str(error.value)
    assert drawn.read_text() == text


def test_claims_that_were_not_drawn_are_named_with_the_command(drawn: Path) -> None:
    for preset, words in (
        ("smoke", "snnlib draw claims --preset smoke"),
        ("big", "preset = 'big': must be one of cpu"),
    ):
        with pytest.raises(InputError, match=words) as error:
            readme.drawn(preset)
        assert "\n" not in str(error.value)


def test_the_command_prints_the_readers_own_and_writes_nothing(drawn: Path) -> None:
    done = CliRunner().invoke(app, ["claims", "--preset", "cpu"])
    assert done.exit_code == 0
    assert done.stdout.strip() == (drawn.parent / "figures" / "mine" / "cpu" / "claims.md").read_text().strip()
    assert drawn.read_text() == TEXT


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
    assert "make publish PRESET=smoke" in text


def test_the_readme_has_the_committed_table_of_faults() -> None:
    text = readme.README.read_text(encoding="utf-8")
    start, end = part(text, "faults")
    table = (published_dir() / "faults" / "faults.md").read_text(encoding="utf-8")
    assert text[start:end].strip() == table.strip(), "run `make test-faults publish-faults`"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    assert rows[0] == ["fault", "tries", "survived", "lost"]
    counts = [[int(cell) for cell in row[1:]] for row in rows[2:]]
    assert all(tries == survived + lost > 0 for tries, survived, lost in counts)
