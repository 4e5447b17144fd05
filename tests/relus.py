"""What a model does with ReLU, seen by PyTorch's own hook into functions: the reference for replacing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from snnlib.dynamics import Dynamics

# All by which a module or code comes to a ReLU, or ReLU6, which PyTorch's module computes by hardtanh.
RELUS = (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.hardtanh, F.hardtanh_)


class StepByStep(TorchFunctionMode):
    """While it is open, the k-th ReLU of a pass is the next step of the k-th dynamics; without them, it is counted."""

    def __init__(self, dynamics: Sequence[Dynamics] = ()) -> None:
        super().__init__()
        self.dynamics, self.states, self.rates, self.calls = dynamics, {}, [], 0

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func not in RELUS:
            return func(*args, **(kwargs or {}))
        k, self.calls = self.calls, self.calls + 1
        if not self.dynamics:
            return func(*args, **(kwargs or {}))
        current, no_generator = args[0], None
        spikes, self.states[k] = self.dynamics[k].step(current, self.states.get(k), no_generator)
        self.rates.append(spikes.mean().item())
        return spikes


def relus(model: nn.Module, *inputs: Any) -> int:
    """How often the model computes a ReLU."""
    with torch.no_grad(), StepByStep() as seen:
        model.eval()(*inputs)
    return seen.calls


def loop(model: nn.Module, x: Tensor, timesteps: int, dynamics: Sequence[Dynamics]) -> tuple[Tensor, list[float]]:
    """Outputs [T, B, ...] of the model called once a step, and the rates at which its neurons fired."""
    outputs, walk = [], StepByStep(dynamics)
    with torch.no_grad():
        for _ in range(timesteps):
            walk.calls = 0
            with walk:
                outputs.append(model.eval()(x))
    return torch.stack(outputs), walk.rates
