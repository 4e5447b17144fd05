"""Wall time per image of the nets that Table 2 compares, measured side by side."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from snnlib.baselines.ann_to_snn import fold_batch_norm
from snnlib.data.batches import standardise
from snnlib.experiments.over_seeds import ARCHITECTURE
from snnlib.experiments.table2_inference_time.table import compared, label, members
from snnlib.models import Network
from snnlib.runs.preset import Preset
from snnlib.runs.provenance import provenance
from snnlib.runs.run import Run, default_device
from snnlib.simulation import CHUNK, simulate
from snnlib.training.measure import seconds
from snnlib.training.seeds import stream

Side = tuple[str, ...]

ROUNDS = 5
IMAGES = 100  # in a batch


def with_times(found: pd.DataFrame, preset: Preset, device: torch.device | str | None = None) -> pd.DataFrame:
    """The table of `table2_inference_time.table.speedup` with the wall time of both sides.

    Each side is timed at the T that the table names, one after the other in each of `ROUNDS` rounds, after a round
    that is thrown away. Batch norm is folded into the weights of ours too, as it is into those of the opponents.
    A simulation of more than `CHUNK` steps is a sequence of equal pieces: one is timed and scaled. The variants of
    a conversion differ in thresholds and first potentials, not in time, so one stands for all.

    Returns:
        ``found`` with columns our_seconds and opponent_seconds (per image, medians over rounds, of the first run of
        each side), time_factor and time_factor_sd (median and sd of their ratio within a round), empty where the
        opponent never gets there; and device, on which this was measured.
    """
    device = torch.device(device or default_device())
    runs: dict[tuple, Run] = {}
    for arm, run in members(compared(preset)):
        runs.setdefault((*(getattr(run.spec, name) for name in ARCHITECTURE), *_side(preset, arm, run)), run)
    parts = []
    for net, rows in found.groupby(ARCHITECTURE, sort=False):
        ours = [(("ours", r.readout, r.our_variant), r.our_timesteps) for r in rows.itertuples()]
        theirs = [((opponent,), steps) for opponent, steps in zip(rows.opponent, rows.steps_needed, strict=True)]
        wanted = dict.fromkeys((side, min(t, CHUNK)) for side, t in ours + theirs if not pd.isna(t))
        measured = _seconds({(side, t): runs[*net, *side] for side, t in wanted}, preset, device)
        times = [_compare(measured, our, their) for our, their in zip(ours, theirs, strict=True)]
        names = ["our_seconds", "opponent_seconds", "time_factor", "time_factor_sd"]
        parts.append(rows.join(pd.DataFrame(times, index=rows.index, columns=names)))
    return pd.concat(parts).assign(device=provenance(device)["device"])


def _side(preset: Preset, arm: str, run: Run) -> Side:
    """What is timed: ours by readout and variant, an opponent once."""
    method, variant = label(arm, run.spec, preset.evaluations(run)[-1])
    return (method, run.spec.readout, variant) if method == "ours" else (method,)


def _seconds(
    runs: dict[tuple[Side, int], Run], preset: Preset, device: torch.device
) -> dict[tuple[Side, int], np.ndarray]:
    """Seconds per image of each side at each T, in every round."""
    nets: dict[str, tuple[Network, Tensor]] = {}
    for run in runs.values():
        if run.spec.name not in nets:
            data = run.data(device)
            images = standardise(data.test.images[:IMAGES], data)
            nets[run.spec.name] = fold_batch_norm(preset.evaluations(run)[-1].network(run, device)), images
    found = {key: np.empty(ROUNDS + 1) for key in runs}
    for i in range(ROUNDS + 1):
        for (side, t), run in runs.items():
            net, images = nets[run.spec.name]
            recipe = run.spec.recipe
            with recipe.execution():
                found[side, t][i] = seconds(partial(_run, net, images, t, recipe.precision), device) / len(images)
    return {key: values[1:] for key, values in found.items()}


def _run(net: Network, images: Tensor, timesteps: int, precision: str) -> None:
    for _ in simulate(net, images, stream(0, "evaluation", device=images.device), timesteps, precision):
        pass


def _compare(seconds: dict[tuple[Side, int], np.ndarray], our: tuple[Side, int], their: tuple[Side, int]) -> dict:
    """The columns of one row."""
    ours = _scaled(seconds, *our)
    if pd.isna(their[1]):
        return {"our_seconds": np.median(ours)}
    theirs = _scaled(seconds, *their)
    ratio = theirs / ours
    return {
        "our_seconds": np.median(ours), "opponent_seconds": np.median(theirs),
        "time_factor": np.median(ratio), "time_factor_sd": ratio.std(ddof=1),
    }  # fmt: skip


def _scaled(seconds: dict[tuple[Side, int], np.ndarray], side: Side, t: int) -> np.ndarray:
    """Seconds per image of T = t in every round, from the piece that was timed."""
    piece = min(t, CHUNK)
    return seconds[side, piece] * t / piece
