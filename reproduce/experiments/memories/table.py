"""Accuracy with each memory at every T, from trained nets whose weights never change."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

import pandas as pd

from reproduce.experiments.contrasts import Side, contrast
from reproduce.experiments.nets import by_net, first_nets, named
from reproduce.experiments.over_seeds import NET, at_timesteps
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import Conversion, Phased
from reproduce.runs.preset import Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec

NOTEBOOK = "memories"
ENSEMBLE, PAPER, EVEN = "ensemble", "paper's memory", "even noise"  # step 2, step 3, a control without memory
EXACT = "exact memory"  # the law of training in hidden layers, phases near 1/2 in a readout that spikes
OTHERS = (ENSEMBLE, PAPER, EVEN)
# Controls: with a memory in some layers alone.
HIDDEN, READOUT = "exact, hidden layers", "exact, readout"
PAPER_HIDDEN, PAPER_READOUT = "paper's, hidden layers", "paper's, readout"
SPREADS = (0.0, 0.5, 1.0)  # in all layers alike; 1 keeps the law of training


def compared(preset: Preset) -> list[Run]:
    """The preset's runs for the notebook."""
    nets = preset.comparison(NOTEBOOK, must=("ours",), may=("potential", "uniform", "uniform_potential"))
    return [run for arms in nets.values() for runs in arms.values() for run in runs]


def exact(spread: float) -> str:
    """What the exact memory is called that begins within 1/2 -/+ spread/2 in all layers."""
    return f"exact, spread {spread:g}"


def memories(evaluation: Conversion) -> dict[str, Evaluation]:
    """How every net is evaluated with each memory, as long and with the same noise seeds as ``evaluation``."""
    phased = Phased.beside(evaluation)
    return {
        ENSEMBLE: evaluation.changed(alpha=math.inf),
        PAPER: evaluation,
        EVEN: phased.changed(memory="none"),
        EXACT: phased,
    }


def variants(evaluation: Conversion, spec: Spec, spreads: Iterable[float] = SPREADS) -> dict[str, Evaluation]:
    """How a net is evaluated with the exact memory begun otherwise, or with either in some layers alone.

    A readout of potentials has no neurons, so nothing there can be left out.

    Args:
        spreads: of the first phases, in all layers alike.
    """
    phased = Phased.beside(evaluation)
    found = {exact(spread): phased.changed(spread=spread, readout_spread=spread) for spread in spreads}
    if spec.readout == "spikes":
        found |= {HIDDEN: phased.changed(layers="hidden"), READOUT: phased.changed(layers="readout")}
        found[PAPER_HIDDEN] = evaluation.changed(layers="hidden")
        found[PAPER_READOUT] = evaluation.changed(layers="readout")
    return found


def accuracies(runs: Iterable[Run], evaluation: Conversion, spreads: Sequence[float] = SPREADS) -> pd.DataFrame:
    """Accuracy at every T with each memory, and its `variants` of the first net of each network and noise.

    Trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then memory, noise_seed, timesteps, accuracy (a fraction).
    """
    runs = list(runs)
    varied, tables = first_nets(runs, "network", "noise"), []
    for run in runs:
        ways = memories(evaluation) | (variants(evaluation, run.spec, spreads) if run in varied else {})
        for memory, way in ways.items():
            table = accuracy(run, way)
            table.insert(len(run.spec.columns()), "memory", memory)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def of_papers(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of `accuracies` that say where the paper's memory acts."""
    return table[table.memory.isin((ENSEMBLE, PAPER, PAPER_HIDDEN, PAPER_READOUT))]


def over_others(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """The exact memory over each of `OTHERS`, in points, at every T; trains what is missing.

    Returns:
        Columns `NET`, noise, other_memory, timesteps, then those of `contrast`.
    """
    tables = []
    for its in by_net(runs).values():
        ways = memories(evaluation)
        for other, t in product(OTHERS, range(1, evaluation.timesteps + 1)):
            table = contrast(Side(its, ways[EXACT], t), Side(its, ways[other], t))
            tables.append(named(its[0], table, other_memory=other, timesteps=t))
    return pd.concat(tables, ignore_index=True)


def steps_needed(table: pd.DataFrame, timesteps: int = 10) -> pd.DataFrame:
    """The least T at which each memory is at least as accurate as the ensemble at T = ``timesteps``.

    Args:
        table: of `accuracies`; its accuracies are averaged over training seeds and noise seeds.

    Returns:
        Columns `NET`, noise, memory, steps (nan where no T is enough), runs.
    """
    means = at_timesteps(table, *NET, "noise", "memory").groupby([*NET, "noise", "memory"], sort=False).mean()
    rows = []
    for net, of_net in means.groupby([*NET, "noise"], sort=False):
        at = of_net.droplevel([*NET, "noise"])
        enough = at >= at.loc[ENSEMBLE, timesteps]
        steps = enough.idxmax(axis=1).where(enough.any(axis=1))
        names = " ".join(table[(table[[*NET, "noise"]] == list(net)).all(axis=1)].run.unique())
        rows += [(*net, memory, needed, names) for memory, needed in steps.items()]
    return pd.DataFrame(rows, columns=[*NET, "noise", "memory", "steps", "runs"])
