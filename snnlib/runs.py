"""A training run is a value: its spec names it, and `ensure` loads, resumes or trains it."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
import torch
from filelock import FileLock, Timeout
from pydantic import Discriminator, Field, field_validator, model_validator
from safetensors import SafetensorError

from snnlib import store
from snnlib.ann import QCFS, ReLU
from snnlib.checks import Checked, InputError
from snnlib.data import DATASETS, Dataset, load
from snnlib.models import INPUT_SHAPES, NETWORKS, READOUTS, Network, build, check_width
from snnlib.neurons import LIF, SingleStep
from snnlib.paths import runs_dir
from snnlib.seeds import stream
from snnlib.training import Recipe, fit, start

log = logging.getLogger("snnlib")

# Raised when the same spec would train to other weights, so that no older run passes for a new one.
FORMAT = 3


class RunError(RuntimeError):
    """A stored run cannot be used; the message names the file and the way out."""


class Spec(Checked):
    """All that decides a run's weights.

    Unknown fields and values out of range are refused with an `InputError` of one line.
    """

    dataset: Literal[DATASETS]
    network: Literal[tuple(NETWORKS)]
    width: float = 1.0
    readout: Literal[READOUTS] = "spikes"
    batch_norm: bool = True
    dynamics: Annotated[SingleStep | LIF | ReLU | QCFS, Discriminator("kind")] = SingleStep()
    timesteps: int = Field(ge=1, le=1000)  # T of training; if not given, 10 for lif, 1 for all others
    recipe: Recipe = Recipe()
    seed: int = Field(0, ge=0, lt=2**31)
    after: Spec | None = None  # the run whose last weights are this one's first: fine-tuning

    @model_validator(mode="before")
    @classmethod
    def _usual_timesteps(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and "timesteps" not in fields:
            dynamics = fields.get("dynamics")
            kind = dynamics.get("kind") if isinstance(dynamics, dict) else getattr(dynamics, "kind", None)
            return {**fields, "timesteps": 10 if kind == "lif" else 1}
        return fields

    @field_validator("width")
    @classmethod
    def _leaves_channels(cls, width: float) -> float:
        check_width(width)
        return width

    @model_validator(mode="after")
    def _consistent(self) -> Spec:
        kind = self.dynamics.kind
        if kind != "lif" and self.timesteps != 1:
            raise InputError(f"timesteps = {self.timesteps}: {kind} nets train at 1; convert them afterwards")
        if kind in ("relu", "qcfs") and self.readout != "potential":
            raise InputError(f"readout = {self.readout}: must be potential for {kind} nets, whose output is analog")
        for name in ("dataset", "network", "width", "readout", "batch_norm"):
            if self.after is not None and getattr(self, name) != getattr(self.after, name):
                wanted = getattr(self.after, name)
                raise InputError(
                    f"{name} = {getattr(self, name)}: must be {wanted}, as in the run that this is `after`"
                )
        return self

    @property
    def key(self) -> str:
        """Hash of all fields; the same for equal specs, however they were written."""
        canonical = json.dumps({"format": FORMAT, **self.model_dump(mode="json")}, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def training(self) -> str:
        """What was trained, in a word: single_step, lif10 (directly, T = 10), relu, qcfs8, tuned_lif4 (`after`)."""
        d = self.dynamics
        number = {"lif": self.timesteps, "qcfs": getattr(d, "levels", "")}.get(d.kind, "")
        return f"{'tuned_' if self.after else ''}{d.kind}{number}"

    @property
    def noise(self) -> str:
        """The noise it was trained with: a kind, or none."""
        d = self.dynamics
        return d.noise.kind if isinstance(d, SingleStep) and d.noise.half_width else "none"

    @property
    def label(self) -> str:
        """What a reader needs to tell runs apart."""
        noise = "no_noise" if self.noise == "none" else self.noise
        what = self.training.replace("single_step", noise)
        return f"{self.dataset}-{self.network}-w{self.width:g}-{self.readout}-{what}-s{self.seed}"

    @property
    def name(self) -> str:
        """Folder in the run store."""
        return f"{self.label}-{self.key}"

    def columns(self) -> dict[str, Any]:
        """This run's columns in a figure's CSV."""
        return {
            "run": self.name, "dataset": self.dataset, "network": self.network, "width": self.width,
            "readout": self.readout, "training": self.training, "noise": self.noise, "seed": self.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class Run:
    """A run in the store, finished or not."""

    spec: Spec

    @property
    def folder(self) -> Path:
        return runs_dir() / self.spec.name

    @property
    def done(self) -> bool:
        """The metadata is written last, so where it stands everything does."""
        return (self.folder / "metadata.json").exists()

    @property
    def metadata(self) -> dict[str, Any]:
        return json.loads((self.folder / "metadata.json").read_text())

    @property
    def history(self) -> pd.DataFrame:
        """Columns epoch, lr, train_loss, train_accuracy, test_accuracy_t1, test_accuracy (at the last T).

        Accuracies are fractions; those on the test set are empty where an epoch was not evaluated.
        """
        return pd.read_csv(self.folder / "history.csv")

    @property
    def timing(self) -> pd.DataFrame:
        """Columns epoch, seconds (of training alone, without evaluation), images_per_s."""
        return pd.read_csv(self.folder / "timing.csv")

    def model(self, device: torch.device | str | None = None) -> Network:
        """The trained network, in evaluation mode; a `RunError` if the run is not finished or its file is damaged."""
        weights = self.folder / "weights.safetensors"
        if not self.done:
            raise RunError(f"{self.folder}: this run is not finished; `ensure` trains it")
        if not weights.exists() or store.sha256(weights) != self.metadata["weights_sha256"]:
            raise RunError(f"{weights}: missing or damaged; delete {self.folder} and train it again")
        device = torch.device(device or default_device())
        model = build_for(self.spec).to(device)
        model.load_state_dict(store.load_tensors(weights, device)[0])
        return model.eval()

    def data(self, device: torch.device | str | None = None) -> Dataset:
        """The run's data set, shaped for its network."""
        return load(self.spec.dataset, device or default_device(), INPUT_SHAPES[self.spec.network])


