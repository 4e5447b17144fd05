"""Training with MSE loss and Adam (Sec. 3): step 1 of the method at T = 1, and its opponents alike.

`fit` knows nothing of where results are kept: it hands a `State` to ``save`` after every epoch.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor
from torch.optim import lr_scheduler
from tqdm import tqdm

from snnlib import progress
from snnlib.batches import augment, batches, standardise
from snnlib.checks import Checked
from snnlib.conversion import convert
from snnlib.data import Dataset
from snnlib.evaluation import PRECISIONS, accuracy_over_time, autocast, threads
from snnlib.fused import compiling
from snnlib.models import Network
from snnlib.neurons import Simulation, SingleStep
from snnlib.seeds import stream

log = logging.getLogger("snnlib")


class TrainingError(RuntimeError):
    """Training cannot go on; the message says where it stopped and what to try."""


class Recipe(Checked):
    """How a network is trained. Defaults are the paper's (Sec. 3), or design choices where it is silent."""

    epochs: int = Field(100, ge=1, le=100_000)
    batch_size: int = Field(128, ge=2, le=65_536)
    lr: float = Field(1e-4, gt=0, le=10)  # Adam's; the peak, where the schedule has one
    # one_cycle is PyTorch's OneCycleLR: it moves Adam's beta_1 too, between 0.85 and 0.95, against the rate.
    schedule: Literal["warm_restarts", "cosine", "one_cycle", "constant"] = "warm_restarts"
    restart_every: int = Field(100, ge=1, le=100_000)  # epochs, T_max of Sec. 3
    augment: bool = False  # crop 4 + flip
    precision: Literal[PRECISIONS] = "float32"
    threads: int = Field(1, ge=1, le=1024)  # on a CPU; part of the recipe, since it decides the last bit
    evaluate_every: int = Field(1, ge=1, le=100_000)  # epochs; the last one is always evaluated
    test_timesteps: int = Field(10, ge=1, le=1000)  # T at which a single-step net is tested, converted (step 3)
    compile: bool = False  # the neurons (`snnlib.fused`): seconds to start, faster then; part of the recipe likewise

    @contextmanager
    def execution(self) -> Iterator[None]:
        """Run as the recipe says: on so many threads, compiled or not."""
        with threads(self.threads), compiling(self.compile):
            yield


@dataclass
class State:
    """All that the next epoch depends on, after ``epoch`` epochs are done."""

    model: Network
    optimizer: torch.optim.Optimizer
    scheduler: lr_scheduler.LRScheduler
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)  # repeats bit for bit
    timing: list[dict[str, Any]] = field(default_factory=list)  # does not


