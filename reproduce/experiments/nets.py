"""The nets of a comparison, and which of them stand for others that are alike."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from reproduce.experiments.over_seeds import NET
from reproduce.runs.run import Run


def by_net(runs: Iterable[Run]) -> dict[tuple[object, ...], list[Run]]:
    """The runs of each net and noise, a training seed each, by their columns `NET` and noise."""
    nets: dict[tuple[object, ...], list[Run]] = {}
    for run in runs:
        nets.setdefault(tuple(run.spec.columns()[name] for name in (*NET, "noise")), []).append(run)
    return nets


def named(run: Run, table: pd.DataFrame, *net: str, **columns: object) -> pd.DataFrame:
    """A table's rows behind the columns of the net that they are of, and those given.

    Args:
        net: columns of `Spec.columns`; `NET` and noise if none is given.
    """
    of_run = run.spec.columns()
    keys = {**{name: of_run[name] for name in net or (*NET, "noise")}, **columns}
    return table.assign(**keys)[[*keys, *table]]


def first_nets(runs: Iterable[Run], *columns: str) -> list[Run]:
    """The runs of the first of all nets that are alike in these columns of `Spec.columns`."""
    nets: dict[tuple[object, ...], list[Run]] = {}
    for its in by_net(runs).values():
        nets.setdefault(tuple(its[0].spec.columns()[name] for name in columns), its)
    return [run for its in nets.values() for run in its]


def first_seeds(runs: Iterable[Run]) -> list[Run]:
    """The first training seed of each net and noise."""
    return [its[0] for its in by_net(runs).values()]
