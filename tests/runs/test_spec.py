"""Specs: equal ones have one key, any change has another, what cannot be used is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from conftest import weights
from tiny_runs import TINY, spec

from reproduce.runs.run import build_for
from reproduce.runs.spec import Spec
from snnlib.baselines.ann_neurons import QCFS, ReLU
from snnlib.checks import InputError
from snnlib.dynamics import LIF, Converted, SingleStep
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.rate import Rate
from snnlib.surrogate import Arctan
from snnlib.training.recipe import Recipe


@pytest.mark.parametrize(
    "written",
    [
        {"width": 1},
        {"timesteps": 1, "seed": 0, "readout": "spikes"},
        {"recipe": Recipe()},
        {"recipe": {}},
        {"recipe": {"lr": 0.0001, "epochs": 100}},
        {"recipe": {"epochs": 100.0}},
        {"dynamics": SingleStep()},
        {"dynamics": SingleStep(Gaussian(0, 1, 4), v_th=1)},
        {"dynamics": {"kind": "single_step"}},
        {"dynamics": {"kind": "single_step", "v_th": 1, "noise": {"kind": "gaussian", "low": 0, "high": 1}}},
        {"dynamics": {"surrogate": {"width": 1, "kind": "triangle"}, "kind": "single_step"}},
    ],
    ids=str,
)
def test_equal_specs_have_one_key_however_they_are_written(written: dict[str, Any]) -> None:
    plain = Spec(dataset="mnist", network="cnn")
    assert Spec(network="cnn", dataset="mnist", **written).key == plain.key
    assert Spec(network="cnn", dataset="mnist", **written).name == plain.name


CHANGES: list[dict[str, Any]] = [
    {"dataset": "mnist"},
    {"network": "resnet18"},
    {"width": 1 / 8},
    {"readout": "potential"},
    {"batch_norm": False},
    {"seed": 4},
    {"after": {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16}},
    {
        "readout": "potential",
        "teacher": {**TINY, "recipe": {}, "readout": "potential", "dynamics": ReLU()},
    },
    {"hold_out": 600},
    {"dynamics": ReLU(), "readout": "potential"},
    {"dynamics": QCFS(), "readout": "potential"},
    {"dynamics": QCFS(levels=4), "readout": "potential"},
    {"dynamics": QCFS(threshold=2), "readout": "potential"},
    {"dynamics": LIF(), "timesteps": 1},
    {"dynamics": LIF(), "timesteps": 2},
    {"dynamics": LIF(leak=0.4)},
    {"dynamics": LIF(v_reset=0.1)},
    {"dynamics": SingleStep(MaxNormalised())},
    {"dynamics": SingleStep(Uniform())},
    {"dynamics": SingleStep(Gaussian(high=0.9))},
    {"dynamics": SingleStep(Gaussian(low=0.1))},
    {"dynamics": SingleStep(Gaussian(k=5))},
    {"dynamics": SingleStep(v_th=0.9)},
    {"dynamics": Rate()},
    {"dynamics": Rate(levels=3)},
    {"dynamics": Rate(spread=0.5)},
    {"norm_start": (0.4, 0.25)},
    {"whitened": True},
    {"dynamics": SingleStep(surrogate=Arctan())},
    {"dynamics": SingleStep(surrogate=Arctan(slope=3))},
    *(
        {"recipe": {**TINY["recipe"], **change}}
        for change in (
            {"epochs": 4}, {"batch_size": 33}, {"lr": 1.1e-3}, {"schedule": "cosine"}, {"restart_every": 50},
            {"augment": "flip"}, {"augment": "crop"}, {"augment": "crop_flip"}, {"augment": "crop_flip_cutout"},
            {"precision": "bfloat16"}, {"threads": 2},
            {"evaluate_every": 2}, {"evaluate_every": 0.5},
            {"test_batch": 100}, {"test_timesteps": 4}, {"compile": True},
            {"loss": "cross_entropy"}, {"loss": "cross_entropy", "smoothing": 0.1}, {"optimizer": "sgd"},
            {"optimizer": "muon"}, {"optimizer": "muon", "momentum": 0.95}, {"weight_decay": 0.01},
            {"schedule": "triangle"}, {"devices": 2}, {"devices": 2, "synchronised": False},
        )
    ),
]  # fmt: skip


def test_direct_training_takes_ten_steps_unless_told_otherwise() -> None:
    assert spec(dynamics=LIF()) == spec(dynamics={"kind": "lif"}) == spec(dynamics=LIF(), timesteps=10)
    assert spec(dynamics=LIF()).timesteps == 10
    assert spec().timesteps == spec(dynamics=ReLU(), readout="potential").timesteps == 1


def test_every_changed_field_changes_the_key() -> None:
    keys = [spec().key, *(spec(**c).key for c in CHANGES)]
    assert len(set(keys)) == len(CHANGES) + 1


def test_every_field_of_the_recipe_is_among_the_changes() -> None:
    changed = set().union(*(c["recipe"] for c in CHANGES if "recipe" in c))
    assert changed == set(Recipe.model_fields)
    assert set().union(*CHANGES) == set(Spec.model_fields)


@pytest.mark.parametrize(("before", "now"), [(False, "none"), (True, "crop_flip")])
def test_augmentation_is_read_in_its_old_spelling_too(before: bool, now: str) -> None:
    old, new = (spec(recipe={**TINY["recipe"], "augment": value}) for value in (before, now))
    assert old.recipe.augment == now
    assert old.key == new.key


def test_a_spec_survives_json_with_its_key() -> None:
    for change in CHANGES:
        s = spec(**change)
        again = Spec.model_validate_json(s.model_dump_json())
        assert (again, again.key) == (s, s.key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": "imagenet"},
            r"dataset = 'imagenet': .*'mnist', 'fashion_mnist', 'cifar10' or 'fashion_mnist_mini'",
        ),
        (
            {"network": "lenet"},
            r"network = 'lenet': .*'cnn', 'vgg5', 'vgg8', 'resnet8', 'resnet8_256', 'vgg16' or 'resnet18'",
        ),
        ({"readout": "rate"}, r"readout = 'rate': .*'spikes' or 'potential'"),
        ({"timesteps": -1}, r"timesteps = -1: .*greater than or equal to 1"),
        ({"timesteps": 2}, r"timesteps = 2: single_step nets train at 1"),
        ({"seed": -1}, r"seed = -1: .*greater than or equal to 0"),
        ({"width": 0.005}, r"width = 0.005: leaves no channel"),
        ({"width": math.nan}, r"width = nan: must be a finite number above 0"),
        ({"widht": 1.0}, r"widht = 1.0: no such field"),
        ({"dynamics": Converted()}, r"dynamics = .*'converted'.*'single_step', 'lif'"),
        ({"dynamics": {"kind": "lif", "leak": 1.5}}, r"leak = 1.5: must be a number between 0 and 1"),
        ({"dynamics": {"kind": "lif", "tau": 2.0}}, r"tau = 2.0: no such field; must be one of leak"),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "pink"}}}, r"'pink'.*'gaussian'"),
        ({"recipe": {"lr": -1}}, r"lr = -1: .*greater than 0"),
        ({"recipe": {"test_timesteps": 0}}, r"test_timesteps = 0: .*greater than or equal to 1"),
        ({"dynamics": ReLU()}, r"readout = spikes: must be potential for relu nets"),
        ({"dynamics": QCFS()}, r"readout = spikes: must be potential for qcfs nets"),
        ({"dynamics": ReLU(), "readout": "potential", "timesteps": 2}, r"timesteps = 2: relu nets train at 1"),
        ({"dynamics": QCFS(), "readout": "potential", "timesteps": 8}, r"timesteps = 8: qcfs nets train at 1"),
        ({"dynamics": {"kind": "qcfs", "levels": 0}}, r"qcfs levels = 0: must be a whole number of at least 1"),
        (
            {"dynamics": {"kind": "izhikevich"}},
            r"dynamics = .*'izhikevich'.*'single_step', 'lif', 'if', 'relu', 'qcfs'",
        ),
        *(
            ({"after": {**TINY, **change}}, rf"{name} = .*: must be .*, as in the run that this is `after`")
            for name, change in (
                ("dataset", {"dataset": "mnist"}),
                ("network", {"network": "vgg16"}),
                ("width", {"width": 0.5}),
                ("readout", {"readout": "potential"}),
                ("batch_norm", {"batch_norm": False}),
            )
        ),
        (
            {"recipe": {"devices": 2, "batch_size": 6002}},
            r"batch_size = 6002: must be at most 6000, the training images",
        ),
        ({"after": {**TINY, "seed": -1}}, r"seed = -1: .*greater than or equal to 0"),
        ({"after": "fashion_mnist_mini-cnn"}, r"after = 'fashion_mnist_mini-cnn'"),
    ],
    ids=str,
)
def test_bad_specs_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        spec(**changes)
    assert "\n" not in str(error.value)


def test_a_spec_fixes_its_initial_weights_whatever_was_drawn_before() -> None:
    first = build_for(spec())
    torch.rand(3)
    before = torch.get_rng_state()
    assert weights(build_for(spec())) == weights(first)
    assert torch.equal(torch.get_rng_state(), before)
    assert weights(build_for(spec(seed=4))) != weights(first)


def test_runs_with_one_seed_start_from_the_same_weights_whatever_their_noise() -> None:
    assert weights(build_for(spec(dynamics=SingleStep(Uniform())))) == weights(build_for(spec()))


# --- what was trained, in a word -------------------------------------------------------------

PARENT = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "seed": 3}
NO_NOISE = SingleStep(Gaussian(high=0.0))
CONSTANT = SingleStep(Gaussian(low=0.5, high=0.5))


@pytest.mark.parametrize(
    ("dynamics", "expected"),
    [(SingleStep(), 7), (SingleStep(Uniform()), 7), (CONSTANT, 1), (NO_NOISE, 1), (LIF(), 10)],
    ids=str,
)
def test_a_net_is_tested_over_time_where_it_drew_noise_else_as_it_was_trained(dynamics: Any, expected: int) -> None:
    assert spec(dynamics=dynamics, recipe={"test_timesteps": 7}).tested_at == expected


@pytest.mark.parametrize(
    ("changes", "training", "noise", "word"),
    [
        ({}, "single_step", "gaussian", "gaussian"),
        ({"dynamics": SingleStep(Uniform())}, "single_step", "uniform", "uniform"),
        ({"dynamics": SingleStep(MaxNormalised())}, "single_step", "max_normalised", "max_normalised"),
        ({"dynamics": NO_NOISE}, "single_step", "none", "no_noise"),
        ({"dynamics": CONSTANT}, "single_step", "constant", "constant"),
        ({"dynamics": SingleStep(Uniform(0.3, 0.3))}, "single_step", "constant", "constant"),
        ({"dynamics": LIF(), "timesteps": 10}, "lif10", "none", "lif10"),
        ({"dynamics": LIF()}, "lif10", "none", "lif10"),
        ({"dynamics": ReLU(), "readout": "potential"}, "relu", "none", "relu"),
        ({"dynamics": QCFS(levels=4), "readout": "potential"}, "qcfs4", "none", "qcfs4"),
        ({"dynamics": {"kind": "if"}}, "if10", "none", "if10"),
        ({"dynamics": LIF(), "timesteps": 4, "after": PARENT}, "tuned_lif4", "none", "tuned_lif4"),
        ({"after": PARENT}, "tuned_single_step", "gaussian", "tuned_gaussian"),
        ({"dynamics": NO_NOISE, "after": PARENT}, "tuned_single_step", "none", "tuned_no_noise"),
        ({"dynamics": CONSTANT, "after": PARENT}, "tuned_single_step", "constant", "tuned_constant"),
    ],
    ids=str,
)
def test_a_spec_says_what_was_trained(changes: dict[str, Any], training: str, noise: str, word: str) -> None:
    s = spec(**changes)
    assert (s.training, s.noise) == (training, noise)
    assert s.label == f"fashion_mnist_mini-cnn-w0.0625-{s.readout}-{word}-s3"
    assert s.name == f"{s.label}-{s.key}"
    assert s.columns() == {
        "run": s.name, "dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16,
        "augment": s.recipe.augment, "readout": s.readout, "training": training, "noise": noise, "seed": 3,
    }  # fmt: skip
