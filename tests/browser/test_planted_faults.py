"""The other tests here can fail: each thing that they look for is planted once, and found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("playwright", reason="pip install -e '.[browser]'")

import nbformat

from browser.lab import Lab
from browser.notebook import Notebook, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from browser.pages import Pages

pytestmark = pytest.mark.browser


# --- in a notebook ---------------------------------------------------------------------------

INTERACTIVE = """
from IPython.display import Image, Latex
from matplotlib.figure import Figure
from reproduce.experiments.interactive import Interactive, slider
from reproduce.experiments.style import png

def draw(height):
    figure = Figure(figsize=(2, 2))
    figure.add_subplot().bar([0], [1 / height])
    return figure

Interactive(draw, height=slider("height", 0, 1, 0.1, step=0.1))
"""
WIDGET = """
import ipywidgets
bare = ipywidgets.IntSlider(0, 0, 3, description="bare")
bare.observe(lambda change: [][change.new], names="value")
bare
"""
CELLS = (
    INTERACTIVE,
    WIDGET,
    "Image(png(Figure(figsize=(1, 1)), 50))",
    "Image(b'no picture', format='png')",
    "import sys; print('a warning', file=sys.stderr)",
    r"Latex(r'$\left( x$ $\nosuch x$')",
    "raise ValueError('the last cell')",
)


@pytest.fixture(scope="module")
def notebook(browser: Browser, lab: Lab) -> Iterator[Notebook]:
    """One in which everything goes wrong, after it was run."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), lab.root / "faulty.ipynb")
    with opened(browser, lab, "faulty.ipynb") as notebook:
        assert not notebook.run_all()
        yield notebook


@pytest.mark.parametrize(
    "fault",
    [
        "error: ValueError: the last cell",
        "red output: .*the last cell",
        "stderr: a warning",
        "red output: a warning",
        r"equation not read: .*\\left\( x",
        r"equation not read: .*\\nosuch",
        "picture is blank",
        "picture does not load",
    ],
)
def test_what_is_wrong_with_cells_is_found(fault: str, notebook: Notebook) -> None:
    found = notebook.faults()
    assert any(re.match(fault, line, re.S) for line in found), found


def test_errors_of_callbacks_are_found(notebook: Notebook) -> None:
    notebook.press("bare", "ArrowRight")
    assert "error: IndexError: list index out of range" in notebook.faults()
    notebook.press("height", "ArrowLeft")
    found = notebook.faults()
    assert any(re.match("interactive figure: .*ZeroDivisionError", line, re.S) for line in found), found


# --- on a page -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ("<div style='width: 500px'>wide</div>", "scrolls sideways: 508 of 390 pixels, <div>"),
        ("<img src='nowhere.png'>", "picture does not load: file:"),
        ("<img src='nowhere.png'>", "does not load: file:"),
        ("<img src='page.html'>", "picture does not load: file:"),
        ("<script src='https://cdn.org/x.js'></script>", "does not load: https://cdn.org/x.js"),
        ("<math style='display: none'><mi>x</mi></math>", "equation is not shown: x"),
        ("<script>console.error('oh')</script>", "error: oh"),
        ("<script>console.warn('oh')</script>", "warning: oh"),
        ("<script>nowhere()</script>", "error: nowhere is not defined"),
        ("<script>console.log('as ever')</script>", None),
        ("<div style='overflow: auto'><div style='width: 500px'>in a box</div></div>", None),
        ("<math><mi>x</mi></math> <img src='data:image/svg+xml,<svg xmlns=\"http://www.w3.org/2000/svg\"/>'>", None),
    ],
)
def test_what_is_wrong_with_a_page_is_found(html: str, fault: str | None, tmp_path: Path, pages: Pages) -> None:
    file = tmp_path / "page.html"
    file.write_text(f"<!doctype html><meta name=viewport content='width=device-width'><body>{html}")
    pages.open(file)
    assert fault or pages.faults(1280) == []
    found = pages.faults(390)
    assert any(line.startswith(f"at width 390: {fault}") for line in found) if fault else found == [], found
