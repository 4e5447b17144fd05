"""Training as a recipe says, by default with MSE loss and Adam (Sec. 3): step 1 of the method, and its opponents alike.

`train_epochs` knows nothing of where results are kept: it hands a `State` to ``save`` after every epoch.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.utils import get_total_norm
from torch.optim import lr_scheduler
from tqdm import tqdm

from snnlib.conversion import convert
from snnlib.data.batches import augmented, batches, standardise
from snnlib.data.sets import Dataset
from snnlib.dynamics import SingleStep
from snnlib.fast.process import autocast
from snnlib.network import Spiking
from snnlib.simulation import Simulation
from snnlib.training import failures, progress
from snnlib.training.evaluation import accuracy_over_time
from snnlib.training.failures import TrainingError
from snnlib.training.losses import LOSSES, distillation
from snnlib.training.optimizers import optimizer_of, scheduler_of
from snnlib.training.ranks import ALONE, Rank
from snnlib.training.recipe import Recipe
from snnlib.training.seeds import stream

log = logging.getLogger("snnlib")


@dataclass
class State:
    """All that the next epoch depends on, after ``epoch`` epochs are done."""

    model: Spiking
    optimizer: torch.optim.Optimizer
    scheduler: lr_scheduler.LRScheduler
    net: nn.Module  # the model as it is called in training: itself, or shared with other ranks
    rank: Rank = ALONE
    teacher: nn.Module | None = None  # an ANN, whose outputs are learnt beside the labels
    epoch: int = 0
    step: int = 0  # of the epoch under way
    history: list[dict[str, Any]] = field(default_factory=list)  # repeats bit for bit
    timing: list[dict[str, Any]] = field(default_factory=list)  # does not


def initial_state(
    model: Spiking, data: Dataset, recipe: Recipe, rank: Rank = ALONE, teacher: nn.Module | None = None
) -> State:
    """The state before the first epoch, on this rank of those that share the recipe's batches."""
    r, net = recipe, rank.share(model, recipe.synchronised)
    optimizer = optimizer_of(r.optimizer, model.parameters(), r.lr, r.weight_decay, r.momentum)
    scheduler = scheduler_of(r.schedule, optimizer, r.lr, _steps(data, r), r.epochs, r.restart_every)
    return State(model, optimizer, scheduler, net, rank, teacher)


