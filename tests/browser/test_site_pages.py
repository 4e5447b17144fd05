"""The site as it was built, read from its files without a network, on a wide screen and on a phone's.

That every link leads somewhere `docs/site/check.py` has seen when it was built.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="pip install -e '.[browser]'")

from playwright.sync_api import expect

from snnlib.store.paths import ROOT

if TYPE_CHECKING:
    from browser.pages import Pages

pytestmark = pytest.mark.browser

SITE = ROOT / "build" / "site"
WIDE, NARROW = 1280, 390
READ = ("index", "CONTRIBUTING", "docs", "notebooks", "api")  # what is kept as it looks; the rest is source


@pytest.fixture(scope="module")
def site() -> list[Path]:
    """Its pages; the theme's own templates lie among its scripts and are none."""
    pages = [file for file in sorted(SITE.rglob("*.html")) if "_static" not in file.relative_to(SITE).parts]
    if not pages:
        pytest.skip("no site: make site")
    return pages


def test_every_page_is_whole_at_either_width(
    site: list[Path], pages: Pages, screenshots: Callable[[str], Path]
) -> None:
    found = {}
    for file in site:
        where = file.relative_to(SITE).with_suffix("")
        pages.open(file)
        for width in (WIDE, NARROW):
            found[where, width] = pages.faults(width)
            if where.parts[0] in READ:
                name = "-".join(("site", *where.parts, str(width)))
                pages.page.screenshot(path=screenshots(name), full_page=True)
    assert {page: faults for page, faults in found.items() if faults} == {}


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.usefixtures("site")
def test_a_reader_goes_from_page_to_page(width: int, pages: Pages) -> None:
    """By the list of pages, which a phone hides behind a button, and by a link in the text to a place on a page."""
    page = pages.page
    pages.open(SITE / "index.html")
    assert pages.faults(width) == []
    listed = page.get_by_role("navigation").get_by_role("link", name="How a verdict is reached")
    if width == NARROW:
        expect(listed).not_to_be_in_viewport()
        page.get_by_role("button", name="Toggle primary sidebar").click()
    listed.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("How a verdict is reached")
    page.go_back()
    page.get_by_role("main").get_by_role("link", name="user folder").click()
    expect(page).to_have_url(re.compile(r"/docs/running.html#where-things-lie$"))
    expect(page.locator("#where-things-lie")).to_be_in_viewport()


@pytest.mark.usefixtures("site")
def test_the_site_can_be_searched(pages: Pages) -> None:
    """Without a server: what is found lies beside the page."""
    pages.page.goto((SITE / "search.html").as_uri() + "?q=surrogate")
    found = pages.page.locator("#search-results li a")
    expect(found.first).to_be_visible()
    found.first.click()
    expect(pages.page).not_to_have_url(re.compile("search.html"))
    expect(pages.page.get_by_role("main")).to_contain_text(re.compile("surrogate", re.I))
