"""A run that is wanted: loaded, resumed, installed from what is published, or trained."""

from __future__ import annotations

import logging
import time
from typing import Any

import pandas as pd
import torch

from reproduce.runs import checkpoints, pretrained
from reproduce.runs.pretrained import CURVES, METADATA, WEIGHTS
from reproduce.runs.provenance import now, provenance
from reproduce.runs.run import FILES, Run, build_for, default_device
from reproduce.runs.spec import Spec
from snnlib.fast.process import usable
from snnlib.store.files import DamagedError, seal, set_aside, sha256, write
from snnlib.store.once import once
from snnlib.store.tensors import save_tensors
from snnlib.training import failures
from snnlib.training.loop import State, initial_state, train_epochs
from snnlib.training.ranks import ALONE, Rank, enough_devices
from snnlib.training.whitening import whiten_first

log = logging.getLogger("snnlib")


def with_curves(spec: Spec) -> Run:
    """A run with its metadata and curves: published, loaded, or trained now. Its weights may not be there.

    Raises:
        DataError, TrainingError, StoreError, Interrupted: as `ensure`.
    """
    run = Run(spec)
    return run if run.published and not run.done and run.mend() else ensure(spec)


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
        if not checkpoints.found(run.folder):
            _orphans_aside(run)
            if pretrained.install(spec.name, run.folder):
                log.info("%s: its weights are published, nothing is trained", run.label)
                return run
        if run.published:
            log.warning("%s: published without weights, or for other evaluations, so it is trained here", run.label)
        if spec.recipe.devices > 1:
            from reproduce.runs.launch import train_on_ranks  # torchrun takes a while to import

            train_on_ranks(spec, run.label, device)
        else:
            train(run, device)
        return run

    if spec.before and (not run.done or run.damage()):
        for other in spec.before:
            ensure(other, device)  # before this run's lock is taken: one lock at a time
    return once(read, lambda: run.alone("trains"), move_aside, make)


def _orphans_aside(run: Run) -> None:
    """Move away what lies in a run's folder without its metadata."""
    if any((run.folder / name).exists() for name in FILES):
        aside = set_aside(*(run.folder / name for name in FILES))
        missing = "missing, so nothing vouches for the run's other files"
        log.warning("%s: %s; moved to %s, the run is trained anew", run.folder / METADATA, missing, aside)


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

    train_epochs(state, data, spec.recipe, timesteps=spec.timesteps, seed=spec.seed, label=run.label, save=save)
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
