"""Arms: what each changes is all that it changes, in every comparison of every preset."""

from __future__ import annotations

from typing import Any

import pytest

from reproduce.runs.arms import ARMS, LEVELS, merged
from reproduce.runs.preset import load_preset, nets_as_written
from reproduce.runs.preset_found import preset_names
from reproduce.runs.spec import Spec
from snnlib.dynamics import SingleStep
from snnlib.noise import Gaussian
from snnlib.training.recipe import Recipe

# Fields in which an arm may differ from ours, by dotted name; LIF and ReLU neurons have others altogether.
RATE = "recipe.lr"  # an arm on which a claim rests has its own
DIFFERS = {
    "ours": set(),
    "potential": {"readout", RATE},
    "equal_time": {"recipe.epochs", RATE},
    "direct": {"dynamics", "timesteps", RATE},
    "direct4": {"dynamics", "timesteps", RATE},
    "direct2": {"dynamics", "timesteps", RATE},
    "tuned": {"dynamics", "timesteps", "after", "recipe.epochs", RATE},
    "relu": {"dynamics", "readout", RATE},
    "qcfs": {"dynamics", "readout", RATE},
    "qcfs_start": {"dynamics", "readout", "norm_start", RATE},
    "potential_start": {"readout", "norm_start", RATE},
    **{f"rate{levels}": {"dynamics", "readout", "norm_start", RATE} for levels in LEVELS},
    **{f"half{levels}": {"dynamics", "readout", "norm_start", RATE} for levels in LEVELS},
    **{f"rate{levels}_start": {"dynamics", "readout", "norm_start", RATE} for levels in LEVELS},
    "rate4_short": {"dynamics", "readout", "norm_start", "recipe.epochs", RATE},
    "rate4_longer": {"dynamics", "readout", "norm_start", "recipe.epochs", RATE},
    "rate4_then1": {"dynamics", "readout", "norm_start", "recipe.epochs", "after", RATE},
    "rate4_in_time": {"dynamics", "readout", "norm_start", "timesteps", "recipe.epochs", "after", RATE},
    "direct4_short": {"dynamics", "readout", "timesteps", "recipe.epochs", RATE},
    "expected": {"dynamics", "readout", "recipe.epochs", RATE},
    "warmed": {"dynamics", "readout", "recipe.epochs", "after", RATE},
    "no_shortcuts": {"readout", "network", RATE},
    "shallow": {"readout", "network", RATE},
    "distilled": {"readout", "teacher", RATE},
    "wide": {"dynamics.noise", "readout", "recipe.epochs", RATE},
    "narrowed": {"readout", "recipe.epochs", "after", RATE},
    "capped": {"readout", "network", RATE},
    "whitened": {"readout", "whitened", RATE},
    "cutout": {"readout", "recipe.augment", RATE},
    "mse": {"readout", "recipe.loss", "recipe.smoothing", RATE},
    "adam": {"readout", "recipe.optimizer", RATE},
    "sgd": {"readout", "recipe.optimizer", "recipe.momentum", "recipe.weight_decay", "recipe.schedule", RATE},
    "uniform": {"dynamics.noise", RATE},
    "uniform_potential": {"dynamics.noise", "readout", RATE},
    "constant": {"dynamics.noise", RATE},
    "constant_potential": {"dynamics.noise", "readout", RATE},
    "no_noise": {"dynamics.noise", RATE},
    "rectangle": {"dynamics.surrogate"},
    "arctan": {"dynamics.surrogate"},
    "sigmoid": {"dynamics.surrogate"},
    "density": {"dynamics.surrogate", RATE},
    "density_start": {"dynamics.surrogate", "norm_start", RATE},
    "gaussian_k2": {"dynamics.noise"},
    "gaussian_k8": {"dynamics.noise"},
    "max_normalised": {"dynamics.noise"},
    "no_batch_norm": {"batch_norm"},
    "cropped": {"recipe.augment"},
    "mirrored": {"recipe.augment"},
    "shorter": {"recipe.epochs"},
    "potential_longer": {"readout", "recipe.epochs", RATE},
    "potential_longest": {"readout", "recipe.epochs", RATE},
    "printed": {
        "recipe.epochs",
        RATE,
        "recipe.schedule",
        "recipe.batch_size",
        "recipe.optimizer",
        "recipe.weight_decay",
    },
}
# Arms that differ from another one in these fields alone, and in the rate.
LIKE = {
    "uniform_potential": ("potential", {"dynamics.noise"}),
    "constant_potential": ("potential", {"dynamics.noise"}),
    **{f"half{levels}": (f"rate{levels}", {"dynamics.spread"}) for levels in LEVELS},
    **{f"rate{levels}_start": (f"rate{levels}", {"norm_start"}) for levels in LEVELS},
    "qcfs_start": ("qcfs", {"norm_start"}),
    "potential_start": ("potential", {"norm_start"}),
}


