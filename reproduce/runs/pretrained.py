"""Published runs: what is known of them travels with the repository, so that it need not be trained again.

`pretrained_dir` has a folder for each, as the run store has: metadata, curves and evaluations, as they were written
there. Small nets bring their weights too, rounded to bfloat16; metadata and evaluations are those of the rounded ones.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from torch import Tensor

from snnlib.store.files import check, explained, unseal, write
from snnlib.store.paths import pretrained_dir
from snnlib.store.tensors import load_tensors, save_tensors

METADATA, WEIGHTS, CURVES = "metadata.json", "weights.safetensors", ("history.csv", "timing.csv")
EVALUATIONS = "accuracy-*"


def folder(name: str) -> Path:
    """Where a run is published, or would be."""
    return pretrained_dir() / name


def names() -> list[str]:
    """The runs that are published."""
    with explained(pretrained_dir()):
        return sorted(path.parent.name for path in pretrained_dir().glob(f"*/{METADATA}"))


def published(name: str, what: str = METADATA) -> bool:
    """Whether a run is, or its weights."""
    with explained(folder(name)):
        return (folder(name) / METADATA).is_file() and (folder(name) / what).is_file()


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as they are published: what is not a whole number, in bfloat16."""
    return {name: t.bfloat16() if t.is_floating_point() else t for name, t in tensors.items()}


def widened(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same values in float32, in which nets are kept."""
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def install(name: str, to: Path) -> bool:
    """Put a published net into the run store, as a finished run; False if its weights are not published.

    Raises:
        DamagedError: a published file is not as it was written.
    """
    if not published(name, WEIGHTS):
        return False
    source = folder(name)
    said = unseal(source / METADATA)
    tensors, info = load_tensors(check(source / WEIGHTS, said["published"]["weights"]))
    save_tensors(to / WEIGHTS, widened(tensors), info)
    for name in CURVES:
        write(to / name, said["copies"][name])  # as sealed: the files beside may be damaged
    for path in (*sorted(source.glob(EVALUATIONS)), source / METADATA):
        with explained(path):
            content = path.read_bytes()
        write(to / path.name, content)  # the metadata last: then the run is there
    return True


def withdraw(name: str) -> None:
    """Remove what is published of a run, if anything is."""
    if folder(name).exists():
        with explained(folder(name)):
            shutil.rmtree(folder(name))
