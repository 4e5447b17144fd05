"""Labels: whatever is listed together, no two runs have the same one, and what they say is what differs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reproduce.runs.labels import labels
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.spec import Spec

NET = {"dataset": "fashion_mnist", "network": "cnn"}


@pytest.mark.parametrize("name", preset_names())
def test_a_presets_runs_have_each_its_own(name: str) -> None:
    runs = load_preset(name).all_runs().values()
    assert len({run.label for run in runs}) == len(runs)
    assert len({run.spec.label for run in runs}) < len(runs)  # which specs alone do not
    assert all(run.label.partition("+")[0] == run.spec.label for run in runs)


@pytest.mark.parametrize(
    ("changes", "suffixes"),
    [
        ([{}], [""]),
        ([{}, {"seed": 1}], ["", ""]),  # the seed is in every label
        ([{"recipe": {"lr": 0.1}}, {}], ["", "+lr=0.0001"]),
        ([{}, {}], [""]),  # the same run
        (
            [{}, {"recipe": {"epochs": 3}}, {"dynamics": {"kind": "single_step", "surrogate": {"kind": "arctan"}}}],
            ["", "+epochs=3", "+surrogate=arctan"],
        ),
        ([{}, {"batch_norm": False}, {"batch_norm": False, "recipe": {"evaluate_every": 0}}],
         ["+batch_norm=true", "", "+evaluate_every=0"]),
        ([{"recipe": {"epochs": 3, "evaluate_every": 2}}, {"recipe": {"epochs": 4}}], ["", "+epochs=4"]),
        ([{"width": 0.25}, {"width": 0.25 + 1e-9}], ["", "+width=0.250000001"]),  # alike to six digits
        (
            [{"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "k": k}}} for k in (4, 2, 8)],
            ["", "+k=2.0", "+k=8.0"],
        ),
    ],
)  # fmt: skip
def test_as_few_fields_are_told_as_tell_runs_apart(changes: list[dict[str, Any]], suffixes: list[str]) -> None:
    specs = [Spec(**{**NET, **fields}) for fields in changes]
    found = labels(specs)
    assert [found[spec.name].removeprefix(spec.label) for spec in dict.fromkeys(specs)] == suffixes


def test_a_field_is_named_with_what_it_is_in_where_two_have_its_name() -> None:
    first = Spec(**NET, dynamics={"kind": "lif"}, after=Spec(**NET))
    second = Spec(**NET, dynamics={"kind": "lif"}, after=Spec(**NET, recipe={"lr": 0.1}))
    third = Spec(**NET, dynamics={"kind": "lif"}, after=Spec(**NET), recipe={"lr": 0.1})
    found = labels([first, second, third])
    assert found[second.name].endswith("+after.recipe.lr=0.1")
    assert found[third.name].endswith("+recipe.lr=0.1")


recipes = st.fixed_dictionaries(
    {}, optional={"epochs": st.integers(1, 4), "lr": st.sampled_from([0.1, 0.01]), "evaluate_every": st.integers(0, 2),
                  "augment": st.sampled_from(["none", "crop"]), "compile": st.booleans()},
)  # fmt: skip
dynamics = st.sampled_from([
    {"kind": "single_step"}, {"kind": "lif"}, {"kind": "lif", "leak": 0.25},
    {"kind": "single_step", "noise": {"kind": "uniform"}},
    {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}},
    {"kind": "single_step", "noise": {"kind": "uniform", "high": 0}},
    {"kind": "single_step", "surrogate": {"kind": "sigmoid"}},
])  # fmt: skip
specs = st.builds(
    lambda recipe, d, width, seed, after: Spec(
        **NET, width=width, seed=seed, recipe=recipe, dynamics=d, after=Spec(**NET, width=width) if after else None
    ),
    recipes, dynamics, st.sampled_from([1, 0.5, 0.5 + 1e-9]), st.integers(0, 1), st.booleans(),
)  # fmt: skip


@settings(max_examples=100, deadline=None, database=None, derandomize=True)
@given(st.lists(specs, max_size=12))
def test_any_specs_have_each_its_own(found: list[Spec]) -> None:
    named = labels(found)
    assert set(named) == {spec.name for spec in found}
    assert len(set(named.values())) == len(named)
    assert all(label.isprintable() and " " not in label for label in named.values())