def differ(a: Spec, b: Spec) -> set[str]:
    """Dotted names of the fields in which two specs differ, two levels deep; `dynamics` where they are of two kinds."""
    fields = []
    for spec in (a, b):
        found: dict[str, Any] = spec.model_dump(exclude={"dynamics", "recipe"})
        found |= {f"recipe.{name}": value for name, value in spec.recipe.model_dump().items()}
        dynamics = spec.model_dump()["dynamics"]
        same = a.dynamics.kind == b.dynamics.kind
        found |= {f"dynamics.{k}": v for k, v in dynamics.items()} if same else {"dynamics": dynamics}
        fields.append(found)
    return {name for name in fields[0] | fields[1] if fields[0].get(name) != fields[1].get(name)}


@pytest.mark.parametrize("name", preset_names())
def test_arms_of_a_net_differ_in_what_is_compared_and_in_nothing_else(name: str) -> None:
    p = load_preset(name)
    nets = nets_as_written(name)
    own = {net: given.pop("arms", {}) for net, given in nets.items()}
    compared = 0
    for notebook in p.notebooks:
        for net, arms in p.comparison(notebook, must=(), may=tuple(ARMS)).items():
            for arm, runs in arms.items():
                for run in runs:
                    ours = ARMS["ours"].spec("ours", nets[net], run.spec.seed, own[net])
                    found = differ(ours, run.spec) - {"recipe.evaluate_every"}  # how often it is tested
                    assert found <= DIFFERS[arm]
                    assert bool(found - {RATE}) == (arm != "ours")
                    compared += 1
            for arm, (other, changed) in LIKE.items():
                for a, b in zip(arms.get(other, ()), arms.get(arm, ()), strict=False):
                    assert differ(a.spec, b.spec) - {"recipe.evaluate_every"} <= {*changed, RATE}
    assert compared > 50


# Other than the paper's, so that arms with the paper's differ from it.
RECIPE = {"epochs": 5, "lr": 0.1, "loss": "cross_entropy", "optimizer": "muon"}
NET = {"dataset": "mnist", "network": "cnn", "recipe": RECIPE}


def made(name: str, own: dict[str, dict[str, Any]] | None = None) -> Spec:
    return ARMS[name].spec(name, NET, 3, own or {})


def test_every_arm_is_a_run_of_its_own() -> None:
    specs = {
        name: made(
            name,
            {
                "equal_time": {"epochs": 9},
                "shorter": {"epochs": 4},
                "potential_longer": {"epochs": 8},
                "potential_longest": {"epochs": 10},
                "rate4_short": {"epochs": 3},
                "rate4_longer": {"epochs": 7},
                "direct4_short": {"epochs": 2},
            },
        )
        for name in ARMS
    }
    assert len({spec.key for spec in specs.values()}) == len(ARMS) == len(DIFFERS)
    assert specs["ours"] == Spec(**NET, seed=3)
    assert all(differ(specs["ours"], spec) <= DIFFERS[name] for name, spec in specs.items())


