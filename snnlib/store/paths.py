"""Where things lie: the repository's own folders, each of which an environment variable can move.

A relative path in a variable counts from the repository: notebooks run in another folder than commands.
"""

from __future__ import annotations

import os
from pathlib import Path

from snnlib.checks import InputError

ROOT = Path(__file__).resolve().parents[2]
README, DOCS, NOTEBOOKS = ROOT / "README.md", ROOT / "docs", ROOT / "notebooks"


def _folder(variable: str, default: str) -> Path:
    given = os.environ.get(variable) or default
    try:
        return ROOT / Path(given).expanduser()  # an absolute path stays what it is
    except RuntimeError as error:  # ~somebody
        raise InputError(f"{variable} = {given}: {error}") from None


def data_dir() -> Path:
    """Downloaded data sets; ``SNNLIB_DATA`` moves it."""
    return _folder("SNNLIB_DATA", "data")


def runs_dir() -> Path:
    """The run store; ``SNNLIB_RUNS`` moves it."""
    return _folder("SNNLIB_RUNS", "runs")


def figures_dir() -> Path:
    """A reader's own figures and tables, which git ignores; ``SNNLIB_FIGURES`` moves it."""
    return _folder("SNNLIB_FIGURES", "figures/mine")


def published_dir() -> Path:
    """The figures and tables that the repository publishes; only what is asked to publish writes there."""
    return ROOT / "figures"


def from_root(path: Path) -> str:
    """A path as readers see it: from the repository, if it lies there."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
