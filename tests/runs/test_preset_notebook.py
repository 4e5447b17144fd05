"""A preset as one notebook has it: what is changed there, in which runs, and that nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from reproduce.runs.preset import Preset, changed_for, load_preset
from reproduce.runs.spec import Spec
from snnlib.checks import InputError

FIG5, RACE = "fig5_alpha", "fig3_4_training_time"


@pytest.fixture(scope="module")
def smoke() -> Preset:
    return load_preset("smoke")


def specs(preset: Preset, notebook: str, **changes: Any) -> dict[str, dict[str, list[Spec]]]:
    found = changed_for(notebook, preset, changes).notebooks
    assert list(found) == [notebook]
    return {net: {arm: list(runs) for arm, runs in arms.items()} for net, arms in found[notebook].items()}


def every(nets: dict[str, dict[str, list[Spec]]]) -> list[Spec]:
    return [spec for arms in nets.values() for runs in arms.values() for spec in runs]


def test_fields_are_those_of_set(smoke: Preset) -> None:
    """The same runs as `--set` makes of the whole preset, in the notebook that was asked for."""
    changed = load_preset("smoke", ["width=0.03", "seeds=7,8"]).notebooks[FIG5]
    assert changed_for(FIG5, smoke, {"width": 0.03, "seeds": [7, 8]}).notebooks[FIG5] == changed
    p = changed_for(FIG5, smoke, {"evaluation.timesteps": 20, "evaluation.noise_seeds": [3], "ann_timesteps": 64})
    assert (p.evaluation.timesteps, p.evaluation.noise_seeds, p.ann_timesteps) == (20, (3,), 64)
    assert p.notebooks[FIG5] == smoke.notebooks[FIG5]


def test_nets_are_some_of_the_notebooks_and_others_are_left_as_they_are(smoke: Preset) -> None:
    usual = smoke.notebooks[FIG5]
    some = specs(smoke, FIG5, nets=["vgg16", "cnn"])
    assert some == {net: {arm: list(runs) for arm, runs in usual[net].items()} for net in ("cnn", "vgg16")}
    one = specs(smoke, FIG5, nets=["cnn"], network="resnet8", dataset="cifar10")
    assert {(spec.network, spec.dataset) for spec in every(one)} == {("resnet8", "cifar10")}
    with pytest.raises(InputError, match="^nets = 'mlp': must be one of cnn, vgg16, resnet18$"):
        specs(smoke, FIG5, nets=["cnn", "mlp"])


def test_a_net_that_stands_in_two_entries_is_named_once() -> None:
    named = "mnist_half, race_cnn, race_vgg16, race_resnet18$"
    with pytest.raises(InputError, match=f"^nets = 'mlp': must be one of {named}"):
        specs(load_preset("cpu"), "table2_inference_time", nets=["mlp"])


def test_arms_are_those_of_every_net_with_its_seeds(smoke: Preset) -> None:
    found = specs(smoke, "one_pass", arms=["rate8", "rate1"])
    assert [*found["cnn"]] == ["rate1", "rate8"]  # in the order of ARMS
    assert [spec.dynamics.levels for spec in every(found)] == [1, 8]
    assert [spec.seed for spec in found["cnn"]["rate8"]] == [0]
    split = specs(load_preset("cpu"), "record", arms=["potential", "mse"])
    assert {net: ([*arms], len(arms["mse"])) for net, arms in split.items()} == {
        "record_narrow": (["potential", "mse"], 1), "record": (["potential", "mse"], 3),
        "record_deeper": (["potential", "mse"], 1),
    }  # fmt: skip


def test_potentials_stand_where_spikes_were(smoke: Preset) -> None:
    usual = smoke.notebooks[FIG5]
    found = specs(smoke, FIG5, readout="potential")
    assert [*found["cnn"]] == ["ours", "uniform"]
    assert tuple(found["cnn"]["ours"]) == usual["cnn"]["potential"]  # with the rate that was tuned for it
    assert tuple(found["cnn"]["uniform"]) == usual["cnn"]["uniform_potential"]
    assert {spec.readout for spec in every(found)} == {"potential"}
    spikes = specs(smoke, FIG5, readout="spikes")
    assert spikes == {net: {arm: list(usual[net][arm]) for arm in ("ours", "uniform")} for net in usual}


def test_arms_keep_their_ratio_to_the_epochs(smoke: Preset) -> None:
    before = {arm: runs[0].recipe.epochs for arm, runs in smoke.notebooks[RACE]["cnn"].items()}
    found = {arm: runs[0].recipe.epochs for arm, runs in specs(smoke, RACE, epochs=6)["cnn"].items()}
    assert before == {"ours": 3, "equal_time": 16, "direct": 3, "direct4": 3, "direct2": 3, "relu": 3}
    assert found == {arm: 2 * epochs for arm, epochs in before.items()}
    assert {spec.recipe.epochs for spec in every(specs(smoke, "table2_inference_time", epochs=1))} == {1}  # at least


def test_a_benchmark_is_that_of_each_network(smoke: Preset) -> None:
    cpu = load_preset("cpu")
    assert changed_for(RACE, cpu, {"benchmark": 0.6}).benchmark == {"cnn": 0.6, "vgg16": 0.6, "resnet18": 0.6}
    assert changed_for(RACE, cpu, {"nets": ["race_cnn"], "benchmark": 0.6}).benchmark == {"cnn": 0.6}


def test_it_says_what_was_changed_and_leaves_the_preset(smoke: Preset) -> None:
    p = changed_for(FIG5, smoke, {"evaluation.timesteps": 20, "seeds": [0, 1], "nets": ["cnn"]})
    assert p.description == f"{smoke.description}; with timesteps = 20, seeds = [0, 1], nets = [cnn]"
    assert (p.name, p.given) == (smoke.name, smoke.given)
    assert load_preset("smoke") == smoke


@pytest.mark.parametrize(
    ("notebook", "changes", "message"),
    [
        (FIG5, {"network": "cnn"}, "smoke.toml with network = cnn: notebooks.fig5_alpha, net .*must not be as in net"),
        (FIG5, {"nets": ["cnn"], "dataset": "cifar10"}, r"smoke.toml with nets = \[cnn\], dataset = cifar10: nets.cnn"),
        (FIG5, {"evaluation.alpha": 1}, "smoke.toml with alpha = 1: .*alpha = 1.0: must be at least 2"),
        ("claims", {"width": 1}, "preset smoke, runs for notebook = 'claims': must be one of method, "),
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_line(smoke: Preset, notebook: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}") as error:
        changed_for(notebook, smoke, changes)
    assert "\n" not in str(error.value)
