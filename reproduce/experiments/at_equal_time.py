"""What a comparison at equal time can say where the times are only about equal, since epochs are whole."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from reproduce.experiments.effects import Effect
from reproduce.experiments.evidence import Item, exceeds, judged

# Of the other's time, that ours may take: a measured ratio of the steps repeats to some 5 % on one machine.
LEAST_SHARE, MOST_SHARE = 0.8, 1.05


def at_equal_time(label: str, effect: Effect, least: float, shares: Sequence[float], after: str = "") -> Item:
    """As `exceeds`; where ours took less time it might have come further, which never says no; more never says yes.

    Args:
        label, effect, least: those of `exceeds`.
        shares: of the other's time, that ours took: in each training seed, or quartiles over measurements.
        after: words behind the effect.
    """
    more, less = min(shares) < LEAST_SHARE, max(shares) > MOST_SHARE
    item = exceeds(label, effect, least, shown=f"{bound_sign(more, less)}{effect.shown()}{after}")
    if not len(effect.values) or not (more or less):
        return item
    low, high = effect.interval
    return replace(item, says=judged(-math.inf if less else low, math.inf if more else high, least, least))


def bound_sign(more: bool, less: bool) -> str:
    """What stands before a value that may be ``more``, or ``less``, than what is written."""
    return {(True, False): "≥ ", (False, True): "≤ ", (True, True): "bounded neither way: "}.get((more, less), "")
