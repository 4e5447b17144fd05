"""Accuracies over training seeds, against means and deviations by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from claim_tables import rising
from scipy import stats

from reproduce.experiments.over_seeds import NET, gains, geometric_interval, over_seeds, percent, plus_minus
from snnlib.checks import InputError


def test_spread_is_over_training_seeds_after_averaging_noise_seeds() -> None:
    at = over_seeds(percent(rising(), *NET, "timesteps")).reset_index(NET)
    assert at["mean"][5] == pytest.approx(100 * (0.5 + 0.2 + 0.01 + 0.005))
    assert at.sd[5] == pytest.approx(100 * np.std([0.0, 0.02], ddof=1))
    assert (at.seeds == 2).all()


def test_gains_are_averaged_within_a_seed_before_their_spread() -> None:
    table = rising().assign(alpha=4.0)  # 4 points a step in seed 0, 6 in seed 1
    table["accuracy"] += 0.02 * table.seed * (table.timesteps - 1)
    (found,) = gains(table, "alpha").itertuples()
    assert found.Index == ("mnist", "cnn", 1.0, "none", "spikes", 4.0)
    assert (found.gain, found.gain_sd) == pytest.approx((45, 9 * math.sqrt(2)))  # 36 and 54
    assert (found.final, found.final_sd) == pytest.approx((90.5 + 10, 10 * math.sqrt(2)))  # 90.5 and 110.5
    assert found.seeds == 2
    (early,) = gains(table, "alpha", timesteps=2).itertuples()
    assert (early.gain, early.gain_sd) == pytest.approx((5, math.sqrt(2)))


def test_one_seed_has_no_spread() -> None:
    alone = over_seeds(percent(rising().query("seed == 0"), "timesteps"))
    assert alone.sd.isna().all()
    assert plus_minus(alone["mean"][10], alone.sd[10], ".1f") == "90.5"
    assert plus_minus(1.0, 0.5) == "+1.00 ± 0.50"
    assert plus_minus(-0.01, 0.5, "+z.1f") == "+0.0 ± 0.5"  # never -0.0


def test_a_ratio_has_the_interval_of_its_logarithm() -> None:
    # With n = 2 the t distribution is Cauchy's: t(0.975, 1) = tan(0.475 pi), and s / sqrt(2) is half the difference.
    centre, low, high = geometric_interval([0.5, 0.125])
    factor = 4 ** (math.tan(0.475 * math.pi) / 2)
    assert (centre, low, high) == pytest.approx((0.25, 0.25 / factor, 0.25 * factor))
    ratios = [0.2, 0.31, 0.28, 0.4]
    _, low, high = geometric_interval(ratios)
    logs = np.log(ratios)
    expected = stats.t.interval(0.95, 3, loc=logs.mean(), scale=stats.sem(logs))
    assert np.log([low, high]) == pytest.approx(expected)


def test_the_interval_of_a_ratio_is_that_of_its_inverse_and_stays_above_zero() -> None:
    ratios = [0.03, 0.3, 0.9]  # whose mean less t s / sqrt(3) is below 0
    centre, low, high = geometric_interval(ratios)
    assert 0 < low < centre < high
    assert geometric_interval([1 / ratio for ratio in ratios]) == pytest.approx((1 / centre, 1 / high, 1 / low))
    assert geometric_interval([0.4, 0.4, 0.4]) == pytest.approx((0.4, 0.4, 0.4))
    assert geometric_interval([0.4]) == pytest.approx((0.4, 0, math.inf))


@pytest.mark.parametrize("ratios", [[], [0.5, 0.0], [-1.0], [math.nan, 1.0], [math.inf]])
def test_what_is_no_ratio_of_two_times_is_refused(ratios: list[float]) -> None:
    with pytest.raises(InputError, match="ratio"):
        geometric_interval(ratios)
