"""What `fit` and `evaluate` take as data: tensors, a data set, or a loader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from numbers import Real
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from snnlib.checks import InputError, short, shown, whole
from snnlib.data.sets import Split

ALLOWED = "must be (inputs, targets) as tensors, a torch Dataset or a list of such pairs, or a DataLoader"


def loader(data: Any, batch_size: int, *, shuffle: bool) -> Iterable[Any]:
    """Batches of inputs [B, ...], over time [B, T, ...], and targets [B, ...].

    Args:
        data: a pair of tensors [N, ...] and [N, ...], a torch Dataset of pairs, a list of pairs whose targets are
            single numbers, a `Split`, or what gives batches itself, a DataLoader above all, which is used as it is.

    Raises:
        InputError: anything else, tensors of other lengths, no samples.
    """
    if isinstance(data, Split):
        data = (data.images, data.labels)
    if _are_tensors(data):
        if len(data[0]) != len(data[1]):
            raise InputError(f"data: {len(data[0])} inputs and {len(data[1])} targets; there must be as many")
        data = TensorDataset(*data)
    if isinstance(data, Dataset) or _holds_samples(data):
        whole("batch_size", batch_size, 1, 2**31)
        last = False
        if isinstance(data, IterableDataset):
            shuffle = False  # it has an order of its own
        else:
            whole("number of samples", len(data) if isinstance(data, Sized) else None, 1)
            last = shuffle and len(data) % batch_size == 1 and len(data) > 1  # which batch norm cannot take
        return DataLoader(data, batch_size, shuffle=shuffle, drop_last=last, collate_fn=_together)
    if not isinstance(data, Iterable) or isinstance(data, Tensor | str | dict | tuple):
        raise InputError(f"data = {shown(data)}: {ALLOWED}")
    return data


def number_of(batches: Iterable[Any]) -> int | None:
    """How many there are, if that is known before."""
    try:
        return len(batches)  # a DataLoader has a length, but refuses to say it where its data set has none
    except TypeError:
        return None


def pair(batch: Any, device: torch.device, *, over_time: bool) -> tuple[Tensor, Tensor]:
    """A batch's inputs, as a net takes them, and targets, on the device.

    Raises:
        InputError: no pair of tensors that belong together.
    """
    if not _are_tensors(batch):
        raise InputError(f"batch = {shown(batch)}: must be a pair of tensors, inputs and targets")
    inputs, targets = batch
    found = f"batch of inputs {[*inputs.shape]} and targets {[*targets.shape]}"
    if len(inputs) != len(targets):
        raise InputError(f"{found}: must be as many")
    if over_time:
        if inputs.ndim < 2:
            raise InputError(f"{found}: inputs over time must be [B, T, ...]")
        inputs = inputs.movedim(1, 0)
    return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)


def one_tensor(outputs: Any) -> Tensor:
    """A network's outputs; an `InputError` that says what they are, if that is not a tensor."""
    if isinstance(outputs, Tensor):
        return outputs
    parts = f" of {', '.join(map(str, outputs))}" if isinstance(outputs, Mapping) else ""
    parts = f" of {len(outputs)}" if isinstance(outputs, tuple | list) else parts
    found = short(type(outputs).__name__ + parts)
    raise InputError(f"outputs = {found}: must be one tensor; have the model return it alone, or write a loop for them")


def check_classes(outputs: Tensor, targets: Tensor) -> None:
    """Refuse with an `InputError` targets that cannot be classes of these outputs [B, classes, ...]."""
    found = f"targets of shape {tuple(targets.shape)}, outputs of shape {tuple(outputs.shape)}"
    if outputs.ndim < 2 or targets.shape != outputs[:, 0].shape:
        raise InputError(
            f"{found}: must be classes, and a number for each of them on axis 1; targets of another kind must be floats"
        )
    if outputs.shape[1] == 1:
        raise InputError(
            f"{found}: one output does not tell classes apart; give targets as floats {[*outputs.shape]}, or the net "
            "an output for each class"
        )


def _are_tensors(pair: Any) -> bool:
    return isinstance(pair, tuple | list) and len(pair) == 2 and all(isinstance(x, Tensor) and x.ndim for x in pair)


def _holds_samples(data: Any) -> bool:
    """Whether it is a list of single samples, and not of batches: then a target is a number."""
    first = data[0] if isinstance(data, list) and data else None
    if not (isinstance(first, tuple | list) and len(first) == 2):
        return False
    return isinstance(first[1], Real) or getattr(first[1], "ndim", None) == 0


def _together(samples: list[Any]) -> Any:
    try:
        return default_collate(samples)
    except (TypeError, RuntimeError) as error:
        why = short(str(error), 160)
        raise InputError(f"data: samples must be tensors, all of one shape, to make a batch of them ({why})") from None
