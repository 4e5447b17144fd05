"""Time steps one after another, for models whose code would mix them if they were folded into the batch.

Folded, [T·B, ...], all steps are one pass, as fast as can be; but code that looks along axis 0, or knows how long it
is, takes steps for images: ``h - h[0]``, ``h.view(batch, -1)``, ``h.flip(0)``. No list of functions tells all of it
apart. So a model is run both ways once, with neurons that show any difference.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter, tree_map, tree_map_only

from snnlib.checks import short
from snnlib.inputs import first_tensor
from snnlib.simulation import Simulation, evaluating

TOLERANCE = 0.03  # of an output's largest number: rounding, in bfloat16 too, is less; steps that are mixed, more


@dataclass(frozen=True)
class Probe:
    """Neurons with a memory and no threshold: another current, or another step, is another output."""

    def step(self, current: Tensor, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        v = current if state is None else current + 0.5 * state
        return v.asinh(), v


def step_by_step(net: nn.Module, inputs: tuple, named: Mapping[str, Any], simulation: Simulation) -> Any:
    """What `Spiking.forward` gives, by a pass for each time step, in which tensors are [B, ...]."""
    states = {} if simulation.states is None else simulation.states
    outputs = []
    for t in range(simulation.timesteps):
        args, kwargs = _frames(net, inputs, named, slice(t, t + 1))
        now = replace(simulation, timesteps=1, states=states, before=simulation.before + t)
        outputs.append(net(*args, simulation=now, **kwargs))
    return tree_map(lambda *steps: torch.cat(steps) if isinstance(steps[0], Tensor) else steps[0], *outputs)


def folds(net: nn.Module, inputs: tuple, named: Mapping[str, Any]) -> bool:
    """Whether two steps in one pass are the same as one after another, in evaluation mode; where not, a warning."""
    simulation = Simulation(timesteps=2, instead=Probe())
    inputs, named = _frames(net, inputs, named, slice(2))
    devices = [x.device for x in tree_iter((inputs, named)) if isinstance(x, Tensor) and x.is_cuda][:1]
    with evaluating(net), _unobserved(net), torch.no_grad(), torch.random.fork_rng(devices):
        apart = step_by_step(net, inputs, named, simulation)
        try:
            together = net(*inputs, simulation=simulation, **named)
            why = "" if _same(together, apart) else "some of it looks along axis 0"
        except Exception as error:  # of the model's own code, so of any kind
            why = short(str(error), 120) or type(error).__name__
    if why:
        warnings.warn(
            f"{type(net.model).__name__}: its code cannot take several time steps at once ({why}); they are run one "
            "after another, which is slower and the same",
            stacklevel=4,
        )
    return not why


def _frames(net: nn.Module, inputs: tuple, named: Mapping[str, Any], steps: slice) -> tuple[tuple, Mapping[str, Any]]:
    """The inputs of these steps: of those over time the frames, of others all."""
    if not net.over_time:
        return inputs, named
    over_time = first_tensor(inputs, named).shape[:2]
    return tree_map_only(Tensor, lambda x: x[steps] if x.shape[:2] == over_time else x, (inputs, named))


@contextmanager
def _unobserved(net: nn.Module) -> Iterator[None]:
    """Whoever records what modules give is to see the caller's passes alone."""
    before = [(module, module._forward_hooks) for module in net.modules()]
    for module, _ in before:
        module._forward_hooks = OrderedDict()
    try:
        yield
    finally:
        for module, hooks in before:
            module._forward_hooks = hooks


def _same(some: Any, others: Any) -> bool:
    pairs = [(a, b) for a, b in zip(tree_iter(some), tree_iter(others), strict=True) if isinstance(b, Tensor)]
    return all(
        a.shape == b.shape and torch.allclose(a.float(), b.float(), 0, TOLERANCE * float(_largest(b)), equal_nan=True)
        for a, b in pairs
    )


def _largest(x: Tensor) -> Tensor:
    return x.float().abs().nan_to_num(0, 0, 0).max()
