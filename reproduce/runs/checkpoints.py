"""The checkpoints of a run under way: each is named by its epoch and the hash of its bytes, the last two are kept."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from snnlib.store.files import DamagedError, StoreError, check, explained, set_aside, write
from snnlib.store.tensors import load_tensors, pack
from snnlib.training.loop import State

log = logging.getLogger("snnlib")

KEPT = 2  # so that a damaged last one costs one epoch
_NAME = re.compile(r"checkpoint-(\d{6})-([0-9a-f]{64})\.safetensors")


def found(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the last one first, by their names alone."""
    with explained(folder):
        names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    return [folder / name for name in sorted(filter(_NAME.fullmatch, names), reverse=True)]


def epochs_done(folder: Path) -> int:
    """How many epochs are done, as the name of the last checkpoint says; 0 if there is none."""
    names = [_NAME.fullmatch(path.name) for path in found(folder)]
    return int(names[0][1]) if names else 0


def save_checkpoint(folder: Path, state: State, about: dict[str, Any]) -> Path:
    """Weights, optimiser, schedule, history and timing after an epoch; ``about`` names the run and what made it."""
    optimizer = state.optimizer.state_dict()
    tensors = {f"model.{k}": v for k, v in state.model.model.state_dict().items()}
    for i, slots in optimizer["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in slots.items()}
    info = {
        **about,
        "epoch": state.epoch,
        "history": state.history,
        "timing": state.timing,
        "param_groups": optimizer["param_groups"],
        "scheduler": state.scheduler.state_dict(),
    }
    content = pack(tensors, info)
    path = folder / f"checkpoint-{state.epoch:06}-{hashlib.sha256(content).hexdigest()}.safetensors"
    write(path, content)
    remove(found(folder)[KEPT:])
    return path


def remove(paths: list[Path]) -> None:
    """Delete checkpoints that are no longer needed: there are later ones, or the run is finished."""
    for path in paths:
        with explained(path):
            path.unlink(missing_ok=True)


def resume(folder: Path, fresh: Callable[[], State], run: str, moves: bool = True) -> tuple[State, dict[str, Any]]:
    """The state of the last checkpoint that is intact and this run's, and its info; a fresh one if there is none.

    Any other is moved aside, if this process ``moves`` any: of several on one run, one does.
    """
    for path in found(folder):
        state = fresh()
        try:
            return state, restore(path, state, run)
        except DamagedError as error:
            if moves:
                log.warning("%s; moved to %s", error, set_aside(path))
    return fresh(), {}


def restore(path: Path, state: State, run: str) -> dict[str, Any]:
    """Bring a fresh state to where the checkpoint was written.

    Raises:
        DamagedError: its bytes are not those that its name says, or it is another run's. The state is of no use then.
    """
    epoch, digest = _NAME.fullmatch(path.name).groups()
    check(path, digest)
    try:
        tensors, info = load_tensors(path)
        if info["run"] != run:
            raise DamagedError(f"{path}: a checkpoint of another run, {info['run']}")
        if info["epoch"] != int(epoch):
            raise DamagedError(f"{path}: a checkpoint of another epoch, {info['epoch']}")
        _fill(state, tensors, info)
    except StoreError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise DamagedError(f"{path}: no checkpoint of this version ({type(error).__name__})") from error
    return info


def _fill(state: State, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, i, slot = name.split(".", 2)
            slots.setdefault(int(i), {})[slot] = tensor
    state.model.model.load_state_dict(
        {k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")}
    )
    state.optimizer.load_state_dict({"state": slots, "param_groups": info["param_groups"]})
    # The fused Adam walks a weight and its moments in the order of memory: all must have the weight's layout.
    for parameter, moments in state.optimizer.state.items():
        for slot, value in moments.items():
            if value.shape == parameter.shape:
                moments[slot] = torch.empty_like(parameter).copy_(value)
    state.scheduler.load_state_dict(info["scheduler"])
    state.epoch, state.history, state.timing = info["epoch"], info["history"], info["timing"]
