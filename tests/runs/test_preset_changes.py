"""`--set`: what it changes, in which runs, and that the file that is printed is the same preset."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from reproduce.runs.preset import Preset, as_written, load_preset
from reproduce.runs.preset_file import toml
from reproduce.runs.preset_found import preset_names
from reproduce.runs.spec import Spec
from snnlib.checks import InputError


def specs(preset: Preset, *changes: str) -> list[Spec]:
    return [run.spec for run in load_preset(preset.given, changes).all_runs().values()]


@pytest.fixture(scope="module")
def smoke() -> Preset:
    return load_preset("smoke")


@pytest.mark.parametrize("name", preset_names())
def test_a_file_that_is_printed_is_the_same_preset(name: str, tmp_path: Path) -> None:
    text = toml(as_written(name))
    assert tomllib.loads(text) == as_written(name)
    changes = ["seeds=7,8", "recipe.batch_size=64"]
    file = tmp_path / "mine.toml"
    file.write_text(toml(as_written(name, changes)))
    assert list(load_preset(str(file)).all_runs()) == list(load_preset(name, changes).all_runs())


def test_a_text_of_any_letters_comes_back() -> None:
    text = 'quote " backslash \\ line\n tab\t delete\x7f nul\0 ä 😀 [a] = #'
    content = {"description": text, "nets": {"a.b": {"width": 0.1}, 'ü"': {"arms": {}}}, "notebooks": {}}
    assert tomllib.loads(toml(content)) == content


def test_a_nets_field_is_every_nets(smoke: Preset) -> None:
    assert {spec.width for spec in specs(smoke, "width=0.03")} == {0.03}
    assert {spec.hold_out for spec in specs(smoke, "hold_out=500")} == {500}


def test_a_recipes_field_is_every_runs_whatever_nets_and_arms_had(smoke: Preset) -> None:
    for name, value in (("epochs", 2), ("lr", 0.5), ("evaluate_every", 0), ("batch_size", 20)):
        before = {getattr(spec.recipe, name) for spec in specs(smoke)}
        assert len(before) > 1
        assert {getattr(spec.recipe, name) for spec in specs(smoke, f"recipe.{name}={value}")} == {value}


def test_seeds_are_every_comparisons(smoke: Preset) -> None:
    for text, expected in (("0", {0}), ("3,5", {3, 5}), ("3,5,", {3, 5})):
        assert {spec.seed for spec in specs(smoke, f"seeds={text}")} == expected


def test_one_net_or_arm_alone(smoke: Preset) -> None:
    for spec in specs(smoke, "nets.cnn.width=0.03"):
        assert (spec.width == 0.03) == (spec.network == "cnn")
    rates = {(spec.network, spec.recipe.lr) for spec in specs(smoke, "nets.vgg16.recipe.lr=0.5")}
    assert {lr for network, lr in rates if network == "vgg16"} == {0.5}
    assert 0.5 not in {lr for network, lr in rates if network != "vgg16"}
    (direct,) = {spec.recipe.lr for spec in specs(smoke, "nets.cnn.arms.direct.lr=0.5") if spec.training == "lif10"}
    assert direct == 0.5


def test_they_are_made_one_after_another(smoke: Preset) -> None:
    last = specs(smoke, "recipe.epochs=2", "nets.cnn.arms.equal_time.epochs=9")
    assert {spec.recipe.epochs for spec in last} == {2, 9}
    assert {spec.recipe.epochs for spec in specs(smoke, "nets.cnn.arms.equal_time.epochs=9", "recipe.epochs=2")} == {2}


def test_what_is_done_with_trained_nets() -> None:
    p = load_preset("smoke", ["evaluation.alpha=inf", "evaluation.noise_seeds=4", "ann_timesteps=64", "ann_images=9"])
    assert (p.evaluation.alpha, p.evaluation.noise_seeds, p.ann_timesteps) == (float("inf"), (4,), 64)
    assert p.ann_images == 9


def test_the_description_says_what_was_changed() -> None:
    p = load_preset("smoke", ["width=0.03", "seeds=0,1"])
    assert p.description == f"{load_preset('smoke').description}; with width = 0.03, seeds = 0,1"
    many = [f"nets.cnn.arms.{arm}.lr=0.12345" for arm in ("ours", "direct", "direct2", "direct4", "relu", "qcfs")] * 4
    assert len(load_preset("smoke", many).description) <= 500


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("widht=0.25", ["--set, name = 'widht'", "nearest are width"]),
        ("recipe.epoch=2", ["'recipe.epoch'", "nearest are recipe.epochs"]),
        ("epochs=2", ["'epochs'", "recipe.epochs"]),
        ("nets.mlp.width=1", ["'nets.mlp.width'", "nets.cnn.width"]),
        ("nets.cnn.arms.arctan.lr=1", ["'nets.cnn.arms.arctan.lr'"]),  # it takes ours'
        ("readout=potential", ["'readout'"]),
        ("=3", ["name = ''"]),
        ("width", ["--set 'width': must be name=value"]),
        ("", ["--set '': must be name=value"]),
        ("width=wide", ["smoke.toml with --set: nets.cnn: width = 'wide'", "valid number"]),
        ("width=true", ["width = True: must not be true or false"]),
        ("width=0.1,0.2", ["width = [0.1, 0.2]"]),
        ("seeds=0,0", ["seeds = [0, 0]: must each be there once"]),
        ("seeds=", ["seeds.0 = ''", "valid integer"]),
        ("recipe.epochs=0", ["recipe: epochs = 0", "greater than or equal to 1"]),
        ("recipe.epochs=1" + "0" * 5000, ["recipe: epochs = "]),
        ("network=cnn", ["must not be as in net"]),  # then nothing tells the nets apart
        ("evaluation.alpha=1", ["alpha = 1", "at least 2, or inf"]),
    ],
)
def test_what_cannot_be_set_is_one_line(change: str, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        load_preset("smoke", [change])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 500
    for word in words:
        assert word in str(error.value)


def test_the_preset_itself_stays_as_it_is() -> None:
    before = as_written("smoke")
    as_written("smoke", ["width=0.03", "recipe.lr=0.5", "seeds=9"])
    assert as_written("smoke") == before
    assert re.search("lr = ", toml(before))
