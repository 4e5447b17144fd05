"""Which activations there are, and by which functions code calls them without a module."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.checks import InputError

# Activations that neurons can take the place of, and the functions by which code calls them without a module. Gates and
# weights of attention (sigmoid, tanh, softmax) are none: they stay as they are.
ACTIVATIONS: dict[type[nn.Module], tuple[Callable, ...]] = {
    nn.ReLU: (F.relu, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_),
    nn.ReLU6: (F.relu6,),
    nn.GELU: (F.gelu,),
    nn.SiLU: (F.silu,),
    nn.LeakyReLU: (F.leaky_relu, F.leaky_relu_),
    nn.ELU: (F.elu, F.elu_),
    nn.SELU: (F.selu, F.selu_, torch.selu, torch.selu_),
    nn.CELU: (F.celu, F.celu_, torch.celu, torch.celu_),
    nn.PReLU: (F.prelu, torch.prelu, Tensor.prelu),
    nn.RReLU: (F.rrelu, F.rrelu_, torch.rrelu, torch.rrelu_),
    nn.Mish: (F.mish,),
    nn.Hardswish: (F.hardswish,),
    nn.Softplus: (F.softplus,),
    nn.Hardtanh: (F.hardtanh, F.hardtanh_),
    nn.Threshold: (F.threshold, F.threshold_, torch.threshold, torch.threshold_),
}

CLAMPS = (
    *(torch.clamp, torch.clamp_, torch.clip, torch.clip_, torch.clamp_min, torch.clamp_min_),
    *(Tensor.clamp, Tensor.clamp_, Tensor.clip, Tensor.clip_, Tensor.clamp_min, Tensor.clamp_min_),
)


def functions_of(kinds: Iterable[type[nn.Module]]) -> dict[Callable, type[nn.Module]]:
    """The functions that do what these kinds of modules do, and which kind that is."""
    return {function: kind for kind in kinds for function in ACTIVATIONS.get(kind, ())}


def check_clamp(function: object, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
    """Refuse a ReLU by another name, of which nobody can say whether it is meant as one."""
    least = kwargs.get("min", args[1] if len(args) > 1 else None)
    if function in CLAMPS and isinstance(least, int | float) and least == 0:
        raise InputError(
            f"{function.__name__} at 0: is a ReLU by another name; write torch.relu(x) where a neuron is meant, and "
            "x * (x > 0) where a number is"
        )
