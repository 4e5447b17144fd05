"""A notebook in JupyterLab: it is opened, run, moved by keyboard, and asked what a reader would take offence at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Locator, Page

from browser.lab import Lab
from browser.pictures import Picture, pictures

SIZE = {"width": 1280, "height": 900}
OPEN, RUN = 120_000, 600_000  # milliseconds: patience, no claim about speed
PICTURES = ".jp-Notebook .jp-OutputArea img"

_KERNEL = "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel"
# All that the kernel says of errors. What a control's callback raises JupyterLab shows in no output. (It also asks a
# kernel that has just begun for its widgets, who says that it knows no such thing.)
_LISTEN = f"""
() => {{
    window.told = []
    {_KERNEL}.iopubMessage.connect((_, {{header, content}}) => {{
        const {{ename, evalue, name, text}} = content
        if (header.msg_type === "error") window.told.push(`error: ${{ename}}: ${{evalue}}`)
        if (name === "stderr" && !text.startsWith("No such comm")) window.told.push(`stderr: ${{text.trim()}}`)
    }})
}}
"""
# An empty request is done when all that was asked before has been answered, and the answers have come.
_ANSWERED = f"async () => {{ await {_KERNEL}.requestExecute({{code: '', silent: true}}).done }}"
_NO_BAR = """() => [...document.querySelectorAll(".widget-hprogress")].every(
    bar => getComputedStyle(bar).visibility === "hidden")"""
_OFFENDING = {
    "red output": '[data-mime-type="application/vnd.jupyter.error"], [data-mime-type="application/vnd.jupyter.stderr"]',
    "interactive figure": ".jp-OutputArea .widget-html pre",  # the error that stands where its picture was
    "widget not shown": ".jupyter-widgets-error-widget",
    # What MathJax makes of a mistake, and of a command that it does not know.
    "equation not read": 'mjx-container:has(mjx-merror, mjx-mtext[style*="color: red"])',
}


class Notebook:
    """One that is open, alone, with a kernel that waits."""

    def __init__(self, page: Page, lab: Lab, path: str) -> None:
        self.page = page
        self._thrown: list[str] = []
        page.set_default_timeout(RUN)
        page.on("pageerror", lambda error: self._thrown.append(f"page: {error}"))
        page.goto(lab.address(path))
        page.wait_for_function(f"() => {_KERNEL}?.status === 'idle'", timeout=OPEN)
        page.evaluate(_LISTEN)

    def run_all(self) -> bool:
        """Clear what is stored and run every cell; whether none raised an error."""
        self._command("notebook:clear-all-cell-outputs")
        passed = self._command("notebook:run-all-cells")
        self.settle()
        return passed

    def _command(self, name: str) -> bool:
        return self.page.evaluate("name => window.jupyterapp.commands.execute(name)", name)

    def settle(self) -> None:
        """Wait until the kernel has answered everything, and each picture that it sent has come or failed.

        What takes long goes on between its answers: its bar is in sight so long.
        """
        self.page.evaluate(_ANSWERED)
        self.page.wait_for_function(_NO_BAR)
        self.page.evaluate(_ANSWERED)
        self.page.wait_for_function(
            "selector => [...document.querySelectorAll(selector)].every(image => image.complete)", arg=PICTURES
        )

    def pictures(self) -> list[Picture]:
        """Those in outputs, of widgets too."""
        return pictures(self.page, PICTURES)

    def faults(self) -> list[str]:
        """A line for each error so far, in a cell, in answer to a control or of the page, and for each bad picture."""
        found = [*self.page.evaluate("() => window.told"), *self._thrown]
        for what, selector in _OFFENDING.items():
            found += [f"{what}: {text.strip()[-300:]}" for text in self.page.locator(selector).all_text_contents()]
        return found + [picture.fault for picture in self.pictures() if picture.fault]

    def control(self, description: str) -> Locator:
        """What the keyboard moves: the handle of the slider, or the menu, with this before it, and perhaps a value."""
        label = self.page.locator(".widget-label", has_text=re.compile(rf"^{re.escape(description)}( = .*)?$"))
        return self.page.locator(".widget-inline-hbox").filter(has=label).locator(".noUi-handle, select")

    def press(self, description: str, keys: str) -> None:
        """Press keys, with spaces between their names, on a control, and wait for what follows."""
        self.control(description).focus()
        for key in keys.split():
            self.page.keyboard.press(key)
        self.settle()

    def screenshot(self, file: Path) -> None:
        """All of the notebook, from its first cell to its last, with JupyterLab around it."""
        self.page.locator(".jp-WindowedPanel-outer").evaluate("panel => panel.scrollTo(0, 0)")
        end = self.page.locator(".jp-Notebook-cell").last.bounding_box()
        self.page.set_viewport_size({**SIZE, "height": int(end["y"] + end["height"]) + 50})
        self.page.screenshot(path=file)
        self.page.set_viewport_size(SIZE)


@contextmanager
def opened(browser: Browser, lab: Lab, path: str) -> Iterator[Notebook]:
    """A notebook in a page of its own, whose kernel ends with it."""
    page = browser.new_page(viewport=SIZE)
    try:
        yield Notebook(page, lab, path)
        page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    finally:
        page.close()
