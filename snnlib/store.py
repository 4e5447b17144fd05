"""Files of the run store: atomic writes, tensors as safetensors, everything else as JSON. No pickles."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor

from snnlib.paths import ROOT
from snnlib.training import State


def write(path: Path, content: bytes | str) -> None:
    """Write a file that exists whole or not at all, also when the machine stops half-way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
            f.flush()
            os.fsync(f.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def save_tensors(path: Path, tensors: dict[str, Tensor], info: dict[str, Any]) -> None:
    """Tensors and a JSON value in one safetensors file."""
    # safetensors holds contiguous tensors; channels_last weights get their layout back on loading.
    plain = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    write(path, to_bytes(plain, metadata={"info": json.dumps(info)}))


def load_tensors(path: Path, device: torch.device | str = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote."""
    with safe_open(path, framework="pt", device=str(device)) as f:
        return {k: f.get_tensor(k) for k in f.keys()}, json.loads(f.metadata()["info"])  # noqa: SIM118


def save_checkpoint(path: Path, state: State) -> None:
    """Weights, optimiser, schedule and history of a run under way."""
    optimizer = state.optimizer.state_dict()
    tensors = {f"model.{k}": v for k, v in state.model.state_dict().items()}
    for i, slots in optimizer["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in slots.items()}
    info = {
        "epoch": state.epoch,
        "history": state.history,
        "timing": state.timing,
        "param_groups": optimizer["param_groups"],
        "scheduler": state.scheduler.state_dict(),
    }
    save_tensors(path, tensors, info)


def restore_checkpoint(path: Path, state: State) -> None:
    """Bring a fresh state to where the checkpoint was written."""
    tensors, info = load_tensors(path)
    slots: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, i, slot = name.split(".", 2)
            slots.setdefault(int(i), {})[slot] = tensor
    state.model.load_state_dict({k.removeprefix("model."): v for k, v in tensors.items() if k.startswith("model.")})
    state.optimizer.load_state_dict({"state": slots, "param_groups": info["param_groups"]})
    # The fused Adam walks a weight and its moments in the order of memory: all must have the weight's layout.
    for parameter, moments in state.optimizer.state.items():
        for slot, value in moments.items():
            if value.shape == parameter.shape:
                moments[slot] = torch.empty_like(parameter).copy_(value)
    state.scheduler.load_state_dict(info["scheduler"])
    state.epoch, state.history, state.timing = info["epoch"], info["history"], info["timing"]


def provenance(device: torch.device) -> dict[str, Any]:
    """What a result was made with: versions, hardware, commit, time."""
    packages = ("torch", "torchvision", "numpy", "pandas", "safetensors")
    cuda = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "packages": {p: version(p) for p in packages},
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "system": platform.platform(),
        "git": _git(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _git() -> dict[str, Any] | None:
    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return {"commit": ask("rev-parse", "HEAD"), "clean": not ask("status", "--porcelain")}
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or an unpacked archive
