"""Folders that a variable moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from snnlib.checks import InputError
from snnlib.store import paths
from snnlib.store.paths import ROOT, build_dir, data_dir, figures_dir, is_checkout, runs_dir

FOLDERS = {
    "SNNLIB_RUNS": runs_dir, "SNNLIB_DATA": data_dir, "SNNLIB_FIGURES": figures_dir, "SNNLIB_BUILD": build_dir,
}  # fmt: skip


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


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder, and no repository."""
    monkeypatch.setattr(paths, "CHECKOUT", False)
    monkeypatch.chdir(tmp_path)
    for variable in FOLDERS:
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


def test_without_a_repository_data_and_runs_are_the_users_and_figures_lie_where_he_is(
    installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paths, "user_data_path", lambda name, appauthor: Path("/home/somebody/share") / name)
    assert runs_dir() == Path("/home/somebody/share/snnlib/runs")
    assert data_dir() == Path("/home/somebody/share/snnlib/data")
    assert figures_dir() == installed / "snnlib-figures"


@pytest.mark.parametrize("variable", FOLDERS)
def test_without_a_repository_a_path_counts_from_the_current_folder(
    variable: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, expected in {"some/where": installed / "some" / "where", "/some/where": Path("/some/where")}.items():
        monkeypatch.setenv(variable, given)
        assert FOLDERS[variable]() == expected


def test_a_checkout_has_the_notebooks_and_a_project_of_this_name(tmp_path: Path) -> None:
    assert is_checkout(ROOT)
    project = tmp_path / "pyproject.toml"
    assert not is_checkout(tmp_path)
    project.write_text('[project]\nname = "snnlib"\n')
    assert not is_checkout(tmp_path)
    (tmp_path / "notebooks").mkdir()
    assert is_checkout(tmp_path)
    project.write_text('[project]\nname = "thesis"\ndependencies = ["snnlib"]\n')  # pip install --target . there
    assert not is_checkout(tmp_path)
