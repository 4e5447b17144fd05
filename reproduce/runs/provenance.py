"""What a result was made with: versions, hardware, commit, time."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from snnlib.store.paths import ROOT
from snnlib.version import __version__

# What decides, beside the processor itself, which kernels PyTorch and its libraries choose, and so the last bits.
SETTINGS = (
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE",
    "DNNL_DEFAULT_FPMATH_MODE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS", "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip


SAME = "promised with the same packages, processor and instructions"


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(device: torch.device) -> dict[str, Any]:
    """What a result is made with, asked for when its making begins.

    ``same_bytes`` says whether the same spec gives the same bytes again: on a CPU it does, with the same packages,
    processor and ``instructions``, which are the set that PyTorch's kernels use and whatever was `SETTINGS` for it
    and its libraries. On a GPU cuDNN is told to choose algorithms that repeat, but other kernels add in the order in
    which threads arrive. ``snnlib`` is the version of this code, ``git`` the commit if a repository has care of it.
    """
    packages = ("torch", "torchvision", "numpy", "pandas", "safetensors")
    cuda = device.type == "cuda"
    return {
        "python": platform.python_version(),
        "packages": {p: version(p) for p in packages},
        "device": torch.cuda.get_device_name(device) if cuda else _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "snnlib": __version__,
        "git": _git(),
        "instructions": _instructions(),
        "same_bytes": SAME if device.type == "cpu" else "not promised on a GPU",
        "started": now(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return f"{line.split(':', 1)[1].strip()}, {os.cpu_count()} cores"
    return f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"


def _instructions() -> str:
    given = [f"{name}={os.environ[name]}" for name in SETTINGS if os.environ.get(name)]
    return ", ".join([torch.backends.cpu.get_cpu_capability(), *given])


def _git() -> dict[str, Any] | None:
    """The commit, and whether the tree is as committed.

    None if there is no git, or this code is in no repository's care: unpacked, or installed somewhere inside of one.
    """

    def ask(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        ask("ls-files", "--error-unmatch", "snnlib/__init__.py")
        changed = ask("status", "--porcelain")
        return {"commit": ask("rev-parse", "HEAD"), "clean": not changed}
    except (OSError, subprocess.CalledProcessError):
        return None
