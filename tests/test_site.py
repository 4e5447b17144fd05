"""The site: every page in it, no link that ends outside or nowhere, nothing from the network, every equation."""

from __future__ import annotations

import importlib.util
import json
import pydoc
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from snnlib.store.paths import DOCS, NOTEBOOKS, ROOT

SITE = DOCS / "site"
MATH = re.compile(r"\$\$.+?\$\$|\$[^$\n]+\$", re.S)


def module(name: str) -> ModuleType:
    """One of the site's own modules, which are in no package."""
    spec = importlib.util.spec_from_file_location(f"site_{name}", SITE / f"{name}.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


sys.path.append(str(SITE))  # where they find each other
assemble, badges, check = module("assemble"), importlib.import_module("badges"), module("check")


# --- what it is made of ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("folder", "link", "leads_to"),
    [
        ("docs", "../snnlib/rate.py", "../snnlib/rate.py.md"),
        ("docs", "../figures/smoke", "../figures/smoke/index.md"),
        ("docs", "../tests/own/", "../tests/own/index.md"),
        ("", "CITATION.cff", "CITATION.cff.md"),
        ("notebooks", "../docs/running.md#presets", "../docs/running.md#presets"),
        ("docs", "../notebooks/method.ipynb", "../notebooks/method.ipynb"),
        ("docs", "../figures/smoke/runs.csv", "../figures/smoke/runs.csv"),
        ("docs", "#presets", "#presets"),
        ("docs", "https://arxiv.org/abs/2211.05453", "https://arxiv.org/abs/2211.05453"),
        ("docs", "nowhere.py", "nowhere.py"),
    ],
)
def test_what_is_no_page_becomes_one(folder: str, link: str, leads_to: str) -> None:
    text, found = assemble.with_pages(f"see [this]({link}).", ROOT / folder)
    assert text == f"see [this]({leads_to})."
    to = (ROOT / folder / link.partition("#")[0]).resolve()
    assert found == ({to} if to.exists() and link[0] != "#" else set())


