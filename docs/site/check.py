"""What Sphinx does not look at in the site that it built: each page asks nothing of the network and leads somewhere."""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {
    "href": ("link",),
    "src": ("script", "img", "iframe", "source", "audio", "video", "embed"),
    "data": ("object",),
}
OUTSIDE = re.compile(r"(?:[a-z]+:)?//|https?:")
IN_CSS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?(?:https?:)?//[^\"')\s]*")


class Page(HTMLParser):
    """What a page loads, where its links lead, and to what in it one can lead."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        self.loads += [given[name] for name, tags in LOADED.items() if tag in tags and name in given]
        if tag == "a" and "href" in given:
            self.links.append(given["href"])

    handle_startendtag = handle_starttag


def faults(site: Path) -> list[str]:
    """A line for each thing that is loaded from outside, and each file or place that is not there."""
    # The theme's own templates lie among its scripts and are no pages.
    files = [file for file in sorted(site.rglob("*.html")) if "_static" not in file.relative_to(site).parts]
    pages = {file: Page(file.read_text(encoding="utf-8")) for file in files}
    found = [] if pages else [f"{site}: no pages"]
    for file, page in pages.items():
        found += [f"{file}: loads {link}" for link in page.loads if OUTSIDE.match(link)]
        for link in page.loads + page.links:
            if not OUTSIDE.match(link) and not link.startswith(("data:", "mailto:")) and not leads(link, file, pages):
                found.append(f"{file}: {link} is not there")
    for file in sorted(site.rglob("*.css")):
        found += [f"{file}: loads {link}" for link in IN_CSS.findall(file.read_text(encoding="utf-8"))]
    return found


def leads(link: str, file: Path, pages: dict[Path, Page]) -> bool:
    """Whether a relative link on a page leads to a file, and to a place on it if it names one."""
    parts = urlsplit(link)
    to = file.parent.joinpath(unquote(parts.path)).resolve() if parts.path else file
    if not to.is_file():
        return False
    return not parts.fragment or to not in pages or unquote(parts.fragment) in pages[to].places


if __name__ == "__main__":
    lines = faults(Path(sys.argv[1]).resolve())
    sys.exit("\n".join(lines) if lines else 0)
