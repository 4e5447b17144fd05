"""Make the files of a release from what is committed: `make release`.

Unpacked in one folder, its archives are the repository: the source distribution, published runs and published figures.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = {"pretrained": "data/pretrained", "figures": "figures"}  # what the source distribution leaves to others
SUMS = "SHA256SUMS"


def git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout


def archive(to: Path) -> None:
    """Write source distribution, wheel, published runs, figures and their sums into a folder that is not there yet."""
    to.mkdir(parents=True)
    version = tomllib.loads(git("show", "HEAD:pyproject.toml").decode())["project"]["version"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["tar", "-x"], cwd=folder, input=git("archive", "HEAD"), check=True)
        dated = {**os.environ, "SOURCE_DATE_EPOCH": git("log", "-1", "--format=%ct").decode().strip()}
        command = [sys.executable, "-m", "build", "--outdir", to.resolve(), folder]
        done = subprocess.run(command, env=dated, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(done.stdout)
    for part, path in PARTS.items():
        prefix, file = f"--prefix=snnlib-{version}/", to / f"snnlib-{version}-{part}.tar.gz"
        git("archive", prefix, "--output", str(file.resolve()), "HEAD", path)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(to.iterdir())]
    (to / SUMS).write_text("".join(sums))


if __name__ == "__main__":
    archive(Path(sys.argv[1]))
    if git("status", "--porcelain"):
        print("note: what is not committed is not in it")
