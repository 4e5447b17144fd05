"""What a network is given, checked and marked with the time it holds (`snnlib.in_time`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter, tree_map_only

from snnlib.checks import InputError, shown
from snnlib.in_time import in_time
from snnlib.simulation import Simulation


def first_tensor(inputs: tuple, named: Mapping[str, Any]) -> Tensor:
    """The first of the tensors in them, which says how many inputs there are; an `InputError` if there is none."""
    for x in tree_iter((inputs, named)):
        if isinstance(x, Tensor):
            return x
    raise InputError(f"input = {shown(next(iter((*inputs, *named.values())), None))}: must be a tensor")


def taken(
    inputs: tuple, named: Mapping[str, Any], net: nn.Module, simulation: Simulation
) -> tuple[tuple, Mapping[str, Any]]:
    """Inputs as the model gets them.

    Args:
        inputs, named: tensors, also in tuples, lists and dicts. Of the first, bytes (uint8) are divided by 255. What
            has no batch on axis 0, such as a matrix that all inputs share, is left as it is.
        net: with ``input_shape`` of the first, None for any, and ``over_time``.

    Raises:
        InputError: the first has another shape or dtype than the net's, or infinity in it; another device, or one
            for the generator; nan.
    """
    first, steps = first_tensor(inputs, named), simulation.timesteps
    _check_shape(first, net, steps)
    generator = simulation.generator
    if generator is not None and generator.device.type != first.device.type:
        where = first.device.type
        raise InputError(
            f"generator on {generator.device}: must be on {where}, as the input: torch.Generator('{where}')"
        )
    weight = next(net.parameters(), first)
    batch = first.shape[net.over_time]
    # Where one step is all, no layer need know, and tensors are ordinary ones.
    marked = steps > 1 or simulation.observe is not None

    def take(x: Tensor) -> Tensor:
        if x.device != weight.device:
            raise InputError(f"input on {x.device}: must be on {weight.device}, as the weights")
        # To neurons nan is no spike, so that not even a loss would say so. In training no step waits for a GPU.
        if not (net.training and x.is_cuda) and not (x.isfinite() if x is first else ~x.isnan()).all():
            raise InputError("input: must be finite; some value is nan or infinite")
        timed = net.over_time and x.shape[:2] == (steps, batch)
        held = not timed and x.ndim and len(x) == batch
        x = _scaled(x, weight) if x is first else x
        x = x.flatten(0, 1) if timed else x
        return in_time(x, steps if timed else 0) if marked and (timed or held) else x

    return tree_map_only(Tensor, take, (inputs, named))


def _check_shape(x: Tensor, net: nn.Module, steps: int) -> None:
    lead = 2 if net.over_time else 1
    if net.input_shape is not None and x.shape[lead:] != net.input_shape:
        wanted = f"must be [{'T, ' * net.over_time}B, ...] with {net.input_shape} for the dots"
        raise InputError(f"input of shape {tuple(x.shape)}: {wanted}")
    if x.ndim < lead or not x.numel():
        raise InputError(f"input of shape {tuple(x.shape)}: must have a batch, and at least one value in it")
    if net.over_time and len(x) != steps:
        raise InputError(f"input of {len(x)} steps: must be of {steps}, as the simulation")


def _scaled(x: Tensor, weight: Tensor) -> Tensor:
    if x.dtype == torch.uint8:
        return x.to(weight.dtype) / 255
    if x.dtype != weight.dtype and x.is_floating_point() and not torch.is_autocast_enabled(x.device.type):
        raise InputError(f"input of {x.dtype}: must be of {weight.dtype}, as the weights, or bytes (uint8)")
    return x
