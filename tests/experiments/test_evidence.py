"""The rule: what an effect says with its interval, and how networks make a verdict. docs/verdicts.md, line by line."""

from __future__ import annotations

import math
from itertools import product

import pandas as pd
import pytest

from reproduce.experiments.effects import Effect, Factor
from reproduce.experiments.evidence import (
    AT_LEAST_PART,
    AT_MOST_PART,
    MISSING,
    NO,
    PART,
    UNCLEAR,
    YES,
    Finding,
    Item,
    each_network,
    exceeds,
    missing,
    over,
    within,
)
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED

# t(0.975) by degrees of freedom, as printed in tables of Student's distribution (Fisher & Yates 1938, table III).
T_TABLE = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 9: 2.262, 29: 2.045}


@pytest.mark.parametrize(("free", "quantile"), T_TABLE.items())
def test_the_seeds_interval_has_the_quantile_of_the_printed_table(free: int, quantile: float) -> None:
    n = free + 1
    values = [1.0] + [0.0] * free  # s² = 1/n, so s / sqrt(n) = 1 / n
    assert Effect(values).of_seeds == pytest.approx(quantile / n, abs=6e-4 / n)
    assert Effect([5 + 3 * v for v in values]).of_seeds == pytest.approx(3 * quantile / n, abs=2e-3 / n)


def test_the_images_interval_is_1_96_standard_errors_and_both_parts_add_up_in_squares() -> None:
    effect = Effect([1.0, 2.0, 3.0], image_error=0.5)
    assert effect.of_images == pytest.approx(1.96 * 0.5, abs=1e-4)
    low, high = effect.interval
    assert [(low + high) / 2, effect.mean] == pytest.approx([2, 2])
    assert (high - low) / 2 == pytest.approx(math.sqrt((4.303 / math.sqrt(3)) ** 2 + 0.98**2), abs=1e-3)


def test_an_effect_is_told_with_both_parts() -> None:
    assert Effect([1.0, 2.0, 3.0], 0.5).shown() == "+2.0 ± 2.5 ± 1.0"
    assert Effect([1.0, 2.0, 3.0]).shown(".2f", "×") == "2.00 ± 2.48×"
    assert Effect([2.0], 0.5).shown() == "+2.0 ± 1.0"  # one seed has no spread
    assert Effect([2.0]).shown() == "+2.0"


def test_an_effect_comes_from_the_rows_of_a_contrast() -> None:
    rows = pd.DataFrame({"seed": [0, 1], "points": [1.0, 3.0], "image_error": 0.25, "run": "a", "other_run": "b"})
    assert Effect.of(rows) == Effect([1.0, 3.0], 0.25)
    assert Effect.of(rows.head(0)) == Effect([])


@pytest.mark.parametrize(
    ("values", "image_error", "says"),
    [
        ([2.4, 2.5, 2.6], 0.0, YES),  # 2.5 ± 0.25
        ([1.1, 2.0, 2.9], 0.0, UNCLEAR),  # 2 ± 2.24
        ([2.4, 2.5, 2.6], 1.2, YES),  # ± 2.37
        ([2.4, 2.5, 2.6], 1.3, UNCLEAR),  # ± 2.56: too few images, whatever the seeds say
        ([-2.4, -2.5, -2.6], 0.0, NO),
        ([-2.4, -2.5, -2.6], 1.3, UNCLEAR),
        ([-1.0, 0.9, 0.2], 0.0, UNCLEAR),
        ([0.0, 0.0, 0.0], 0.0, NO),  # an interval of no width, at the threshold: not above
        ([0.1 + 0.2 - 0.3] * 3, 0.0, NO),  # 5e-17
        ([9.0, 9.0], 0.0, UNCLEAR),  # two seeds decide nothing, however alike
        ([-9.0, -9.0], 0.0, UNCLEAR),
        ([50.0], 0.0, UNCLEAR),
    ],
)
def test_an_effect_says_yes_or_no_by_its_whole_interval(values: list[float], image_error: float, says: str) -> None:
    assert exceeds("", Effect(values, image_error), 0).says == says
    assert exceeds("", Effect([v + 7 for v in values], image_error), 7).says == says


def test_half_of_a_claimed_factor_counts_in_part_and_a_lower_bound_never_says_no() -> None:
    def says(*values: float, **options: bool) -> str:
        return exceeds("", Effect(values), 70, 35, **options).says

    assert says(80, 81, 82) == YES
    assert says(40, 41, 42) == PART
    assert says(69, 70, 71) == AT_LEAST_PART  # across the threshold: it may be either
    assert says(30, 31, 32) == NO
    assert says(33, 35, 37) == AT_MOST_PART  # across the half likewise
    assert says(30, 50, 80) == UNCLEAR
    assert says(30, 31, 32, bound=True) == UNCLEAR  # the truth may be anything above
    assert says(40, 41, 42, bound=True) == AT_LEAST_PART
    assert says(80, 81, 82, bound=True) == YES
    assert exceeds("", Effect([80, 80, 80]), 70, bound=True).shown.startswith("≥ ")


