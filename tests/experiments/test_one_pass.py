"""Nets trained in one pass: which are compared, in which ways they are run, and what the table says of them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from tiny_runs import spec

from snnlib.baselines.ann_neurons import IF
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.experiments.one_pass import plot
from snnlib.experiments.one_pass import table as one_pass
from snnlib.experiments.one_pass.table import AT_ONCE, PIPELINED, SPIKING, WARM_UP, WARMED
from snnlib.rate import Rate, integrated
from snnlib.runs.arms import ARMS
from snnlib.runs.evaluations import Integrated, Phased, Pipelined
from snnlib.runs.preset import Preset
from snnlib.runs.run import Run
from snnlib.runs.spec import Spec
from snnlib.training.evaluation import accuracy_over_time, predict

NET = spec().model_dump(mode="json", include={"dataset", "network", "width", "recipe"})
COMPARED = ("potential", "rate1", "rate4", "half4", "qcfs", "direct4", "relu")


@pytest.fixture
def preset() -> Preset:
    arms = {arm: [ARMS[arm].spec(arm, NET, 0, {})] for arm in COMPARED}
    return Preset(
        name="p", description="d", benchmark={}, notebooks={one_pass.NOTEBOOK: {"net": arms}},
        evaluation={"timesteps": 4, "noise_seeds": [5, 6], "batch_size": 30},
    )  # fmt: skip


def test_every_net_is_run_as_its_arm_says(small_store: None, small: Dataset, preset: Preset) -> None:
    table = one_pass.accuracies(preset)
    ways = {arm: set(rows.way) for arm, rows in table.groupby("arm")}
    rates = {SPIKING, WARMED, PIPELINED}
    assert ways == {
        "rate1": rates, "rate4": rates, "half4": rates, "potential": {SPIKING}, "qcfs": {SPIKING},
        "direct4": {SPIKING}, "relu": {AT_ONCE},
    }  # fmt: skip
    assert set(table[table.way == AT_ONCE].timesteps) == {math.inf}
    assert all(set(rows.timesteps) == {1, 2, 4} for way, rows in table.groupby("way") if way != AT_ONCE)

    def found(arm: str, way: str) -> list[float]:
        return table[(table.arm == arm) & (table.way == way)].accuracy.tolist()

    for arm in ("rate4", "half4"):
        model = Run(ARMS[arm].spec(arm, NET, 0, {})).model("cpu")
        spiking = integrated(model)
        assert {n.dynamics for _, n in spiking.neurons()} == {IF(v_init=0.5, spread=float(arm == "rate4"))}
        at = [0, 1, 3]
        assert found(arm, SPIKING) == accuracy_over_time(spiking, small, 4, (5,), 30).accuracy[at].tolist()
        warmed = predict(spiking, small, 4, (5,), 30, warm_up=WARM_UP).table.accuracy[at]
        assert found(arm, WARMED) == warmed.tolist()
        waiting = [accuracy_over_time(integrated(model, t), small, 1, (5,), 30).accuracy[0] for t in (1, 2, 4)]
        assert found(arm, PIPELINED) == waiting


def test_nets_are_compared_at_any_t_as_far_as_the_preset_goes(small_store: None, preset: Preset) -> None:
    table = one_pass.accuracies(preset, timesteps=(3, 4, 12))
    assert all(set(rows.timesteps) == {3, 4} for way, rows in table.groupby("way") if way != AT_ONCE)
    assert [int(t) for t in plot.one_pass(table).axes[0].get_xticks()] == [3, 4]


def test_a_preset_needs_the_papers_level(preset: Preset) -> None:
    fewer = {arm: runs for arm, runs in preset.notebooks[one_pass.NOTEBOOK]["net"].items() if arm != "rate1"}
    bad = preset.model_copy(update={"notebooks": {one_pass.NOTEBOOK: {"net": fewer}}})
    with pytest.raises(InputError, match=r"has no arm rate1; must have rate1"):
        one_pass.compared(bad)


def test_costs_are_those_of_whole_trainings(small_store: None, preset: Preset) -> None:
    costs = one_pass.costs(preset, repeats=2).set_index("arm")
    assert set(costs.index) == set(COMPARED)
    assert costs.time["rate1"] == 1
    expected = costs.step_seconds * costs.epochs / (costs.step_seconds * costs.epochs)["rate1"]
    np.testing.assert_allclose(costs.time, expected)


def test_at_a_glance_is_the_mean_over_training_seeds() -> None:
    net = {"dataset": "d", "network": "n", "width": 1.0, "readout": "potential", "arm": "rate1", "way": SPIKING}
    rows = [{**net, "seed": s, "noise_seed": 0, "timesteps": t, "accuracy": a} for s, t, a in
            [(0, 1, 0.5), (1, 1, 0.7), (0, 2, 0.8), (1, 2, 0.8)]]  # fmt: skip
    found = one_pass.at_a_glance(pd.DataFrame(rows)).iloc[0]
    assert found["mean"].tolist() == pytest.approx([60, 80])
    assert found["sd"].tolist() == pytest.approx([np.std([50, 70], ddof=1), 0])


@pytest.mark.parametrize("evaluation", [Integrated(), Pipelined()], ids=["integrated", "pipelined"])
def test_only_a_net_trained_on_rates_is_integrated(evaluation: Integrated | Pipelined) -> None:
    evaluation.fits(Spec(dataset="mnist", network="cnn", readout="potential", dynamics=Rate()))
    with pytest.raises(InputError, match=r"^dynamics = single_step: only a net trained as rate can be integrated"):
        evaluation.fits(Spec(dataset="mnist", network="cnn"))
    with pytest.raises(InputError, match=r"^dynamics = rate: only a net trained as single_step"):
        Phased().fits(Spec(dataset="mnist", network="cnn", readout="potential", dynamics=Rate()))
