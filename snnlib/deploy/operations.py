"""What one image costs: synaptic operations, multiply-accumulates, neuron updates, normalisation and noise draws.

Counted on the test set as an event-driven machine would do it, batch norm being part of the weights:

first layer
    a multiply-accumulate for each product of a pixel and a weight, once, whatever T is
synapses
    an accumulate for each spike and each weight it meets; a spike in front of an average pool goes through it, the
    pool's factor being part of the weights; a spike on an identity shortcut is one accumulate, as is, for each neuron
    and step, a current that passes by a layer of neurons
neurons
    for each neuron and step two accumulates, bias or first current, and the comparison with V_th (Eq. 2); from the
    second step on a multiply-accumulate that scales and shifts V (Eqs. 1 and 7-9)
normalisation
    from the second step on three accumulates for each neuron: sum, minimum and maximum of Eqs. 8-9; none with frozen
    statistics
noise
    for each neuron and step a draw and an accumulate

With phases in place of noise (`snnlib.exact_memory`) instead:

neurons
    for each neuron and step three accumulates: bias or first current, U + p, and the comparison with 1; of the exact
    memory one more for each spike, which it subtracts
probability
    p(I) of Gaussian noise is a look-up for each neuron and step. Of uniform noise it is I between 0 and 1, its slope
    and offset being part of the weights, as batch norm is: nothing, as clamps are
noise
    a draw for each neuron in the first step, none if all phases begin at 1/2; evenly spread noise adds to its phase
    from the second step on, an accumulate

An ANN has the first two in multiply-accumulates, an accumulate for each value that it pools, and bias and comparison.
Products with the zeros around an image are not counted, nor are memory traffic, clamps, and the mean of outputs.
Pooling spikes first would need fewer operations but products, since pooled values are no longer 0 or 1: a product costs
more than the four accumulates of a 2x2 pool that it can replace (in 45 nm).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.baselines.ann_neurons import ReLU
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError
from snnlib.data.batches import batches, standardise
from snnlib.data.sets import Dataset
from snnlib.deploy.folding import NoisyLIF
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.in_time import plain
from snnlib.layers import CurrentShortcut, Residual
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian
from snnlib.simulation import current_pass, simulate
from snnlib.statistics import Frozen
from snnlib.training.seeds import stream

FIRST, SYNAPSES, NEURONS, NORMALISATION, NOISE = "first layer", "synapses", "neurons", "normalisation", "noise"
PROBABILITY = "probability"
MAC, ACCUMULATE, DRAW, LOOKUP = "mac", "accumulate", "draw", "lookup"
SPIKE, UPDATE = "spike", "update"  # of each layer, what its firing rate is made of

Key = tuple[str, str]  # part, operation


def count(
    model: Spiking,
    data: Dataset,
    timesteps: int = 10,
    noise_seed: int = 0,
    batch_size: int = 250,
    precision: str = "float32",
    skip_zeros: bool = False,
) -> pd.DataFrame:
    """Operations for one image up to each T, mean over the test set; see the module's docstring for the rules.

    Of the paper's networks (`snnlib.models.build`); for any other, `snnlib.evaluate` counts synapses.

    Args:
        model: an SNN of this library, or a ReLU net (one step is all it has).
        skip_zeros: of a ReLU net, leave out products with an activation that is 0.

    Returns:
        Columns timesteps, part, operation ("mac", "accumulate", "draw", "lookup"), per_image; besides, for each layer
        of neurons as part, its spikes (of an ANN, its activations above 0) and updates, neurons times T.

    Raises:
        InputError: neurons of another kind.
    """
    if not hasattr(model.model, "encoder"):
        kind = type(model.model).__name__
        raise InputError(f"model = {kind}: must be of `snnlib.models.build`; see `snnlib.evaluate` for others")
    _, first = next(model.neurons())
    analog = isinstance(first.dynamics, ReLU)
    tally = _Tally(1 if analog else timesteps, {neuron: name for name, neuron in model.neurons()})
    generator = stream(noise_seed, "evaluation", device=data.test.images.device)
    with _deliveries(model, tally, analog, skip_zeros):
        for images, _ in batches(data.test, batch_size):
            tally.images = len(images)
            x = standardise(images, data)
            for _ in simulate(model, x, generator, tally.timesteps, precision, tally.update):
                pass
    rows = [
        (t, *key, numbers[:t].sum().item() / len(data.test))
        for key, numbers in tally.total.items()
        for t in range(1, tally.timesteps + 1)
    ]
    return pd.DataFrame(rows, columns=["timesteps", "part", "operation", "per_image"])


def fan_out(convolve: Callable, x: Tensor, weight: Tensor, *where: Any, **named: Any) -> Tensor:
    """How many outputs each input of a convolution reaches.

    Args:
        convolve: ``F.conv2d`` and its like, transposed or not, of any dimension.
        x: an input, [B, channels, ...]; only its shape counts, as of the weight.
        where: stride and so on, as the function takes them after the bias.

    Returns:
        [...] on the CPU, in float64, which not every device has; the same for every channel, at a border less.
    """
    # An output is a sum of inputs: the gradient of the sum of all outputs is in how many of them an input stands.
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        x = torch.ones(1, *x.shape[1:], dtype=torch.float64, requires_grad=True)
        out = convolve(x, torch.ones(weight.shape, dtype=torch.float64), None, *where, **named)
        return torch.autograd.grad(out.sum(), x)[0][0, 0]


class _Tally:
    """Operations of each time step, over all images seen so far."""

    def __init__(self, timesteps: int, names: dict[Neuron, str]) -> None:
        self.timesteps, self.names = timesteps, names
        self.total: dict[Key, Tensor] = defaultdict(lambda: torch.zeros(timesteps, dtype=torch.float64))
        self.images = 0  # of the batch

    def deliver(self, key: Key, numbers: Tensor) -> None:
        """Add numbers [steps * images] on the CPU, time outermost."""
        steps = numbers.view(-1, self.images).sum(1)
        began = current_pass().simulation.before
        self.total[key][began : began + len(steps)] += steps

    def update(self, neuron: Neuron, t: int, spikes: Tensor, state: Tensor | None) -> None:
        """Add what a layer of neurons does in a step: an observer of the simulation."""
        step = t - 1
        for key, number in _update(neuron.dynamics, first=step == 0).items():
            self.total[key][step] += number * spikes.numel()
        fired = spikes.count_nonzero().item()
        if isinstance(neuron.dynamics, ExactMemory):
            self.total[NEURONS, ACCUMULATE][step] += fired
        self.total[self.names[neuron], UPDATE][step] += spikes.numel()
        self.total[self.names[neuron], SPIKE][step] += fired


@contextmanager
def _deliveries(model: Spiking, tally: _Tally, analog: bool, skip_zeros: bool) -> Iterator[None]:
    """While it is open, every forward pass of the model adds to the tally what each layer does."""
    reach: dict[nn.Module, Tensor] = {}

    def arrive(layer: nn.Module, key: Key, values: Tensor) -> None:
        if layer not in reach:
            reach[layer] = _reach(layer, values)
        # Sums over channels first: small whole numbers, exact in float32, and no copy of the map in float64.
        numbers = values.sum(1, dtype=torch.float32).cpu() * reach[layer]
        tally.deliver(key, numbers.view(len(values), -1).sum(1))

    def first(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        if current_pass().simulation.before == 0:  # a long simulation in pieces runs it once in each
            arrive(layer, (FIRST, MAC), torch.ones_like(plain(inputs[0])))

    def spikes(merged: int) -> Callable:
        return lambda layer, inputs: arrive(layer, (SYNAPSES, ACCUMULATE), merged * plain(inputs[0]))

    def activations(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        key = (SYNAPSES, ACCUMULATE if isinstance(layer, nn.Identity) else MAC)
        values = plain(inputs[0])
        arrive(layer, key, (values != 0).float() if skip_zeros else torch.ones_like(values))

    def pooled(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        number = output[0].numel() * _area(layer)
        tally.deliver((SYNAPSES, ACCUMULATE), torch.full((len(output),), number, dtype=torch.float64))

    def passing(layer: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        values = plain(output)
        number = values[0].numel()
        tally.deliver((SYNAPSES, ACCUMULATE), torch.full((len(values),), number, dtype=torch.float64))

    with ExitStack() as hooks:
        (encoder,) = (m for m in model.model.encoder.modules() if isinstance(m, nn.Conv2d))
        hooks.callback(encoder.register_forward_pre_hook(first).remove)
        for layer, merged in _synapses(model):
            hook = activations if analog else spikes(merged)
            hooks.callback(layer.register_forward_pre_hook(hook).remove)
        for layer in model.model.layers.modules():
            if analog and isinstance(layer, nn.AvgPool2d):
                hooks.callback(layer.register_forward_hook(pooled).remove)
            if isinstance(layer, CurrentShortcut):
                hooks.callback(layer.register_forward_hook(passing).remove)
        yield


def _reach(layer: nn.Module, x: Tensor) -> Tensor:
    """How many outputs each input [B, channels, ...] of a layer reaches, whichever its channel."""
    if isinstance(layer, nn.Conv2d):
        return fan_out(F.conv2d, x, layer.weight, layer.stride, layer.padding, layer.dilation, layer.groups)
    outputs = layer.out_features if isinstance(layer, nn.Linear) else 1
    return torch.full(x.shape[2:], outputs, dtype=torch.float64)


def _synapses(model: Spiking) -> Iterator[tuple[nn.Module, int]]:
    """Each layer that spikes arrive at, and of how many of them its input is the mean: the pools in front of it."""
    merged = 1
    for layer in model.model.layers.modules():
        if isinstance(layer, nn.AvgPool2d):
            merged *= _area(layer)
        elif isinstance(layer, nn.Conv2d | nn.Linear):
            yield layer, merged
        elif isinstance(layer, Residual) and isinstance(layer.shortcut, nn.Identity):
            yield layer.shortcut, merged
        elif isinstance(layer, Neuron):
            merged = 1


def _area(pool: nn.AvgPool2d) -> int:
    return math.prod(pool.kernel_size) if isinstance(pool.kernel_size, tuple) else pool.kernel_size**2


def _update(dynamics: Dynamics, first: bool) -> dict[Key, int]:
    """Operations of one neuron in one step."""
    found = {(NEURONS, ACCUMULATE): 2}
    memory = (NEURONS, MAC)
    noise = None
    match dynamics:
        case ReLU():
            pass
        case LIF():
            found[memory] = int(not first)
        case SingleStep():
            noise = dynamics.noise
        case NoisyLIF():
            found[memory] = int(not first)
            noise = dynamics.first if first else dynamics.noise
        case Converted() if dynamics.forgets(first):
            noise = dynamics.noise
        case Converted():
            found[memory] = int(not first)
            found[NORMALISATION, ACCUMULATE] = 0 if first or isinstance(dynamics.statistics, Frozen) else 3
            noise = dynamics.residual
        case ExactMemory() | LowDiscrepancy():
            evenly = isinstance(dynamics, LowDiscrepancy)
            found[NEURONS, ACCUMULATE] = 3
            found[PROBABILITY, LOOKUP] = int(isinstance(dynamics.noise, Gaussian) and dynamics.noise.half_width > 0)
            found[NOISE, DRAW] = int(first and (evenly or dynamics.spread > 0))
            found[NOISE, ACCUMULATE] = int(evenly and not first)
        case _:
            raise InputError(f"dynamics = {getattr(dynamics, 'kind', dynamics)}: no rule for its operations")
    if noise is not None and noise.half_width:
        found[NOISE, DRAW] = found[NOISE, ACCUMULATE] = 1
    return found
