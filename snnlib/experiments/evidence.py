"""A claim and what its verdict rests on: effects with their spread over training seeds, network by network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from snnlib.experiments.over_seeds import NET, at_timesteps, plus_minus
from snnlib.experiments.paper import NETWORKS
from snnlib.experiments.tables import (
    NOT,
    PARTLY,
    REPRODUCED,
    SCALE,
    UNDECIDED,
    UNTESTED,
    NotTestedError,
    Table,
    Tables,
)
from snnlib.experiments.titles import TITLES, short_title

# What one part of the evidence says: yes; at least half of a claimed factor or saving; neither yes nor no, for the
# spread or for want of a second seed; no; the measurement ends before an answer; no runs.
YES, PART, UNCLEAR, NO, OPEN, MISSING = "yes", "in part", "unclear", "no", "open", "missing"

ERRORS = 2  # standard errors by which a mean over seeds must clear its threshold, or miss it
HALF = 0.5  # of a claimed factor or saving: above it the claim holds in part
CLOSE = 1.0  # points between two accuracies that the paper calls close

RULE = (
    f"An effect counts in a network if its mean over training seeds clears the threshold by {ERRORS} standard errors, "
    "and fails there if the mean misses it by as many.",
    "Where a factor or saving is claimed, half of it counts in part, and to fail is to miss that half.",
    "One seed is never enough for either, but where seeds change nothing: memory, and potentials without input.",
    "Reproduced: it counts in every network.",
    "Not reproduced: it fails in a network, and counts in none, not even in part.",
    "Undecided: no network shows that it counts, in part or that it fails.",
    "Partly: anything between.",
)


@dataclass(frozen=True)
class Item:
    """One part of a claim's evidence, usually one network: what was measured there, and what it says."""

    label: str
    shown: str
    says: str
    seeds: int | None = None  # None where seeds change nothing


@dataclass(frozen=True)
class Finding:
    """All the evidence on a claim; ``lead`` says what its numbers are, ``text`` replaces them."""

    items: Sequence[Item]
    lead: str = ""
    text: str = ""

    @property
    def verdict(self) -> str:
        """Reproduced if every item says yes; not, if some say no and none says yes; else partly or undecided."""
        says = {item.says for item in self.items}
        if not says - {MISSING}:
            return UNTESTED
        if not says - {MISSING, OPEN}:
            return SCALE
        if says == {YES}:
            return REPRODUCED
        if not says & {YES, PART, NO}:
            return UNDECIDED
        return PARTLY if says & {YES, PART} else NOT

    @property
    def measured(self) -> str:
        """The numbers, network by network, with the number of training seeds."""
        shown: dict[str, list[str]] = {}
        for item in self.items:
            shown.setdefault(item.label, []).append(item.shown)
        text = self.text or "; ".join(f"{label} {' and '.join(parts)}".strip() for label, parts in shown.items())
        counts = {item.label: item.seeds for item in self.items if item.seeds is not None}
        each = f"{_count(min(counts.values()))}{' each' if len(counts) > 1 else ''}" if counts else ""
        if len(set(counts.values())) > 1:
            each = f"{', '.join(map(str, counts.values()))} seeds"
        return f"{self.lead + ': ' if self.lead else ''}{text}{f' ({each})' if each else ''}"


@dataclass(frozen=True)
class Claim:
    """What the paper says (``quote``, its words), what decides it (``test``, the words of ``decide``)."""

    id: str
    claim: str
    section: str
    quote: str
    test: str
    paper: str  # its value, where it prints one
    tables: tuple[Table, ...]
    decide: Callable[[Tables], Finding]


