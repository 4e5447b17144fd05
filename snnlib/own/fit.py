"""`fit`: a training loop for a network of one's own, where one's own loop is not wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler
from tqdm import tqdm

from snnlib.checks import InputError, positive, shown, whole
from snnlib.conversion import network_of
from snnlib.network import Spiking
from snnlib.own.batches import check_classes, loader, number_of, one_tensor, pair
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.training import failures, progress
from snnlib.training.failures import TrainingError

Loss = Callable[[Tensor, Tensor], Tensor]


def fit(
    net: nn.Module,
    data: Any,
    epochs: int = 10,
    *,
    loss: Loss | None = None,
    optimizer: torch.optim.Optimizer | None = None,
    lr: float = 1e-3,
    batch_size: int = 100,
    timesteps: int = 1,
) -> pd.DataFrame:
    """Train the network in place, at a single step: step 1 of the method (Sec. 2.2).

    Args:
        net: of `snnlib.spiking`; converted ones are fine-tuned with ``timesteps`` above 1.
        data: (inputs, targets) as tensors, a Dataset or a DataLoader of such pairs, or a list of pairs whose targets
            are single numbers. Inputs as the net takes them; over time samples are
            [T, ...], so [N, T, ...] as a tensor and [B, T, ...] from a DataLoader.
        loss: of outputs [B, ...], averaged over time, and targets; cross-entropy for targets that are classes, mean
            squared error for others. The paper's own, for classes too, is `snnlib.training.losses.mse`.
        optimizer: over the net's parameters (`spiking` copied the model's), with the caller's own schedule if any. If
            not given, Adam, whose rate goes from ``lr`` to 0 along a half cosine.
        batch_size: where ``data`` is no loader of its own.
        timesteps: T of training; the loss is that of the mean output. Inputs over time bring their own.

    Parameters that need no gradient stay as they are. Batch norm whose own need none is in evaluation mode: it goes on
    with the averages it has. All other modules are in training mode, dropout too.

    Returns:
        Columns epoch, loss (mean over its samples), and accuracy of classes, in training, so with noise. The net is in
        evaluation mode then, also where training ends in an error.

    Raises:
        InputError: a value that cannot be used.
        TrainingError: the loss or a weight is no longer finite, memory is full, or the device failed.
    """
    network = network_of(net)
    whole("epochs", epochs, 1)
    whole("timesteps", timesteps, 1, MOST_TIMESTEPS)
    positive("lr", lr)
    if loss is not None and (not callable(loss) or isinstance(loss, type)):
        raise InputError(f"loss = {shown(loss)}: must be a function of outputs and targets; of a class, an instance")
    batches = loader(data, batch_size, shuffle=True)
    trained = [p for p in network.parameters() if p.requires_grad]
    if not trained:
        raise InputError(
            f"net = {type(net).__name__}: must have a parameter to train; all are frozen, or there are none"
        )
    _check_optimizer(optimizer, trained)
    per_epoch = number_of(batches)
    schedule = None
    if optimizer is None:
        optimizer = torch.optim.Adam(trained, lr)
        if per_epoch:
            schedule = lr_scheduler.CosineAnnealingLR(optimizer, epochs * per_epoch)
    steps = None if timesteps == 1 else timesteps
    rows = []
    with progress.bar(epochs * per_epoch if per_epoch else None, 0, f"{type(network.model).__name__}") as bar:
        try:
            for epoch in range(1, epochs + 1):
                rows.append(_epoch(network, batches, loss, optimizer, schedule, steps, epoch, epochs, bar))
        finally:
            network.eval()
    return pd.DataFrame(rows)


def default_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy for classes [B, ...] (whole numbers), mean squared error for anything else."""
    if targets.is_floating_point():
        if outputs.shape != targets.shape:
            raise InputError(f"targets of shape {tuple(targets.shape)}: must be {tuple(outputs.shape)}, as the outputs")
        return F.mse_loss(outputs.float(), targets.float())
    check_classes(outputs, targets)
    most = outputs.shape[1]
    if not targets.is_cuda and (targets.min() < 0 or targets.max() >= most):  # on a GPU PyTorch says so, later
        found = f"{int(targets.min())} to {int(targets.max())}"
        raise InputError(f"targets = {found}: must be classes from 0 to {most - 1}, since there are {most} outputs")
    return F.cross_entropy(outputs.float(), targets.long())


def _check_optimizer(optimizer: Any, trained: list[nn.Parameter]) -> None:
    if not isinstance(optimizer, torch.optim.Optimizer | None):
        raise InputError(f"optimizer = {shown(optimizer)}: must be a torch.optim.Optimizer")
    known = {id(p) for p in trained}
    if optimizer is not None and not any(id(p) in known for group in optimizer.param_groups for p in group["params"]):
        raise InputError(
            f"optimizer = {type(optimizer).__name__}: has none of the net's parameters; make it with net.parameters(), "
            "since `spiking` copies the model"
        )


def _train_mode(net: nn.Module) -> None:
    net.train()
    for module in net.modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and own and not any(p.requires_grad for p in own):
            module.eval()


def _epoch(
    net: Spiking,
    batches: Iterable[Any],
    loss: Loss | None,
    optimizer: torch.optim.Optimizer,
    schedule: lr_scheduler.LRScheduler | None,
    timesteps: int | None,
    epoch: int,
    epochs: int,
    bar: tqdm,
) -> dict[str, float]:
    """One pass over the data; a row of the table."""
    _train_mode(net)
    device = next(net.parameters()).device
    seen, loss_sum, correct, classes = 0, 0.0, 0.0, False
    for step, batch in enumerate(batches, start=1):
        inputs, targets = pair(batch, device, over_time=net.over_time)
        with failures.naming_place(lambda step=step: f"fit: epoch {epoch}, step {step}", "batch_size", len(targets)):
            outputs = one_tensor(net(inputs, timesteps=timesteps))
            if timesteps or net.over_time:
                outputs = outputs.mean(0)
            value = (loss or default_loss)(outputs, targets)
            if not isinstance(value, Tensor) or value.numel() != 1:
                raise InputError(f"loss = {shown(value)}: must give one number, as a tensor")
            optimizer.zero_grad()
            net.zero_grad()  # the optimizer may have some of its parameters
            value.backward()
            optimizer.step()
        if schedule is not None:
            schedule.step()
        seen += len(targets)
        loss_sum += value.detach() * len(targets)
        several = outputs.ndim > 1 and outputs.shape[1] > 1
        classes = several and not targets.is_floating_point() and targets.shape == outputs[:, 0].shape
        if classes:
            correct += (outputs.argmax(1) == targets).sum() / targets[0].numel()
        if bar.update():  # reading a number makes a GPU wait
            accuracy = float(correct) / seen if classes else None
            progress.show(bar, epoch, epochs, float(loss_sum) / seen, accuracy, len(targets))
    if not seen:
        raise InputError("data: must give at least one batch in each epoch; a generator gives its batches only once")
    mean = float(loss_sum) / seen
    if not (math.isfinite(mean) and all(p.isfinite().all() for p in net.parameters())):
        raise TrainingError(
            f"fit: epoch {epoch}: the loss or a weight is no longer finite: try a smaller lr, or look at the inputs"
        )
    return {"epoch": epoch, "loss": mean, **({"accuracy": float(correct) / seen} if classes else {})}
