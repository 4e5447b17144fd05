"""`Spiking`: any module whose activations are neurons, as a network that runs for any number of time steps.

A forward pass, in order: its `Simulation` says how many steps and whose noise; inputs are checked, and marked with the
time they hold (`snnlib.inputs`); of several steps it is known, or found out by passes with probes in place of neurons,
whether the model can take them at once (`snnlib.step_by_step`); the model runs, on [T·B, ...] or step by step, while
its neurons read the simulation from the pass under way (`snnlib.simulation.current_pass`); outputs are split by step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_iter, tree_map

from snnlib.activation_calls import Intercepted
from snnlib.activations import functions_of
from snnlib.checks import InputError, one_of, shown, whole
from snnlib.in_time import InTime, plain, repeated
from snnlib.inputs import first_tensor, taken
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation, checkpointed, current_pass, running
from snnlib.step_by_step import folds, step_by_step


class Reused(nn.Module):
    """The neurons of an activation that is called several times in a forward pass, one layer of them for each call."""

    def __init__(self, neurons: Iterable[Neuron]) -> None:
        super().__init__()
        self.calls = nn.ModuleList(neurons)

    def forward(self, input: Tensor, *_: Any, **__: Any) -> Tensor:
        """The next layer's spikes; what else functions take, such as ``inplace``, is left out."""
        under_way = current_pass()
        if under_way is None:
            raise InputError("a layer that is called several times: must be called inside its `Spiking` net")
        if under_way.in_part:
            raise InputError(
                "torch.utils.checkpoint: cannot compute an activation again that is a function or called several "
                "times; give each call a torch.nn.ReLU of its own, or checkpoint the net as a whole"
            )
        call = under_way.calls[self]
        under_way.calls[self] += 1
        if call == len(self.calls):
            raise InputError(
                f"the forward pass calls an activation more often than the {call} times it has neurons for"
            )
        return self.calls[call](input)


