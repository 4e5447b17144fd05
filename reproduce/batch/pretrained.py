"""How runs are published: what is known of them, and where they are small their weights, rounded to bfloat16."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

from reproduce.runs import pretrained
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import Conversion, Phased
from reproduce.runs.first_images import IMAGES, first_images, write_first_images
from reproduce.runs.pretrained import CURVES, METADATA, WEIGHTS
from reproduce.runs.results import accuracy, evaluated
from reproduce.runs.run import Run
from snnlib.checks import InputError, between
from snnlib.fast.process import pinned
from snnlib.store.files import explained, seal, sha256, unseal, write
from snnlib.store.tensors import load_tensors, save_tensors
from snnlib.training.evaluation import accuracy_over_time

LARGEST = 2 * 2**20  # bytes of a file: it is in every clone
USUAL = tuple(  # by which a published net is known: steps 3 and 2, exact memory
    evaluation.changed(noise_seeds=(0, 1, 2)) for evaluation in (Conversion(), Conversion(alpha=math.inf), Phased())
)
ENDS = (".csv", ".safetensors", ".json")  # of an evaluation's three files
SAMPLE_T = 3  # time steps on the sample, in float64: the memory has begun to matter


def publish(run: Run) -> Path:
    """Copy a finished run's metadata, curves and evaluations to its folder in `pretrained_dir`; returns that.

    What is published there is withdrawn, but of a run whose weights came from there: its evaluations join them.

    Raises:
        DamagedError: the run is not finished, or is damaged; nothing has changed then.
    """
    if damage := run.damage():
        raise damage
    files = [file.with_suffix(end) for e, _ in evaluated(run) for file in [e.file(run)] for end in ENDS]
    to = pretrained.folder(run.spec.name)
    if run.place != to:
        if not _of_published_weights(run):
            pretrained.withdraw(run.spec.name)
        for path in (*(run.folder / name for name in CURVES), *files, run.folder / METADATA):
            with explained(path):
                content = path.read_bytes()
            write(to / path.name, content)
    return to


def publish_net(run: Run, evaluations: Iterable[Evaluation] = USUAL) -> Path:
    """Publish a run with its weights, rounded: what is said of it is then of these, evaluated anew.

    Beside the test set's, its metadata has the accuracy on the images that travel with it (`on_sample`).

    Raises:
        InputError: it cannot be evaluated so, or its weights are too many.
        DamagedError: the run is not finished, or is damaged.
    """
    evaluations = list(evaluations)
    for evaluation in evaluations:
        evaluation.fits(run.spec)
    run.model()  # reads all of it, checked
    metadata, (tensors, info) = run.metadata, load_tensors(run.folder / WEIGHTS)
    weights = pretrained.rounded(tensors)
    size = sum(t.numel() * t.element_size() for t in weights.values())
    between(f"{run.label}: bytes of its weights in bfloat16", size, 0, LARGEST)
    trained = metadata.get("published", {}).get("trained", metadata["files"][WEIGHTS])
    with TemporaryDirectory() as store, _store(store):
        save_tensors(run.folder / WEIGHTS, pretrained.widened(weights), info)
        for name in CURVES:
            write(run.folder / name, metadata["copies"][name])
        save_tensors(Path(store) / WEIGHTS, weights, info)
        said = {**metadata, "files": {name: sha256(run.folder / name) for name in (WEIGHTS, *CURVES)}}
        said["published"] = {"weights": sha256(Path(store) / WEIGHTS), "trained": trained}
        write(run.folder / METADATA, seal(said))
        write_first_images(run.spec.dataset)
        said["published"]["sample"] = [on_sample(run, evaluation) for evaluation in evaluations]
        write(run.folder / METADATA, seal(said))
        for evaluation in evaluations:
            accuracy(run, evaluation)
        to = publish(run)
        save_tensors(to / WEIGHTS, weights, info)
    return to


def _of_published_weights(run: Run) -> bool:
    """Whether it is the net whose weights are published, as it comes back from there."""
    name = run.spec.name
    return pretrained.published(name, WEIGHTS) and run.metadata == unseal(pretrained.folder(name) / METADATA)


@contextmanager
def _store(folder: str) -> Iterator[None]:
    """Another run store, in which a run is what is published of it."""
    with patch.dict(os.environ, SNNLIB_RUNS=folder):
        yield


def on_sample(run: Run, evaluation: Evaluation) -> dict[str, Any]:
    """Accuracy at T = 1 ... `SAMPLE_T` on the images that travel with the weights, with one noise seed, in float64.

    Sums differ from processor to processor in their last bit, and of millions of neurons some are so near their
    threshold that in float32 it decides. In float64 none is.
    """
    short = evaluation.changed(timesteps=SAMPLE_T, noise_seeds=(0,))
    model, data = short.network(run, "cpu").double(), first_images(run.spec.dataset)
    wide = replace(data, mean=data.mean.double(), std=data.std.double())
    with pinned():
        found = accuracy_over_time(model, wide, SAMPLE_T, batch_size=100).accuracy
    return {"evaluation": short.spelled, "images": IMAGES, "accuracy": found.round(6).tolist()}


def sampled(name: str) -> list[dict[str, Any]]:
    """What `on_sample` said when a net was published.

    Raises:
        InputError: it was published without weights.
        DamagedError: its metadata are not as they were written.
    """
    if not pretrained.published(name, WEIGHTS):
        raise InputError(f"{name}: must be published with its weights")
    return unseal(pretrained.folder(name) / METADATA)["published"]["sample"]
