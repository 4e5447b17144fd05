"""The claims on inference and on Table 2, from tables made by hand on both sides of each threshold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from claim_tables import HOLDS, decided, speedup, table2

from snnlib.experiments.tables import NOT, PARTLY, REPRODUCED, SCALE, UNDECIDED, UNTESTED


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def test_conversion_is_at_its_best_and_so_is_ours(verdicts: Callable) -> None:
    found = verdicts("measured")
    # The better variant, 200, not the worse; our better readout, not the worse, which takes 1.
    assert "CNN 200.0× at T = 5 and 200.0× at T = 10" in found["steps_conversion"]
    one = HOLDS["table2_speedup"]
    quick = (one.opponent == "qcfs") & (one.variant == "better") & (one.readout == "potential")
    one = one.assign(
        time_factor=one.time_factor.where(~quick, 2.0),
        step_factor=one.step_factor.where(~quick, 0.8),
        steps_most=one.steps_most.where(~quick, 9),
    )
    found = verdicts(table2_speedup=one)
    assert found["speed_conversion"] == found["steps_conversion"] == REPRODUCED
    assert found["speed_qcfs"] == found["steps_qcfs"] == NOT
    shown = verdicts("measured", table2_speedup=one)
    assert "CNN 2.0 ± 1.0× at T = 5 and 2.0 ± 1.0× at T = 10" in shown["speed_qcfs"]
    assert "CNN 150.0 ± 1.0× at T = 5" in shown["speed_conversion"]


@pytest.mark.parametrize(
    ("factor", "verdict"), [(106, REPRODUCED), (104, PARTLY), (54, PARTLY), (51, UNDECIDED), (49, UNDECIDED), (47, NOT)]
)
def test_a_hundredfold_holds_in_the_quickest_seed_and_fails_in_the_slowest(
    verdicts: Callable, factor: float, verdict: str
) -> None:
    assert verdicts(table2_speedup=speedup(factor, 150))["steps_conversion"] == verdict  # 0.95 to 1.05 of it


@pytest.mark.parametrize(
    ("factor", "verdict"),
    [(102.5, REPRODUCED), (101.5, PARTLY), (52.5, PARTLY), (51.5, UNDECIDED), (48.5, UNDECIDED), (47.5, NOT)],
)
def test_a_hundredfold_in_time_holds_or_fails_by_two_deviations(
    verdicts: Callable, factor: float, verdict: str
) -> None:
    found = verdicts(table2_speedup=speedup(200, factor))
    assert (found["speed_conversion"], found["speed_qcfs"], found["steps_qcfs"]) == (verdict, verdict, REPRODUCED)


def test_an_opponent_whose_slowest_seed_never_gets_there_leaves_a_failure_open(verdicts: Callable) -> None:
    assert verdicts(table2_speedup=speedup(40, 150).assign(steps_most=None))["steps_conversion"] == UNDECIDED


def test_an_opponent_that_never_comes_close_proves_a_hundredfold_only_after_enough_steps(verdicts: Callable) -> None:
    never = speedup(200, 150).assign(
        steps_least=None, steps_most=None, step_factor=None, time_factor=None, time_factor_sd=None
    )
    found = verdicts(table2_speedup=never)  # 2048 steps
    assert found["steps_conversion"] == REPRODUCED
    assert found["speed_conversion"] == found["speed_qcfs"] == SCALE  # nothing was timed
    found = verdicts(table2_speedup=never.assign(last_timesteps=256))
    assert found["steps_conversion"] == found["steps_qcfs"] == SCALE
    assert "not within 256 steps" in verdicts("measured", table2_speedup=never.assign(last_timesteps=256))["steps_qcfs"]


def test_table_2_is_tested_at_its_scale_alone(verdicts: Callable) -> None:
    ids = ["table2_mnist", "table2_fashion_mnist", "table2_cifar10"]
    narrow = verdicts(table2_accuracy_vs_timesteps=table2().assign(width=0.5))
    assert [narrow[id] for id in ids] == [SCALE] * 3
    mini = table2().query("dataset == 'fashion_mnist'").assign(dataset="fashion_mnist_mini")
    assert [verdicts(table2_accuracy_vs_timesteps=mini)[id] for id in ids] == [SCALE] * 3
    found = verdicts("measured", table2_accuracy_vs_timesteps=table2().assign(width=0.5))
    assert found["table2_cifar10"] == "needs CIFAR-10 at full width, here CIFAR-10 at width 0.5: 92.07 % at T = 10"


@pytest.mark.parametrize(
    ("below", "verdict"), [(-0.003, REPRODUCED), (0.0075, REPRODUCED), (0.0085, PARTLY), (0.05, NOT)]
)
def test_table_2_is_held_against_the_papers_error(verdicts: Callable, below: float, verdict: str) -> None:
    # CIFAR-10: the paper's error is 7.93 % at T = 10; a tenth of it 0.79, half of it 3.97 points
    found = verdicts(table2_accuracy_vs_timesteps=table2(below))
    assert found["table2_cifar10"] == verdict
    shown = verdicts("measured", table2_accuracy_vs_timesteps=table2(below))["table2_cifar10"]
    assert f"{92.07 - 100 * below:.2f} ± 0.00 %" in shown
    assert "readout potential" in shown


def test_steps_to_high_accuracy_are_counted_on_a_level_that_both_reach(verdicts: Callable) -> None:
    assert "CNN, MNIST 5.0 against 10.0" in verdicts("measured")["steps_direct"]
    sparse = HOLDS["table2_accuracy_vs_timesteps"].query("timesteps in (1, 10, 2048)")
    assert verdicts(table2_accuracy_vs_timesteps=sparse)["steps_direct"] == UNTESTED
