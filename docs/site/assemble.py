"""Lay out what the site is made of: pages and notebooks where they lie in the repository, the index above them.

What they lead to and is no page of its own becomes one: a source file, a folder. So no link ends outside the site.
Where a notebook's figures are published at a larger scale than the one that it was executed at, it shows them.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

from snnlib.batch.notebook_files import NOTEBOOK_FILES
from snnlib.store.paths import DOCS, NOTEBOOKS, README, ROOT

HERE = Path(__file__).resolve().parent
LINK = re.compile(r"\]\(([^)\s#:]+)")
LANGUAGES = {".py": "python", ".toml": "toml", ".cff": "yaml"}  # of files that become a page
LARGER = ("paper", "cpu")  # presets beyond the one that notebooks are committed with, the largest first
AFTER_FIRST_SCREEN = "## Where to look"  # the README's heading below it; the index has its own of that name
NOT_OURS = ("__pycache__", "mine")


def lay_out(to: Path) -> None:
    """Write the source of the site into a folder that is not there yet."""
    shutil.copytree(HERE, to, ignore=shutil.ignore_patterns("*.py", *NOT_OURS))
    shutil.copytree(ROOT / "figures", to / "figures", ignore=shutil.ignore_patterns("*.md", "*.sha256", *NOT_OURS))
    led_to: set[Path] = set()
    pages = (HERE / "index.md", README, ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md"), *NOTEBOOKS.glob("*.ipynb"))
    for page in pages:
        at = page.relative_to(HERE if page.parent == HERE else ROOT)
        text = page.read_text(encoding="utf-8")
        if page == README:
            text = text.partition(f"\n{AFTER_FIRST_SCREEN}\n")[0]
        if page.suffix == ".ipynb":
            text = json.dumps(with_larger(json.loads(text), page.stem))
        text, found = with_pages(text, (ROOT / at).parent)
        led_to |= found
        write(to / at, text)
    for path in led_to:
        write_page(path, to)


def with_pages(text: str, folder: Path) -> tuple[str, set[Path]]:
    """A text of this folder whose links to files and folders lead to their pages, and what these are of."""
    found: set[Path] = set()

    def led(link: re.Match[str]) -> str:
        path = (folder / link[1]).resolve()
        if not path.is_relative_to(ROOT) or not path.exists():
            return link[0]
        if end := page_end(path):
            found.add(path)
        return link[0].rstrip("/") + end

    return LINK.sub(led, text), found


def page_end(path: Path) -> str:
    """What the name of a file's or folder's page has behind its own; nothing for what a reader can see as it is."""
    if path.is_dir():
        return "/index.md"
    return ".md" if path.suffix in LANGUAGES else ""


def write_page(path: Path, to: Path) -> None:
    """The page of a source file, or of a folder: its source files, pictures and tables, and the folders in it."""
    name = path.relative_to(ROOT)
    inside = sorted(path.iterdir()) if path.is_dir() else [path]
    inside = [file for file in inside if file.name[0] != "." and file.name not in NOT_OURS]
    folders = [f"- [{file.name}/]({file.name}/index.md)" for file in inside if file.is_dir()]
    parts = [f"---\norphan: true\n---\n# {name}", "\n".join(folders)]
    for file in inside:
        if file.is_dir():
            write_page(file, to)
        elif file.suffix in LANGUAGES:
            write(to / file.relative_to(ROOT), file.read_text(encoding="utf-8"))
            heading = [f"## `{file.name}`"] if file != path else []
            parts += [*heading, f"```{{literalinclude}} {file.name}\n:language: {LANGUAGES[file.suffix]}\n```"]
        elif file.suffix == ".png":
            parts += [f"![{file.name}]({file.name})"]
        elif file.suffix in (".csv", ".svg"):
            parts += [f"[{file.name}]({file.name})"]
    write(to / f"{name}{page_end(path)}", "\n\n".join(parts) + "\n")


def with_larger(notebook: dict, name: str) -> dict:
    """A notebook that has, below its introduction, what is published of it at the largest scale."""
    for preset in LARGER:
        folder = ROOT / "figures" / preset
        pictures = [file for file in NOTEBOOK_FILES[name] if file.endswith(".png") and (folder / file).is_file()]
        if pictures:
            toml = (ROOT / "snnlib" / "runs" / "presets" / f"{preset}.toml").read_text(encoding="utf-8")
            told = f"**At preset `{preset}`** ({tomllib.loads(toml)['description']}):\n\n"
            told += "\n\n".join(f"![{file}](../figures/{preset}/{file})" for file in pictures)
            told += "\n\nBelow, as everywhere in the text, numbers and pictures are those of preset `smoke`."
            cell = {"cell_type": "markdown", "id": "larger", "metadata": {}, "source": told}
            return {**notebook, "cells": [notebook["cells"][0], cell, *notebook["cells"][1:]]}
    return notebook


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    lay_out(Path(sys.argv[1]))