def test_no_link_of_what_is_laid_out_ends_outside_or_nowhere(tmp_path: Path) -> None:
    assemble.lay_out(tmp_path / "site")
    pages = [*(tmp_path / "site").rglob("*.md"), *(tmp_path / "site").rglob("*.ipynb")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([\w./-]+)", page.read_text(encoding="utf-8"))]
    known = [(page, link) for page, link in links if "/" in link or "." in link]
    assert len(known) > 200
    for page, link in known:
        to = (page.parent / link).resolve()
        assert to.is_file(), (page, link)
        assert to.is_relative_to(tmp_path / "site"), (page, link)


def test_a_notebook_shows_first_what_is_published_at_the_largest_scale(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(ROOT / "reproduce" / "runs" / "presets", tmp_path / "reproduce" / "runs" / "presets")
    files = ("cpu/memories.png", "cpu/memories.ipynb", "cpu/method.png", "paper/method.png", "paper/method.csv")
    for file in files:
        (tmp_path / "figures" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "figures" / file).touch()
    monkeypatch.setattr(assemble, "ROOT", tmp_path)
    notebook = {"cells": [{"source": "# Title"}, {"source": "1 + 1"}], "nbformat": 4}

    def shown(name: str) -> list[str]:
        cells = assemble.with_larger(notebook, name)["cells"]
        assert [cell["source"] for cell in (cells[0], cells[-1])] == ["# Title", "1 + 1"]
        return re.findall(r"\]\((\S+)\)", "".join(cell["source"] for cell in cells[1:-1]))

    assert shown("method") == ["../figures/paper/method.png"]
    assert shown("memories") == ["../figures/cpu/memories.png", "../figures/cpu/memories.ipynb"]
    assert assemble.executed("cpu") == [tmp_path / "figures" / "cpu" / "memories.ipynb"]
    assert shown("record") == []
    assert len(notebook["cells"]) == 2


@pytest.mark.parametrize(
    ("address", "built_from", "binder", "colab"),
    [
        ("", None, None, None),
        ("", "fork/snnlib", "fork/snnlib", None),  # Colab's notebook could not clone it
        ("https://github.com/us/snn.lib", None, "us/snn.lib", "us/snn.lib"),
        ("https://github.com/us/snnlib.git", "fork/snnlib", "us/snnlib", "us/snnlib"),
    ],
)
def test_a_notebook_has_a_badge_where_it_can_be_opened_and_none_elsewhere(
    monkeypatch: pytest.MonkeyPatch, address: str, built_from: str | None, binder: str | None, colab: str | None
) -> None:
    monkeypatch.setattr(badges, "address", lambda: address)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    if built_from:
        monkeypatch.setenv("GITHUB_REPOSITORY", built_from)
    notebook = {"cells": [{"source": ["# Title\n", "\n", "Text."]}, {"source": "1 + 1"}], "nbformat": 4}
    shown = badges.with_badges(notebook, "method")
    title, *line, text = re.split(r"\n\n| (?=\[!)", "".join(shown["cells"][0]["source"]))
    assert (title, text, shown["cells"][1:]) == ("# Title", "Text.", notebook["cells"][1:])
    links = dict(re.fullmatch(r"\[!\[Open in (\w+)\]\(\S+\)\]\((\S+)\)", badge).groups() for badge in line)
    assert links == {
        name: link
        for name, repository, link in (
            ("Binder", binder, f"https://mybinder.org/v2/gh/{binder}/HEAD?urlpath=lab/tree/notebooks/method.ipynb"),
            ("Colab", colab, f"https://colab.research.google.com/github/{colab}/blob/main/notebooks/method.ipynb"),
        )
        if repository
    }


@pytest.mark.parametrize("address", ["https://gitlab.com/a/b", "github.com/a/b", "https://github.com/a", "a/b"])
def test_an_address_that_no_badge_can_lead_to_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr(badges, "address", lambda: address)
    with pytest.raises(ValueError, match=rf"Repository = {re.escape(address)}: must be https://github.com/OWNER/NAME"):
        badges.badges("method")


def test_every_page_notebook_and_public_name_is_in_it() -> None:
    index = (SITE / "index.md").read_text(encoding="utf-8")
    for page in (*DOCS.glob("*.md"), *NOTEBOOKS.glob("*.ipynb")):
        assert f"\n{page.relative_to(ROOT).with_suffix('')}\n" in index, page
    stub = re.findall(r"^from \.([\w.]+) import (\w+) as", (ROOT / "snnlib" / "__init__.pyi").read_text(), re.M)
    reference = "".join(page.read_text(encoding="utf-8") for page in (SITE / "api").glob("*.rst"))
    assert len(stub) > 20
    for source, name in stub:
        assert re.search(rf"^   {name}$", reference, re.M), name
        members = re.search(rf"^\.\. automodule:: snnlib\.{re.escape(source)}\n   :members:(.*)$", reference, re.M)[1]
        assert not members or name in members.replace(",", "").split(), name


# --- nothing from the network ----------------------------------------------------------------


def test_nothing_that_it_is_configured_with_is_on_the_network() -> None:
    conf = runpy.run_path(str(SITE / "conf.py"))
    assert conf["html_math_renderer"] == "mathml"  # the default is MathJax, from a CDN
    assert conf["nb_ipywidgets_js"] == {}  # likewise
    assert conf["html_show_search_summary"] is False  # fetched, which file:// forbids
    assert not re.search("https?:", repr({k: v for k, v in conf.items() if k[0] != "_"}))


@pytest.mark.parametrize(
    ("html", "fault"),
    [
        ('<script src="https://cdn.org/x.js"></script>', "loads https://cdn.org/x.js"),
        ('<link rel="stylesheet" href="//cdn.org/x.css">', "loads //cdn.org/x.css"),
        ('<img src="http://cdn.org/x.png"/>', "loads http://cdn.org/x.png"),
        ('<img src="x.png">', "x.png is not there"),
        ('<a href="other.html">', "other.html is not there"),
        ('<a href="sub/page.html#nowhere">', "sub/page.html#nowhere is not there"),
        ('<a href="#nowhere">', "#nowhere is not there"),
        ('<a href="sub/page.html?q=1#a%20place">', None),
        ('<a href="#">', None),
        ('<a href="https://arxiv.org">', None),
        ('<img src="data:image/png;base64,xyz">', None),
    ],
)
def test_pages_that_load_from_outside_or_lead_nowhere_are_told(tmp_path: Path, html: str, fault: str | None) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "page.html").write_text('<p id="a place">')
    (tmp_path / "index.html").write_text(html)
    found = [line.partition("index.html: ")[2] for line in check.faults(tmp_path)]
    assert found == ([fault] if fault else [])


def test_styles_that_load_from_outside_are_told(tmp_path: Path) -> None:
    (tmp_path / "index.html").touch()
    (tmp_path / "x.css").write_text(
        "a {src: url('https://fonts.org/a.woff')} b {src: url(b.woff)} @import \"//c.org/c\";"
    )
    assert [line.partition("loads ")[2] for line in check.faults(tmp_path)] == [
        "url('https://fonts.org/a.woff",
        '@import "//c.org/c',
    ]


# --- as it is built: pip install -e '.[site]' ------------------------------------------------


def built(source: Path, to: Path) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "-q",
        "-j",
        "2",
        "-c",
        SITE,
        "-d",
        to / "pages",
        source,
        to / "site",
    ]
    return subprocess.run([*map(str, command)], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("V = H (1 - S) + V_reset S (Eq. 3), in one pass", [3]),
        ("leaked potential (Eqs. 2, 3, 6-9).", [2, 3, 6, 7, 8, 9]),
        ("with two accumulates (Eqs. 1 and 7-9)", [1, 7, 8, 9]),
        ("Eqs. 7-9 are affine, and Eq. 5 with Eq. 6 reads", [5, 6, 7, 8, 9]),
        ("theta * clip(...) (Bu et al. 2022, ICLR, Eq. 15).", []),
        ("Eq. 15, and Fig. 3", []),
    ],
)
def test_equations_that_a_docstring_names_are_found(text: str, numbers: list[int]) -> None:
    assert module("equations").named(text) == numbers


