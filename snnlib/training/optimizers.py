"""What changes weights: Adam (Sec. 3) and, beyond the paper, SGD and Muon; and how their rate changes.

Weight decay is decoupled from the gradient with Adam and Muon (Loshchilov & Hutter 2019), part of it with SGD.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import lr_scheduler

OPTIMIZERS = ("adam", "sgd", "muon")
SCHEDULES = ("warm_restarts", "cosine", "one_cycle", "triangle", "constant")

# Jordan et al. 2024 (kellerjordan.github.io/posts/muon): the quintic whose iterates take singular values in (0, 1] to
# somewhere near 1, in few iterations.
QUINTIC, ITERATIONS = (3.4445, -4.7750, 2.0315), 5

# Jordan 2024 (airbench, arXiv:2404.00498): the triangle's ends and where its peak lies, as parts of peak and run.
TRIANGLE_START, TRIANGLE_END, TRIANGLE_PEAK = 0.2, 0.07, 0.23


class Muon(torch.optim.AdamW):
    """Momentum whose matrices are made orthogonal, for convolutions; AdamW for all other weights (Jordan et al. 2024).

    A convolution [out, in, h, w] is the matrix [out, in·h·w]. An update of n x m has the root mean square of one of
    AdamW's, 0.2 (Liu et al. 2025, arXiv:2502.16982), so that one rate serves both.
    """

    def __init__(
        self, params: Iterable[Parameter], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(params, lr=lr, weight_decay=weight_decay, fused=True)
        for group in self.param_groups:
            group["momentum"] = momentum

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.ndim == 4 and weight.grad is not None:
                    self._orthogonal_step(weight, group)
                    weight.grad = None  # so that AdamW leaves it alone
        return super().step(closure)

    def _orthogonal_step(self, weight: Parameter, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if not state:
            state |= {"step": torch.zeros(()), "momentum_buffer": torch.zeros_like(weight)}
        state["step"] += 1  # which AdamW wants to find wherever it restores a state
        buffer = state["momentum_buffer"].mul_(group["momentum"]).add_(weight.grad)
        update = torch.add(weight.grad, buffer, alpha=group["momentum"]).flatten(1)  # Nesterov's
        scale = 0.2 * max(update.shape) ** 0.5
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(orthogonal(update).view_as(weight), alpha=-group["lr"] * scale)


def orthogonal(matrix: Tensor) -> Tensor:
    """U V' of the singular value decomposition U S V', by Newton-Schulz: singular values between 0.5 and 1.5, not 1.

    In bfloat16, as those who found that it is enough.
    """
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    x = x.T if len(matrix) > matrix.shape[1] else x
    x = x / x.norm().clamp_min(1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x.T if len(matrix) > matrix.shape[1] else x).to(matrix.dtype)


def optimizer_of(
    name: str, params: Iterable[Parameter], lr: float, weight_decay: float, momentum: float
) -> torch.optim.Optimizer:
    """One of `OPTIMIZERS`; ``momentum`` is SGD's, which is Nesterov's, and Muon's."""
    match name:
        case "adam":
            return torch.optim.Adam(params, lr=lr, weight_decay=weight_decay, decoupled_weight_decay=True, fused=True)
        case "sgd":
            return torch.optim.SGD(
                params, lr=lr, momentum=momentum, weight_decay=weight_decay, nesterov=momentum > 0, fused=True
            )
        case "muon":
            return Muon(params, lr, momentum, weight_decay)


def scheduler_of(
    name: str, optimizer: torch.optim.Optimizer, lr: float, per_epoch: int, epochs: int, restart_every: int
) -> lr_scheduler.LRScheduler:
    """The learning rate, changed at every optimiser step.

    Args:
        name: one of `SCHEDULES`.
        lr: its peak.
        per_epoch: steps.
        restart_every: epochs.
    """
    total = epochs * per_epoch
    match name:
        case "warm_restarts":
            return lr_scheduler.CosineAnnealingWarmRestarts(optimizer, restart_every * per_epoch)
        case "cosine":
            return lr_scheduler.CosineAnnealingLR(optimizer, total)
        case "one_cycle":
            # One step more than is taken: the schedule steps once past the last update.
            adam = isinstance(optimizer, torch.optim.Adam)
            return lr_scheduler.OneCycleLR(optimizer, lr, total_steps=total + 1, cycle_momentum=adam)
        case "triangle":
            return lr_scheduler.LambdaLR(optimizer, lambda step: triangle(step / total))
        case "constant":
            return lr_scheduler.ConstantLR(optimizer, factor=1.0)


def triangle(done: float) -> float:
    """The rate, as a part of its peak, when this part of all steps is done: up and down in straight lines."""
    if done < TRIANGLE_PEAK:
        return TRIANGLE_START + (1 - TRIANGLE_START) * done / TRIANGLE_PEAK
    return 1 + (TRIANGLE_END - 1) * (done - TRIANGLE_PEAK) / (1 - TRIANGLE_PEAK)
