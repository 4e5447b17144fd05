"""Where a neuron that integrates begins: its phase U, the part of a threshold it holds before the first step."""

from __future__ import annotations

import torch
from torch import Tensor


def phase(x: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    """U, uniform within 1/2 -/+ spread/2, for each number of ``x``, in float32 at least."""
    dtype = torch.promote_types(x.dtype, torch.float32)
    if not spread:
        return torch.full_like(x, 0.5, dtype=dtype)
    drawn = torch.empty_like(x, dtype=dtype).uniform_(generator=generator)
    return drawn if spread == 1 else drawn.sub_(0.5).mul_(spread).add_(0.5)
