"""What is trained does not depend on a kernel of one instruction set: gradients on AVX2, which most machines have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from snnlib.baselines.ann_neurons import ReLU
from snnlib.models import NETWORKS, build
from snnlib.simulation import Simulation

FAST = ("cnn", "vgg16")  # `make test-slow` tries the others, whose convolutions are of the same kinds
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}  # read when PyTorch starts


def gradients(network: str, width: float, batch_norm: bool, dtype: torch.dtype) -> list[Tensor]:
    """Of every weight: of ReLU neurons and fixed batch norm, as spikes and batches would make much of any rounding."""
    torch.manual_seed(0)
    model = build(network, ReLU(), width=width, readout="potential", batch_norm=batch_norm).to(dtype).eval()
    x = torch.randn(20, *model.input_shape, dtype=torch.float64).to(dtype)
    outputs = model(x.contiguous(memory_format=torch.channels_last), simulation=Simulation(torch.Generator()))
    outputs.square().mean().backward()
    return [p.grad.double() for p in model.parameters()]


def worst(network: str, width: float, batch_norm: bool) -> float:
    """How far single precision is from double, relative to a weight's largest gradient."""
    single, double = (gradients(network, width, batch_norm, dtype) for dtype in (torch.float32, torch.float64))
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(single, double, strict=True))


@pytest.mark.parametrize("network", [pytest.param(n, marks=[pytest.mark.slow][: n not in FAST]) for n in NETWORKS])
def test_gradients_are_those_of_double_precision_at_every_narrow_width(network: str) -> None:
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
import test_processors as t
for channels in (2, 3, 4, 5, 6, 7, 8, 9):
    for batch_norm in (True, False):
        far = t.worst({network!r}, channels / 64, batch_norm)
        assert far < 1e-3, (channels, batch_norm, far)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **AVX2}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-500:]
