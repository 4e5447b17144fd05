"""Badges above a notebook's page: where it can be opened with nothing installed, once the project has an address."""

from __future__ import annotations

import os
import re
import tomllib

from snnlib.store.paths import ROOT

GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")
BINDER = "https://mybinder.org/v2/gh/{}/HEAD?urlpath=lab/tree/notebooks/{}.ipynb"
COLAB = "https://colab.research.google.com/github/{}/blob/main/notebooks/{}.ipynb"


def address() -> str:
    """`Repository` of pyproject.toml, which has none as long as the project has no address."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project.get("urls", {}).get("Repository", "")


def on_github(url: str) -> str | None:
    """OWNER/NAME of a repository with this address, None without one.

    Raises:
        ValueError: it is not on GitHub, from where alone both Binder and Colab open notebooks by such links.
    """
    if not url:
        return None
    found = GITHUB.fullmatch(url)
    if not found:
        raise ValueError(f"pyproject.toml, Repository = {url}: must be https://github.com/OWNER/NAME")
    return found[1]


def badges(notebook: str) -> str:
    """A notebook's badges, in Markdown, on one line; none that would lead nowhere.

    Binder has a clone, so it needs an address alone, which a site that GitHub Actions builds has.
    """
    own = on_github(address())
    places = {"Binder": (BINDER, own or os.environ.get("GITHUB_REPOSITORY")), "Colab": (COLAB, own)}
    return " ".join(
        f"[![Open in {name}](../badges/{name.lower()}.svg)]({link.format(repository, notebook)})"
        for name, (link, repository) in places.items()
        if repository
    )


def with_badges(notebook: dict, name: str) -> dict:
    """A notebook that has them below its title."""
    if not (line := badges(name)):
        return notebook
    first, *rest = notebook["cells"]
    title, _, text = "".join(first["source"]).partition("\n")
    return {**notebook, "cells": [{**first, "source": f"{title}\n\n{line}\n{text}"}, *rest]}