@pytest.mark.parametrize(
    ("values", "image_error", "says"),
    [
        ([0.1, 0.0, -0.1], 0.0, YES),
        ([0.9, 0.0, -0.9], 0.0, UNCLEAR),
        ([0.1, 0.0, -0.1], 0.6, UNCLEAR),  # ± 1.2
        ([1.4, 1.5, 1.6], 0.0, NO),
        ([-3.0, -3.1, -2.9], 0.0, NO),
        ([0.9, 1.0, 1.1], 0.0, UNCLEAR),
        ([0.0, 0.0], 0.0, UNCLEAR),
        ([1.0, 1.0, 1.0], 0.0, NO),  # the margin itself is not within it
    ],
)
def test_a_difference_is_small_or_large_either_way(values: list[float], image_error: float, says: str) -> None:
    assert within("", Effect(values, image_error), 1.0).says == says
    assert within("", Effect([-v for v in values], image_error), 1.0).says == says


def test_what_seeds_do_not_change_needs_none() -> None:
    assert [over("", value, 10, 5).says for value in (10, 9.9, 5, 4.9)] == [YES, PART, PART, NO]
    item = over("", 7.6, 10, 5)
    assert (item.shown, item.says, item.seeds) == ("7.6×", PART, None)


def test_without_values_there_are_no_runs() -> None:
    assert exceeds("CNN", Effect([]), 0) == within("CNN", Effect([]), 1) == missing("CNN", "no pair of runs")
    assert missing("CNN").says == MISSING


def test_a_factors_interval_is_that_of_its_logarithm() -> None:
    factor = Factor([1.0, 10.0, 100.0])  # log10 has mean 1 and s = 1: half-width 4.303 / √3
    assert factor.mean == pytest.approx(10)
    assert [math.log10(end) for end in factor.interval] == pytest.approx([1 - 2.484, 1 + 2.484], abs=1e-3)
    assert Factor([0.1, 1.0, 10.0]).interval == pytest.approx([end / 10 for end in factor.interval])
    assert Factor([2.0, 2.0]).interval == (0, math.inf)  # two seeds decide nothing
    assert Factor([9.0, 10.0, 11.0]).shown() == "10.0 [7.8, 12.8]×"  # s of the logarithms is 0.1004
    assert Factor([4.0, 4.0, 4.0]).shown(".0f", " %", lambda x: 100 * (1 - 1 / x)) == "75 [75, 75] %"
    assert Factor([4.0]).shown() == "4.0×"
    assert Factor([4.0]).shown(".0f", " %", lambda x: 100 * (1 - 1 / x)) == "75 %"


@pytest.mark.parametrize("threshold", [3, 50, 100, 7.1])
def test_a_factor_at_its_threshold_is_not_above_it(threshold: float) -> None:
    assert exceeds("", Factor([threshold] * 3), threshold).says == NO
    assert exceeds("", Factor([threshold * (1 + 1e-6)] * 3), threshold).says == YES


# --- from parts to a verdict -----------------------------------------------------------------

# What each may turn out to be, written down once more.
TURN_OUT = {
    YES: [YES], PART: [PART], NO: [NO], AT_LEAST_PART: [YES, PART], AT_MOST_PART: [PART, NO],
    UNCLEAR: [YES, PART, NO], MISSING: [YES, PART, NO],
}  # fmt: skip
SAYS = tuple(TURN_OUT)


def verdict(*says: str) -> str:
    return Finding([Item("", "", s) for s in says]).verdict


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ([YES, YES], REPRODUCED),
        ([NO, NO], NOT),
        ([YES, NO], PARTLY),
        ([PART], PARTLY),
        ([PART, UNCLEAR], PARTLY),  # it can be nothing else
        ([YES, NO, UNCLEAR, MISSING], PARTLY),  # nor this
        ([YES, UNCLEAR], UNDECIDED),
        ([NO, UNCLEAR], UNDECIDED),
        ([AT_LEAST_PART], UNDECIDED),
        ([AT_MOST_PART], UNDECIDED),
        ([AT_LEAST_PART, AT_MOST_PART], PARTLY),  # in part and in part, or yes and no, or one of both
        ([AT_LEAST_PART, NO], PARTLY),
        ([AT_MOST_PART, YES], PARTLY),
        ([YES, AT_LEAST_PART], UNDECIDED),
        ([YES, MISSING], UNDECIDED),
        ([NO, MISSING], UNDECIDED),
        ([UNCLEAR], UNDECIDED),
        ([UNCLEAR, MISSING], UNDECIDED),
        ([MISSING], UNTESTED),
        ([], UNTESTED),
    ],
)
def test_networks_make_a_verdict(says: list[str], expected: str) -> None:
    assert verdict(*says) == verdict(*reversed(says)) == expected


