"""Where a model calls activations, as modules and as functions, in the order of its forward pass."""

from __future__ import annotations

import copy
import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_iter, tree_map_only

from snnlib.activations import ACTIVATIONS, CLAMPS, check_clamp, functions_of
from snnlib.checks import InputError, short, shown
from snnlib.simulation import evaluating


@dataclass(frozen=True)
class Call:
    """One call of an activation of this kind: of the module at ``path``, or, where that is None, of a function.

    Its name is the path, or the function's name; with a number where there are several.
    """

    path: str | None
    kind: type[nn.Module]
    name: str


class Intercepted(TorchFunctionMode):
    """While it is open, calls of these functions are made by ``instead``, which gets function and arguments."""

    def __init__(self, functions: Iterable[Callable], instead: Callable[..., Any]) -> None:
        super().__init__()
        self.functions, self.instead = frozenset(functions), instead

    def __torch_function__(self, func: Callable, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return self.instead(func, *args, **kwargs) if func in self.functions else func(*args, **kwargs)


def activation_calls(model: nn.Module, kinds: Iterable[type[nn.Module]], example: tuple | None) -> list[Call]:
    """All calls of these kinds of activations, and of others of `ACTIVATIONS`, in the order of a forward pass.

    They are read off the model's code by `torch.fx`, or, if there is an ``example``, the model's inputs, off a pass
    with it, in evaluation mode. Modules that are not called in it come last.

    Raises:
        InputError: no example for code that `torch.fx` cannot follow, or an example that the model cannot take; an
            activation in place whose input is used afterwards; one that is called more often in training.
    """
    kinds = tuple({**dict.fromkeys(kinds), **dict.fromkeys(ACTIVATIONS)})
    with evaluating(model):
        found = _traced(model, kinds) if example is None else _counted(model, kinds, example)
    _check_training(found, _in_training(model, kinds, example))
    called = {path for path, _ in found}
    found += [(path, kind) for path, kind in _outermost(model, kinds) if path not in called]
    total = Counter(found)
    seen: Counter[tuple[str | None, type[nn.Module]]] = Counter()
    calls = []
    for path, kind in found:
        seen[path, kind] += 1
        what = path or (ACTIVATIONS[kind][0].__name__ if path is None else kind.__name__)
        calls.append(Call(path, kind, what if total[path, kind] == 1 else f"{what} ({seen[path, kind]})"))
    return calls


def copied(model: nn.Module) -> nn.Module:
    """A copy; an `InputError` where PyTorch makes none."""
    try:
        return copy.deepcopy(model)
    except Exception as error:  # of the model's own code, so of any kind
        raise InputError(
            f"model = {type(model).__name__}: cannot be copied ({short(str(error), 120)}); for weight_norm and "
            "spectral_norm take those of torch.nn.utils.parametrizations"
        ) from None


Found = list[tuple[str | None, type[nn.Module]]]


def _in_training(model: nn.Module, kinds: tuple[type[nn.Module], ...], example: tuple | None) -> Found:
    twin = model if example is None else copied(model)  # batch norm would count the example in
    with evaluating(twin):
        twin.train()
        try:
            return _traced(twin, kinds) if example is None else _counted(twin, kinds, example)
        except InputError:  # of a batch that is too small for batch norm, say
            return []


def _check_training(found: Found, in_training: Found) -> None:
    often, more = Counter(found), Counter(in_training)
    for (path, kind), times in more.items():
        before = often[path, kind]
        if times > before and (path is None or before):  # fewer may be chance, as in stochastic depth
            name = path or ACTIVATIONS[kind][0].__name__
            raise InputError(
                f"{name}: is called {times} times in training and {before} in evaluation; give each call a "
                "torch.nn.ReLU of its own, or build the model without the branch (aux_logits=False in torchvision)"
            )


ONLY_RESULT = "what it wrote into must not be used afterwards, only what it returns; write x = relu(x)"


class _Tracer(fx.Tracer):
    def __init__(self, kinds: tuple[type[nn.Module], ...]) -> None:
        super().__init__()
        self.kinds = kinds

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self.kinds) or (m.__module__.startswith("torch.nn") and not len(list(m.children())))


