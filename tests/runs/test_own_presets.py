"""A preset in a file of the reader's own: how it is named, found and refused, and that its folder is its alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reproduce.experiments.notebook import begin
from reproduce.runs.preset import as_written, load_preset, nets_as_written
from reproduce.runs.preset_file import toml
from reproduce.runs.preset_folder import COPY, claimed, figures_of
from reproduce.runs.preset_found import FOLDER
from snnlib.checks import InputError
from snnlib.store.paths import figures_dir


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    return written(tmp_path / "mine.toml")


def written(file: Path, *changes: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(toml(as_written("smoke", changes or ["width=0.03"])))
    return file


def test_it_has_its_files_name_and_is_found_again_from_anywhere(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in ("mine.toml", "./mine.toml", "x/../mine.toml", "~/mine.toml", str(file)):
        p = load_preset(given)
        assert (p.name, p.file, p.given, p.own) == ("mine", file, str(file), True)
    assert load_preset(p.given) == p
    assert {spec["width"] for spec in nets_as_written(p.given).values()} == {0.03}


def test_one_that_ships_is_found_by_its_file_too(tmp_path: Path) -> None:
    for path in (FOLDER / "smoke.toml", shutil.copy(FOLDER / "smoke.toml", tmp_path)):
        p = load_preset(str(path))
        assert p == load_preset("smoke")
        assert (p.given, p.own) == ("smoke", False)


@pytest.mark.parametrize("name", ["smoke", "Smoke", "PAPER"])
def test_the_name_of_one_that_ships_is_refused(tmp_path: Path, name: str) -> None:
    file = written(tmp_path / f"{name}.toml")
    with pytest.raises(InputError, match=rf"preset = .*: has the name of preset {name.lower()}, which ships, and diff"):
        load_preset(str(file))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("mine", ["preset = 'mine': must be one of cpu, paper, smoke, or the path of a TOML file"]),
        ("no/such/mine.toml", ["preset = 'no/such/mine.toml': ", "/no/such/mine.toml: missing"]),
        ("mine.txt/", ["name is letters, digits, dots, - and _, then .toml"]),
        ("./smoke", ["then .toml"]),
        (".toml", ["then .toml"]),
        ("a b.toml", ["then .toml"]),
        ("{a}.toml", ["then .toml"]),
        ("x" * 101 + ".toml", ["then .toml"]),
        ("bench.toml", ["and not bench, browser, "]),
        ("site.toml", [", site, site-pages, site-source, slurm, which have other uses"]),
        ("Release.toml", [", release, "]),
        ("a\nb/mine.toml", [r"preset = 'a\nb/mine.toml': must be a path of printable characters"]),
        ("~nobody_of_this_name/mine.toml", ["preset = '~nobody_of_this_name/mine.toml': "]),
        ("/dev/null/mine.toml", ["/dev/null/mine.toml", "must be a file that can be read"]),
        ("y" * 300 + "/mine.toml", ["must be a file that can be read"]),
    ],
)
def test_what_is_none_is_one_line(given: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load_preset(given)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000
    for word in words:
        assert word in str(error.value)


def test_a_bad_value_is_named_with_the_path(file: Path) -> None:
    file.write_text(file.read_text().replace("width = 0.03", "width = 300"))
    with pytest.raises(InputError, match=r"mine\.toml': nets.cnn: width = 300.0: must be at most 16"):
        load_preset(str(file))


# --- folders ---------------------------------------------------------------------------------


def test_a_notebook_marks_the_folder_with_a_copy(file: Path) -> None:
    p, out, _ = begin("claims", str(file))
    assert out.folder == figures_dir() / "mine" == figures_of(p)
    assert (out.folder / COPY).read_bytes() == file.read_bytes()


def test_one_that_ships_leaves_no_mark(file: Path) -> None:
    assert not (begin("claims", "smoke")[1].folder / COPY).exists()


def test_an_edited_file_keeps_its_folder_and_so_does_one_that_was_moved(file: Path, tmp_path: Path) -> None:
    folder = claimed(figures_of(load_preset(str(file))), load_preset(str(file)))
    written(file, "width=0.04")
    p = load_preset(str(file))
    assert claimed(figures_of(p), p) == folder
    moved = tmp_path / "elsewhere" / "mine.toml"
    moved.parent.mkdir()
    os.rename(file, moved)
    p = load_preset(str(moved))
    assert claimed(figures_of(p), p) == folder
    written(moved, "width=0.05")
    assert figures_of(load_preset(str(moved))) == folder


def test_another_file_of_the_same_name_does_not_get_it(file: Path, tmp_path: Path) -> None:
    before = load_preset(str(file))
    claimed(figures_of(before), before)
    other = load_preset(str(written(tmp_path / "other" / "mine.toml", "width=0.04")))
    words = f"belongs to another preset of the name mine, {file}; rename {other.file}, or remove that folder"
    for refuse in (lambda: figures_of(other), lambda: claimed(figures_dir() / "mine", other)):
        with pytest.raises(InputError, match=words):
            refuse()
    with pytest.raises(InputError, match=words):
        begin("claims", str(other.file))
    assert (figures_of(before) / COPY).read_bytes() == file.read_bytes()


def test_links_do_not_make_another_file_of_it(file: Path, tmp_path: Path) -> None:
    p = load_preset(str(file))
    claimed(figures_of(p), p)
    written(file, "width=0.04")
    (tmp_path / "link").symlink_to(tmp_path)
    assert figures_of(load_preset(str(tmp_path / "link" / "mine.toml"))) == figures_of(p)
