"""Published figures are of the runs that their preset has today, not of those that it had, and need no run store."""

from __future__ import annotations

import pandas as pd
import pytest

from reproduce.runs.preset import load_preset
from reproduce.runs.preset_found import preset_names
from snnlib.store.paths import published_dir
from snnlib.store.sums import ENDING, made_from


@pytest.mark.parametrize("name", preset_names())
def test_published_figures_are_of_the_presets_runs(name: str) -> None:
    file = published_dir() / name / "runs.csv"
    if not file.exists():
        pytest.skip(f"nothing is published of {name}")
    others = set(pd.read_csv(file).run) - load_preset(name).all_runs().keys()
    assert not others, f"figures/{name} shows nets that the preset no longer has: python -m reproduce publish NOTEBOOK"


@pytest.mark.parametrize("name", preset_names())
def test_published_figures_rest_on_nothing_that_a_clone_lacks(name: str) -> None:
    for file in (published_dir() / name).rglob(f"*{ENDING}"):
        others = [source for source in made_from(file) if source.startswith("..")]
        assert not others, f"{file}: rests on {others[0]}"
