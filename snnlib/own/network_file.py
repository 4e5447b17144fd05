"""A network in one file: its weights, under the names that they have in the model, and beside them its neurons."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Discriminator, TypeAdapter, ValidationError
from torch import Tensor, nn

from snnlib.activation_calls import Call, activation_calls
from snnlib.activations import ACTIVATIONS
from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError, short, shown
from snnlib.conversion import network_of
from snnlib.deploy.folding import NoisyLIF
from snnlib.dynamics import LIF, Converted, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.fast.all_steps import channels_last
from snnlib.fast.process import usable
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.rate import Rate
from snnlib.replace_activations import assembled
from snnlib.spelling import explain, interruptible
from snnlib.store.files import DamagedError
from snnlib.store.tensors import load_tensors, save_tensors

LONGEST_PATH = 4096  # characters, Linux's limit
FORMAT = 1  # raised when a file says less, or something else, than this version reads

_DYNAMICS: TypeAdapter = TypeAdapter(
    Annotated[
        SingleStep | Converted | ExactMemory | LowDiscrepancy | LIF | NoisyLIF | IF | ReLU | QCFS | Rate,
        Discriminator("kind"),
    ]
)


def save(net: nn.Module, path: str | Path, about: dict[str, Any] | None = None) -> Path:
    """Write the network to a safetensors file: weights, buffers, and the dynamics of each layer of neurons.

    Any program reads the weights, under the names that they have in the model; `load` gives the network back.

    Args:
        about: what else the file's metadata are to say, as JSON has it.

    Raises:
        InputError: no network of neurons, neurons of another kind than this library's, an ``about`` that JSON cannot
            hold.
        StoreError: the file cannot be written; what stood there before still does.
    """
    network, path = network_of(net), _path(path)
    weights = {name: t.detach().clone() for name, t in network.model.state_dict().items()}  # tied ones share memory
    neurons = [
        {"path": network.paths[name], "name": name, "dynamics": _spelled(name, neuron)}
        for name, neuron in network.neurons()
    ]
    info = {
        "format": FORMAT,
        "neurons": neurons,
        "kinds": [kind.__name__ for kind in network.kinds if kind in ACTIVATIONS],
        "input_shape": network.input_shape,
        "quiet": network.quiet,
        "over_time": network.over_time,
        "own_seed": network.own_seed,
        "channels_last": any(channels_last(t) for t in network.model.state_dict().values()),
    }
    info = _about(about or {}, {*info, "sha256"}) | info
    save_tensors(path, weights, info | {"sha256": _digest(weights, info)})
    return path


def load(path: str | Path, model: nn.Module, device: torch.device | str = "cpu") -> Spiking:
    """The network that `save` wrote, in evaluation mode: its outputs are those of the one that was saved, bit for bit.

    A seed of its own (`Spiking.seed`) begins anew.

    Args:
        model: built as the saved one's was, with activations or with neurons, whose dynamics the file replaces. It
            stays as it is.

    Raises:
        DamagedError: the file is missing, damaged, or none that `save` wrote.
        InputError: the model has other weights, other activations or other neurons; a device that is not there.
    """
    path, device = _path(path), usable(device)
    if not isinstance(model, nn.Module):
        raise InputError(f"model = {shown(model)}: must be a torch.nn.Module, built as the saved one's was")
    weights, info = load_tensors(path)
    try:
        if info["format"] != FORMAT or info.pop("sha256") != _digest(weights, info):
            raise DamagedError(f"{path}: damaged, or written by another version of snnlib")
        neurons = {n["name"]: (n["path"], _DYNAMICS.validate_python(n["dynamics"])) for n in info["neurons"]}
        options = {"quiet": info["quiet"], "over_time": info["over_time"]}
        shape, seed = info["input_shape"], info.get("own_seed")  # older files do not say a seed
        kinds = [kind for kind in ACTIVATIONS if kind.__name__ in info["kinds"]]
    except (KeyError, TypeError, ValidationError):
        raise DamagedError(f"{path}: not a file that `snnlib.save` wrote") from None
    if any(isinstance(m, Neuron) for m in model.modules()):
        network = copy.deepcopy(network_of(model))
        if network.paths != {name: at for name, (at, _) in neurons.items()}:
            raise InputError(f"model = {type(model).__name__}: has other layers of neurons than {path}")
        for name, neuron in network.neurons():
            neuron.dynamics = neurons[name][1]
        network.quiet, network.over_time = options["quiet"], options["over_time"]
    else:
        calls = [_call(model, at, name, path) for name, (at, _) in neurons.items()]
        _check_calls(model, calls, path)
        network = assembled(model, calls, {name: Neuron(d) for name, (_, d) in neurons.items()}, kinds, **options)
    network.input_shape, network.own_seed = None if shape is None else tuple(shape), seed
    _fill(network, weights, path)
    if info["channels_last"]:
        network.to(memory_format=torch.channels_last)
    return network.to(device).eval()


def _path(path: str | Path) -> Path:
    if not isinstance(path, str | Path) or not str(path).isprintable() or len(str(path)) > LONGEST_PATH:
        raise InputError(f"path = {shown(path)}: must be the path of a file")
    return Path(path)


def _about(about: Any, own: set[str]) -> dict[str, Any]:
    try:
        read = json.loads(json.dumps(about))  # as the file will say it: keys that are numbers become text
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"about = {shown(about)}: must be what JSON can hold ({short(str(error))})") from None
    if not isinstance(read, dict) or own & read.keys():
        raise InputError(f"about = {shown(about)}: must be a dictionary, with other keys than {', '.join(sorted(own))}")
    return read


def _spelled(name: str, neuron: Neuron) -> dict[str, Any]:
    try:
        with interruptible():
            return _DYNAMICS.dump_python(_DYNAMICS.validate_python(neuron.dynamics))
    except ValidationError as error:
        raise explain(error, f"{name}, dynamics") from None


def _call(model: nn.Module, at: str, name: str, path: Path) -> Call:
    """The call that neurons of this path in a network stand for in a model."""
    if at.startswith("functions."):
        return Call(None, nn.Module, name)
    at = at.removeprefix("model").removeprefix(".")
    modules = dict(model.named_modules(remove_duplicate=False))
    once = re.sub(r"\.?calls\.\d+$", "", at)  # of an activation that is called several times
    for place in (at, once):
        if place in modules:
            return Call(place, type(modules[place]), name)
    raise InputError(f"model = {type(model).__name__}: has no {short(once)}, where {path} has neurons")


def _check_calls(model: nn.Module, calls: list[Call], path: Path) -> None:
    """Refuse with an `InputError` a model with other activations: one without neurons would stay as it is, unseen."""
    kinds = tuple({*ACTIVATIONS, *(call.kind for call in calls if call.path is not None)})
    saved = Counter(call.path for call in calls)
    try:
        found = Counter(call.path for call in activation_calls(model, kinds, example=None))
    except InputError:  # code that `torch.fx` cannot follow: of modules, whether they have neurons can be said
        inside = tuple(f"{at}." for at in saved if at)
        there = (at for at, m in model.named_modules() if isinstance(m, kinds) and not at.startswith(inside))
        found = saved | Counter(there)
    for at in found | saved:
        if found[at] != saved[at]:
            what = "functions such as relu" if at is None else short(at)
            raise InputError(
                f"model = {type(model).__name__}: has other activations than {path} ({what}: {found[at]} calls, for "
                f"{saved[at]} layers of neurons); if some are not called, give spiking(model, example=x) in its place"
            )


def _fill(network: Spiking, weights: dict[str, Tensor], path: Path) -> None:
    own = network.model.state_dict(keep_vars=True)
    for name, saved in weights.items():
        if name in own and own[name].dtype != saved.dtype:
            own[name].data = own[name].data.to(saved.dtype)
    try:
        network.model.load_state_dict(weights)
    except RuntimeError as error:
        why = short(str(error).partition("\n")[2] or str(error), 200)
        raise InputError(f"model = {type(network.model).__name__}: has other weights than {path} ({why})") from None


def _digest(weights: dict[str, Tensor], info: dict[str, Any]) -> str:
    found = hashlib.sha256(json.dumps(info, sort_keys=True).encode())
    for name in sorted(weights):
        t = weights[name].detach().cpu().contiguous()
        found.update(f"{name} {t.dtype} {tuple(t.shape)} ".encode())
        found.update(t.flatten().view(torch.uint8).numpy().tobytes() if t.numel() else b"")
    return found.hexdigest()
