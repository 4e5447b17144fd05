"""The first cell of each notebook: it installs the package where it is missing, and does nothing where it is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reproduce.batch import first_cell
from snnlib.store.paths import NOTEBOOKS, ROOT

PIP = "import json, os, sys; open(os.environ['ASKED'], 'a').write(json.dumps(sys.argv[1:]) + '\\n')"
AFTER = "\nimport snnlib; print(snnlib.__file__)"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder with a pip that notes what it is asked for, for a Python that knows no package beside it."""
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(PIP)
    return tmp_path


def run(code: str, bare: Path, cwd: Path, *path: Path) -> subprocess.CompletedProcess[str]:
    """This code in a process that finds packages in these folders alone, and that pip."""
    environment = {
        **os.environ, "PYTHONPATH": os.pathsep.join(map(str, (bare, *path))), "ASKED": str(bare / "asked"),
        "PYTHONSAFEPATH": "", "GIT_ALLOW_PROTOCOL": "file",
    }  # fmt: skip
    return subprocess.run([sys.executable, "-S", "-c", code], cwd=cwd, env=environment, capture_output=True, text=True)


def asked(bare: Path) -> list[list[str]]:
    file = bare / "asked"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def repository(folder: Path) -> Path:
    """What a clone has at least: a package of this name, and notebooks."""
    (folder / "snnlib").mkdir(parents=True)
    (folder / "snnlib" / "__init__.py").touch()
    (folder / "notebooks").mkdir()
    (folder / "notebooks" / "a.ipynb").touch()
    return folder


def code(monkeypatch: pytest.MonkeyPatch, address: object) -> str:
    monkeypatch.setattr(first_cell, "address", lambda: str(address))
    return first_cell.source()


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_it_is_in_every_notebook_below_the_title(path: Path) -> None:
    title, first, *rest = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert "".join(title["source"]).startswith("# ")
    assert "".join(first["source"]) == first_cell.source(), "make first-cells"
    assert first["outputs"] == []
    assert first["metadata"] == first_cell.METADATA
    assert first_cell.ID not in [cell["id"] for cell in rest]


@pytest.mark.parametrize("address", ["", "https://nowhere.invalid/x"])
def test_it_does_nothing_where_the_package_is_there(
    monkeypatch: pytest.MonkeyPatch, bare: Path, tmp_path: Path, address: str
) -> None:
    before = "import sys; path = [*sys.path]\n"
    after = "\nassert sys.path == path and not {'subprocess', 'snnlib', 'torch'} & {*sys.modules}"
    (tmp_path / "here").mkdir()
    done = run(before + code(monkeypatch, address) + after, bare, tmp_path / "here", ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert asked(bare) == []
    assert list((tmp_path / "here").iterdir()) == []


@pytest.mark.parametrize("address", ["", "https://nowhere.invalid/x"])
def test_in_a_clone_it_installs_that_one(
    monkeypatch: pytest.MonkeyPatch, bare: Path, tmp_path: Path, address: str
) -> None:
    clone = repository(tmp_path / "a clone")
    done = run(code(monkeypatch, address) + AFTER, bare, clone / "notebooks")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(clone / "snnlib" / "__init__.py")
    (words,) = asked(bare)
    assert words[0] == "install"
    assert words[words.index("--editable") + 1] == f"{clone}[export]"


def test_elsewhere_it_clones_the_repository_once(monkeypatch: pytest.MonkeyPatch, bare: Path, tmp_path: Path) -> None:
    origin, here = repository(tmp_path / "snnlib"), tmp_path / "here"
    git = ["git", "-C", origin, "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *words], check=True)
    (here / "snnlib").mkdir(parents=True)  # no package, though it can be imported
    for times in (1, 2):  # the second time, as after an installation that failed
        done = run(code(monkeypatch, origin.as_uri()) + AFTER, bare, here)
        assert done.returncode == 0, done.stderr
        (clone,) = [folder for folder in here.iterdir() if folder.name != "snnlib"]
        assert done.stdout.strip() == str(clone / "snnlib" / "__init__.py")
        assert (clone / "notebooks" / "a.ipynb").exists()
        assert [words[words.index("--editable") + 1] for words in asked(bare)] == [f"{clone}[export]"] * times


def test_where_it_cannot_know_from_where_it_says_in_one_line_what_to_do(
    monkeypatch: pytest.MonkeyPatch, bare: Path, tmp_path: Path
) -> None:
    (tmp_path / "here").mkdir()
    done = run(code(monkeypatch, ""), bare, tmp_path / "here")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "git clone" in done.stderr
    assert asked(bare) == []


def test_an_installation_that_fails_ends_the_notebook(
    monkeypatch: pytest.MonkeyPatch, bare: Path, tmp_path: Path
) -> None:
    (bare / "pip" / "__main__.py").write_text("raise SystemExit(3)")
    done = run(code(monkeypatch, ""), bare, repository(tmp_path / "clone") / "notebooks")
    assert done.returncode == 1
    assert "CalledProcessError" in done.stderr


def test_it_is_renewed_in_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cells = [{"cell_type": "markdown", "id": "a", "source": ["# Title"]}, {"cell_type": "code", "id": "b"}]
    book = tmp_path / "book.ipynb"
    book.write_text(json.dumps({"cells": cells}))
    for address in ("", 'https://example.org/it\'s "one"'):
        source = code(monkeypatch, address)
        first_cell.renew(book)
        title, first, rest = json.loads(book.read_text())["cells"]
        assert [title, rest] == cells
        assert "".join(first["source"]) == source
        compile(source, "cell", "exec")
        first["execution_count"] = 1  # as it was executed
        book.write_text(json.dumps({"cells": [title, first, rest]}))
    first_cell.renew(book)
    assert json.loads(book.read_text())["cells"][1]["execution_count"] == 1
    before = book.stat().st_mtime_ns
    first_cell.renew(book)
    assert book.stat().st_mtime_ns == before


def test_the_address_is_that_of_the_project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(first_cell, "ROOT", tmp_path)
    for urls, address in (
        ("", ""),
        ("[project.urls]", ""),
        ('[project.urls]\nRepository = "https://a/b"', "https://a/b"),
    ):
        (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "x"\n{urls}\n')
        assert first_cell.address() == address
