"""Where things lie: in a checkout the repository's own folders, else a folder of the user's.

Variables move them. A relative path in one counts from the repository, since notebooks run in another folder than
commands; without a repository it counts from the current folder.
"""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

from snnlib.checks import InputError

ROOT = Path(__file__).resolve().parents[2]  # the repository, or where pip has put the package
README, DOCS, NOTEBOOKS = ROOT / "README.md", ROOT / "docs", ROOT / "notebooks"


def is_checkout(folder: Path) -> bool:
    """Whether a folder is this repository: it has the notebooks, and a ``pyproject.toml`` that makes snnlib."""
    project = folder / "pyproject.toml"
    if not (project.is_file() and (folder / "notebooks").is_dir()):
        return False
    return 'name = "snnlib"' in project.read_text(encoding="utf-8", errors="replace").splitlines()


CHECKOUT = is_checkout(ROOT)
USUAL_FIGURES = "figures/mine"  # in a checkout


def _kept() -> Path:
    """Where data and runs lie, to be found again: the user's folder is ``~/.local/share/snnlib`` on Linux, say."""
    return ROOT if CHECKOUT else user_data_path("snnlib", appauthor=False)


def _folder(variable: str, usual: Path | str) -> Path:
    given = os.environ.get(variable) or usual
    try:
        folder = Path(given).expanduser()
    except RuntimeError as error:  # ~somebody
        raise InputError(f"{variable} = {given}: {error}") from None
    return ROOT / folder if CHECKOUT else folder.absolute()  # either leaves an absolute path as it is


def data_dir() -> Path:
    """Downloaded data sets; ``SNNLIB_DATA`` moves it."""
    return _folder("SNNLIB_DATA", _kept() / "data")


def runs_dir() -> Path:
    """The run store; ``SNNLIB_RUNS`` moves it."""
    return _folder("SNNLIB_RUNS", _kept() / "runs")


def pretrained_dir() -> Path:
    """Published weights; ``SNNLIB_PRETRAINED`` moves it, and a folder that is not there has all nets trained here."""
    return _folder("SNNLIB_PRETRAINED", (ROOT / "data" if CHECKOUT else _kept()) / "pretrained")


def figures_dir() -> Path:
    """A reader's own figures and tables; ``SNNLIB_FIGURES`` moves it.

    In a checkout git ignores them. Without one they lie in the current folder, since they are there to be looked at.
    """
    return _folder("SNNLIB_FIGURES", USUAL_FIGURES if CHECKOUT else "snnlib-figures")


def build_dir() -> Path:
    """What the workflow leaves beside figures: executed notebooks, logs, its lock; ``SNNLIB_BUILD`` moves it."""
    return _folder("SNNLIB_BUILD", "build")


def published_dir() -> Path:
    """The figures and tables that the repository publishes; only what is asked to publish writes there."""
    return ROOT / "figures"


def from_root(path: Path) -> str:
    """A path as readers see it: from the repository, if it lies there."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