def test_the_control_of_noise_is_the_same_neuron_with_the_mean_of_noise() -> None:
    for name, readout in (("constant", "spikes"), ("constant_potential", "potential")):
        spec = made(name)
        assert spec.dynamics == SingleStep(Gaussian(low=0.5, high=0.5))
        assert (spec.noise, spec.readout) == ("constant", readout)
    assert made("no_noise").noise == "none"
    assert {made(name).timesteps for name in ("direct", "direct4", "direct2")} == {10, 4, 2}


def test_only_what_is_trained_after_ours_has_a_run_before_it() -> None:
    own = {"tuned": {"epochs": 1, "lr": 0.3}, "ours": {"lr": 0.2, "evaluate_every": 0.5}}
    tuned = made("tuned", own)
    assert tuned.after == made("ours", own)
    assert (tuned.recipe.epochs, tuned.recipe.lr) == (1, 0.3)
    assert (tuned.after.recipe.epochs, tuned.after.recipe.lr, tuned.after.recipe.evaluate_every) == (5, 0.2, 0.5)
    later = ["tuned", "rate4_then1", "rate4_in_time", "narrowed", "warmed"]
    assert [name for name in ARMS if made(name).after] == [name for name in ARMS if name in later]
    assert {name: made(name).teacher for name in ARMS if made(name).teacher} == {"distilled": made("relu")}
    own |= {"expected": {"epochs": 2}, "warmed": {"epochs": 3}}
    warmed = made("warmed", own)
    assert warmed.after == made("expected", own)
    assert (warmed.recipe.epochs, warmed.after.recipe.epochs) == (3, 2)


def test_arms_on_which_no_claim_rests_take_the_rate_of_ours_and_nothing_else() -> None:
    own = {"ours": {"lr": 0.2, "evaluate_every": 0.5}, "potential": {"lr": 0.4}, "direct": {"lr": 0.8}}
    rates = {name: made(name, own).recipe.lr for name in ARMS}
    like_ours = "rectangle arctan sigmoid gaussian_k2 gaussian_k8 max_normalised no_batch_norm cropped mirrored"
    expected = dict.fromkeys(["ours", *like_ours.split(), "shorter"], 0.2)
    like_potential = "potential expected warmed no_shortcuts shallow distilled wide narrowed capped whitened cutout mse"
    expected |= dict.fromkeys(
        [*like_potential.split(), "potential_longer", "potential_longest", "potential_start"], 0.4
    )
    assert rates == {**dict.fromkeys(ARMS, 0.1), **expected, "direct": 0.8, "printed": 1e-4}
    every = {name: made(name, own).recipe.evaluate_every for name in ARMS}
    assert every == {**dict.fromkeys(ARMS, 1), "ours": 0.5}


def test_no_claim_rests_on_an_arm_with_the_rate_of_another() -> None:
    """What notebooks compare decides claims; these alone ask for no verdict."""
    for name in preset_names():
        for notebook, nets in load_preset(name).notebooks.items():
            alike = {arm for arms in nets.values() for arm in arms if ARMS[arm].like}
            assert bool(alike) == (notebook in ("silent_choices", "one_pass", "record"))


def test_each_arm_is_told_in_words_of_its_own() -> None:
    """Help lists those of a notebook alone: "the same" means nothing there."""
    told = [arm.what for arm in ARMS.values()]
    assert len(set(told)) == len(told)
    assert not [what for what in told if what.startswith(("the same", "then", "the other"))]


def test_an_arms_own_fields_hold_for_it_alone() -> None:
    own = {"direct": {"lr": 0.8, "evaluate_every": 0.25}}
    assert made("direct", own).recipe == Recipe(**RECIPE | {"lr": 0.8, "evaluate_every": 0.25})
    assert made("direct4", own).recipe == made("ours", own).recipe == Recipe(**RECIPE)


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    base = {"a": 1, "b": {"c": [1], "d": {"e": 2}}}
    assert merged(base, {"b": {"c": [2]}}, {"b": {"d": {"f": 3}}, "g": {}}) == {
        "a": 1, "b": {"c": [2], "d": {"e": 2, "f": 3}}, "g": {},
    }  # fmt: skip
    assert base == {"a": 1, "b": {"c": [1], "d": {"e": 2}}}
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
