"""`evaluate`: what a network says at every T, and what that costs, as a table that draws itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter
from torch import Tensor, nn

from snnlib.checks import InputError, sequence, whole
from snnlib.conversion import network_of
from snnlib.network import Spiking
from snnlib.own.batches import check_classes, loader, one_tensor, pair
from snnlib.own.tally import Tally
from snnlib.simulation import MOST_TIMESTEPS, simulate
from snnlib.training.seeds import stream


class Evaluated(pd.DataFrame):
    """A row for each noise seed and T; columns as `evaluate` says."""

    @property
    def _constructor(self) -> type[Evaluated]:
        return Evaluated

    def draw(self) -> Figure:
        """Accuracy (or error), spikes and operations over T: the mean over noise seeds, and their range as a band."""
        panels = [
            (column, label)
            for column, label in (
                ("accuracy", "accuracy, %"),
                ("error", "mean squared error"),
                ("spikes_per_neuron", "spikes per neuron up to T"),
                ("operations", "operations per input up to T"),
            )
            if column in self
        ]
        fig = Figure(figsize=(5.0, 1.9 * len(panels) + 0.4), layout="constrained")
        for ax, (column, label) in zip(fig.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True):
            values = self[column] * (100 if column == "accuracy" else 1)
            at = values.groupby(self.timesteps).agg(["mean", "min", "max"])
            ax.plot(at.index, at["mean"], marker="o")
            ax.fill_between(at.index, at["min"], at["max"], alpha=0.2, linewidth=0)
            ax.set(title=label, xlabel="time steps T")
            if column in ("spikes_per_neuron", "operations"):
                ax.set_ylim(0, 1.1 * at["max"].max() or 1)  # they grow with T, nearly in proportion
            if column == "operations":
                ax.yaxis.set_major_formatter(EngFormatter())
            ax.xaxis.get_major_locator().set_params(integer=True)
        seeds = self.noise_seed.nunique()
        fig.suptitle(f"mean of {seeds} noise seeds; band: their range" if seeds > 1 else "1 noise seed")
        return fig


def evaluate(
    net: nn.Module, data: Any, timesteps: int = 10, *, noise_seeds: Iterable[int] = (0,), batch_size: int = 100
) -> Evaluated:
    """Test a network at every T from 1 to ``timesteps``, from one pass of that length for each noise seed.

    The prediction at T is the mean output over the first T steps, for classes its largest member (Sec. 2.2). Seeds
    repeat: the same seed, batch size and device give the same numbers.

    Args:
        net: of `snnlib.spiking`, `convert` or `load`; in evaluation mode meanwhile.
        data: (inputs, targets) as `snnlib.fit` takes them, all of it tested.
        timesteps: T; of inputs over time at most as many as they have.

    Returns:
        Columns noise_seed, timesteps, accuracy (a fraction) for targets that are classes or else error (mean squared),
        spikes_per_neuron (up to T, mean over neurons and inputs), operations: for one input up to T, an addition for
        each input of a linear layer or convolution that is not 0, and each output it reaches; layers before the first
        neuron count once, with all their products, but those of inputs over time, events, like all others. Layers are
        calls of ``F.linear``, ``F.conv1d`` and so on, and the four projections of ``nn.MultiheadAttention``, the last
        of which, whose inputs are no spikes, counts with all its products. Not counted are products of two activations,
        such as attention's own, matrix products written as such (``x @ w``, ``torch.einsum``), ``nn.Bilinear`` and
        recurrent layers.
        `snnlib.deploy.operations` is finer, for the paper's networks.

    Raises:
        InputError: a value that cannot be used, outputs that do not fit the targets.
    """
    network = network_of(net)
    whole("timesteps", timesteps, 1, MOST_TIMESTEPS)
    sequence("noise_seeds", noise_seeds)
    device = next((t.device for t in network.parameters()), torch.device("cpu"))
    tables = []
    for seed in noise_seeds:
        whole("noise_seeds, seed", seed, 0, 2**63 - 1)
        generator = stream(seed, "evaluation", device=device)
        batches = loader(data, batch_size, shuffle=False)
        tables.append(_one_pass(network, batches, timesteps, generator, device).assign(noise_seed=seed))
    if not tables:
        raise InputError("noise_seeds: must have at least one")
    found = pd.concat(tables, ignore_index=True)
    return Evaluated(found[["noise_seed", *(c for c in found if c != "noise_seed")]])


def _one_pass(
    net: Spiking, batches: Iterable[Any], timesteps: int, generator: torch.Generator, device: torch.device
) -> pd.DataFrame:
    tally, seen, measure, score = Tally(timesteps), 0, "", torch.zeros(timesteps, dtype=torch.float64)
    for batch in batches:
        inputs, targets = pair(batch, device, over_time=net.over_time)
        if net.over_time and len(inputs) < timesteps:
            raise InputError(f"timesteps = {timesteps}: must be at most {len(inputs)}, the length of the inputs")
        total: Tensor | float = 0.0
        with tally.counting(), net.register_forward_hook(lambda net, inputs, outputs: one_tensor(outputs)):
            for t, outputs in simulate(net, inputs, generator, timesteps, observe=tally.spike):
                sums = total + outputs.cumsum(0)  # [steps, B, ...]
                steps = torch.arange(t + 1, t + len(outputs) + 1, device=device)
                means = sums / steps.view(-1, *[1] * (sums.ndim - 1))
                measure, values = _scores(means, targets)
                score[t : t + len(outputs)] += values.cpu().double() * len(targets)
                total = sums[-1]
        seen += len(targets)
    if not seen:
        raise InputError("data: must give at least one batch for each noise seed; a generator gives its batches once")
    return pd.DataFrame(
        {
            "timesteps": range(1, timesteps + 1),
            measure: score.numpy() / seen,
            "spikes_per_neuron": tally.spikes.cumsum(0).numpy() / tally.neurons,
            "operations": tally.operations.cumsum(0).numpy() / seen,
        }
    )


def _scores(means: Tensor, targets: Tensor) -> tuple[str, Tensor]:
    """What is measured, and its mean over the batch at each step: outputs [steps, B, classes, ...]."""
    if targets.is_floating_point():
        if means.shape[1:] != targets.shape:
            found = f"targets of shape {tuple(targets.shape)}"
            raise InputError(f"{found}: must be {tuple(means.shape[1:])}, as the outputs")
        return "error", (means - targets).square().flatten(1).mean(1)
    check_classes(means[0], targets)
    return "accuracy", (means.argmax(2) == targets).flatten(1).cpu().double().mean(1)
