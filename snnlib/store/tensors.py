"""Tensors in the run store: one safetensors file, with a JSON value beside them. No pickles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from snnlib.store.files import DamagedError, explained, regular, write


def pack(tensors: dict[str, Tensor], info: dict[str, Any]) -> bytes:
    """Tensors and a JSON value as a safetensors file."""
    # safetensors holds contiguous tensors; channels_last weights get their layout back on loading.
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    return to_bytes(plain, metadata={"info": json.dumps(info)})


def save_tensors(path: Path, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
    """Tensors and a JSON value in one safetensors file."""
    write(path, pack(tensors, info))


def load_tensors(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote; a `DamagedError` for anything else, such as a pickle, whose code does not run."""
    try:
        with explained(path), safe_open(regular(path), framework="pt", device=str(device)) as f:
            return {k: f.get_tensor(k) for k in f.keys()}, json.loads(f.metadata()["info"])  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DamagedError(f"{path}: not a file that snnlib wrote ({type(error).__name__})") from error
