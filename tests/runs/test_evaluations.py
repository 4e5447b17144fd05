"""How a preset evaluates each kind of run."""

from __future__ import annotations

import math

import pytest

from reproduce.runs import preset_found
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.noise import Gaussian


def evaluations(ann_timesteps: int = 128, **fields: object) -> list[Evaluation]:
    p = Preset(
        name="p", description="d", benchmark={}, notebooks={}, ann_timesteps=ann_timesteps,
        evaluation={"alpha": 3.0, "timesteps": 6, "noise_seeds": [4, 5], "batch_size": 20, "calibration": 30},
    )  # fmt: skip
    return p.evaluations(Run(Spec(dataset="mnist", network="cnn", **fields)))


ONCE = {"noise_seeds": (0,), "batch_size": 20, "calibration": 30}  # where no noise is drawn


def test_a_single_step_net_is_converted_as_the_preset_says() -> None:
    expected = Conversion(alpha=3.0, timesteps=6, noise_seeds=(4, 5), batch_size=20, calibration=30)
    assert evaluations() == evaluations(readout="potential") == [expected]


def test_a_net_trained_without_noise_is_run_as_trained_and_as_lif() -> None:
    silent = {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}
    assert evaluations(dynamics=silent) == [AsTrained(timesteps=1, **ONCE), AsLIF(timesteps=6, **ONCE)]


def test_a_net_trained_with_a_constant_is_run_in_these_ways_and_with_the_noise_it_never_saw() -> None:
    constant = {"kind": "single_step", "noise": {"kind": "gaussian", "low": 0.5, "high": 0.5}}
    shared = {"noise": Gaussian(), "timesteps": 6, "noise_seeds": (4, 5), "batch_size": 20, "calibration": 30}
    expected = [
        AsTrained(timesteps=1, **ONCE),
        AsLIF(timesteps=6, **ONCE),
        Conversion(alpha=math.inf, **shared),
        Conversion(alpha=3.0, **shared),
    ]
    assert evaluations(dynamics=constant) == evaluations(dynamics=constant, readout="potential") == expected


def test_a_directly_trained_net_is_run_as_trained_for_as_long_as_ours() -> None:
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 4}
    assert evaluations(**direct) == [AsTrained(timesteps=6, **ONCE)]
    assert evaluations(**direct, after={"dataset": "mnist", "network": "cnn"}) == [AsTrained(timesteps=6, **ONCE)]


def test_a_relu_net_is_run_as_an_ann_and_converted_in_five_ways() -> None:
    ann, *converted = evaluations(dynamics={"kind": "relu"}, readout="potential")
    assert ann == AsTrained(timesteps=1, **ONCE)
    assert all(type(e) is AnnConversion and e.timesteps == 64 for e in converted)
    assert [(e.percentile, e.v_init) for e in converted] == [(100, 0), (100, 0.5), (99.9, 0), (99.9, 0.5), (99, 0.5)]
    assert {(e.noise_seeds, e.batch_size, e.calibration) for e in converted} == {((0,), 20, 30)}


def test_converted_anns_are_tested_on_so_many_images_as_the_preset_says() -> None:
    p = load_preset("smoke").model_copy(update={"ann_images": 70})
    ann, *converted = p.evaluations(
        Run(Spec(dataset="mnist", network="cnn", dynamics={"kind": "relu"}, readout="potential"))
    )
    assert {e.tested for e in converted} == {70}
    assert not hasattr(ann, "tested")
    assert AnnConversion(tested=None).key == AnnConversion().key != AnnConversion(tested=70).key
    assert [e.of(100) for e in (ann, converted[0], AnnConversion(tested=200))] == [100, 70, 100]


def test_a_qcfs_net_is_run_as_an_ann_and_converted_from_half_a_threshold() -> None:
    assert evaluations(dynamics={"kind": "qcfs"}, readout="potential") == [
        AsTrained(timesteps=1, **ONCE),
        AnnConversion(v_init=0.5, timesteps=64, **ONCE),
    ]


@pytest.mark.parametrize(("most", "stages"), [(1001, (64, 256, 1001)), (256, (64, 256)), (65, (64, 65)), (40, (40,))])
def test_a_converted_ann_is_run_longer_and_longer(most: int, stages: tuple[int, ...]) -> None:
    assert load_preset("smoke").model_copy(update={"ann_timesteps": most}).stages == stages
    for kind in ("relu", "qcfs"):
        _, *converted = evaluations(most, dynamics={"kind": kind}, readout="potential")
        assert {e.timesteps for e in converted} == {stages[0]}


@pytest.mark.parametrize("name", preset_found.preset_names())
def test_every_run_of_a_preset_has_its_evaluations(name: str) -> None:
    p = load_preset(name)
    for run in p.all_runs().values():
        found = p.evaluations(run)
        assert len({e.key for e in found}) == len(found) > 0
