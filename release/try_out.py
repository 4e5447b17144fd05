"""Install a release in an environment of its own, and try it: its nets' accuracies, and a figure.

Nothing of this checkout is used but, where asked for, its packages.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

SUMS = "SHA256SUMS"
FIGURE = "fig7_potential_dynamics"  # trains nothing
NETS = """
from reproduce.batch.pretrained import on_sample, sampled
from reproduce.runs import pretrained, stored
from reproduce.runs.evaluations import read
from reproduce.runs.trained import ensure

names = [name for name in pretrained.names() if pretrained.published(name, pretrained.WEIGHTS)]
assert names
for name in names:
    run = ensure(stored.finished(name).spec)
    for said in sampled(name):
        found = on_sample(run, read(said["evaluation"]))
        assert found == said, (name, found, said)
        print(f"{name}: {100 * found['accuracy'][0]:.1f} % at T = 1, {100 * found['accuracy'][-1]:.1f} % at the last")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("release", type=Path)
    parser.add_argument("--torch-index", help="from where PyTorch is installed")
    parser.add_argument("--borrow", action="store_true", help="the packages of this Python, in place of downloads")
    given = parser.parse_args()
    check_sums(given.release)
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        python = environment(here / "environment", wheel(given.release), given.torch_index, given.borrow)
        tree = unpacked(given.release, here)
        try_wheel(python, here / "elsewhere", tree)
        try_source(python, tree)


def check_sums(release: Path) -> None:
    """Each file is as it was written, and none is left out."""
    said = dict(reversed(line.split("  ")) for line in (release / SUMS).read_text().splitlines())
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in release.iterdir()}
    del found[SUMS]
    assert said == found, (said, found)


def wheel(release: Path) -> Path:
    (found,) = release.glob("*.whl")
    return found.resolve()


def environment(folder: Path, wheel: Path, torch_index: str | None, borrow: bool) -> Path:
    """Python of a new environment that has the wheel, and what it and its notebooks need."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    if borrow:
        place = run(python, folder, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        Path(place, "borrowed.pth").write_text(sysconfig.get_path("purelib"))
        run(python, folder, *pip, "--no-deps", "--ignore-installed", str(wheel))
        return python
    if torch_index:
        run(python, folder, *pip, "--no-deps", "--index-url", torch_index, "torch", "torchvision")
    run(python, folder, *pip, f"{wheel}[notebooks,export]")
    return python


def unpacked(release: Path, to: Path) -> Path:
    """The repository, of the release's archives."""
    for file in release.glob("*.tar.gz"):
        shutil.unpack_archive(file, to)
    (tree,) = to.glob("snnlib-*")
    return tree


def run(python: Path, cwd: Path, *words: str, **variables: str) -> str:
    """What a command prints that knows nothing of this checkout, and of its own environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SNNLIB_", "PYTHON", "VIRTUAL_ENV"))}
    kept |= {"PATH": f"{python.parent}{os.pathsep}{kept.get('PATH', os.defpath)}", "TQDM_DISABLE": "1", **variables}
    return subprocess.run([python, *words], cwd=cwd, env=kept, stdout=subprocess.PIPE, text=True, check=True).stdout


def try_wheel(python: Path, cwd: Path, tree: Path) -> None:
    """The installed package in a folder of its own, with the published runs of the release."""
    cwd.mkdir()
    where = run(python, cwd, "-c", "import snnlib; print(snnlib.__file__)").strip()
    assert Path(where).is_relative_to(python.parents[1]), where
    version = run(python, cwd, "-m", "reproduce", "--version").strip()
    assert tree.name.removeprefix("snnlib-") in version, version
    print(version)
    assert "figures" in run(python, cwd, "-m", "reproduce", "--help")
    runs = {"SNNLIB_PRETRAINED": str(tree / "data" / "pretrained"), "SNNLIB_RUNS": str(cwd / "runs")}
    print(run(python, cwd, "-c", NETS, **runs), end="")


def try_source(python: Path, tree: Path) -> None:
    """A figure drawn in the unpacked repository has the table that is published, in length and columns."""
    run(python, tree, "-m", "reproduce", "draw", FIGURE, PYTHONPATH=str(tree))
    drawn, published = (tree / "figures" / folder / f"{FIGURE}.csv" for folder in ("mine/smoke", "smoke"))
    assert drawn.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    tables = [list(csv.reader(file.read_text().splitlines())) for file in (drawn, published)]
    assert (len(tables[0]), tables[0][0]) == (len(tables[1]), tables[1][0])
    same = "the same bytes as" if drawn.read_bytes() == published.read_bytes() else "other bytes than"
    print(f"{FIGURE}: drawn, {same} published")


if __name__ == "__main__":
    main()
