"""A claim and what its verdict rests on: what its effects say, network by network. docs/verdicts.md in code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import pandas as pd

from reproduce.experiments.effects import LEAST_SEEDS, Effect, Factor
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.paper import NETWORKS
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED, Table, Tables
from reproduce.experiments.titles import TITLES, value_title

# What one part of the evidence says: yes; half of a claimed factor or saving; no; one of these, for the spread or for
# want of seeds; no runs.
YES, PART, NO, UNCLEAR, MISSING = "yes", "in part", "no", "undecided", "no runs"
AT_LEAST_PART, AT_MOST_PART = "in part or yes", "in part or no"
OUTCOMES = {  # what each may turn out to be
    YES: {YES}, PART: {PART}, NO: {NO}, AT_LEAST_PART: {YES, PART}, AT_MOST_PART: {PART, NO},
    UNCLEAR: {YES, PART, NO}, MISSING: {YES, PART, NO},
}  # fmt: skip

HALF = 0.5  # of a claimed factor or saving: above it the claim holds in part
CLOSE = 1.0  # points between two accuracies that the paper calls close

RULE = (
    "An effect says yes in a network if its whole 95 % interval lies above the threshold, and no if all of it lies "
    "below; where a factor or a saving is claimed, half of it counts in part: in part lies between that half and the "
    "threshold, no below that half.",
    "The interval has a part of the training seeds (t, n - 1) and one of the test images (paired), both told; "
    f"fewer than {LEAST_SEEDS} training seeds decide nothing, but where seeds change nothing.",
    "Reproduced: yes in every network. Not reproduced: no in every network. "
    "Partly: in part in one, or yes in one and no in another.",
    "Undecided: the networks that are undecided, or have no runs, could make it another verdict.",
)


@dataclass(frozen=True)
class Item:
    """One part of a claim's evidence, usually one network: what was measured there, and what it says."""

    label: str
    shown: str
    says: str
    seeds: int | None = None  # None where seeds change nothing
    value: float | None = None  # the mean, where it is one number


@dataclass(frozen=True)
class Finding:
    """All the evidence on a claim; ``lead`` says what its numbers are, ``text`` replaces them."""

    items: Sequence[Item]
    lead: str = ""
    text: str = ""

    @property
    def verdict(self) -> str:
        """What no undecided or missing part could change; yes and no are treated alike."""
        if all(item.says == MISSING for item in self.items):
            return UNTESTED
        return self.possible[0] if len(self.possible) == 1 else UNDECIDED

    @property
    def possible(self) -> list[str]:
        """The verdicts that undecided or missing parts could still make of it."""
        outcomes = [OUTCOMES[item.says] for item in self.items]
        yes, no = ([i for i, of_item in enumerate(outcomes) if word in of_item] for word in (YES, NO))
        possible = {REPRODUCED: len(yes) == len(outcomes), NOT: len(no) == len(outcomes)}
        possible[PARTLY] = any(PART in of_item for of_item in outcomes) or any(i != j for i in yes for j in no)
        return [verdict for verdict in (REPRODUCED, PARTLY, NOT) if possible[verdict]]

    @property
    def may_be(self) -> str:
        """Of an undecided claim, the verdicts that are left where one is not: "partly or not reproduced"."""
        left = self.possible
        return " or ".join(left) if self.verdict == UNDECIDED and len(left) == 2 else ""

    @property
    def extremes(self) -> tuple[float, float] | None:
        """The least and the largest mean of its items, None if none has one."""
        values = [item.value for item in self.items if item.value is not None]
        return (min(values), max(values)) if values else None

    @property
    def seeds(self) -> str:
        """The usual number of training seeds, then the networks that have another; "" where they change nothing."""
        of_label = {item.label: item.seeds for item in self.items if item.seeds is not None}
        of_network: dict[str, set[int]] = {}
        for label, count in of_label.items():
            of_network.setdefault(label.split(", ")[0], set()).add(count)
        counts = {name: min(found) for name, found in of_network.items()}
        if any(len(found) > 1 for found in of_network.values()):
            counts = of_label
        usual = [count for count, _ in Counter(counts.values()).most_common()]
        having = {count: " and ".join(name for name in counts if counts[name] == count) for count in usual[1:]}
        others = (f"but {names} {count}" for count, names in having.items())
        return ", ".join((*map(str, usual[:1]), *others))

    @property
    def measured(self) -> str:
        """The numbers, network by network, with the number of training seeds."""
        shown: dict[str, list[str]] = {}
        for item in self.items:
            shown.setdefault(item.label, []).append(item.shown)
        text = self.text or "; ".join(f"{label} {' and '.join(parts)}".strip() for label, parts in shown.items())
        seeds = f" (seeds: {self.seeds})" if self.seeds else ""
        return f"{self.lead + ': ' if self.lead else ''}{text}{seeds}"


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
    label: str, effect: Effect | Factor, least: float, part: float | None = None, form: str = "+.1f", unit: str = "",
    shown: str | None = None, bound: bool = False,
) -> Item:  # fmt: skip
    """Whether an effect is above ``least``, or is below, by its whole interval.

    Args:
        label: the network.
        effect: a value in each training seed.
        least: the claim's threshold.
        part: an effect above it, but not above ``least``, holds in part; ``least`` if not given.
        form, unit: how a value is written.
        shown: to be written in place of mean and interval.
        bound: the true effect may be larger than the values, never smaller, so they cannot say no.
    """
    if not len(effect.values):
        return missing(label, "no pair of runs")
    low, high = effect.interval
    says = judged(low, math.inf if bound else high, least, least if part is None else part)
    return Item(
        label, shown or f"{'≥ ' if bound else ''}{effect.shown(form, unit)}", says, len(effect.values), effect.mean
    )


def within(label: str, effect: Effect, margin: float) -> Item:
    """Whether a difference is smaller than ``margin`` either way, or is larger, by its whole interval."""
    if not len(effect.values):
        return missing(label, "no pair of runs")
    low, high = effect.interval
    says = YES if -margin < low and high < margin else NO if low >= margin or high <= -margin else UNCLEAR
    return Item(label, effect.shown(), says, len(effect.values), effect.mean)


def over(label: str, value: float, least: float, part: float) -> Item:
    """Whether a factor that seeds do not change, such as one of memory, is at least ``least``, or ``part``."""
    says = YES if value >= least else PART if value >= part else NO
    return Item(label, f"{value:.1f}×", says, value=value)


def judged(low: float, high: float, least: float, part: float) -> str:
    """What an effect says that is between ``low`` and ``high``, held against ``least`` and, at most that, ``part``."""
    if low > least:
        return YES
    if high <= part:
        return NO
    if low > part:
        return PART if high <= least else AT_LEAST_PART
    return AT_MOST_PART if high <= least else UNCLEAR


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
                parts.append(value_title(name, key[name]))
        yield ", ".join(filter(None, parts)), group
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


def parts(items: Iterable[Item]) -> list[list[Item]]:
    """The parts of a claim, such as one for each T: the items that stand at one place among those of their label."""
    of_label: dict[str, list[Item]] = {}
    for item in items:
        of_label.setdefault(item.label, []).append(item)
    return [[item for item in part if item] for part in zip_longest(*of_label.values())]


def missing(label: str, what: str = "no runs") -> Item:
    """An expected network that has no runs."""
    return Item(label, what, MISSING)
