"""What a release consists of: the source distribution and the wheel hold what they should, and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from snnlib.store.paths import ROOT

FOLDERS = (".binder", ".github", "docs", "notebooks", "profiles", "release", "snnlib", "tests")
FILES = (
    "CHANGELOG.md", "CITATION.cff", "CONTRIBUTING.md", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "Snakefile",
    "environment.yml", "pyproject.toml", "requirements.lock",
)  # fmt: skip
MADE = (  # by running things; some of it private, some large
    ".venv/lib/python3/site-packages/a.py", "build/smoke/method.ipynb", "runs/a/weights.safetensors",
    "figures/mine/smoke/method.png", "data/MNIST/raw/images", "data/pretrained/a/metadata.json",
    "notebooks/.ipynb_checkpoints/a.ipynb", "snnlib/__pycache__/a.pyc", "tests/__pycache__/a.pyc",
    "snnlib/data/embedded/damaged/1/a", "snnlib/data/embedded/.lock-a", "secret.txt",
)  # fmt: skip
BUILD = "import sys; from setuptools import build_meta; getattr(build_meta, sys.argv[1])(sys.argv[2])"


def files(folder: Path) -> set[str]:
    """What is kept in a folder of the repository."""
    paths = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
    made = ("__pycache__", ".ipynb_checkpoints", "damaged")
    return {path.as_posix() for path in paths if not {*made} & {*path.parts} and not path.name.startswith(".lock")}


def build(what: str, tree: Path, to: Path) -> Path:
    """A distribution of this tree, by what pip and `python -m build` call."""
    to.mkdir()
    done = subprocess.run([sys.executable, "-c", BUILD, what, to], cwd=tree, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (found,) = to.iterdir()
    return found


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a repository in which things have been run."""
    tree = tmp_path_factory.mktemp("tree")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "data").mkdir()
    for file in (*FILES, "data/README.md"):
        shutil.copy(ROOT / file, tree / file)
    for file in MADE:
        (tree / file).parent.mkdir(parents=True, exist_ok=True)
        (tree / file).touch()
    return build("build_sdist", tree, tree.parent / "sdist")


def test_the_source_distribution_is_the_repository_without_what_was_made(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in (m.name for m in archive.getmembers() if m.isfile())}
    kept = {*FILES, "data/README.md"}.union(*(files(ROOT / folder) for folder in FOLDERS))
    assert len(kept) > 400
    generated = {name for name in names if ".egg-info/" in name} | {"PKG-INFO", "setup.cfg"}
    assert names - generated == kept


def test_the_wheel_that_is_built_from_it_is_the_package_with_its_data(sdist: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(sdist, tmp_path)
    (tree,) = tmp_path.iterdir()
    with zipfile.ZipFile(build("build_wheel", tree, tmp_path / "wheel")) as wheel:
        names = {name for name in wheel.namelist() if not name.endswith("/")}
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        assert b"\nLicense-Expression: MIT\n" in wheel.read(metadata)
    kept = files(ROOT / "snnlib")
    assert {name for name in names if ".dist-info/" not in name} == kept
    assert {"snnlib/py.typed", "snnlib/__init__.pyi", "reproduce/runs/presets/smoke.toml"} < kept
    assert len([name for name in kept if name.startswith("snnlib/data/embedded/")]) >= 2


# --- make release ----------------------------------------------------------------------------


def test_a_file_of_a_release_that_is_not_as_it_was_written_is_told(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("try_out", ROOT / "release" / "try_out.py")
    try_out = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(try_out)
    (tmp_path / "a.whl").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, B.1
    (tmp_path / "SHA256SUMS").write_text(f"{abc}  a.whl\n")
    try_out.check_sums(tmp_path)
    for file, content in (("a.whl", b"abd"), ("b.whl", b"")):
        (tmp_path / file).write_bytes(content)
        with pytest.raises(AssertionError, match=file):
            try_out.check_sums(tmp_path)
        (tmp_path / "a.whl").write_bytes(b"abc")
