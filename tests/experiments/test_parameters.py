"""The notebooks' parameters: what each may be, how it is read, and what becomes of the preset."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from reproduce.experiments.parameters import PARAMETERS, runs_of, wanted
from reproduce.experiments.parameters_told import told
from reproduce.runs.preset import Preset, load_preset
from snnlib.checks import InputError
from snnlib.store.paths import NOTEBOOKS

FIG2, FIG5, RACE, TABLE2 = "fig2_accuracy_vs_timesteps", "fig5_alpha", "fig3_4_training_time", "table2_inference_time"


@pytest.fixture(scope="module")
def smoke() -> Preset:
    return load_preset("smoke")


# --- all of them -----------------------------------------------------------------------------


def test_every_notebook_has_parameters_and_all_but_the_claims_have_more_than_the_preset() -> None:
    assert set(PARAMETERS) == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    assert [name for name, known in PARAMETERS.items() if not known] == ["claims"]


@pytest.mark.parametrize("notebook", PARAMETERS)
def test_nothing_given_is_the_preset_as_it_is(notebook: str, smoke: Preset) -> None:
    p, changed, own = wanted(notebook, "smoke", {})
    assert (p, changed) == (smoke, {})
    defaults = {name: parameter.default for name, parameter in PARAMETERS[notebook].items()}
    assert vars(own) == {name: value for name, value in defaults.items() if value is not None}
    assert wanted(notebook, "smoke", defaults) == (p, changed, own)  # as the notebook hands them over


@pytest.mark.parametrize("preset", ["smoke", "cpu", "paper"])
@pytest.mark.parametrize("notebook", PARAMETERS)
def test_the_help_tells_every_default_and_they_change_nothing(notebook: str, preset: str) -> None:
    p, defaults = load_preset(preset), {}
    lines = dict(told(notebook, p))
    assert list(lines) == list(PARAMETERS[notebook])
    for name, parameter in PARAMETERS[notebook].items():
        help, _, shown = lines[name].rpartition(" [")
        assert help == parameter.help
        value = shown.removesuffix("]")
        if name not in ("readout", "arms") and ": " not in value:  # one for all nets
            given = value if "," in value or not re.fullmatch(r"[\d.]+", value) else float(value)
            defaults[name] = int(given) if isinstance(given, float) and given.is_integer() else given
    assert wanted(notebook, preset, defaults).changed == {}


GOOD: dict[str, Any] = {  # other than in preset smoke
    "timesteps": 20, "alpha": 2.5, "beta": 0.4, "leak": 0, "image": 7, "noise_seeds": [3, 4], "seed": 9, "seeds": [9],
    "width": 0.03, "epochs": 6, "benchmark": 0.6, "memory_gib": 1, "repeats": 2, "within": 1, "ann_timesteps": 64,
    "alphas": [2, 3], "noise": "uniform", "weight": 0.6, "neuron": 3, "spreads": [0.25], "deviations": [0, 2],
    "lr": 0.1, "net": "mnist", "memory": "exact", "noise_width": 0.5,
    "nets": ["cnn"], "readout": "potential", "network": "vgg8", "dataset": "mnist",
}  # fmt: skip
ONLY = {  # where it is another kind of value, or one of the notebook's own
    (TABLE2, "timesteps"): [4, 20], ("one_pass", "timesteps"): [4, 20], ("record", "timesteps"): 8,
    ("one_pass", "arms"): ["potential", "rate8"], ("record", "arms"): ["potential", "whitened"],
    ("silent_choices", "arms"): ["ours", "arctan"],
}  # fmt: skip
EVERY = [(notebook, name) for notebook, known in PARAMETERS.items() for name in known]
ALONE = {
    (notebook, "nets") for notebook in (TABLE2, RACE, "memories", "one_pass", "record", "silent_choices")
}  # one net in preset smoke


@pytest.mark.parametrize(("notebook", "name"), [each for each in EVERY if each not in ALONE])
def test_each_changes_what_it_says_and_nothing_else(notebook: str, name: str, smoke: Preset) -> None:
    parameter = PARAMETERS[notebook][name]
    several = len(smoke.notebooks.get(runs_of(notebook), ())) > 1
    network = {"nets": ["cnn"], "network": "vgg8"} if several and "nets" in PARAMETERS[notebook] else {}
    value = ONLY[notebook, name] if (notebook, name) in ONLY else GOOD[name]
    given = network if name == "network" and network else {name: value}
    p, changed, own = wanted(notebook, "smoke", given)
    assert changed == given
    if parameter.own:
        assert getattr(own, name) == value
    if not parameter.sets:
        assert p == smoke
        return
    before, after = (preset.notebooks[runs_of(notebook)] for preset in (smoke, p))
    field = parameter.sets.removeprefix("evaluation.")
    if field != parameter.sets:
        assert after == before
        largest = value if not isinstance(value, list) or name == "noise_seeds" else max(value)
        expected = max(largest, 10) if field == "timesteps" else largest
        assert getattr(p.evaluation, field) == (tuple(expected) if isinstance(expected, list) else expected)
        same = {field: getattr(smoke.evaluation, field)}
        assert p.evaluation.changed(**same) == smoke.evaluation
        return
    assert p.evaluation == smoke.evaluation
    assert (after == before) == (name in ("benchmark", "ann_timesteps"))
    if name in ("width", "dataset", "network"):
        assert {getattr(spec, name) for arms in after.values() for runs in arms.values() for spec in runs} == {value}
    if name in ("seed", "seeds"):
        assert {spec.seed for arms in after.values() for runs in arms.values() for spec in runs} == {9}


BAD: dict[str, list[tuple[Any, str]]] = {
    "timesteps": [(1, "must be a whole number of at least 2"), ("20", "must be a whole"), (10**5, "at most 10000")],
    "alpha": [(1.5, "must be at least 2, or inf"), ("inf", "must be at least 2"), (10**400, "at most 1e308, or inf")],
    "alphas": [
        ([2, 1], "= 1: must be at least 2, or inf"), ("[2, x]", "= 'x': must be at least 2"), ([], "a list of 1 to 20"),
    ],
    "beta": [(1.5, "must be a number between 0.0 and 1.0")], "leak": [(-1, "must be a number between 0 and 1")],
    "image": [(100, "must be at most 99")], "neuron": [(1000, "must be at most 999")],
    "noise_seeds": [([0, 0], "must each be there once"), ("[]", "a list of 1 to 1000"), ([0.5], "must be a whole")],
    "seed": [("0", "must be a whole number of at least 0"), (-1, "at least 0"), (2**63, "must be at most")],
    "seeds": [
        ([*range(101)], "a list of 1 to 100 values"), ("0,a", "= 'a': must be a whole"), ([None], "= None: must"),
    ],
    "nets": [(["mlp"], "= 'mlp': must be one of "), ([3], "= 3: must be a name"), ({}, "must be a name")],
    "arms": [(["direct2"], "= 'direct2': must be one of "), ([["ours"]], "must be one of ")],
    "readout": [("votes", "must be one of spikes, potential")],
    "dataset": [("imagenet", "must be one of mnist, fashion_mnist, cifar10, fashion_mnist_mini")],
    "network": [("mlp", "must be one of cnn, vgg5, vgg8, resnet8, resnet8_256, vgg16, resnet18")],
    "width": [
        (0, "a finite number above 0"), (17, "at most 16"), (0.001, "leaves no channel"), ("1", "a finite"),
    ],
    "epochs": [(0, "must be a whole number of at least 1"), (1.5, "must be a whole"), (10**6, "at most 100000")],
    "benchmark": [(75, "must be a number between 0.01 and 0.99")],
    "memory_gib": [(0, "must be a finite number above 0"), (True, "must be a finite"), (1e300, "between 0 and")],
    "repeats": [(1, "must be a whole number of at least 2"), (10**9, "must be at most 1000")],
    "within": [(-1, "must be a number between 0 and 100")],
    "ann_timesteps": [(0, "must be a whole number of at least 1")],
    "noise": [("pink", "must be one of gaussian, uniform, max_normalised")],
    "weight": [(2, "must be a number between 0 and 1")],
    "spreads": [([0, 2], "= 2: must be a number between 0 and 1")],
    "deviations": [([0.5], "must have 0 among them"), ([-1, 0], "= -1: must be a number between 0 and 1000")],
    "lr": [(0, "must be a finite number above 0")],
    "net": [
        (1, "must be a name"), ("a/b", "must be a name, without / or"), ("../../x", "must be a name"),
        ("a\\b", "must be a name"), ("a\0", "must be a name"),
    ],
    "memory": [("potential", "must be one of paper's, exact, none")],
    "noise_width": [(1.5, "must be a number between 0 and 1"), ("wide", "must be a number")],
}  # fmt: skip
LISTED = [([0], "= 0: must be a whole number of at least 1")]
BAD_THERE = {
    (TABLE2, "timesteps"): LISTED, ("one_pass", "timesteps"): LISTED,
    ("explorer", "image"): [(1000, "must be at most 999")], ("explorer", "timesteps"): [(33, "must be at most 32")],
    ("explorer", "noise"): [("Gaussian", "must be one of gaussian, uniform")],
}  # fmt: skip


@pytest.mark.parametrize(("notebook", "name"), EVERY)
def test_a_value_that_cannot_be_is_refused_in_a_line(notebook: str, name: str) -> None:
    for value, words in BAD_THERE.get((notebook, name), BAD[name]):
        with pytest.raises(InputError) as error:
            wanted(notebook, "smoke", {name: value})
        message = str(error.value)
        assert message.startswith(f"{name} = ")
        assert words in message
        assert "\n" not in message


def test_a_value_that_is_missing_is_refused_where_no_preset_has_it() -> None:
    with pytest.raises(InputError, match="^alpha = None: must be at least 2"):
        wanted("fig7_potential_dynamics", "smoke", {"alpha": None})


def test_a_parameter_that_there_is_not_is_a_mistake_in_the_notebook() -> None:
    for notebook in ("fig7_potential_dynamics", "claims"):
        with pytest.raises(KeyError, match="colour"):
            wanted(notebook, "smoke", {"colour": "blue"})


# --- lists -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    ["[2, 3, 8]", "2,3,8", " [2.0,3, 8, ] ", (2, 3, 8), [2, 3, 8]],
)
def test_a_list_may_be_text_as_papermill_leaves_it(given: object) -> None:
    assert wanted(FIG5, "smoke", {"alphas": given}).own.alphas == [2, 3, 8]


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("alphas", "[2, inf]", [2, math.inf]),
        ("alphas", 3, [3]),
        ("nets", "cnn", ["cnn"]),
        ("nets", "[\"cnn\", 'vgg16']", ["cnn", "vgg16"]),
        ("seeds", range(5), [0, 1, 2, 3, 4]),
        ("seeds", "7", [7]),
    ],
)
def test_one_value_or_words_in_quotes_are_lists_too(name: str, given: object, expected: list[Any]) -> None:
    assert wanted(FIG5, "smoke", {name: given}).changed == {name: expected}


# --- what is changed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("notebook", "given", "changed"),
    [
        ("method", {"timesteps": 10, "alpha": 4}, {}),  # what the preset has
        ("method", {"timesteps": 20, "alpha": 4.0, "leak": None}, {"timesteps": 20}),
        ("method", {"alpha": math.inf, "beta": 0.4}, {"alpha": math.inf, "beta": 0.4}),
        ("method", {"seed": 0, "dataset": "fashion_mnist_mini"}, {}),
        (FIG5, {"nets": ["resnet18", "cnn", "vgg16"]}, {}),
        ("memories", {"nets": ["cnn"], "seeds": [0, 1, 2]}, {}),
        (FIG5, {"alphas": [2, 2.5, 4, 8, math.inf]}, {}),
        (FIG5, {"seeds": [2, 1, 0]}, {"seeds": [2, 1, 0]}),
        ("fig6_noise_type", {"readout": "spikes"}, {}),
        (FIG5, {"readout": "spikes"}, {"readout": "spikes"}),  # its figures have both
        (FIG2, {"network": "cnn", "nets": ["cnn"]}, {"nets": ["cnn"]}),
        (RACE, {"benchmark": 0.75, "epochs": 3}, {}),
        (
            "one_pass",
            {"arms": ["rate4_start", "rate4", "rate1", "qcfs", "relu", "direct4_short", "potential"]},
            {},
        ),
        (FIG5, {"epochs": 1, "timesteps": 20, "alphas": [3]}, {"alphas": [3], "timesteps": 20, "epochs": 1}),
    ],
)  # fmt: skip
def test_what_is_not_as_the_preset_has_it_is_changed(
    notebook: str, given: dict[str, Any], changed: dict[str, Any]
) -> None:
    found = wanted(notebook, "smoke", given).changed
    assert found == changed
    assert list(found) == list(changed)  # whatever the order in which they were given


def test_values_may_be_possible_only_together() -> None:
    with pytest.raises(InputError, match=r"^smoke.toml with network = vgg8: .*must not be as in net"):
        wanted(FIG2, "smoke", {"network": "vgg8"})
    changed = {"nets": ["cnn"], "network": "vgg8"}
    assert wanted(FIG2, "smoke", changed).changed == changed


def test_more_steps_than_the_preset_has_are_run_and_fewer_cost_nothing() -> None:
    for timesteps, expected in (([2, 4], 10), ([2, 40], 40)):
        p, _, own = wanted(TABLE2, "smoke", {"timesteps": timesteps})
        assert (p.evaluation.timesteps, own.timesteps) == (expected, timesteps)
        assert ("timesteps" in p.description) == (expected != 10)


def test_table_1_shows_the_runs_of_figure_2() -> None:
    p = wanted("table1_networks", "smoke", {"width": 0.5}).preset
    assert {run.spec.width for run in p.runs(FIG2)} == {0.5}
