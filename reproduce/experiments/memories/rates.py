"""How far a firing rate over T steps is still a matter of chance, in each layer of a net."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pandas as pd
import torch
from torch import Tensor

from reproduce.experiments.memories.table import ENSEMBLE, EXACT, PAPER, memories
from reproduce.runs.evaluations import Conversion
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import whole
from snnlib.data.batches import standardise
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import simulate
from snnlib.training.seeds import stream

AT = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # T
IMAGES, COPIES = 4, 16  # on which rates are looked at, and how often each is run


def with_each_memory(run: Run, evaluation: Conversion) -> pd.DataFrame:
    """`chance_of_rates` of a net as the ensemble, with the paper's memory and with the exact one, by ``memory``."""
    ensure(run.spec)
    data = run.data("cpu")
    images = standardise(data.test.images[:IMAGES], data)
    tables = []
    for memory in (ENSEMBLE, PAPER, EXACT):
        net = memories(evaluation)[memory].network(run, "cpu")
        table = chance_of_rates(net, images, stream(0, "evaluation"))
        tables.append(table.assign(**run.spec.columns(), memory=memory))
    return pd.concat(tables, ignore_index=True)


def chance_of_rates(
    model: Spiking, images: Tensor, generator: torch.Generator, copies: int = COPIES, timesteps: Iterable[int] = AT
) -> pd.DataFrame:
    """Standard deviation of a neuron's rate over T steps from one simulation to the next, root mean square of a layer.

    Independent draws of probability p have sqrt(p (1 - p) / T). With the exact memory and a constant current the rate
    is p within 1 / T.

    Args:
        images: as the model takes them, [B, ...]; each is shown ``copies`` times, with noise and phases of its own.

    Returns:
        Columns layer, timesteps, sd (spikes per step).
    """
    whole("copies", copies, 2)
    wanted, names = {*timesteps}, {neuron: name for name, neuron in model.neurons()}
    counts: dict[Neuron, Tensor | float] = defaultdict(float)
    rows = []

    def observe(neuron: Neuron, t: int, spikes: Tensor, state: Tensor | None) -> None:
        counts[neuron] = counts[neuron] + spikes.float()
        if t in wanted:
            rate = (counts[neuron] / t).unflatten(0, (-1, copies))
            rows.append((names[neuron], t, rate.var(1).mean().sqrt().item()))

    for _ in simulate(model, images.repeat_interleave(copies, 0), generator, max(wanted), observe=observe):
        pass
    return pd.DataFrame(rows, columns=["layer", "timesteps", "sd"])
