"""A training run is a value, and its spec names it: what is known of it, its files, and whether they are as written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from reproduce.runs import pretrained
from reproduce.runs.pretrained import CURVES, METADATA, WEIGHTS
from reproduce.runs.spec import Spec
from snnlib.data.sets import Dataset, load_dataset
from snnlib.fast.process import usable
from snnlib.models import INPUT_SHAPES, build
from snnlib.network import Spiking
from snnlib.store import locks
from snnlib.store.files import DamagedError, check, explained, set_aside, sha256, unseal, write
from snnlib.store.holders import alone_here
from snnlib.store.paths import runs_dir
from snnlib.store.tensors import load_tensors
from snnlib.store.used import note
from snnlib.training.seeds import stream

log = logging.getLogger("snnlib")

FILES = (WEIGHTS, *CURVES)


@dataclass(frozen=True)
class Run:
    """A run in the store, finished or not."""

    spec: Spec
    label: str = field(default="", compare=False, kw_only=True)  # what it is called; among others, `runs.labels`

    def __post_init__(self) -> None:
        object.__setattr__(self, "label", self.label or self.spec.label)

    @property
    def folder(self) -> Path:
        return runs_dir() / self.spec.name

    @property
    def done(self) -> bool:
        """Whether training came to its end: the metadata is written last. `damage` says whether all is still there."""
        with explained(self.folder):
            return (self.folder / METADATA).exists()

    @property
    def place(self) -> Path:
        """The folder of what is known of it: its own once it is done, before that a published one if there is one."""
        return pretrained.folder(self.spec.name) if not self.done and self.published else self.folder

    @property
    def published(self) -> bool:
        """Whether it is known without training (`reproduce.runs.pretrained`)."""
        return pretrained.published(self.spec.name)

    @property
    def metadata(self) -> dict[str, Any]:
        """Spec, hashes of the other files, seconds, and ``sittings``: what each stretch of training was made with.

        It also has ``copies`` of `CURVES`, which could not be had again without training; older ones have none. Of
        published weights it has the hashes, under ``published``.

        Raises:
            DamagedError: it is not as it was written, or it is another run's.
        """
        file = self.place / METADATA
        if not (self.done or self.published):
            raise DamagedError(f"{self.folder}: this run is not finished; `ensure` trains it")
        found = unseal(file)
        if found.get("spec") != self.spec.model_dump(mode="json") or set(found.get("files", ())) != set(FILES):
            raise DamagedError(f"{file}: belongs to another run, or was not written by this version")
        return found

    @property
    def history(self) -> pd.DataFrame:
        """Columns epoch, lr, train_loss, train_accuracy, test_accuracy_t1, test_accuracy (at the last T).

        Accuracies are fractions; those on the test set are empty where an epoch was not evaluated, and not there if
        none was.
        """
        return pd.read_csv(self._file("history.csv"))

    @property
    def timing(self) -> pd.DataFrame:
        """Columns epoch, seconds (of training alone, without evaluation), images_per_s."""
        return pd.read_csv(self._file("timing.csv"))

    @property
    def device(self) -> str:
        """What it was trained on, by name."""
        return ", then ".join(dict.fromkeys(sitting["device"] for sitting in self.metadata["sittings"]))

    def _file(self, name: str) -> Path:
        """One of the run's files, checked; a `DamagedError` if the run is not finished or the file is damaged."""
        digest = self.metadata["files"][name]
        note(self.place / METADATA, sha256(self.place / METADATA))
        try:
            return check(self.place / name, digest)
        except DamagedError as error:
            raise DamagedError(f"{error}; `python -m reproduce train` mends it, or trains the run anew") from None

    def damage(self) -> DamagedError | None:
        """What is wrong with a finished or published run; None if every file is as it was written."""
        try:
            digests = self.metadata["files"]
            for name in FILES if self.done else CURVES:
                check(self.place / name, digests[name])
        except DamagedError as error:
            return error
        return None

    def mend(self) -> bool:
        """Write damaged `CURVES` anew, here or published, from the metadata's copies; whether all is whole then.

        Raises:
            StoreError: they cannot be written.
        """
        with suppress(DamagedError):
            found = self.metadata
            for name, content in found.get("copies", {}).items():
                try:
                    check(self.place / name, found["files"][name])
                except DamagedError as damage:
                    aside = set_aside(self.place / name)
                    write(self.place / name, content)
                    log.warning("%s; moved to %s and written anew from the metadata's copy", damage, aside)
        return self.damage() is None

    def model(self, device: torch.device | str | None = None) -> Spiking:
        """The trained network, in evaluation mode; a `DamagedError` if the run is not finished or the file is not."""
        if not self.done:
            raise DamagedError(f"{self.folder}: this run is not finished; `ensure` trains it")
        weights = self._file(WEIGHTS)
        device = usable(device or default_device())
        model = build_for(self.spec).to(device)
        model.model.load_state_dict(load_tensors(weights, device)[0])
        return model.eval()

    def still_alone(self) -> None:
        """See that nobody on another machine, which does not see this lock, writes to its folder too."""
        alone_here(locks.holder_of(self._lock))

    @property
    def _lock(self) -> Path:
        return self.folder / "lock"

    @contextmanager
    def alone(self, what: str, untold: float = locks.A_MOMENT) -> Iterator[None]:
        """Hold the run's lock (`snnlib.store.locks.alone`): whoever writes to its folder does."""
        with locks.alone(self._lock, f"{what} {self.spec.name}", untold=untold):
            for left_over in self.folder.glob(".*.partial"):  # of a process that was killed
                with suppress(OSError):
                    left_over.unlink()
            yield

    def data(self, device: torch.device | str | None = None) -> Dataset:
        """The run's data set, shaped for its network; its test set is what the spec holds out, if it does."""
        spec = self.spec
        return load_dataset(
            spec.dataset, device or default_device(), INPUT_SHAPES[spec.network], hold_out=spec.hold_out
        )


def default_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def build_for(spec: Spec) -> Spiking:
    """The spec's network with its initial weights, whatever was drawn in this process before."""
    with torch.random.fork_rng():
        torch.manual_seed(stream(spec.seed, "weights").initial_seed())
        return build(
            spec.network, spec.dynamics, width=spec.width, readout=spec.readout, batch_norm=spec.batch_norm,
            norm_start=spec.norm_start,
        )  # fmt: skip
