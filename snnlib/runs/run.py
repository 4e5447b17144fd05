"""A training run is a value: its spec names it, and `ensure` loads, resumes or trains it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from snnlib.data.sets import Dataset, load_dataset
from snnlib.fast.process import usable
from snnlib.models import INPUT_SHAPES, build
from snnlib.network import Spiking
from snnlib.runs import checkpoints, pretrained
from snnlib.runs.pretrained import CURVES, METADATA, WEIGHTS
from snnlib.runs.provenance import now, provenance
from snnlib.runs.spec import Spec
from snnlib.store import locks
from snnlib.store.files import DamagedError, check, explained, seal, set_aside, sha256, unseal, write
from snnlib.store.holders import alone_here
from snnlib.store.once import once
from snnlib.store.paths import runs_dir
from snnlib.store.tensors import load_tensors, save_tensors
from snnlib.store.used import note
from snnlib.training import failures
from snnlib.training.loop import State, initial_state, train_epochs
from snnlib.training.ranks import ALONE, Rank, enough_devices
from snnlib.training.seeds import stream
from snnlib.training.whitening import whiten_first

log = logging.getLogger("snnlib")

FILES = (WEIGHTS, *CURVES)


@dataclass(frozen=True)
class Run:
    """A run in the store, finished or not."""

    spec: Spec
    label: str = field(default="", compare=False, kw_only=True)  # what it is called; among others, `snnlib.runs.labels`

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
        """Whether it is known without training (`snnlib.runs.pretrained`)."""
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
            raise DamagedError(f"{error}; `python -m snnlib train` moves it aside and trains the run anew") from None

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
        """Write `CURVES` anew that are damaged, from the metadata's copies; whether the run is whole then."""
        with suppress(DamagedError):
            found = self.metadata
            for name, content in found.get("copies", {}).items():
                try:
                    check(self.folder / name, found["files"][name])
                except DamagedError as damage:
                    aside = set_aside(self.folder / name)
                    write(self.folder / name, content)
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


def known(spec: Spec) -> Run:
    """A run whose metadata and curves are known: published, loaded or trained. Its weights may not be there."""
    run = Run(spec)
    return run if run.published and not run.done and run.damage() is None else ensure(spec)


@failures.resumable()
def ensure(spec: Spec, device: torch.device | str | None = None, label: str = "") -> Run:
    """The finished run of this spec: loaded, resumed from its last checkpoint, published (`pretrained`), or trained.

    What a run is `after`, and its `teacher`, are trained first.
    Only one process trains a run; others that need it wait for it. What is damaged is moved aside and trained anew.

    Args:
        label: what progress and errors call it, if not by the spec's own label.

    Raises:
        DataError: the data set is missing or damaged.
        InputError: ``device`` is not there, or not as many GPUs as the recipe wants.
        TrainingError: the loss, a gradient or a weight is no longer finite, memory is full, or the device failed, or
            one of several; the last good checkpoint stays.
        StoreError: the store cannot be written to, or read; likewise.
        Interrupted: by Ctrl-C or a notebook's stop button; likewise.
    """
    run, device = Run(spec, label=label), device or default_device()
    ranks_have_it = spec.recipe.devices > 1 and str(device) == "cuda"  # and this process claims no memory on any
    device = torch.device(device) if ranks_have_it else usable(device)
    if not run.done:
        enough_devices(spec.recipe.devices, device)

    def read() -> Run | None:
        if run.done and (damage := run.damage()):
            raise damage
        if run.done:
            log.debug("%s: trained before, in %s", run.label, run.folder)
        return run if run.done else None

    def move_aside(damage: DamagedError) -> None:
        if run.mend():
            return
        aside = set_aside(*(run.folder / name for name in (*FILES, METADATA)))
        log.warning("%s; moved to %s with the rest of the run, which is trained anew", damage, aside)

    def make() -> Run:
        if run.done:  # it has just been mended
            return run
        if not checkpoints.found(run.folder) and any((run.folder / name).exists() for name in FILES):
            aside = set_aside(*(run.folder / name for name in FILES))
            missing = "missing, so nothing vouches for the run's other files"
            log.warning("%s: %s; moved to %s, the run is trained anew", run.folder / METADATA, missing, aside)
        if not checkpoints.found(run.folder) and pretrained.install(spec.name, run.folder):
            log.info("%s: its weights are published, nothing is trained", run.label)
            return run
        if run.published:
            log.warning("%s: published without weights, or for other evaluations, so it is trained here", run.label)
        if spec.recipe.devices > 1:
            from snnlib.runs.launch import train_on_ranks  # torchrun takes a while to import

            train_on_ranks(spec, run.label, device)
        else:
            train(run, device)
        return run

    if spec.before and (not run.done or run.damage()):
        for other in spec.before:
            ensure(other, device)  # before this run's lock is taken: one lock at a time
    return once(read, lambda: run.alone("trains"), move_aside, make)


def train(run: Run, device: torch.device, rank: Rank = ALONE) -> None:
    """Train a run whose lock the caller holds, from its last checkpoint, on one rank of those that share it.

    Raises:
        DataError, TrainingError, StoreError: as `ensure`.
    """
    recipe = run.spec.recipe
    with recipe.execution(), failures.naming_place(lambda: run.label, "recipe.batch_size", recipe.batch_size):
        _train(run, device, rank)


def _train(run: Run, device: torch.device, rank: Rank) -> None:
    spec, folder = run.spec, run.folder
    data = run.data(device)

    def fresh() -> State:
        model = build_for(spec).to(device)
        if spec.whitened:
            whiten_first(model, data)
        if spec.after is not None:
            model.load_state_dict(Run(spec.after).model(device).state_dict())
        teacher = Run(spec.teacher).model(device) if spec.teacher else None
        return initial_state(model, data, spec.recipe, rank, teacher)

    state, info = checkpoints.resume(folder, fresh, spec.name, moves=rank.leads)
    if state.epoch:
        log.info("%s: resumed after epoch %d of %d", run.label, state.epoch, spec.recipe.epochs)
    before, made, first, began = info.get("sittings", []), provenance(device), state.epoch + 1, time.perf_counter()

    def sittings() -> list[dict[str, Any]]:
        if state.epoch < first:
            return before  # all was done, but not yet written
        seconds = time.perf_counter() - began
        return [*before, {**made, "finished": now(), "wall_seconds": seconds, "epochs": [first, state.epoch]}]

    def save(state: State) -> None:
        run.still_alone()
        checkpoints.save_checkpoint(folder, state, {"run": spec.name, "sittings": sittings()})

    options = {"timesteps": spec.timesteps, "seed": spec.seed, "label": run.label, "save": save}
    train_epochs(state, data, spec.recipe, **options)
    if not rank.leads:
        return
    save_tensors(folder / WEIGHTS, state.model.model.state_dict(), {"run": spec.name})
    curves = zip(CURVES, (state.history, state.timing), strict=True)
    copies = {name: pd.DataFrame(rows).to_csv(index=False) for name, rows in curves}
    for name, content in copies.items():
        write(folder / name, content)
    made_of = sittings()
    metadata = {
        "run": spec.name,
        "spec": spec.model_dump(mode="json"),
        "files": {name: sha256(folder / name) for name in FILES},
        "copies": copies,
        "train_seconds": sum(row["seconds"] for row in state.timing),
        "wall_seconds": sum(sitting["wall_seconds"] for sitting in made_of),
        "sittings": made_of,
    }
    write(folder / METADATA, seal(metadata))
    checkpoints.remove(checkpoints.found(folder))
