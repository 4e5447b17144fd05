"""What each memory costs where all are as accurate: the energy proxy at the fewest steps that are enough."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from reproduce.experiments.beyond.energy import break_even, counts_of, energy
from reproduce.experiments.memories.table import ENSEMBLE, EVEN, EXACT, PAPER, memories
from reproduce.experiments.over_seeds import NET
from reproduce.runs.evaluations import Conversion
from reproduce.runs.run import Run
from snnlib.deploy.operations import DRAW, LOOKUP

PRICED = (ENSEMBLE, PAPER, EVEN, EXACT)
COLUMNS = ["energy_nj", "of_ensemble", "draws", "lookups", "draw_pj", "lookup_pj"]
IMAGES = 250  # on which operations are counted: means of so many spikes hardly differ from those of all


def at_equal_accuracy(needed: pd.DataFrame, runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """What an image costs with each memory of `PRICED` at the steps that it needs.

    Args:
        needed: of `reproduce.experiments.memories.table.steps_needed`.
        runs: on which operations are counted, of those named there; trained if they are not.
        evaluation: as for `reproduce.experiments.memories.table.accuracies`.

    Returns:
        ``needed`` with `COLUMNS`, means over these runs; nan where no T is enough, for other memories and for nets of
        which no run is given:

        - energy_nj: the proxy with draws and look-ups for free; of_ensemble: its share of the ensemble's, in the same
          training seed.
        - draws, lookups: how many.
        - draw_pj: from which cost of a draw on the proxy is below the ensemble's, with free look-ups; below 0 it is for
          any. nan where it draws as often, or more.
        - lookup_pj: up to which cost of a look-up it is below the ensemble's, with free draws; nan without look-ups.
    """
    named = {run.spec.name: run for run in runs}
    rows = []
    for net, of_net in needed.groupby([*NET, "noise"], sort=False):
        its = [named[name] for name in of_net.runs.iloc[0].split() if name in named]
        if not its:
            continue
        steps = of_net.set_index("memory").steps.dropna()
        counts = {m: [_at(run, evaluation, m, int(steps[m])) for run in its] for m in PRICED if m in steps}
        for memory, tables in counts.items():
            each = pd.DataFrame(map(_cost, tables, counts[ENSEMBLE]))
            rows.append({**dict(zip([*NET, "noise"], net, strict=True)), "memory": memory, **each.mean()})
    keys = [*NET, "noise", "memory"]
    return needed.merge(pd.DataFrame(rows, columns=[*keys, *COLUMNS]), how="left", on=keys)


def _at(run: Run, evaluation: Conversion, memory: str, timesteps: int) -> pd.DataFrame:
    way = memories(evaluation)[memory].changed(timesteps=timesteps)
    table = counts_of(run, way, run.data().first(IMAGES))
    return table[table.timesteps == timesteps]


def _cost(table: pd.DataFrame, ensemble: pd.DataFrame) -> dict[str, float]:
    """Of one training seed, each table at one T."""
    proxy = energy(table).iloc[0]
    draws, lookups = (table[table.operation == operation].per_image.sum() for operation in (DRAW, LOOKUP))
    fewer = draws < ensemble[ensemble.operation == DRAW].per_image.sum()
    return {
        "energy_nj": proxy / 1e3, "of_ensemble": proxy / energy(ensemble).iloc[0], "draws": draws, "lookups": lookups,
        "draw_pj": break_even(table, ensemble).iloc[0] if fewer else math.nan,
        "lookup_pj": break_even(table, ensemble, LOOKUP).iloc[0] if lookups else math.nan,
    }  # fmt: skip