def train_epochs(
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
        state: from `initial_state`, or a restored one.
        data: on the model's device.
        timesteps: T of the forward pass; 1 is the method's.
        seed: of order, augmentation and noise; each epoch draws streams of its own.
        label: shown beside the progress bar.
        save: called with the state after every epoch, on the rank that leads.

    Raises:
        TrainingError: the loss, a gradient or a weight is no longer finite, or memory is full. What was saved before
            stays valid.
        DeviceError: the device failed.
    """
    per_epoch = _steps(data, recipe)
    total = recipe.epochs * per_epoch
    with progress.bar(total, state.epoch * per_epoch, label) as bar:
        while state.epoch < recipe.epochs:
            for row, timing in _timed(state, data, recipe, timesteps, seed, bar, label):
                if state.rank.leads and recipe.evaluates(row["epoch"]):
                    with failures.naming_place(
                        lambda row=row: f"{label}: test after epoch {row['epoch']:g}",
                        "recipe.test_batch",
                        recipe.test_batch,
                    ):
                        row |= _test(state.model, data, recipe, timesteps)
                state.history.append(row)
                state.timing.append(timing)
            state.epoch += 1
            if not state.rank.leads:
                continue
            save(state)
            if bar.disable:  # a batch log gets a line for each epoch instead
                rate = timing["images_per_s"]
                log.info("%s: epoch %d/%d, %.0f images/s, %s", label, state.epoch, recipe.epochs, rate, _short(row))
    return state


def _timed(
    state: State, data: Dataset, recipe: Recipe, timesteps: int, seed: int, bar: tqdm, label: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """The rows of the history and of the timing that an epoch gives, one for each piece of it.

    The clock runs while the net is trained, not while the caller looks at it.
    """
    pieces, steps = one_epoch(state, data, recipe, timesteps, seed, bar), 0
    while True:
        began = time.perf_counter()
        with failures.naming_place(
            lambda: f"{label}: epoch {state.epoch + 1}, step {state.step}", "recipe.batch_size", recipe.batch_size
        ):
            row, broke = next(pieces, (None, 0))
        if row is None:
            return
        seconds = time.perf_counter() - began
        if broke:
            raise TrainingError(
                f"{label}: epoch {state.epoch + 1}, step {broke} of {_steps(data, recipe)}: loss, gradients or weights "
                f"are no longer finite (mean loss {row['train_loss']}): try a smaller lr than {recipe.lr}"
            )
        rate = (state.step - steps) * min(recipe.batch_size, len(data.train)) / seconds
        steps = state.step
        yield row, {"epoch": row["epoch"], "seconds": seconds, "images_per_s": rate}


def one_epoch(
    state: State, data: Dataset, recipe: Recipe, timesteps: int, seed: int, bar: tqdm | None = None
) -> Iterator[tuple[dict[str, Any], int]]:
    """One pass over the training images, in as many pieces as it is evaluated, one if it is not within an epoch.

    Args:
        bar: to show its progress in.

    Yields:
        After each piece a row of the history, means over the epoch so far, and the first step after which the loss, a
        gradient or a weight was not finite, 0 if all were.
    """
    device, rank, bar = data.train.images.device, state.rank, tqdm(disable=True) if bar is None else bar
    epoch = state.epoch + 1
    order, crops = (stream(seed, p, epoch, device) for p in ("order", "augmentation"))
    noise = stream(seed, "noise", epoch, device, rank.number)
    lr = state.optimizer.param_groups[0]["lr"]
    loss_sum = torch.zeros((), device=device)
    correct = torch.zeros((), dtype=torch.int64, device=device)
    broke = torch.zeros((), dtype=torch.int64, device=device)  # there, so that no step waits for a GPU
    parameters = list(state.model.parameters())
    seen, per_epoch = 0, _steps(data, recipe)
    parts = recipe.parts
    ends = {round(part * per_epoch / parts): epoch - 1 + part / parts for part in range(1, parts)} | {per_epoch: epoch}
    state.model.train()
    for state.step, (images, labels) in enumerate(batches(data.train, recipe.batch_size, order), start=1):
        images, labels = rank.part(augmented(images, recipe.augment, crops)), rank.part(labels)
        x = standardise(images, data).contiguous(memory_format=torch.channels_last)
        with autocast(device, recipe.precision):
            outputs = state.net(x, simulation=Simulation(noise, timesteps)).mean(0)  # [B, classes], averaged over T
        loss = LOSSES[recipe.loss](outputs, labels, recipe.smoothing)
        if state.teacher is not None:
            with torch.no_grad(), autocast(device, recipe.precision):
                taught = state.teacher(x, simulation=Simulation(noise)).mean(0)  # an ANN draws no noise
            loss = (loss + distillation(outputs, taught)) / 2
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        state.scheduler.step()

        # A spiking readout hides NaN weights from the loss: nothing is above the threshold, and 0 is a number.
        size = get_total_norm([*parameters, *(p.grad for p in parameters if p.grad is not None)])
        broke += state.step * ((broke == 0) & ~(size + loss.detach()).isfinite())
        seen += len(labels)
        loss_sum += loss.detach() * len(labels)
        correct += (outputs.argmax(1) == labels).sum()
        if bar.update():  # reading a number makes a GPU wait, so only when the bar is drawn
            accuracy = correct.item() / seen
            progress.show(bar, epoch, recipe.epochs, loss_sum.item() / seen, accuracy, recipe.batch_size)
        if state.step in ends:
            loss_mean, accuracy = rank.mean(loss_sum).item() / seen, rank.mean(correct).item() / seen
            row = {"epoch": ends[state.step], "lr": lr, "train_loss": loss_mean, "train_accuracy": accuracy}
            yield row, int(rank.largest(broke))
            state.model.train()


def _test(model: Spiking, data: Dataset, recipe: Recipe, timesteps: int) -> dict[str, float]:
    """Accuracy on the test set as the net is meant to be used: a single-step net converted, any other as trained."""
    dynamics = model.first.dynamics
    if isinstance(dynamics, SingleStep) and dynamics.noise.half_width:
        model, timesteps = convert(model, statistics="layer"), recipe.test_timesteps
    accuracy = accuracy_over_time(
        model, data, timesteps, batch_size=recipe.test_batch, precision=recipe.precision
    ).accuracy
    return {"test_accuracy_t1": accuracy.iloc[0], "test_accuracy": accuracy.iloc[-1]}


def _steps(data: Dataset, recipe: Recipe) -> int:
    """Of an epoch; `batches` drops a smaller last batch."""
    return max(len(data.train) // recipe.batch_size, 1)


def _short(row: dict[str, Any]) -> str:
    return ", ".join(f"{k} {v:.4f}" for k, v in row.items() if k not in ("epoch", "lr"))