def exceeds(
    label: str,
    values: Sequence[float],
    least: float,
    part: float | None = None,
    form: str = "+.1f",
    unit: str = "",
    shown: str | None = None,
    bound: bool = False,
) -> Item:
    """Whether an effect is above ``least``, or is not: its mean over training seeds by two standard errors.

    Args:
        label: the network.
        values: the effect in each training seed; one seed is never enough for a yes or a no.
        least: the claim's threshold.
        part: an effect above it, if not above ``least``, holds in part; ``least`` if not given.
        form, unit: how a value is written.
        shown: to be written in place of mean and standard deviation.
        bound: the true effect may be larger than the values, never smaller, so they cannot say no.
    """
    if not len(values):
        return missing(label, "no pair of runs")
    mean, sd, error, seeds = _mean_sd_error(values)
    part = least if part is None else part
    says = judged(mean - ERRORS * error, mean + ERRORS * error, least, part)
    if bound and mean <= part:
        says = OPEN
    return Item(label, shown or f"{'≥ ' if bound else ''}{plus_minus(mean, sd, form)}{unit}", says, seeds)


def within(label: str, values: Sequence[float], margin: float) -> Item:
    """Whether a difference is smaller than ``margin`` either way, or is not, by two standard errors."""
    if not len(values):
        return missing(label, "no pair of runs")
    mean, sd, error, seeds = _mean_sd_error(values)
    says = YES if abs(mean) + ERRORS * error < margin else NO if abs(mean) - ERRORS * error >= margin else UNCLEAR
    return Item(label, plus_minus(mean, sd, "+.1f"), says, seeds)


def over(label: str, value: float, least: float, part: float) -> Item:
    """Whether a factor that seeds do not change, such as one of memory, is above ``least``, or ``part``."""
    return Item(label, f"{value:.1f}×", judged(value, value, least, part))


def judged(low: float, high: float, least: float, part: float) -> str:
    """What an effect says that is between ``low`` and ``high``, held against ``least`` and, at most that, ``part``."""
    return YES if low > least else PART if low > part else NO if high <= part else UNCLEAR


def networks(frame: pd.DataFrame, expected: Sequence[str] = ()) -> Iterator[tuple[str, pd.DataFrame | None]]:
    """Each net of a frame indexed or keyed by `NET` with its label; None for an expected network without rows."""
    columns = [name for name in NET if name in frame.columns or name in frame.index.names]
    groups = dict(list(frame.groupby(columns, sort=False)))
    keys = [dict(zip(columns, key, strict=True)) for key in groups]
    for key, group in zip(keys, groups.values(), strict=True):
        others = [k for k in keys if k["network"] == key["network"]]
        parts = [TITLES.get(key["network"], key["network"])]
        for name in columns:
            if name != "network" and len({k[name] for k in others}) > 1:
                parts.append(f"{name} {key[name]:g}" if name == "width" else short_title(str(key[name])))
        yield ", ".join(parts), group
    for network in expected:
        if network not in {k["network"] for k in keys}:
            yield TITLES[network], None


def each_network(
    frame: pd.DataFrame,
    judge: Callable[[str, pd.DataFrame], Sequence[Item]],
    expected: Sequence[str] = NETWORKS,
) -> list[Item]:
    """What ``judge`` says of each of `networks`, given its label and rows; without rows it is `missing`."""
    items: list[Item] = []
    for label, rows in networks(frame, expected):
        items += [missing(label)] if rows is None else judge(label, rows)
    return items


def accuracy_at(table: pd.DataFrame, timesteps: tuple[int, ...], *by: str) -> pd.DataFrame:
    """Accuracy in percent, a row for each net, ``by`` and training seed, a column for each of ``timesteps``.

    Raises:
        NotTestedError: some run has no accuracy at one of them.
    """
    at = at_timesteps(table, *NET, *by)
    for t in timesteps:
        if t not in at or at[t].isna().any():
            raise NotTestedError(f"no accuracy at T = {t}")
    return at[list(timesteps)]


def missing(label: str, what: str = "no runs") -> Item:
    """An expected network that has no runs."""
    return Item(label, what, MISSING)


def _mean_sd_error(values: Sequence[float]) -> tuple[float, float, float, int]:
    x = np.round(np.asarray(values, np.float64), 9)  # equal accuracies differ by nothing, not by a rounding error
    sd = float(x.std(ddof=1)) if len(x) > 1 else math.nan
    error = sd / math.sqrt(len(x)) if len(x) > 1 else math.inf  # one seed settles nothing
    return float(x.mean()), sd, error, len(x)


def _count(seeds: int) -> str:
    return f"{seeds} seed{'s' if seeds > 1 else ''}"
