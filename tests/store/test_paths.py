"""Folders that a variable moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnlib.checks import InputError
from snnlib.store.paths import ROOT, data_dir, figures_dir, runs_dir

FOLDERS = {"SNNLIB_RUNS": runs_dir, "SNNLIB_DATA": data_dir, "SNNLIB_FIGURES": figures_dir}


@pytest.mark.parametrize("variable", FOLDERS)
def test_a_path_counts_from_the_repository_and_the_home_folder_has_its_sign(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for given, expected in {
        "some/where": ROOT / "some" / "where", "/some/where": Path("/some/where"),
        "~/some/where": Path("/home/somebody/some/where"), "~": Path("/home/somebody"),
    }.items():  # fmt: skip
        monkeypatch.setenv(variable, given)
        assert FOLDERS[variable]() == expected
    monkeypatch.setenv(variable, "~nobody_of_this_name/x")
    with pytest.raises(InputError, match=f"{variable} = ~nobody_of_this_name/x: "):
        FOLDERS[variable]()
