"""One browser and one JupyterLab for all tests here. Playwright is imported only if they run."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browser import chromium
from browser.lab import Lab, served
from snnlib.store.paths import NOTEBOOKS, ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from browser.pages import Pages

SCREENSHOTS = ROOT / "build" / "browser"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.skip(chromium.MISSING)
    with chromium.launched(executable) as launched:
        yield launched


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """JupyterLab on a copy of the notebooks, in the folder ``notebooks``."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree(NOTEBOOKS, root / "notebooks", ignore=shutil.ignore_patterns(".*"))
    with served(root, tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture
def pages(browser: Browser) -> Iterator[Pages]:
    """A window of its own for pages of the site."""
    from browser.pages import Pages

    pages = Pages(browser)
    yield pages
    pages.page.context.close()


@pytest.fixture(scope="session")
def screenshots() -> Callable[[str], Path]:
    """Where a screenshot of some name goes."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return lambda name: SCREENSHOTS / f"{name}.png"
