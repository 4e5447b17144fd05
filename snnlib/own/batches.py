"""What `fit` and `evaluate` take as data: tensors, a data set, or a loader."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, default_collate

from snnlib.checks import InputError, shown, whole
from snnlib.data.sets import Split

ALLOWED = "must be (inputs, targets) as tensors, a torch Dataset of such pairs, or a DataLoader"


def loader(data: Any, batch_size: int, *, shuffle: bool, over_time: bool) -> Iterable[Any]:
    """Batches of inputs and targets.

    Args:
        data: a pair of tensors [N, ...] and [N, ...], a torch Dataset of pairs, a `Split`, or what gives batches
            itself, a DataLoader above all, which is used as it is.
        over_time: samples are [T, ...], and batches are [T, B, ...], also those that are given.

    Raises:
        InputError: anything else, tensors of other lengths, no samples.
    """
    if isinstance(data, Split):
        data = (data.images, data.labels)
    if isinstance(data, tuple | list) and len(data) == 2 and all(isinstance(x, Tensor) for x in data):
        if len(data[0]) != len(data[1]):
            raise InputError(f"data: {len(data[0])} inputs and {len(data[1])} targets; there must be as many")
        data = TensorDataset(*data)
    if isinstance(data, Dataset):
        whole("batch_size", batch_size, 1, 2**31)
        last = False
        if isinstance(data, IterableDataset):
            shuffle = False  # it has an order of its own
        else:
            whole("number of samples", len(data) if isinstance(data, Sized) else None, 1)
            last = shuffle and len(data) % batch_size == 1 and len(data) > 1  # which batch norm cannot take
        collate = _time_first if over_time else default_collate
        return DataLoader(data, batch_size, shuffle=shuffle, drop_last=last, collate_fn=collate)
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
    """A batch's inputs and targets on the device; an `InputError` if it is no pair of tensors that belong together."""
    if not (isinstance(batch, tuple | list) and len(batch) == 2 and all(isinstance(x, Tensor) for x in batch)):
        raise InputError(f"batch = {shown(batch)}: must be a pair of tensors, inputs and targets")
    inputs, targets = batch
    found = f"batch of inputs {[*inputs.shape]} and targets {[*targets.shape]}"
    if over_time and (inputs.ndim < 2 or inputs.shape[1] != len(targets)):
        raise InputError(f"{found}: inputs must be [T, B, ...]; give the data set itself, or collate them so")
    if not over_time and len(inputs) != len(targets):
        raise InputError(f"{found}: must be as many")
    return inputs.to(device, non_blocking=True), targets.to(device, non_blocking=True)


def _time_first(samples: list[Any]) -> tuple[Tensor, Tensor]:
    inputs, targets = default_collate(samples)
    return inputs.movedim(1, 0), targets
