"""Wall time per image of the nets that Table 2 compares, measured side by side."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.table2_inference_time.table import compared, members
from reproduce.runs.preset import Preset
from reproduce.runs.provenance import provenance
from reproduce.runs.run import Run, default_device
from reproduce.runs.untrained import Untrained
from snnlib.baselines.ann_to_snn import fold_batch_norm
from snnlib.data.batches import standardise
from snnlib.network import Spiking
from snnlib.simulation import CHUNK, simulate
from snnlib.training.measure import seconds
from snnlib.training.seeds import stream

Timed = tuple[str, int]  # a run's name, and time steps

ROUNDS = 5
IMAGES = 100  # in a batch


def with_times(found: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """The table of `table2_inference_time.speedup.speedup` with the wall time of both sides, seed by seed.

    Each side is timed at the T that the table names, an opponent that is never as accurate at the last T that it was
    run for. They run one after the other in each of `ROUNDS` rounds, after a round that is thrown away. Batch norm is
    folded into the weights of ours too, as it is into those of the opponents. A simulation of more than `CHUNK` steps
    is a sequence of equal pieces: one is timed and scaled. The variants of a conversion differ in thresholds and first
    potentials, not in time, so one stands for all. Nor do weights and images decide it: the nets have their initial
    ones, on random images, so that nothing needs to be trained for it (of VGG-16, ResNet-18 and the CNN trained nets
    took 0.99 to 1.01 times as long).

    Returns:
        ``found`` with columns our_seconds and opponent_seconds (per image, medians over rounds) and time_factor (the
        median of their ratio within a round), which the true one exceeds where ``reached`` is false; and device, on
        which this was measured.
    """
    device = torch.device(default_device())
    runs = {run.spec.name: run for _, run in members(compared(preset, [*found.our_timesteps]))}
    parts = []
    for _, rows in found.groupby([*ARCHITECTURE, "seed"], sort=False):
        steps = rows.steps_needed.fillna(rows.last_timesteps).astype(int)
        ours = list(zip(rows.run, rows.our_timesteps, strict=True))
        theirs = list(zip(rows.other_run, steps, strict=True))
        wanted = dict.fromkeys((run, min(t, CHUNK)) for run, t in ours + theirs)
        measured = _seconds({timed: runs[timed[0]] for timed in wanted}, preset, device)
        pairs = zip(ours, theirs, strict=True)
        times = [_compare(_scaled(measured, *our), _scaled(measured, *their)) for our, their in pairs]
        parts.append(rows.join(pd.DataFrame(times, index=rows.index)))
    return pd.concat(parts).sort_index().assign(device=provenance(device)["device"])


def _seconds(runs: dict[Timed, Run], preset: Preset, device: torch.device) -> dict[Timed, np.ndarray]:
    """Seconds per image of each run at each T, in every round."""
    nets: dict[str, tuple[Spiking, Tensor]] = {}
    for run in runs.values():
        if run.spec.name not in nets:
            untrained = Untrained(run.spec, IMAGES)
            data = untrained.data(device)
            net = fold_batch_norm(preset.evaluations(run)[-1].network(untrained, device))
            nets[run.spec.name] = net, standardise(data.test.images, data)
    found = {timed: np.empty(ROUNDS + 1) for timed in runs}
    for i in range(ROUNDS + 1):
        for (name, t), run in runs.items():
            net, images = nets[name]
            recipe = run.spec.recipe
            with recipe.execution():
                found[name, t][i] = seconds(partial(_run, net, images, t, recipe.precision), device) / len(images)
    return {timed: values[1:] for timed, values in found.items()}


def _run(net: Spiking, images: Tensor, timesteps: int, precision: str) -> None:
    for _ in simulate(net, images, stream(0, "evaluation", device=images.device), timesteps, precision):
        pass


def _compare(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """The columns of one row, from seconds per image in every round."""
    seconds = {"our_seconds": np.median(ours), "opponent_seconds": np.median(theirs)}
    return {**seconds, "time_factor": np.median(theirs / ours)}


def _scaled(seconds: dict[Timed, np.ndarray], run: str, t: int) -> np.ndarray:
    """Seconds per image of T = t in every round, from the piece that was timed."""
    piece = min(t, CHUNK)
    return seconds[run, piece] * t / piece
