"""What README, docs, notebooks and docstrings lead to is there: links, files, names, commands and their options."""

from __future__ import annotations

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from reproduce.cli import choose
from reproduce.cli.commands import app
from reproduce.runs.preset import load_preset
from snnlib.store.paths import DOCS, README, ROOT

PAGES = [
    README,
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted(DOCS.glob("*.md")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]
SOURCES = [
    *sorted((ROOT / "reproduce").rglob("*.py")),
    *sorted((ROOT / "snnlib").rglob("*.py")),
    *sorted((ROOT / "tests").rglob("*.py")),
]
# When something is run, or by readers themselves.
MADE = ("build/", "runs/", "figures/mine", "profiles/mine", "data/MNIST", "data/FashionMNIST", "data/cifar")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def prose(page: Path) -> str:
    """A page's Markdown; of a notebook, what its cells of Markdown say."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        return text
    cells = json.loads(text)["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def anchors(page: Path) -> set[str]:
    """Those that GitHub gives a page's headings: lower case, blanks as hyphens, no other punctuation."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands(text: str, program: str) -> Iterator[list[str]]:
    """The words that follow a program's name on each line, up to a comment or the end of the code."""
    for found in re.findall(rf"{program} +([^`\n#;|)]+)", text):
        yield shlex.split(found.split(" && ")[0].replace("'", "").replace('"', ""))


@pages
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not link.startswith("http"):
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            assert target.exists(), link
            assert not anchor or anchor in anchors(target), link


@pages
def test_files_and_folders_in_prose_are_there(page: Path) -> None:
    top = "|".join(sorted(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "."))
    for path in re.findall(rf"`((?:{top})/[\w./*-]*)", prose(page)):
        if not path.startswith(MADE):
            pattern = re.sub(r"[A-Z]{4,}", "*", path).rstrip("/.")  # NAME and such stand for any
            assert any(list(top.glob(pattern)) for top in (ROOT, ROOT / "snnlib")), path


@pytest.mark.parametrize("file", [*PAGES, *SOURCES], ids=lambda file: str(file.relative_to(ROOT)))
def test_names_of_the_library_can_be_imported(file: Path) -> None:
    text = prose(file) if file in PAGES else file.read_text(encoding="utf-8")
    for name in re.findall(r"`(snnlib(?:\.\w+)+)`", text):
        parts = name.split(".")
        for i in range(len(parts), 0, -1):
            try:
                found = importlib.import_module(".".join(parts[:i]))
            except ModuleNotFoundError:
                continue
            for attribute in parts[i:]:
                fields = getattr(found, "model_fields", {})
                found = fields.get(attribute) or getattr(found, attribute)
            break


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".ipynb"], ids=lambda page: page.name)
def test_names_in_a_notebooks_prose_are_those_of_its_imports(page: Path) -> None:
    cells = json.loads(page.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    imports = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Import | ast.ImportFrom)]
    known: dict[str, object] = {}
    exec("\n".join(ast.unparse(node) for node in imports if node.names[0].name != "nir"), known)
    for first, second in re.findall(r"`(\w+)\.(?!csv)(\w+)", prose(page)):
        assert first not in known or hasattr(known[first], second), f"{first}.{second}"


def test_commands_have_these_names_and_options() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "snnlib").rglob("*.py")]
    told = [words for text in (*map(prose, PAGES), *sources) for words in commands(text, "python -m reproduce")]
    assert len(told) > 20
    for command, *words in told:
        if command in ("...", "--help"):
            continue
        options = {"--help"} | {option for parameter in known[command].params for option in parameter.opts}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, (command, words)


def test_commands_name_runs() -> None:
    cpu = load_preset("cpu").all_runs()
    told = [words for page in PAGES for words in commands(prose(page), "python -m reproduce")]
    named = [words[3] for words in told if words[0] in ("train", "evaluate") and words[1:3] == ["--preset", "cpu"]]
    assert named
    for name in named:
        assert any(run.startswith(name) for run in cpu), name
    for words in told:
        if words[:3] == ["evaluate", "--preset", "cpu"]:
            run = choose.one(words[3], load_preset("cpu"))
            assert (ROOT / "data" / "pretrained" / run.spec.name / "weights.safetensors").is_file()


def test_every_public_name_is_told() -> None:
    names = re.findall(r"^from .* import \w+ as (\w+)", (ROOT / "snnlib" / "__init__.pyi").read_text(), re.M)
    told = set(re.findall(r"`(\w+)`", (DOCS / "own_network.md").read_text().partition("## All names")[2]))
    assert len(names) > 20
    assert told >= {*names}


def test_targets_of_make_are_there() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
    told = [words for page in PAGES for words in commands(prose(page), r"(?<=`)make|^make")]
    assert told
    for words in told:
        assert {word for word in words if "=" not in word and re.fullmatch(r"[a-z-]+", word)} <= targets, words