def start(model: Network, data: Dataset, recipe: Recipe) -> State:
    """The state before the first epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=recipe.lr, fused=True)
    per_epoch = max(len(data.train) // recipe.batch_size, 1)  # `batches` drops a smaller last batch
    return State(model, optimizer, _scheduler(optimizer, recipe, per_epoch))


def fit(
    state: State,
    data: Dataset,
    recipe: Recipe,
    *,
    timesteps: int = 1,
    seed: int = 0,
    label: str = "",
    save: Callable[[State], None] = lambda state: None,
) -> State:
    """Train to the recipe's last epoch, from wherever ``state`` stands.

    Args:
        state: from `start`, or a restored one.
        data: on the model's device.
        timesteps: T of the forward pass; 1 is the method's.
        seed: of order, augmentation and noise; each epoch draws streams of its own.
        label: shown beside the progress bar.
        save: called with the state after every epoch.

    Raises:
        TrainingError: the loss or a weight is no longer finite. What was saved before stays valid.
    """
    per_epoch = max(len(data.train) // recipe.batch_size, 1)
    total = recipe.epochs * per_epoch
    with progress.bar(total, state.epoch * per_epoch, label) as bar:
        while state.epoch < recipe.epochs:
            began = time.perf_counter()
            row = one_epoch(state, data, recipe, timesteps, seed, bar)
            seconds = time.perf_counter() - began
            # A spiking readout hides NaN weights from the loss: nothing is above the threshold, and 0 is a number.
            sound = all(bool(p.isfinite().all()) for p in state.model.parameters())
            if not (sound and math.isfinite(row["train_loss"])):
                found = f"loss = {row['train_loss']}, weights {'finite' if sound else 'not finite'}"
                raise TrainingError(f"{label}: {found} in epoch {row['epoch']}: try a smaller lr than {recipe.lr}")
            state.epoch = row["epoch"]
            if state.epoch % recipe.evaluate_every == 0 or state.epoch == recipe.epochs:
                row |= _test(state.model, data, recipe, timesteps)
            rate = per_epoch * min(recipe.batch_size, len(data.train)) / seconds
            state.history.append(row)
            state.timing.append({"epoch": state.epoch, "seconds": seconds, "images_per_s": rate})
            save(state)
            if bar.disable:  # a batch log gets a line for each epoch instead
                log.info("%s: epoch %d/%d, %.0f images/s, %s", label, state.epoch, recipe.epochs, rate, _short(row))
    return state


def one_epoch(state: State, data: Dataset, recipe: Recipe, timesteps: int, seed: int, bar: tqdm) -> dict[str, Any]:
    """One pass over the training images; returns this epoch's row of the history."""
    device = data.train.images.device
    epoch = state.epoch + 1
    order, noise, crops = (stream(seed, p, epoch, device) for p in ("order", "noise", "augmentation"))
    lr = state.optimizer.param_groups[0]["lr"]
    loss_sum = torch.zeros((), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    seen = 0
    state.model.train()
    for images, labels in batches(data.train, recipe.batch_size, order):
        if recipe.augment:
            images = augment(images, crops)
        x = standardise(images, data).contiguous(memory_format=torch.channels_last)
        with autocast(device, recipe.precision):
            outputs = state.model(x, Simulation(noise, timesteps)).mean(0)  # [B, classes], averaged over T
        loss = mse(outputs, labels)
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        state.scheduler.step()

        seen += len(labels)
        loss_sum += loss.detach() * len(labels)
        correct += (outputs.argmax(1) == labels).sum()
        if bar.update():  # reading a number makes a GPU wait, so only when the bar is drawn
            accuracy = correct.item() / seen
            progress.show(bar, epoch, recipe.epochs, loss_sum.item() / seen, accuracy, recipe.batch_size)
    return {
        "epoch": epoch,
        "lr": lr,
        "train_loss": loss_sum.item() / seen,
        "train_accuracy": correct.item() / seen,
    }


def _test(model: Network, data: Dataset, recipe: Recipe, timesteps: int) -> dict[str, float]:
    """Accuracy on the test set as the net is meant to be used: a single-step net converted, any other as trained."""
    dynamics = model.first.dynamics
    if isinstance(dynamics, SingleStep) and dynamics.noise.half_width:
        model, timesteps = convert(model), recipe.test_timesteps
    accuracy = accuracy_over_time(model, data, timesteps, precision=recipe.precision).accuracy
    return {"test_accuracy_t1": accuracy.iloc[0], "test_accuracy": accuracy.iloc[-1]}


def mse(outputs: Tensor, labels: Tensor) -> Tensor:
    """Mean squared error against one-hot labels (Sec. 3), over batch and classes."""
    return F.mse_loss(outputs.float(), F.one_hot(labels, outputs.shape[-1]).float())


def _scheduler(optimizer: torch.optim.Optimizer, recipe: Recipe, per_epoch: int) -> lr_scheduler.LRScheduler:
    """The learning rate, changed at every optimiser step."""
    total = recipe.epochs * per_epoch
    match recipe.schedule:
        case "warm_restarts":
            return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, recipe.restart_every * per_epoch)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, total)
        case "one_cycle":
            # One step more than is taken: the schedule steps once past the last update.
            return lr_scheduler.OneCycleLR(optimizer, recipe.lr, total_steps=total + 1)
        case "constant":
            return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def _short(row: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k not in ("epoch", "lr"))
