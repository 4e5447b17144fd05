"""`spiking`: anybody's network with noisy single-step neurons in place of its activations, step 1 of the method."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_iter, tree_map_only

from snnlib.activation_calls import Call, activation_calls, copied
from snnlib.activations import ACTIVATIONS
from snnlib.checks import InputError, sequence, shown
from snnlib.dynamics import SingleStep
from snnlib.in_time import InTime, in_time, repeated
from snnlib.network import Reused, Spiking, per_layer
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Noise
from snnlib.surrogate import Surrogate, Triangle


def spiking(
    model: nn.Module,
    noise: Noise | Sequence[Noise] | Mapping[str, Noise] | None = None,
    surrogate: Surrogate | None = None,
    v_th: float = 1.0,
    *,
    replace: Sequence[type[nn.Module]] = (nn.ReLU, nn.ReLU6),
    example: Any = None,
    quiet: bool = True,
    over_time: bool = False,
) -> Spiking:
    """A copy of the model in which each call of an activation is a layer of noisy single-step neurons (Eqs. 2, 5).

    Modules and functions are found, ``inplace`` or not; one that is called several times gets neurons for each call.
    Its output stays analog: a last layer without activation is read as a potential.

    Batch norm, dropout and pooling see spikes, 0 or 1, as they saw activations: batch norm before or after neurons
    learns; the maximum over a window is 1 where any neuron in it fires.

    Args:
        model: any module whose inputs, and what is between neurons, have the batch on axis 0.
        noise: of each neuron; Gaussian, mean 1/2 and sigma 1/8, clipped to [0, 1], if not given. For noise of its own
            in each layer, a list in the order of the calls, or a mapping by the names that `Spiking.neurons` gives.
        surrogate: derivative of a spike, a triangle of width 1 if not given.
        replace: kinds of activations that become neurons, called as modules or as functions. Others that do what
            `ACTIVATIONS` lists are refused.
        example: an input, or a tuple of them; for code that `torch.fx` cannot follow.
        quiet: ``net(x)`` in evaluation mode takes the noise's mean for the noise, as dropout is off then. At T = 1 that
            gives 5 to 6 points more where the output spikes, and from 1 less to none where it is a potential
            (figures/smoke/what_noise_does.csv). ``net(x, timesteps=T)`` always has its noise.
        over_time: inputs are [T, B, ...], frames of events say, in place of one input for all steps.

    Raises:
        InputError: no activation to replace, one that is not in ``replace``, a noise missing, a layer whose batch is
            not on axis 0, code that cannot be followed.
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model = {shown(model)}: must be a torch.nn.Module")
    if isinstance(model, Spiking) or any(isinstance(m, Neuron) for m in model.modules()):
        raise InputError(
            f"model = {type(model).__name__}: has neurons already; give the model that they were made from"
        )
    sequence("replace", replace)
    for kind in replace:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise InputError(f"replace, kind = {shown(kind)}: must be a class of modules, such as torch.nn.GELU")
    _check_modules(model)
    kinds = tuple(replace)
    if not kinds:
        raise InputError(f"replace = {shown(replace)}: must have at least one kind of activation")
    example = example if example is None or isinstance(example, tuple) else (example,)
    calls = activation_calls(model, kinds, example)
    _check_kinds(model, calls, kinds)
    each = per_layer("noise", Gaussian() if noise is None else noise, [call.name for call in calls])
    surrogate = Triangle() if surrogate is None else surrogate
    neurons = {c.name: Neuron(SingleStep(n, surrogate, v_th)) for c, n in zip(calls, each, strict=True)}
    return assembled(model, calls, neurons, kinds, quiet=quiet, over_time=over_time)


def assembled(
    model: nn.Module,
    calls: Sequence[Call],
    neurons: Mapping[str, Neuron],
    kinds: Sequence[type[nn.Module]],
    **options: Any,
) -> Spiking:
    """A copy of the model with these neurons, by name, in place of the calls."""
    model, paths = copied(model), {}
    for module in model.modules():
        if isinstance(module, nn.TransformerEncoderLayer):
            module.activation_relu_or_gelu = 0  # else a fused kernel runs in evaluation, with the activation it had
        if isinstance(module, nn.MultiheadAttention):
            module.register_forward_pre_hook(_together, with_kwargs=True)
    at: dict[str | None, list[Call]] = defaultdict(list)
    for call in calls:
        where = "functions" if call.path is None else f"model.{call.path}".rstrip(".")
        several = call.path is None or sum(c.path == call.path for c in calls) > 1
        paths[call.name] = f"{where}.calls.{len(at[call.path])}" if several else where
        at[call.path].append(call)
    functions = [neurons[call.name] for call in at.pop(None, [])]
    for path, there in at.items():
        layers = [neurons[call.name] for call in there]
        new = layers[0] if len(layers) == 1 else Reused(layers)
        model = _replaced(model, model.get_submodule(path), new)
    return Spiking(model, paths=paths, functions=functions, kinds=kinds, **options)


def _together(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
    """Inputs of attention of as many steps each, while the batch is still on axis 0: inside it is not."""
    timesteps = max((x.timesteps for x in tree_iter((args, kwargs)) if isinstance(x, InTime)), default=0)
    if not timesteps:
        return args, kwargs
    return tree_map_only(InTime, lambda x: in_time(repeated(x, timesteps), timesteps), (args, kwargs))


def _replaced(model: nn.Module, old: nn.Module, new: nn.Module) -> nn.Module:
    """The model with one module in place of another, under all its names."""
    if model is old:
        return new
    for path, module in list(model.named_modules(remove_duplicate=False)):
        if module is old:
            model.set_submodule(path, new)
    return model


def _check_kinds(model: nn.Module, calls: Sequence[Call], kinds: tuple[type[nn.Module], ...]) -> None:
    wanted = ", ".join(kind.__name__ for kind in kinds)
    for call in calls:
        if not issubclass(call.kind, kinds):
            kind = next(k for k in ACTIVATIONS if issubclass(call.kind, k))
            more = ", ".join(f"nn.{k.__name__}" for k in (*kinds, kind))
            raise InputError(
                f"{call.name} = {kind.__name__}: must be one of {wanted}; put one in its place, or have neurons there "
                f"too: spiking(model, replace=({more}))"
            )
    if not calls:
        raise InputError(f"model = {type(model).__name__}: must have at least one activation to replace, of {wanted}")


def _check_modules(model: nn.Module) -> None:
    for path, module in model.named_modules():
        where = f"{path or type(model).__name__} = {type(module).__name__}"
        if getattr(module, "batch_first", True) is False:
            raise InputError(
                f"{where}(batch_first=False): must have the batch on axis 0, since time is folded into it; make it "
                "with batch_first=True"
            )
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(f"{where}: must be Python code; activations inside compiled code cannot be replaced")
        if getattr(module, "nonlinearity", None) == "relu":
            raise InputError(f"{where}(nonlinearity='relu'): must be 'tanh'; its ReLUs cannot be replaced")
