"""Lay out what the site is made of: pages and notebooks where they lie in the repository, the index above them.

What they lead to and is no page of its own becomes one: a source file, a folder. So no link ends outside the site.
Where a notebook's figures are published at a larger scale than the one that it was executed at, it shows them, and its
copy that was executed at that scale is a page of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from badges import with_badges

from reproduce.batch.notebook_files import NOTEBOOK_FILES
from snnlib.store.paths import DOCS, NOTEBOOKS, README, ROOT

HERE = Path(__file__).resolve().parent
PAGES = [README, ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md"), *NOTEBOOKS.glob("*.ipynb")]
LINK = re.compile(r"\]\(([^)\s#:]+)")
LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml"}  # of files that become a page
LARGER = ("paper", "cpu")  # presets beyond the one that notebooks are committed with, the largest first
AFTER_FIRST_SCREEN = "## Where to look"  # the README's heading below it; the index has its own of that name
ORPHAN = "---\norphan: true\n---\n"  # in no table of contents


def lay_out(to: Path) -> None:
    """Write the source of the site into a folder that is not there yet: the pages, and all that they lead to."""
    shutil.copytree(HERE, to, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    index, found = with_pages((HERE / "index.md").read_text(encoding="utf-8"), ROOT)
    copies = {preset: executed(preset) for preset in LARGER}
    write(to / "index.md", index + "".join(contents(preset, files) for preset, files in copies.items() if files))
    done: set[Path] = set()
    waiting = [*PAGES, *(file for files in copies.values() for file in files), *found]
    while waiting:
        path = waiting.pop()
        if path not in done:
            done.add(path)
            waiting += laid_out(path, to)


def executed(preset: str) -> list[Path]:
    """The copies of notebooks that are published as they were executed at a preset."""
    files = [ROOT / "figures" / preset / f"{name}.ipynb" for name in NOTEBOOK_FILES]
    return [file for file in files if file.is_file()]


def contents(preset: str, files: list[Path]) -> str:
    """These in the table of contents."""
    pages = "\n".join(str(file.relative_to(ROOT).with_suffix("")) for file in files)
    return f"\n```{{toctree}}\n:hidden:\n:caption: At preset {preset}\n\n{pages}\n```\n"


def laid_out(path: Path, to: Path) -> set[Path]:
    """Write what stands for a file or folder of the repository; to which others it leads."""
    at = to / path.relative_to(ROOT)
    if path.is_dir():
        return write_folder(path, to)
    if path.suffix in LANGUAGES:
        copy(path, to)
        write(Path(f"{at}.md"), f"{ORPHAN}# {path.relative_to(ROOT)}\n\n{included(path)}\n")
        return set()
    if path.suffix not in (".md", ".ipynb"):
        copy(path, to)
        return set()
    text = path.read_text(encoding="utf-8")
    if path == README:
        text = text.partition(f"\n{AFTER_FIRST_SCREEN}\n")[0]
    elif path.suffix == ".md" and path not in PAGES:
        text = ORPHAN + text
    elif path.parent == NOTEBOOKS:
        text = json.dumps(with_badges(with_larger(json.loads(text), path.stem), path.stem))
    text, found = with_pages(text, path.parent)
    write(at, text)
    return found


def with_pages(text: str, folder: Path) -> tuple[str, set[Path]]:
    """A text of this folder whose links to source files and folders lead to their pages, and to what all links lead."""
    found: set[Path] = set()

    def led(link: re.Match[str]) -> str:
        path = (folder / link[1]).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]
        found.add(path)
        if path.is_dir():
            return f"{link[0].rstrip('/')}/index.md"
        return f"{link[0]}.md" if path.suffix in LANGUAGES else link[0]

    return LINK.sub(led, text), found


def write_folder(path: Path, to: Path) -> set[Path]:
    """A page of the source files, pictures and tables in a folder, and of its folders."""
    inside = [
        file for file in sorted(path.iterdir()) if file.name[0] != "." and file.name not in ("__pycache__", "mine")
    ]
    shown = {file for file in inside if file.is_dir() or file.suffix in (".png", ".svg", ".csv")}
    folders = [f"- [{file.name}/]({file.name}/index.md)" for file in inside if file.is_dir()]
    parts = [f"{ORPHAN}# {path.relative_to(ROOT)}", "\n".join(folders)]
    for file in inside:
        if file.suffix in LANGUAGES:
            copy(file, to)
            parts += [f"## `{file.name}`", included(file)]
        elif file in shown and file.is_file():
            parts += [f"{'!' if file.suffix == '.png' else ''}[{file.name}]({file.name})"]
    write(to / path.relative_to(ROOT) / "index.md", "\n\n".join(parts) + "\n")
    return shown


def copy(path: Path, to: Path) -> None:
    at = to / path.relative_to(ROOT)
    at.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, at)


def included(path: Path) -> str:
    """A source file, in a page beside it."""
    return f"```{{literalinclude}} {path.name}\n:language: {LANGUAGES[path.suffix]}\n```"


def with_larger(notebook: dict, name: str) -> dict:
    """A notebook that has, below its introduction, what is published of it at the largest scale."""
    for preset in LARGER:
        folder = ROOT / "figures" / preset
        pictures = [file for file in NOTEBOOK_FILES[name] if file.endswith(".png") and (folder / file).is_file()]
        if pictures:
            toml = (ROOT / "reproduce" / "runs" / "presets" / f"{preset}.toml").read_text(encoding="utf-8")
            told = f"**At preset `{preset}`** ({tomllib.loads(toml)['description']}):\n\n"
            told += "\n\n".join(f"![{file}](../figures/{preset}/{file})" for file in pictures)
            if folder / f"{name}.ipynb" in executed(preset):
                told += f"\n\n[This notebook, as executed there](../figures/{preset}/{name}.ipynb)."
            told += "\n\nBelow, as everywhere in the text, numbers and pictures are those of preset `smoke`."
            cell = {"cell_type": "markdown", "id": "larger", "metadata": {}, "source": told}
            return {**notebook, "cells": [notebook["cells"][0], cell, *notebook["cells"][1:]]}
    return notebook


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
