"""Arms: what each changes is all that it changes, in every comparison of every preset."""

from __future__ import annotations

from typing import Any

import pytest

from snnlib.runs.arms import ARMS, merged
from snnlib.runs.preset import load_preset, preset_names
from snnlib.runs.spec import Spec

# Fields in which an arm may differ from ours, by dotted name; LIF and ReLU neurons have others altogether.
DIFFERS = {
    "ours": set(),
    "potential": {"readout"},
    "direct": {"dynamics", "timesteps"},
    "tuned": {"dynamics", "timesteps", "after", "recipe.epochs", "recipe.lr"},
    "relu": {"dynamics", "readout"},
    "qcfs": {"dynamics", "readout"},
    "uniform": {"dynamics.noise"},
    "rectangle": {"dynamics.surrogate"},
    "arctan": {"dynamics.surrogate"},
    "sigmoid": {"dynamics.surrogate"},
    "gaussian_k2": {"dynamics.noise"},
    "gaussian_k8": {"dynamics.noise"},
    "max_normalised": {"dynamics.noise"},
    "no_noise": {"dynamics.noise"},
    "no_batch_norm": {"batch_norm"},
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
    compared = 0
    for notebook in p.notebooks:
        for arms in p.comparison(notebook, must=("ours",), may=tuple(ARMS)).values():
            for arm, runs in arms.items():
                for ours, run in zip(arms["ours"], runs, strict=True):
                    found = differ(ours.spec, run.spec) - {"recipe.evaluate_every"}  # how often it is tested
                    assert found <= DIFFERS[arm]
                    assert bool(found) == (arm != "ours")
                    compared += 1
    assert compared > 50


def test_every_arm_is_a_run_of_its_own() -> None:
    net = {"dataset": "mnist", "network": "cnn", "recipe": {"epochs": 5}}
    specs = {name: arm.spec(net, 3, {}) for name, arm in ARMS.items()}
    assert len({spec.key for spec in specs.values()}) == len(ARMS) == len(DIFFERS)
    assert specs["ours"] == Spec(**net, seed=3)
    assert all(differ(specs["ours"], spec) <= DIFFERS[name] for name, spec in specs.items())


def test_only_what_is_trained_after_ours_has_a_run_before_it() -> None:
    net = {"dataset": "mnist", "network": "cnn", "recipe": {"epochs": 5, "lr": 0.1}}
    tuned = ARMS["tuned"].spec(net, 3, {"epochs": 1})
    assert tuned.after == ARMS["ours"].spec(net, 3, {})
    assert (tuned.recipe.epochs, tuned.recipe.lr) == (1, 0.1)
    assert [name for name, arm in ARMS.items() if arm.spec(net, 3, {}).after] == ["tuned"]


def test_mappings_are_merged_and_all_else_is_replaced() -> None:
    base = {"a": 1, "b": {"c": [1], "d": {"e": 2}}}
    assert merged(base, {"b": {"c": [2]}}, {"b": {"d": {"f": 3}}, "g": {}}) == {
        "a": 1, "b": {"c": [2], "d": {"e": 2, "f": 3}}, "g": {},
    }  # fmt: skip
    assert base == {"a": 1, "b": {"c": [1], "d": {"e": 2}}}
    assert merged({"a": {"b": 1}}, {"a": 2}) == {"a": 2}
