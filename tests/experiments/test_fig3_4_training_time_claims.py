"""The claims on training time and memory, from tables made by hand on both sides of each threshold."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from claim_tables import HOLDS, cost, decided, race, to_benchmark

from snnlib.experiments.fig3_4_training_time.paired import at_equal_time
from snnlib.experiments.tables import NOT, PARTLY, REPRODUCED, SCALE, UNDECIDED, UNTESTED


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


@pytest.mark.parametrize(
    ("ours", "verdict"),
    # of 1000 s; thresholds 70, 65, 60 % and half of each
    [(299, (REPRODUCED,) * 3), (301, (PARTLY, REPRODUCED, REPRODUCED)), (399, (PARTLY, PARTLY, REPRODUCED)),
     (640, (PARTLY,) * 3), (660, (NOT, PARTLY, PARTLY)), (710, (NOT,) * 3), (1200, (NOT,) * 3)],
)  # fmt: skip
def test_savings_are_held_against_the_papers_of_each_pair(verdicts: Callable, ours: float, verdict: tuple) -> None:
    found = verdicts(fig4_time_to_accuracy=to_benchmark(ours, 1000))
    assert (found["saves_cnn"], found["saves_vgg16"], found["saves_resnet18"]) == verdict


def test_the_papers_own_seconds_would_save_what_it_claims(verdicts: Callable) -> None:
    for network, ours, direct in (("cnn", 135, 528), ("vgg16", 3132, 9900), ("resnet18", 7290, 19998)):
        assert verdicts(fig4_time_to_accuracy=to_benchmark(ours, direct))[f"saves_{network}"] == REPRODUCED


def test_a_data_set_of_another_name_stands_for_the_pair_with_its_network(verdicts: Callable) -> None:
    mini = to_benchmark(30, 200).assign(dataset="fashion_mnist_mini", width=0.25)
    assert verdicts(fig4_time_to_accuracy=mini)["saves_vgg16"] == REPRODUCED
    shown = verdicts("measured", fig4_time_to_accuracy=mini)["saves_vgg16"]
    assert shown == "saved until 80 % [runs' own clock]: VGG-16 on Fashion-MNIST mini 85 ± 0 % [0] (3 seeds)"
    assert "Fashion-MNIST mini VGG-16 at width 0.25" in verdicts("scale", fig4_time_to_accuracy=mini)["saves_vgg16"]


def test_direct_training_that_never_gets_there_bounds_the_saving(verdicts: Callable) -> None:
    never = to_benchmark(40, None, total=(80, 400))
    found = verdicts("measured", fig4_time_to_accuracy=never)
    assert "≥ 90 ± 0 % [50]" in found["saves_cnn"]
    assert "≥ 10.0 ± 0.0× [2.0]" in found["faster"]
    assert verdicts(fig4_time_to_accuracy=never)["saves_cnn"] == REPRODUCED
    too_short = to_benchmark(40, None, total=(80, 50))
    assert verdicts(fig4_time_to_accuracy=too_short)["saves_cnn"] == SCALE


def test_ours_that_never_gets_there_is_not_reproduced(verdicts: Callable) -> None:
    for direct in (200, None):
        found = verdicts(fig4_time_to_accuracy=to_benchmark(None, direct))
        assert {found["saves_cnn"], found["saves_vgg16"], found["saves_resnet18"], found["faster"]} == {NOT}
    one_seed = to_benchmark(None, 200).query("seed == 0")
    assert set(verdicts(fig4_time_to_accuracy=one_seed).values()) == {UNDECIDED}
    once = to_benchmark(30, 200)
    lost = (once.arm == "ours") & (once.seed == 1)
    clocks = {clock: once[clock].where(~lost) for clock in ("seconds", "seconds_by_steps")}
    once = once.assign(reached=once.reached & ~lost, **clocks)
    assert verdicts(fig4_time_to_accuracy=once)["saves_cnn"] == PARTLY
    assert "where ours gets there, 2 of 3 seeds" in verdicts("measured", fig4_time_to_accuracy=once)["saves_cnn"]


def test_a_time_that_is_missing_or_a_run_that_is_there_twice_counts_for_nothing(verdicts: Callable) -> None:
    table = to_benchmark(30, 200)
    for clock in ("seconds", "seconds_by_steps", "total_seconds_by_steps"):
        hole = table.assign(**{clock: table[clock].where(table.index != 1)})
        assert set(verdicts(fig4_time_to_accuracy=hole).values()) == {UNTESTED}
    assert set(verdicts(fig4_time_to_accuracy=pd.concat([table, table])).values()) == {UNTESTED}


@pytest.mark.parametrize(
    ("direct", "step", "shown", "verdict"),
    [
        # A step of direct training takes as long as ten: its epochs 1, 2 and 4, after our last.
        ([0.6, 0.8, 0.85, 0.85], 10, "+30.0 ± 0.0 and +10.0 ± 0.0 and +5.0 ± 0.0", REPRODUCED),
        ([0.6, 0.8, 0.95, 0.95], 10, "+30.0 ± 0.0 and +10.0 ± 0.0 and -5.0 ± 0.0", PARTLY),
        ([0.91, 0.92, 0.93, 0.94], 10, "-1.0 ± 0.0 and -2.0 ± 0.0 and -4.0 ± 0.0", NOT),
        # As long as 1.5, so 6 in all: at 1.5 and 3 our epochs 1 and 3.
        ([0.6, 0.8, 0.95, 0.95], 1.5, "+10.0 ± 0.0 and +5.0 ± 0.0 and -5.0 ± 0.0", PARTLY),
        # Half as long, so that ours ends later: our epochs 1, 2 and 4, against 2, 4 and 4.
        ([0.6, 0.65, 0.7, 0.75], 0.5, "+5.0 ± 0.0 and +5.0 ± 0.0 and +15.0 ± 0.0", REPRODUCED),
        # Two epochs, so that the first ends at half of the time: both are compared there.
        ([0.6, 0.8], 10, "+30.0 ± 0.0 and +30.0 ± 0.0 and +10.0 ± 0.0", REPRODUCED),
    ],
)
def test_equal_time_is_a_quarter_a_half_and_all_of_the_longer_run(
    verdicts: Callable, direct: list[float], step: float, shown: str, verdict: str
) -> None:
    changed = {
        "fig3_training_speed": race([0.7, 0.8, 0.85, 0.9], direct),
        "fig4_training_cost": cost(8, 7, step=step),
    }
    assert f"longer run's time: CNN {shown}; VGG-16" in verdicts("measured", **changed)["equal_time"]
    assert verdicts(**changed)["equal_time"] == verdict


def test_epochs_that_were_not_tested_are_left_out_but_not_the_last(verdicts: Callable) -> None:
    table = HOLDS["fig3_training_speed"]
    assert verdicts(fig3_training_speed=table.assign(accuracy=table.accuracy.where(table.epoch != 3)))[
        "equal_time"
    ] == (REPRODUCED)
    last = table.assign(accuracy=table.accuracy.where(table.epoch != 4))
    assert verdicts(fig3_training_speed=last)["equal_time"] == UNTESTED


@pytest.mark.parametrize(("peak", "verdict"), [(5.1, REPRODUCED), (4.9, PARTLY), (2.4, NOT)])
def test_memory_is_held_against_half_of_the_t_folds(verdicts: Callable, peak: float, verdict: str) -> None:
    assert verdicts(fig4_training_cost=cost(peak, 7))["memory"] == verdict


def test_points_ahead_are_those_of_a_search_epoch_by_epoch() -> None:
    rng = np.random.default_rng(0)
    shares = (0.1, 0.25, 0.5, 0.8, 1.0)
    for step in (0.4, 1.0, 3.0, 7.5):
        ours, direct = (list(rng.choice([0.1, 0.2, 0.3, 0.4], rng.integers(1, 8))) for _ in range(2))
        table = race(ours, direct)
        (network, *_), nets = zip(*table.groupby(["dataset", "network", "width"]), strict=True)
        found = at_equal_time(nets[0], pd.Series({network: step}), shares)
        end, both = max(len(ours), step * len(direct)), max(1, step)
        for share in shares:
            t = max(share * end, both) + 1e-6
            last = (max(e for e in range(len(v)) if (e + 1) * s <= t) for v, s in ((ours, 1), (direct, step)))
            assert found[share].to_numpy() == pytest.approx(100 * (ours[next(last)] - direct[next(last)]))