def test_every_formula_is_drawn_and_has_its_object() -> None:
    pytest.importorskip("math_core")
    equations, nodes = module("equations"), pytest.importorskip("docutils.nodes")
    for latex in (*equations.PAPER.values(), *equations.BEYOND.values()):
        assert "<math" in module("mathml").mathml(nodes.math_block("", latex), block=True)
    for name in equations.BEYOND:
        assert pydoc.locate(name) is not None, name
    assert "\n".join(equations.below("snnlib.dynamics.LIF", ["Fires (Eqs. 2-3)."])).count(".. math::") == 2


def test_a_command_of_latex_that_is_not_known_ends_the_build() -> None:
    errors, nodes = pytest.importorskip("sphinx.errors"), pytest.importorskip("docutils.nodes")
    pytest.importorskip("math_core")
    mathml = module("mathml").mathml
    assert "<mfrac" in mathml(nodes.math_block("", r"\frac{a}{b}"), block=True)
    for latex in (r"\nosuch{x}", r"\frac{a}", r"\left( a"):
        with pytest.raises(errors.SphinxError, match=re.escape(latex)):
            mathml(nodes.math("", latex), block=False)


@pytest.mark.slow
def test_the_site_is_built_without_a_warning_and_has_every_equation(tmp_path: Path) -> None:
    pytest.importorskip("sphinx_book_theme")
    assemble.lay_out(tmp_path / "source")
    done = built(tmp_path / "source", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert check.faults(tmp_path / "site") == []
    for page in (tmp_path / "site" / "api").glob("*.html"):
        assert "ForwardRef" not in page.read_text(encoding="utf-8"), page.name
    equations = 0
    for notebook in NOTEBOOKS.glob("*.ipynb"):
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        prose = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        page = (tmp_path / "site" / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        expected = len(MATH.findall(re.sub("`[^`]*`", "", prose)))
        assert page.count("<math") == expected, notebook.name
        assert page.count("<img") >= sum("image/png" in str(cell.get("outputs")) for cell in cells)
        equations += expected
    assert equations > 50


@pytest.mark.slow
@pytest.mark.parametrize("link", ["[there](nowhere.md)", "[there](#nowhere)", "![there](nowhere.png)"])
def test_a_broken_link_ends_the_build(tmp_path: Path, link: str) -> None:
    pytest.importorskip("sphinx_book_theme")
    shutil.copytree(SITE / "static", tmp_path / "source" / "static")
    (tmp_path / "source" / "index.md").write_text(f"# Title\n\n{link}\n")
    done = built(tmp_path / "source", tmp_path)
    assert done.returncode != 0
    assert "nowhere" in done.stderr
