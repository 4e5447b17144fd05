"""A page of the site as a browser shows it, without a network: what a reader would take offence at, at some width."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

HEIGHT = 900
PATIENCE = 120_000  # milliseconds
QUIET = ("log:", "info:", "debug:")  # to a console
# Where the page is wider than the window, what reaches farthest out of it is named: boxes may scroll, pages not.
_LOOK = """
() => {
    const page = document.documentElement, found = []
    if (page.scrollWidth > page.clientWidth) {
        const right = node => node.getBoundingClientRect().right
        const widest = [...document.body.querySelectorAll("*")].reduce((a, b) => right(b) > right(a) ? b : a)
        found.push(`scrolls sideways: ${page.scrollWidth} of ${page.clientWidth} pixels, <${widest.localName}>`)
    }
    for (const image of document.images)
        if (!image.naturalWidth) found.push(`picture does not load: ${image.src.slice(0, 100)}`)
    for (const math of document.querySelectorAll("math")) {
        const {width, height} = math.getBoundingClientRect()
        if (!(width && height)) found.push(`equation is not shown: ${math.textContent.slice(0, 100)}`)
    }
    return found
}
"""
# Pages move their parts into place when a window's width changes.
_LAID_OUT = """
async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame)
    await Promise.allSettled(document.getAnimations().map(animation => animation.finished))
}
"""


class Pages:
    """One page after another, in one window."""

    def __init__(self, browser: Browser) -> None:
        self.page = browser.new_context(offline=True).new_page()
        self.page.set_default_timeout(PATIENCE)
        self._said: list[str] = []
        self.page.on("pageerror", lambda error: self._said.append(f"error: {error}"))
        self.page.on("console", lambda line: self._said.append(f"{line.type}: {line.text}"))
        self.page.on("requestfailed", lambda request: self._said.append(f"does not load: {request.url[:100]}"))

    def open(self, file: Path) -> None:
        """Go there, with nothing said yet."""
        self._said.clear()
        self.page.goto(file.as_uri())

    def faults(self, width: int) -> list[str]:
        """A line for each error that the page told the console, and for each thing that looks wrong at this width."""
        self.page.set_viewport_size({"width": width, "height": HEIGHT})
        self.page.evaluate(_LAID_OUT)
        said = [line for line in self._said if not line.startswith(QUIET)]
        return [f"at width {width}: {line}" for line in said + self.page.evaluate(_LOOK)]