EVERY = [says for n in (1, 2, 3) for says in product(SAYS, repeat=n)]


def test_what_is_left_is_what_any_outcome_makes_of_it() -> None:
    for says in EVERY:
        left = {verdict(*outcome) for outcome in product(*(TURN_OUT[s] for s in says))}
        finding = Finding([Item("", "", s) for s in says])
        assert set(finding.possible) == left, says
        words = " or ".join(word for word in (REPRODUCED, PARTLY, NOT) if word in left)
        assert finding.may_be == (words if finding.verdict == UNDECIDED and len(left) == 2 else ""), says


def test_yes_and_no_are_treated_alike() -> None:
    """Exchange them, and reproduced and not reproduced are exchanged, and nothing else."""
    exchanged = {YES: NO, NO: YES, AT_LEAST_PART: AT_MOST_PART, AT_MOST_PART: AT_LEAST_PART}
    other = {REPRODUCED: NOT, NOT: REPRODUCED}
    for says in EVERY:
        found = verdict(*says)
        assert verdict(*(exchanged.get(s, s) for s in says)) == other.get(found, found), says


def closed(says: tuple[str, ...]) -> str:
    """The verdict where nothing is open, by the table of docs/verdicts.md."""
    return {(YES,): REPRODUCED, (NO,): NOT}.get(tuple(set(says)), PARTLY)


def test_a_verdict_stands_whatever_the_undecided_and_missing_turn_out_to_be() -> None:
    """The definition of undecided, by trying every outcome."""
    for says in EVERY:
        outcomes = {closed(outcome) for outcome in product(*(TURN_OUT[s] for s in says))}
        if set(says) == {MISSING}:
            assert verdict(*says) == UNTESTED
        else:
            assert verdict(*says) == (outcomes.pop() if len(outcomes) == 1 else UNDECIDED), says


def test_a_finding_tells_its_networks_with_the_numbers_of_seeds() -> None:
    items = [Item("CNN", "+1.0", YES, 3), Item("CNN", "+2.0", YES, 3), Item("VGG-16", "-1.0", NO, 3)]
    assert Finding(items, "points").measured == "points: CNN +1.0 and +2.0; VGG-16 -1.0 (seeds: 3)"
    assert Finding([*items, Item("ResNet-18", "0.0", UNCLEAR, 1)]).measured.endswith("(seeds: 3, but ResNet-18 1)")
    parts = [Item("CNN, spikes", "+1.0", YES, 3), Item("CNN, potential", "+1.0", YES, 1)]  # one net, two numbers
    assert Finding([*parts, Item("VGG-16", "0.0", UNCLEAR, 3)]).seeds == "3, but CNN, potential 1"
    assert Finding([over("CNN", 8, 10, 5)]).measured == "CNN 8.0×"


def test_each_network_is_named_as_far_as_it_needs_to_be() -> None:
    def table(*nets: tuple[str, str, float, str, str]) -> pd.DataFrame:
        return pd.DataFrame(nets, columns=["dataset", "network", "width", "augment", "readout"])

    def labels(frame: pd.DataFrame) -> list[str]:
        return [item.label for item in each_network(frame, lambda label, _: [Item(label, "", YES)])]

    assert labels(table(("mnist", "cnn", 1, "none", "spikes"))) == ["CNN", "VGG-16", "ResNet-18"]
    two = table(
        ("mnist", "cnn", 1, "none", "spikes"),
        ("mnist", "cnn", 1, "none", "potential"),
        ("cifar10", "vgg16", 1, "none", "spikes"),
    )
    assert labels(two) == ["CNN, spikes", "CNN, potential", "VGG-16", "ResNet-18"]
    wide = table(("mnist", "cnn", 1, "none", "spikes"), ("mnist", "cnn", 0.5, "none", "spikes"))
    assert labels(wide)[:2] == ["CNN, width 1", "CNN, width 0.5"]
    varied = table(("mnist", "cnn", 1, "none", "spikes"), ("mnist", "cnn", 1, "crop", "spikes"))
    assert labels(varied)[:2] == ["CNN", "CNN, crops"]
