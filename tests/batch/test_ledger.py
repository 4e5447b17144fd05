"""The ledger: each claim with its picture and the command that draws it, and the check beside the claims."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from reproduce.batch.ledger import COLUMNS, as_written, checks, drawn_by, ledger
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.experiments.claims import BEYOND, CLAIMS
from reproduce.experiments.evidence import Claim
from reproduce.experiments.fig5_alpha import claims as fig5
from reproduce.experiments.fig7_potential_dynamics.table import without_input
from snnlib.store.files import DamagedError
from snnlib.store.sums import write_summed


@pytest.mark.parametrize("claim", [*CLAIMS, *BEYOND], ids=lambda claim: claim.id)
def test_a_claims_tables_are_drawn_by_one_notebook_and_shown_in_a_picture(claim: Claim) -> None:
    (notebook,) = {drawn_by(table.name)[0] for table in claim.tables}
    assert {drawn_by(claim.tables[0].name)[1]} <= set(NOTEBOOK_FILES[notebook])


@pytest.mark.parametrize(
    ("table", "picture"),
    [
        ("fig2_gains", "fig2_accuracy_vs_timesteps"),
        ("fig2_levels", "fig2_accuracy_vs_timesteps"),
        ("fig3_contrasts", "fig3_training_speed"),
        ("fig4_time_to_accuracy", "fig4_time_to_accuracy"),
        ("fig4_training_cost", "fig4_time_to_accuracy"),  # its bars: memory and the largest batch
        ("table2_speedup", "table2_accuracy_vs_timesteps"),
        ("fig5_lossless", "fig5_lossless"),
        ("fig5_effects", "fig5_alpha"),
        ("fig6_gaps", "fig6_noise_type"),
        ("what_noise_does_contrasts", "what_noise_does"),
    ],
)
def test_a_table_is_shown_in_its_own_picture_or_else_in_its_figures_first(table: str, picture: str) -> None:
    assert drawn_by(table)[1] == f"{picture}.png"


def test_a_row_names_the_picture_and_the_command() -> None:
    found = ledger(Path("nowhere"), "cpu", fig5.CLAIMS, fig5.CLAIMS[:1])
    assert list(found.claims.columns) == list(found.beyond.columns) == COLUMNS
    assert list(found.claims.figure) == ["fig5_lossless.png", "fig5_alpha.png", "fig5_alpha.png"]
    assert set(found.claims.command) == {"python -m reproduce draw fig5_alpha --preset cpu"}
    assert list(found.beyond.id) == ["lossless"]


def test_the_ledger_is_read_as_it_was_written(tmp_path: Path) -> None:
    found = ledger(Path("nowhere"), "smoke")
    claims = found.claims.assign(least="", most="1; 2.5", n="3, 5")
    for name, table in (("claims", claims), ("claims_beyond", found.beyond)):
        write_summed({tmp_path / f"{name}.csv": table.to_csv(index=False)})
    again = as_written(tmp_path)
    pd.testing.assert_frame_equal(again.claims, claims)
    pd.testing.assert_frame_equal(again.beyond, found.beyond)
    assert again.checks == found.checks
    claims.head(2).to_csv(tmp_path / "claims.csv", index=False)  # not as it was written
    with pytest.raises(DamagedError, match=r"claims\.csv"):
        as_written(tmp_path)


def test_without_anything_beyond_the_paper_the_table_is_empty_with_its_columns() -> None:
    found = ledger(Path("nowhere"), "cpu", fig5.CLAIMS, ())
    assert found.beyond.empty
    assert list(found.beyond.columns) == COLUMNS


@pytest.mark.parametrize(("spikes", "word"), [(0, "holds, 0 spikes"), (3, "FAILS, 3 spikes")])
def test_silence_is_a_check_that_tells_what_was_counted(tmp_path: Path, spikes: int, word: str) -> None:
    table = without_input([4.0], timesteps=100)
    table.loc[0, "spikes"] = spikes
    write_summed({tmp_path / "fig7_silence.csv": table.to_csv(index=False)})
    told = checks(tmp_path)
    assert word in told
    assert "100 % of potentials in range" in told
    assert "by construction" in told