def default_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def build_for(spec: Spec) -> Network:
    """The spec's network with its initial weights, whatever was drawn in this process before."""
    with torch.random.fork_rng():
        torch.manual_seed(stream(spec.seed, "weights").initial_seed())
        return build(spec.network, spec.dynamics, width=spec.width, readout=spec.readout, batch_norm=spec.batch_norm)


def ensure(spec: Spec, device: torch.device | str | None = None) -> Run:
    """The finished run of this spec: loaded, resumed from its last checkpoint, or trained.

    A run `after` another one has that trained first.
    Only one process trains a run; others that need it wait for it.

    Raises:
        DataError: the data set is missing or damaged.
        TrainingError: the loss or a weight is no longer finite; the last good checkpoint stays.
        RunError: the checkpoint is damaged.
    """
    run = Run(spec)
    if run.done:
        return run
    if spec.after is not None:
        ensure(spec.after, device)
    with _alone(run):
        if not run.done:  # another process may just have finished it
            with spec.recipe.execution():
                _train(run, torch.device(device or default_device()))
    return run


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    """Hold the run's lock, after waiting for it if need be; it is free again when its holder dies."""
    run.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(run.folder / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.warning("waiting for another process that trains %s", run.spec.name)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _train(run: Run, device: torch.device) -> None:
    spec, folder = run.spec, run.folder
    data = run.data(device)
    model = build_for(spec).to(device)
    if spec.after is not None:
        model.load_state_dict(Run(spec.after).model(device).state_dict())
    state = start(model, data, spec.recipe)
    checkpoint = folder / "checkpoint.safetensors"
    if checkpoint.exists():
        try:
            store.restore_checkpoint(checkpoint, state)
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise RunError(
                f"{checkpoint}: damaged ({type(error).__name__}); delete it to train this run from the start"
            ) from error
        log.info("%s: resumed after epoch %d of %d", spec.label, state.epoch, spec.recipe.epochs)
    began = time.perf_counter()
    fit(
        state, data, spec.recipe, timesteps=spec.timesteps, seed=spec.seed, label=spec.label,
        save=lambda s: store.save_checkpoint(checkpoint, s),
    )  # fmt: skip
    store.save_tensors(folder / "weights.safetensors", state.model.state_dict(), {"spec": spec.name})
    store.write(folder / "history.csv", pd.DataFrame(state.history).to_csv(index=False))
    store.write(folder / "timing.csv", pd.DataFrame(state.timing).to_csv(index=False))
    metadata = {
        "spec": spec.model_dump(mode="json"),
        "weights_sha256": store.sha256(folder / "weights.safetensors"),
        "train_seconds": sum(row["seconds"] for row in state.timing),
        "wall_seconds_since_start_or_resume": time.perf_counter() - began,
        **store.provenance(device),
    }
    store.write(folder / "metadata.json", json.dumps(metadata, indent=2) + "\n")
    checkpoint.unlink(missing_ok=True)