def _traced(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Found:
    if isinstance(model, kinds):
        return [("", type(model))]
    try:
        usual = {p.name: p.default for p in inspect.signature(model.forward).parameters.values()}
        usual = {name: value for name, value in usual.items() if value is not inspect.Parameter.empty}
        graph = _Tracer(kinds).trace(model, concrete_args=usual)
    except Exception as error:  # of the model's own code, so of any kind
        raise InputError(
            f"model = {type(model).__name__}: its code cannot be followed without an input "
            f"({short(str(error), 120)}); pass one: spiking(model, example=x)"
        ) from None
    functions, modules = functions_of(kinds), dict(model.named_modules(remove_duplicate=False))
    found: Found = []
    for node in graph.nodes:
        module = modules[node.target] if node.op == "call_module" else None
        called = getattr(Tensor, node.target, None) if node.op == "call_method" else node.target
        check_clamp(called, node.args, node.kwargs)
        if isinstance(module, kinds):
            place, name, in_place = _place(model, module), node.target, getattr(module, "inplace", False)
        elif node.op in ("call_function", "call_method") and called in functions:
            place, name = (None, functions[called]), called.__name__
            in_place = name.endswith("_") or node.kwargs.get("inplace")
        else:
            continue
        if in_place and any(user > node for argument in node.all_input_nodes for user in argument.users):
            raise InputError(f"{name}, called in place: {ONLY_RESULT}")
        found.append(place)
    return found


def _counted(model: nn.Module, kinds: tuple[type[nn.Module], ...], example: tuple) -> Found:
    found: Found = []
    try:
        with torch.no_grad():
            as_it_is = _outputs(model, kinds, example, found, lambda x: x)
            copying = _outputs(model, kinds, example, [], Tensor.clone)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"example = {shown(example)}: the model cannot take it ({short(str(error), 200)})") from None
    if not all(torch.allclose(a, b, equal_nan=True) for a, b in zip(as_it_is, copying, strict=True)):
        raise InputError(f"model = {type(model).__name__}, activation called in place: {ONLY_RESULT}")
    return found


def _outputs(
    model: nn.Module, kinds: tuple[type[nn.Module], ...], example: tuple, found: Found, change: Callable
) -> list[Tensor]:
    """The model's outputs if each activation is given what ``change`` makes of its input; adds its calls to found."""
    functions = functions_of(kinds)
    inside: list[nn.Module] = []  # what a module of these kinds calls itself is no call of the model's

    def enter(module: nn.Module, inputs: tuple) -> tuple:
        if not inside:
            found.append(_place(model, module))
        inside.append(module)
        return tree_map_only(Tensor, change, inputs)

    def leave(module: nn.Module, inputs: tuple, output: Any) -> None:
        inside.pop()

    def call(function: Callable, *args: Any, **kwargs: Any) -> Tensor:
        if not inside:
            check_clamp(function, args, kwargs)
            if function in functions:
                found.append((None, functions[function]))
                args, kwargs = tree_map_only(Tensor, change, (args, kwargs))
        return function(*args, **kwargs)

    with ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, kinds):
                stack.callback(module.register_forward_pre_hook(enter).remove)
                stack.callback(module.register_forward_hook(leave).remove)
        stack.enter_context(torch.random.fork_rng())
        torch.manual_seed(0)
        stack.enter_context(Intercepted([*functions, *CLAMPS], call))
        return [x for x in tree_iter(model(*tree_map_only(Tensor, Tensor.clone, example))) if isinstance(x, Tensor)]


def _outermost(model: nn.Module, kinds: tuple[type[nn.Module], ...]) -> Found:
    """The activations that are not part of another one."""
    places: Found = []
    for path, module in model.named_modules():
        if isinstance(module, kinds) and not any(path.startswith(f"{outer}." * bool(outer)) for outer, _ in places):
            places.append((path, type(module)))
    return places


def _place(model: nn.Module, module: nn.Module) -> tuple[str, type[nn.Module]]:
    return next(path for path, m in model.named_modules() if m is module), type(module)
