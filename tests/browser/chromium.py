"""The browser that the system has: Chromium or Chrome, never one that Playwright downloads."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = f"no browser: install chromium (apt install chromium) or Google Chrome; looked on PATH for {', '.join(NAMES)}"
# It starts as for the first time, and asks nobody for anything.
OPTIONS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find() -> str | None:
    """The path of the first that is on PATH."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A browser without a window, closed afterwards."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=OPTIONS)
        yield browser
        browser.close()


if __name__ == "__main__":  # looked for before anything is trained or built
    sys.exit(0 if find() else f"error: {MISSING}")
