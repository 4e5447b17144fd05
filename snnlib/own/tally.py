"""Spikes and operations of each time step, counted while a network is tested."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from snnlib.activation_calls import Intercepted
from snnlib.deploy.operations import fan_out
from snnlib.in_time import InTime, plain
from snnlib.neurons import Neuron
from snnlib.simulation import current_pass

# What linear layers and convolutions call, and code without layers too.
SYNAPSES = (
    F.linear, F.conv1d, F.conv2d, F.conv3d, F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d,
    F.multi_head_attention_forward,
)  # fmt: skip


class Tally:
    """Sums over all inputs seen so far."""

    def __init__(self, timesteps: int) -> None:
        self.neurons = 0  # of one input times inputs
        self.spikes = torch.zeros(timesteps, dtype=torch.float64)
        self.operations = torch.zeros(timesteps, dtype=torch.float64)
        self._fan_out: dict[str, Tensor] = {}

    def spike(self, neuron: Neuron, t: int, spikes: Tensor, state: Any) -> None:
        """An observer of the simulation."""
        if t == 1:
            self.neurons += spikes.numel()
        self.spikes[t - 1] += spikes.count_nonzero().item()

    def counting(self) -> Intercepted:
        """While it is open, every forward pass adds what its layers do."""
        return Intercepted(SYNAPSES, self._call)

    def _call(self, function: Callable, *args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if function is F.multi_head_attention_forward:  # its tensors are [L, T·B, width], or [L, width]
            projection = args[11].T  # from as many numbers as queries, keys and values are projected to
            for x in (*args[:3], torch.ones_like(result[0])):
                self._arrive(F.linear, x.movedim(-2, 0), projection)
        else:
            self._arrive(function, *args, **kwargs)
        return result

    def _arrive(
        self, function: Callable, input: Tensor, weight: Tensor, bias: Tensor | None = None, *where: Any, **named: Any
    ) -> None:
        if not isinstance(input, InTime) or current_pass().simulation.instead:
            return  # outside of the simulation
        x, steps = plain(input), input.timesteps
        began = current_pass().simulation.before
        if steps == 0 and began:
            return  # a long simulation in pieces runs it once in each
        used = x != 0 if steps else torch.ones_like(x, dtype=torch.bool)
        if function is F.linear:
            each = used.sum(-1).cpu() * weight[..., 0].numel()
        else:
            kind = str((function, x.shape[1:], weight.shape, where, named))
            if kind not in self._fan_out:
                self._fan_out[kind] = fan_out(function, x, weight, *where, **named)
            each = used.sum(1).cpu() * self._fan_out[kind]
        n = max(steps, 1)
        self.operations[began : began + n] += each.reshape(n, -1).sum(1)
