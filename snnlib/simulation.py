"""How a forward pass runs: for how many time steps, with which noise, and who looks on.

Only neurons read a `Simulation`, the one that runs at the moment (`current_pass`): modules between them need not know
of it. `simulate` runs a long one in pieces that fit into memory.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointFunction

from snnlib.checks import InputError, shown, whole
from snnlib.fast.process import autocast

CHUNK = 16  # time steps in one pass of a long simulation: enough to keep a processor busy

MOST_TIMESTEPS = 10_000  # time steps: more are a slip, and would take all memory there is

Observer = Callable[[Any, int, Tensor, Any], None]  # a `snnlib.neurons.Neuron`, t, spikes, state


@dataclass(frozen=True)
class Simulation:
    """A forward pass over ``timesteps`` steps, whose noise comes from ``generator``, PyTorch's global one if None.

    ``observe(neuron, t, spikes, state)`` is called after each step of each neuron, t from 1.
    ``states``, if given, is where neurons take their state from and leave it, so that one long simulation can be run as
    several passes, with the memory of the longest of them; ``before`` is how many steps a pass has before it.
    ``quiet`` takes the noise's mean in place of noise, in neurons of one step, converted or of exact memory.
    ``instead`` puts a dynamics in place of every neuron's own.
    """

    generator: torch.Generator | None = None
    timesteps: int = 1
    observe: Observer | None = None
    states: dict[nn.Module, Any] | None = None
    quiet: bool = False
    before: int = 0
    instead: Any = None  # a `snnlib.dynamics.Dynamics`

    def __post_init__(self) -> None:
        whole("timesteps", self.timesteps, 1, MOST_TIMESTEPS)
        if not isinstance(self.generator, torch.Generator | None):
            raise InputError(f"generator = {shown(self.generator)}: must be a torch.Generator")


def checkpointed() -> object:
    """What `torch.utils.checkpoint` knows that by which is called now, to compute it again; None if it does not."""
    hooks = torch._C._autograd._top_saved_tensors_default_hooks(False)
    if hooks and hooks[0].__module__ == "torch.utils.checkpoint":
        return hooks
    frame = None if torch.is_grad_enabled() else sys._getframe()
    while frame and frame.f_code is not CheckpointFunction.forward.__code__:  # its other way, use_reentrant=True
        frame = frame.f_back
    return frame and id(frame)


@dataclass(frozen=True)
class Pass:
    """A forward pass under way: its simulation, and how often each module that counts its calls was called so far."""

    simulation: Simulation
    batch: int | None = None  # B, on axis 0 of whatever holds no steps; None if nobody knows
    calls: Counter[object] = field(default_factory=Counter)
    gradients: bool = field(default_factory=torch.is_grad_enabled)
    whole: object = field(default_factory=checkpointed)  # the pass is computed again as a whole

    def check_batch(self, what: str, x: Tensor, steps: int) -> None:
        """Refuse with an `InputError` a tensor of so many steps whose axis 0 is no longer that of the batch."""
        if self.batch is not None and (not x.ndim or len(x) % (self.batch * steps)):
            raise InputError(
                f"{what} of shape {tuple(x.shape)}: must have {self.batch} inputs times {steps} steps on axis 0; "
                "reshape by x.flatten(1) or x.size(0), not by a size that was read before the first neuron"
            )

    @property
    def in_part(self) -> bool:
        """Whether what is called now will be computed again without this pass."""
        return self.gradients and (now := checkpointed()) is not None and now != self.whole


_passes: ContextVar[Pass | None] = ContextVar("snnlib_pass", default=None)


def current_pass() -> Pass | None:
    """The forward pass that runs at the moment, in this thread."""
    return _passes.get()


@contextmanager
def running(simulation: Simulation, batch: int | None = None) -> Iterator[None]:
    """Have all neurons that are called inside follow this simulation, of a batch of so many inputs."""
    token = _passes.set(Pass(simulation, batch))
    try:
        yield
    finally:
        _passes.reset(token)


def global_generator(device: torch.device) -> torch.Generator:
    """PyTorch's own generator of a device, which `torch.manual_seed` seeds."""
    if device.type == "cpu":
        return torch.default_generator
    if device.type == "mps":
        return torch.mps._get_default_mps_generator()
    module = torch.get_device_module(device)
    module.init()  # before, there are none
    return module.default_generators[module.current_device() if device.index is None else device.index]


def simulate(
    model: nn.Module,
    images: Tensor,
    generator: torch.Generator,
    timesteps: int,
    precision: str = "float32",
    observe: Observer | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """Outputs of a long simulation in pieces, in evaluation mode and without gradients.

    Args:
        model: takes images and, as ``simulation``, a `Simulation`.
        images: as the model takes them, [B, ...]; over time, [T, B, ...].
        generator: of the noise, on the images' device.
        timesteps: T.

    Raises:
        InputError: more than `MOST_TIMESTEPS` time steps, or fewer than one.

    Yields:
        The number of steps before this piece, and its outputs, float32 [steps, B, classes].
    """
    whole("timesteps", timesteps, 1, MOST_TIMESTEPS)
    over_time = getattr(model, "over_time", False)
    states: dict[nn.Module, Any] = {}
    with evaluating(model):
        for t in range(0, timesteps, CHUNK):
            sim = Simulation(generator, min(CHUNK, timesteps - t), observe, states, before=t)
            part = images[t : t + sim.timesteps] if over_time else images
            with torch.no_grad(), autocast(images.device, precision):
                outputs = model(part, simulation=sim)
            yield t, outputs.float()


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Have the model in evaluation mode inside, and each of its modules in its own mode again afterwards."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