class Spiking(nn.Module):
    """An ordinary module that contains neurons: its inputs to the output of each time step.

    Nothing is ever reset: a forward pass begins at step 1. What does not depend on a neuron is computed once.
    Modules between neurons see [T·B, ...], all steps at once, where that is the same as one step after another.

    Args:
        model: any module; where it says relu, `Neuron` stands (`snnlib.replace_activations.spiking`).
        input_shape: of an input without its batch axis, to refuse others; None takes what the model takes.
        paths: of each `Neuron` under a name for it, in the order of the calls; "layer 1" and so on, in the order in
            which they are registered, if not given.
        functions: neurons in place of ``torch.relu`` and its like in the model's code, in the order of the calls.
        kinds: of activations whose functions they stand for.
        quiet: in evaluation mode, ``net(x)`` takes the noise's mean in place of noise; its neurons' ``quiet``.
        over_time: inputs are [T, B, ...], a frame for each step, in place of one for all steps.
        folds: whether the model can take all steps at once; None finds out before the first pass of several steps of
            each kind of input, by two more passes (`snnlib.step_by_step`).
    """

    def __init__(
        self,
        model: nn.Module,
        input_shape: tuple[int, ...] | None = None,
        paths: Mapping[str, str] | None = None,
        functions: Iterable[Neuron] = (),
        kinds: Iterable[type[nn.Module]] = (),
        quiet: bool = False,
        over_time: bool = False,
        folds: bool | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(model, nn.Module):
            raise InputError(f"model = {shown(model)}: must be a torch.nn.Module")
        self._folds, self._found = folds, {}
        self.model, self.input_shape, self.quiet, self.over_time = model, input_shape, quiet, over_time
        self.functions, self.kinds = Reused(functions), tuple(kinds)
        found = [path for path, module in self.named_modules() if isinstance(module, Neuron)]
        self.paths = dict(paths or {f"layer {i}": path for i, path in enumerate(found, start=1)})
        self.own_seed: int | None = None  # of `seed`
        self._generators: dict[torch.device, torch.Generator] = {}

    def forward(
        self,
        *inputs: Any,
        timesteps: int | None = None,
        generator: torch.Generator | None = None,
        simulation: Simulation | None = None,
        **named: Any,
    ) -> Any:
        """The model's output [B, ...] of a single step, or, with ``timesteps``, [T, B, ...] of each step.

        Args:
            inputs, named: of the model. The first tensor's floats are taken as they are, its bytes (uint8) divided by
                255. Others are taken to have the batch on axis 0 too if they are as long; if something that all inputs
                share can be so by chance, make it a buffer of the model.
            timesteps: T; the mean over them is the prediction. Inputs over time bring their own.
            generator: of the noise; else that of `seed`, or PyTorch's global one, as dropout's.
            simulation: all that, and who looks on, in one; then the output is [T, B, ...].

        Raises:
            InputError: no tensor among the inputs, another shape, dtype or device than the net's, nan or infinity.
        """
        if current_pass() is not None:  # inside another net, whose simulation runs
            if (timesteps, generator, simulation) != (None, None, None):
                raise InputError("timesteps, generator, simulation: are the outer net's; call this one without them")
            return self._run(inputs, named)
        first = first_tensor(inputs, named)
        single = simulation is None and timesteps is None and not self.over_time
        if simulation is None:
            simulation = self._simulation(first, timesteps, generator, quiet=single and self.quiet)
        elif not isinstance(simulation, Simulation):
            raise InputError(f"simulation = {shown(simulation)}: must be a Simulation")
        elif timesteps is not None or generator is not None:
            raise InputError("simulation: has timesteps and generator of its own; give it alone, or those")
        if simulation.generator is not None and checkpointed():
            raise InputError(
                "generator: torch.utils.checkpoint sets only PyTorch's global one back to compute the net again; "
                "give none, and no seed"
            )
        checked = taken(inputs, named, self, simulation)
        if simulation.timesteps > 1 and not (simulation.instead or self._folding(inputs, named)):
            return step_by_step(self, inputs, named, simulation)
        with running(simulation, batch=first.shape[self.over_time]):
            outputs = self._run(*checked)
            return outputs if single else tree_map(_by_step, outputs)

    def _simulation(
        self, x: Tensor, timesteps: int | None, generator: torch.Generator | None, *, quiet: bool
    ) -> Simulation:
        given = len(x) if self.over_time and x.ndim else 1
        if self.over_time and timesteps not in (None, given):
            raise InputError(f"timesteps = {shown(timesteps)}: must be {given}, the length of the input")
        generator = self._own_generator(x.device) if generator is None else generator
        return Simulation(generator, given if timesteps is None else timesteps, quiet=quiet and not self.training)

    def _folding(self, inputs: tuple, named: Mapping[str, Any]) -> bool:
        """Whether all steps can be taken at once, of inputs of this kind."""
        if self._folds is None:
            leaves = tree_iter((inputs, named))
            kind = str([tuple(x.shape[1 + self.over_time :]) if isinstance(x, Tensor) else type(x) for x in leaves])
            kind += str(sorted(named))
            if kind not in self._found:
                self._found[kind] = folds(self, inputs, named)
            return self._found[kind]
        return self._folds

    def _run(self, inputs: tuple, named: Mapping[str, Any]) -> Any:
        if not len(self.functions.calls):
            return self.model(*inputs, **named)
        with Intercepted(functions_of(self.kinds), lambda function, *args, **kwargs: self.functions(*args, **kwargs)):
            return self.model(*inputs, **named)

    def seed(self, seed: int) -> Self:
        """Draw noise from a generator of the net's own from here on, seeded anew; it repeats on the same device."""
        whole("seed", seed, 0, 2**63 - 1)
        self.own_seed, self._generators = seed, {}
        return self

    def _own_generator(self, device: torch.device) -> torch.Generator | None:
        if self.own_seed is None:
            return None
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self.own_seed)
        return self._generators[device]

    def __getstate__(self) -> dict[str, Any]:
        """Generators are neither copied nor pickled: a copy's begin at the seed."""
        return {**self.__dict__, "_generators": {}}

    def neurons(self) -> Iterator[tuple[str, Neuron]]:
        """Each layer of neurons with its name, in the order of ``paths``."""
        return ((name, self.get_submodule(path)) for name, path in self.paths.items())

    @property
    def first(self) -> Neuron:
        """The layer of neurons that comes first in ``paths``."""
        return next(self.neurons())[1]


def per_layer(what: str, value: Any, names: Sequence[str]) -> list[Any]:
    """A value for each layer: the same, or those of a list in the layers' order, or of a mapping by their names."""
    if isinstance(value, Mapping):
        for name in value:
            one_of(f"{what}, layer", name, names)
        if missing := [name for name in names if name not in value]:
            raise InputError(f"{what} = {shown(dict(value))}: must have each layer of neurons; {missing[0]} is missing")
        return [value[name] for name in names]
    if isinstance(value, list | tuple):
        if len(value) != len(names):
            raise InputError(f"{what}: {len(value)} values for {len(names)} layers of neurons; there must be as many")
        return list(value)
    return [value] * len(names)


def _by_step(x: Any) -> Any:
    """An output [T·B, ...] to [T, B, ...]; what no input enters is the same at each step."""
    if not isinstance(x, Tensor):
        if x is None or isinstance(x, str | int | float):
            return x
        raise InputError(
            f"outputs = {type(x).__name__}: must be tensors, or tuples, lists and dicts of them, over time"
        )
    under_way = current_pass()
    steps, batch = under_way.simulation.timesteps, under_way.batch
    if isinstance(x, InTime):
        under_way.check_batch("an output", plain(x), x.timesteps or 1)
        return repeated(x, steps).unflatten(0, (steps, -1))
    if steps > 1 and (x.requires_grad or (x.ndim and len(x) in (batch, steps * batch))):
        raise InputError(
            f"an output of shape {tuple(x.shape)}: does not say whether it holds all {steps} steps; where code of your "
            "own makes y from x, mark it: snnlib.in_time.marked_as(x, y)"
        )
    return x.expand(steps, *x.shape)
