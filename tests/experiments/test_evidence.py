"""The rule: what an effect says over training seeds, and how networks make a verdict."""

from __future__ import annotations

import pytest

from snnlib.experiments.evidence import MISSING, NO, OPEN, PART, UNCLEAR, YES, Finding, Item, exceeds, within
from snnlib.experiments.tables import NOT, PARTLY, REPRODUCED, SCALE, UNDECIDED, UNTESTED


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([1.01, 2.99], YES),  # mean 2, standard error 0.99
        ([1, 3], UNCLEAR),  # mean 2, standard error 1: not above, just at it
        ([2], UNCLEAR),
        ([-1.01, -2.99], NO),
        ([-1, 0.9], UNCLEAR),  # the mean alone says nothing
        ([-0.9, -3.1], UNCLEAR),  # mean -2, standard error 1.1
        ([-50], UNCLEAR),
        ([0, 0], NO),
        ([0.1 + 0.2 - 0.3, 0.1 + 0.2 - 0.3], NO),  # 5e-17
    ],
)
def test_an_effect_counts_by_two_standard_errors(values: list[float], says: str) -> None:
    assert exceeds("", values, 0).says == says
    assert exceeds("", [v + 7 for v in values], 7).says == says


def test_less_than_claimed_is_something_and_a_lower_bound_says_no_never() -> None:
    assert exceeds("", [40, 42], 70, 35).says == exceeds("", [60, 90], 70, 35).says == PART
    assert exceeds("", [30, 32], 70, 35).says == NO
    assert exceeds("", [30, 38], 70, 35).says == exceeds("", [30, 50], 70, 35).says == UNCLEAR
    assert exceeds("", [30, 32], 70, 35, bound=True).says == OPEN
    assert exceeds("", [80, 80], 70, 35, bound=True).says == YES


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([0.1, -0.1], YES),
        ([0.9, -0.9], UNCLEAR),
        ([0.2], UNCLEAR),
        ([1.1, 1.2], NO),
        ([-3, -3.1], NO),
        ([0.9, 1.5], UNCLEAR),
        ([-3], UNCLEAR),
    ],
)
def test_a_difference_is_small_either_way_with_its_error(values: list[float], says: str) -> None:
    assert within("", values, 1.0).says == says


@pytest.mark.parametrize(
    ("says", "verdict"),
    [
        ([YES, YES], REPRODUCED),
        ([YES, NO], PARTLY),
        ([UNCLEAR, NO], NOT),
        ([PART], PARTLY),
        ([PART, NO], PARTLY),
        ([YES, UNCLEAR], PARTLY),
        ([UNCLEAR], UNDECIDED),
        ([UNCLEAR, OPEN, MISSING], UNDECIDED),
        ([YES, OPEN], PARTLY),
        ([YES, MISSING], PARTLY),
        ([NO, OPEN, MISSING], NOT),
        ([OPEN, MISSING], SCALE),
        ([MISSING], UNTESTED),
        ([], UNTESTED),
    ],
)
def test_networks_make_a_verdict(says: list[str], verdict: str) -> None:
    assert Finding([Item("", "", s) for s in says]).verdict == verdict
