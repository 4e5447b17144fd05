"""Every notebook in JupyterLab: as it is stored, run from first cell to last, and moved where it has controls."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="pip install -e '.[browser]'")

from playwright.sync_api import expect

from browser.lab import Lab
from browser.notebook import Notebook, opened
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from snnlib.store.paths import NOTEBOOKS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

MATH = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)
WIDGET = "application/vnd.jupyter.widget-view+json"
NEXT = "Space ArrowDown Enter"  # of a menu, opened: to a closed one's arrow keys JupyterLab goes to the next cell
# Which keys move which control, one after the other: each draws another picture. Few steps first, as then accuracy on a
# thousand images is soon measured.
MOVES = {
    "explorer": {
        "steps T": "Home", "image": "ArrowRight", "layer": "End", "neuron": "ArrowRight", "leak λ": "End",
        "α": "ArrowRight", "memory": NEXT, "noise": NEXT, "its width": "PageDown", "net": NEXT,
    },
    "fig5_alpha": {"network": NEXT, "α": "Home"},
    "fig7_potential_dynamics": {
        "α": "ArrowRight", "β": "PageUp", "leak λ": "End", "noise": NEXT, "input weight": "ArrowLeft",
    },
    "method": {"image": "ArrowRight", "α": "ArrowRight"},
}  # fmt: skip
STILL = {("explorer", "leak λ")}  # "nothing changes", it says there: the leak cancels


def stored(name: str) -> list[dict]:
    return json.loads((NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]


def kinds(cells: list[dict]) -> list[str]:
    """What is in the outputs, each once."""
    return [kind for cell in cells for output in cell.get("outputs", ()) for kind in output.get("data", ())]


def equations(cells: list[dict]) -> int:
    prose = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return len(MATH.findall(re.sub("`[^`]*`", "", prose)))


def move(notebook: Notebook, name: str) -> None:
    """Each control changes the last picture, which is the interactive one's."""
    for control, keys in MOVES[name].items():
        before = notebook.pictures()[-1].sum
        notebook.press(control, keys)
        assert notebook.faults() == [], control
        assert (notebook.pictures()[-1].sum == before) == ((name, control) in STILL), control


def test_every_notebook_is_here() -> None:
    assert set(NOTEBOOK_FILES) == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}


@pytest.mark.parametrize("name", NOTEBOOK_FILES)  # claims last, which read the tables that the others leave
def test_a_notebook_is_whole_stored_run_and_moved(
    name: str, browser: Browser, lab: Lab, screenshots: Callable[[str], Path]
) -> None:
    cells = stored(name)
    shown = kinds(cells)
    with opened(browser, lab, f"notebooks/{name}.ipynb") as notebook:
        assert (notebook.faults(), len(notebook.pictures())) == ([], shown.count("image/png"))  # nothing has run yet
        expect(notebook.page.locator(".jp-MarkdownOutput mjx-container")).to_have_count(equations(cells))

        passed = notebook.run_all()
        notebook.screenshot(screenshots(f"notebook-{name}"))
        assert (notebook.faults(), len(notebook.pictures())) == ([], shown.count("image/png"))
        assert passed

        assert (name in MOVES) == (WIDGET in shown)
        if name in MOVES:
            move(notebook, name)
            notebook.screenshot(screenshots(f"notebook-{name}-moved"))
