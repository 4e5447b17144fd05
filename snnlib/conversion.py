"""Steps 2 and 3 of the method: other dynamics for the same weights (Sec. 2.2, Fig. 1)."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from snnlib.checks import InputError, one_of, shown, whole
from snnlib.dynamics import Converted, Dynamics, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.network import Spiking, per_layer
from snnlib.neurons import Neuron
from snnlib.noise import Noise
from snnlib.simulation import Simulation, evaluating
from snnlib.statistics import Frozen, Layer, Sample, Statistics

log = logging.getLogger(__name__)

STATISTICS = ("layer", "sample", "frozen")
SETTLED = 1e-3  # of max|A - mu|: how far frozen constants may be from those of the net that runs with them
MOST_ROUNDS = 20  # of measuring them


def network_of(model: nn.Module) -> Spiking:
    """The model as a network of neurons.

    A module around a `Spiking` net, such as a LightningModule, counts as a whole, since what else it computes is part
    of its outputs; layers keep the names that they have in the net, and ``quiet``, ``over_time`` and the seed are the
    net's. What `torch.compile` made of a module stands for that module: it cannot follow several steps.

    Raises:
        InputError: no neurons; several `Spiking` nets, or neurons beside one.
    """
    model = getattr(model, "_orig_mod", model)
    if not isinstance(model, nn.Module) or not any(isinstance(m, Neuron) for m in model.modules()):
        raise InputError(f"model = {type(model).__name__}: must be a network of neurons, such as `spiking` makes of it")
    if isinstance(model, Spiking):
        return model
    around = next(((path, m) for path, m in model.named_modules() if isinstance(m, Spiking)), None)  # the outermost
    if around is None:
        return Spiking(model)
    path, net = around
    inside = {*net.modules()}
    if any(isinstance(m, Spiking | Neuron) and m not in inside for m in model.modules()):
        raise InputError(
            f"model = {type(model).__name__}: must have one Spiking net in it and no neurons beside it; for others, "
            "say what holds for them all: snnlib.network.Spiking(model, quiet=True, over_time=False)"
        )
    paths = {name: f"model.{path}.{inside}" for name, inside in net.paths.items()}
    whole_model = Spiking(model, paths=paths, quiet=net.quiet, over_time=net.over_time)
    return whole_model if net.own_seed is None else whole_model.seed(net.own_seed)


def with_dynamics(model: Spiking, change: Callable[[Neuron], Dynamics]) -> Spiking:
    """The same network with other dynamics, in evaluation mode.

    It shares every weight and buffer with ``model``, which stays as it is. Move a model to its device
    and dtype before, not after: moving one of the two would part them.
    ``change`` maps each neuron of ``model`` to its new dynamics.
    """
    shared = {id(t): t for t in (*model.parameters(), *model.buffers())}
    twin = copy.deepcopy(model, shared)  # deepcopy takes what its memo holds instead of copying it
    for (_, old), (_, new) in zip(model.neurons(), twin.neurons(), strict=True):
        new.dynamics = change(old)
    return twin.eval()


def ensemble(model: nn.Module) -> Spiking:
    """Step 2: the trained network for any number of time steps, each with noise of its own.

    Raises:
        InputError: the model's neurons are not `SingleStep`.
    """
    return with_dynamics(network_of(model), _trained)


def convert(
    model: nn.Module,
    alpha: float | Sequence[float] | Mapping[str, float] = 4.0,
    beta: float = 0.5,
    leak: float = 0.5,
    statistics: str = "sample",
    calibration: Tensor | None = None,
    timesteps: int | None = None,
    seed: int | None = None,
    first_step: str = "noise",
    noise: Noise | None = None,
) -> Spiking:
    """Step 3: a memory for the ensemble (Eqs. 6-9). No weight is changed or copied.

    `convert_exact` gives the ensemble another memory.

    Args:
        model: a network trained with `SingleStep` neurons.
        alpha, beta, leak: of Eqs. 7-9; alpha = inf leaves no memory (step 2), alpha = 2 no noise where that lies in
            [0, 1]. For an alpha of its own in each layer, a list in the order of the layers, or a mapping by the names
            of `Spiking.neurons`.
        statistics: what Eqs. 8-9 average over. "sample": the layer, for each image alone. "frozen": constants, measured
            on ``calibration``. "layer": the layer and the whole batch, by which a prediction depends on the other
            images of its batch; the figures have it, since the paper seems to mean it.
        calibration: for "frozen", a tensor of training images [N, ...] as the model takes them, [T, N, ...] over time;
            all of them are in memory at once, so some hundreds.
        timesteps, seed: how long (at least 2 steps, 10 if not given, over time the inputs' T), and with which noise
            (0), "frozen" is calibrated.
        first_step: "noise", all of N_noise, so T = 1 is the trained net; "rest", a potential at rest, with N' (Eq. 6).
        noise: N_noise, if it is to be another than in training.

    Raises:
        InputError: an alpha with which the potential's range is wider than the noise (below 2 for the paper's [0, 1]),
            beta outside the noise's range, a leak outside [0, 1], a list or mapping that does not fit the layers,
            unknown statistics, "frozen" without images or as `freeze` refuses it, a model that was not trained at a
            single step.
    """
    model = network_of(model)
    one_of("statistics", statistics, STATISTICS)
    if statistics == "frozen" and calibration is None:
        raise InputError("calibration = None: statistics = frozen needs training images to measure its constants on")
    for name, value in {"calibration": calibration, "timesteps": timesteps, "seed": seed}.items():
        if statistics != "frozen" and value is not None:
            raise InputError(f"{name}: is for statistics = frozen; statistics = {statistics} measures nothing before")

    alphas = _by_neuron(model, "alpha", alpha)

    def converted(neuron: Neuron) -> Converted:
        d = _trained(neuron)
        return Converted(
            noise=d.noise if noise is None else noise, alpha=alphas[neuron], beta=beta, leak=leak,
            statistics=Sample() if statistics == "sample" else Layer(), surrogate=d.surrogate, v_th=d.v_th,
            first_step=first_step,
        )  # fmt: skip

    model = with_dynamics(model, converted)
    if statistics != "frozen":
        return model
    return freeze(model, calibration, timesteps, 0 if seed is None else seed)


def convert_exact(
    model: nn.Module, spread: float | Sequence[float] | Mapping[str, float] = 1.0, noise: Noise | None = None
) -> Spiking:
    """In place of step 3, beyond the paper: the memory of `snnlib.exact_memory.ExactMemory`.

    It keeps the law that the net was trained in. No weight is changed or copied.

    Args:
        model: a network trained with `SingleStep` neurons.
        spread: of the phases from which the memory begins; 1 keeps the law in every step. By layer as alpha of
            `convert`: 1/2 in a last layer whose spikes are the output is better at few steps.
        noise: N_noise, if it is to be another than in training.

    Raises:
        InputError: a spread outside [0, 1], a list or mapping that does not fit the layers, noise of no known law, a
            model that was not trained at a single step.
    """
    model = network_of(model)
    spreads = _by_neuron(model, "spread", spread)

    def converted(neuron: Neuron) -> ExactMemory:
        d = _trained(neuron)
        return ExactMemory(d.noise if noise is None else noise, spreads[neuron], d.v_th)

    return with_dynamics(model, converted)


def _by_neuron(model: Spiking, what: str, value: Any) -> dict[Neuron, Any]:
    """The value of each layer of neurons (`per_layer`)."""
    names, neurons = zip(*model.neurons(), strict=True)
    return dict(zip(neurons, per_layer(what, value, names), strict=True))


def freeze(model: Spiking, images: Tensor, timesteps: int | None = None, seed: int = 0) -> Spiking:
    """Replace each layer's statistics by their mean over time steps on ``images``, as the model takes them.

    They hardly change from the second step on, so constants lose almost nothing, and a prediction
    no longer depends on the other images of its batch.

    The constants are those of the net that runs with them. They change its potentials, and so what would be measured
    on it: they are measured on ``model``, then on the frozen net, until none moves by more than `SETTLED` of its
    layer's max|A - mu|, at most `MOST_ROUNDS` times. Each round has the same images and the same noise, and the model
    in evaluation mode.

    Args:
        timesteps: 10 if not given; over time the inputs' T, and no other.

    Raises:
        InputError: fewer than two time steps, others than those of inputs over time, no images or no tensor, a seed
            that is no whole number, neurons that are not `Converted`, or frozen before.
    """
    if not isinstance(images, Tensor) or images.ndim < 1 + model.over_time:
        where = "[T, N, ...]" if model.over_time else "[N, ...]"
        raise InputError(f"calibration = {shown(images)}: must be a tensor of inputs {where}, without targets")
    whole("seed", seed, 0, 2**63 - 1)
    usual = len(images) if model.over_time else 10
    timesteps = usual if timesteps is None else timesteps
    whole("timesteps of calibration", timesteps, least=2)
    if model.over_time and timesteps != usual:
        raise InputError(f"timesteps of calibration = {timesteps}: must be {usual}, those of the inputs over time")
    whole("calibration images", images.shape[int(model.over_time)], least=1)
    for _, neuron in model.neurons():
        d = neuron.dynamics
        if not isinstance(d, Converted):
            raise InputError(f"dynamics = {getattr(d, 'kind', d)}: only a converted net has statistics to freeze")
        if isinstance(d.statistics, Frozen):
            raise InputError(
                "statistics = frozen: hold already; convert the trained net anew for those of other images"
            )
    over = [neuron.dynamics.statistics for _, neuron in model.neurons()]
    known: list[Frozen] = []
    for _ in range(MOST_ROUNDS):
        found = _measured(model, over, images, timesteps, seed)
        moved = [max(abs(a.mean - b.mean), abs(a.peak - b.peak)) for a, b in zip(found, known, strict=False)]
        model = _with_statistics(model, found)
        if known and all(by <= SETTLED * new.peak for by, new in zip(moved, found, strict=True)):
            break
        known = found
    else:
        log.warning("frozen constants still move after %d rounds of measuring, by more than %g", MOST_ROUNDS, SETTLED)
    return model


def _with_statistics(model: Spiking, found: list[Frozen]) -> Spiking:
    constants = iter(found)
    return with_dynamics(model, lambda neuron: replace(neuron.dynamics, statistics=next(constants)))


def _measured(model: Spiking, over: list[Statistics], images: Tensor, timesteps: int, seed: int) -> list[Frozen]:
    """Means over time steps of what ``over`` says of each layer's leaked potentials."""
    seen: dict[Neuron, list[tuple[Tensor, Tensor]]] = {neuron: [] for _, neuron in model.neurons()}
    statistics = dict(zip(seen, over, strict=True))

    def observe(neuron: Neuron, t: int, spikes: Tensor, v: Tensor) -> None:
        # V(t) enters the next step's term, so the last one is never used.
        if t < timesteps:
            seen[neuron].append(statistics[neuron](neuron.dynamics.leak * v))

    with torch.no_grad(), evaluating(model):
        generator = torch.Generator(images.device).manual_seed(seed)
        model(images, simulation=Simulation(generator, timesteps, observe))
    return [
        Frozen(*(float(torch.stack(x).float().mean()) for x in zip(*pairs, strict=True))) if pairs else Frozen(0.0, 0.0)
        for pairs in seen.values()  # no pairs: a layer that is for training alone
    ]


def _trained(neuron: Neuron) -> SingleStep:
    d: Any = neuron.dynamics
    if not isinstance(d, SingleStep):
        raise InputError(f"dynamics = {getattr(d, 'kind', d)}: steps 2 and 3 start from a net trained as single_step")
    return d
