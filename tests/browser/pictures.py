"""What a picture on a page is: loaded or not, a blank of one colour or not, the same as another or not."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page

# Pixels are the picture's own, before the page scales it. They may be read, as pictures come through the kernel.
_LOOK = """
async selector => Promise.all([...document.querySelectorAll(selector)].map(async image => {
    const {width, height} = image.getBoundingClientRect()
    const seen = {source: image.src.slice(0, 60), colours: 0, sum: "", shown: width > 0 && height > 0}
    try { await image.decode() } catch { return seen }
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight)
    const context = canvas.getContext("2d")
    context.drawImage(image, 0, 0)
    const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data
    const sum = String(new Uint8Array(await crypto.subtle.digest("SHA-256", pixels)))
    return {...seen, colours: new Set(new Uint32Array(pixels.buffer)).size, sum}
}))
"""


@dataclass(frozen=True)
class Picture:
    """How it looks."""

    source: str
    colours: int  # 0 if it did not load
    sum: str  # of its pixels
    shown: bool  # it takes room on the page

    @property
    def fault(self) -> str | None:
        """What is wrong with it, if anything is."""
        if not self.colours:
            return f"picture does not load: {self.source}"
        if self.colours == 1:
            return f"picture is blank: {self.source}"
        return None if self.shown else f"picture is not shown: {self.source}"


def pictures(page: Page, selector: str) -> list[Picture]:
    """Every picture that a CSS selector finds, in order."""
    return [Picture(**found) for found in page.evaluate(_LOOK, selector)]
