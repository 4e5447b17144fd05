"""What the project says about itself in several places agrees, and imports inside snnlib go one way."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "snnlib"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
EXTRAS = PROJECT["optional-dependencies"]


# --- dependencies ----------------------------------------------------------------------------


def ranges(requirements: list[str]) -> dict[str, str]:
    """Version range of each package: {"numpy": ">=1.26"}."""
    return {name.lower(): rest.strip() for name, rest in (re.match(r"([\w.-]+)(.*)", r).groups() for r in requirements)}


def test_conda_environment_names_the_packages_and_ranges_of_pyproject() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = ranges([entry for entry in environment if isinstance(entry, str)])
    assert conda.pop("python") == PROJECT["requires-python"]
    assert conda.pop("pip") == ""
    conda["torch"] = conda.pop("pytorch")
    assert conda == ranges(PROJECT["dependencies"] + EXTRAS["notebooks"] + EXTRAS["test"])
    assert [entry for entry in environment if isinstance(entry, dict)] == [{"pip": ["-e .[export]"]}]


def test_every_imported_package_is_declared() -> None:
    """A module may import what every install has, ipywidgets and NIR; a function also notebook packages and peers."""
    distributions = packages_distributions()
    always = {*ranges(PROJECT["dependencies"]), "ipywidgets", *ranges(EXTRAS["export"])}
    later = always | set(ranges(EXTRAS["notebooks"] + EXTRAS["bench"] + EXTRAS["quick-starts"]))
    undeclared = {
        f"{path.relative_to(ROOT)}:{node.lineno}: {top}"
        for path in PACKAGE.rglob("*.py")
        for node, names, in_function in imports(path)
        for top in {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"snnlib"}
        if not {d.lower() for d in distributions.get(top, [top])} & (later if in_function else always)
    }
    assert not undeclared


# --- layers ----------------------------------------------------------------------------------


def imports(path: Path) -> Iterator[tuple[ast.stmt, list[str], bool]]:
    """Each import statement, the dotted names it may bind or load, and whether it stands in a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = (f for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef))
    inner = {id(node) for f in functions for node in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield node, [a.name for a in node.names], id(node) in inner
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:  # from . import noise
                package = path.relative_to(ROOT).with_suffix("").parts[: -node.level]
                base = ".".join((*package, base)).rstrip(".")
            yield node, [f"{base}.{a.name}" for a in node.names], id(node) in inner


def test_imports_go_one_way() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "ignore_imports" not in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


# --- what a reader is told -------------------------------------------------------------------


def test_version_and_license_agree() -> None:
    assert PROJECT["version"] == version("snnlib") == CITATION["version"]
    assert PROJECT["license"] == CITATION["license"] == "MIT"
    assert (ROOT / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_citation_prefers_the_paper() -> None:
    paper = CITATION["preferred-citation"]
    assert paper["type"] == "article"
    assert paper["title"].lower().replace("-", " ") == "a noise based novel strategy for faster snn training"
    assert [author["family-names"] for author in paper["authors"]] == ["Jiang", "Zhang"]
    assert (paper["journal"], paper["year"], paper["doi"]) == ("Neural Computation", 2023, "10.1162/neco_a_01604")
    assert "arXiv:2211.05453" in [identifier["value"] for identifier in paper["identifiers"]]


def test_no_checkout_changes_the_ends_of_lines_that_are_hashed() -> None:
    paths = ["data/pretrained/a/history.csv", "figures/smoke/claims.csv"]
    try:
        command = ["git", "check-attr", "text", "--", *paths]
        said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    assert said.splitlines() == [f"{path}: text: unset" for path in paths]


def test_no_tracked_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    here = {str(ROOT), str(Path.home()), str(Path(tempfile.gettempdir()) / "pytest-of-")}
    private = re.compile(rf"(?<![\w.~-])(?:{'|'.join(map(re.escape, here))})")  # at the start of a path
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.decode().split("\0") if name]
    assert ROOT / "pyproject.toml" in files
    found = set()
    for path in files:
        if not path.is_file() or b"\0" in (content := path.read_bytes()):
            continue  # deleted, or not text
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if private.search(line):
                found.add(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}")
    assert not found
