"""The choice of peak learning rates: what is trained, on which images it is tested, and what is chosen."""

from __future__ import annotations

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_runs import InterruptError, stop_after
from toml_text import toml

from reproduce.batch import tune as tuning
from reproduce.batch.tune import held_out, rates, tune, tuned_arms
from reproduce.cli import training as command_line
from reproduce.runs import preset_found
from reproduce.runs.preset import Preset, load_preset, nets_as_written
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.store.paths import published_dir
from snnlib.training.failures import DeviceError, TrainingError

NET = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16}
CONTENT = {
    "description": "d",
    "evaluation": {"timesteps": 10, "noise_seeds": [0]},
    "benchmark": {"cnn": 0.5},
    "recipe": {"batch_size": 32, "lr": 6e-3, "schedule": "one_cycle"},
    "nets": {
        "net": {
            **NET,
            "recipe": {"epochs": 4, "evaluate_every": 1},
            "arms": {"ours": {"lr": 0.5}, "equal_time": {"epochs": 8, "evaluate_every": 2}, "tuned": {"epochs": 1}},
        },
        "other": {**NET, "width": 1 / 8, "recipe": {"epochs": 1, "lr": 0.1}},
    },
    "notebooks": {
        "fig3_4_training_time": [{"nets": ["net"], "arms": ["ours", "equal_time", "direct", "tuned"], "seeds": [1, 2]}],
        "table2_inference_time": [{"nets": ["net", "other"], "arms": ["ours", "potential", "relu"], "seeds": [1]}],
        "fig6_noise_type": [{"nets": ["net"], "arms": ["ours", "uniform"], "seeds": [1]}],
        "silent_choices": [{"nets": ["net"], "arms": ["ours", "arctan"], "seeds": [1]}],
    },
}
ARMS = {
    "net": ["ours", "potential", "equal_time", "direct", "tuned", "relu", "uniform"],
    "other": ["ours", "potential", "relu"],
}


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preset:
    (tmp_path / "p.toml").write_text(toml(CONTENT))
    monkeypatch.setattr(preset_found, "FOLDER", tmp_path)
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    return load_preset("p")


class Trained:
    """In place of training: an accuracy that a test knows, for each spec."""

    def __init__(self) -> None:
        self.specs: list[Spec] = []
        self.best = 0.02  # rates nearer to it are better
        self.errors: dict[float, Exception] = {}

    def __call__(self, spec: Spec) -> Any:
        self.specs.append(spec)
        if spec.recipe.lr in self.errors:
            raise self.errors[spec.recipe.lr]
        last = 0.9 - abs(np.log(spec.recipe.lr / self.best)) / 10
        return SimpleNamespace(history=pd.DataFrame({"test_accuracy": [np.nan, last]}))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Trained:
    found = Trained()
    monkeypatch.setattr(tuning, "ensure", found)
    monkeypatch.setattr(tuning, "equal_time", lambda *_: "")
    return found


def test_arms_with_a_rate_of_their_own_are_tuned_and_no_others(preset: Preset) -> None:
    assert {net: list(arms) for net, arms in tuned_arms(preset).items()} == ARMS
    for name in ("smoke", "cpu", "paper"):
        found = {arm for arms in tuned_arms(load_real(name)).values() for arm in arms}
        assert {"ours", "potential", "equal_time", "direct", "direct4", "direct2", "relu", "qcfs"} <= found
        assert {"uniform", "uniform_potential", "constant", "constant_potential", "no_noise"} <= found
        assert not found & {"rectangle", "gaussian_k2", "max_normalised", "no_batch_norm"}


def test_every_rate_of_smoke_is_the_one_that_was_chosen() -> None:
    """The preset's arms train at the rates of the published table; no claim is on the record's, which it lacks."""
    table = pd.read_csv(published_dir() / "smoke" / "tuning" / "tuning.csv").query("chosen")
    chosen = {(row.net, row.arm): row.lr for row in table.itertuples()}
    found = {(n, arm): s.recipe.lr for n, arms in tuned_arms(load_real("smoke")).items() for arm, s in arms.items()}
    found = {(n, arm): lr for (n, arm), lr in found.items() if n != "resnet8"}
    assert found == pytest.approx(chosen)


def load_real(name: str) -> Preset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preset_found, "FOLDER", Path(preset_found.__file__).parent / "presets")
        return load_preset(name)


def test_each_is_trained_at_a_third_of_the_presets_rate_at_it_and_at_three_times(
    preset: Preset, trained: Trained
) -> None:
    tune(preset)
    assert {s.seed for s in trained.specs} == {0}
    assert {s.hold_out for s in trained.specs} == {600}  # of 6,000
    assert all(s.recipe.evaluate_every == s.recipe.epochs for s in trained.specs)
    by_arm = [trained.specs[i : i + 3] for i in range(0, len(trained.specs), 3)]
    assert len(by_arm) == sum(map(len, ARMS.values()))
    for specs in by_arm:  # the net's rate, not the one chosen for an arm before
        grid = [0.1, 0.0333, 0.3] if specs[0].width == 1 / 8 else [0.006, 0.002, 0.018]
        assert [s.recipe.lr for s in specs] == pytest.approx(grid)
        same = [s.model_dump() for s in specs]
        for fields in same:
            fields["recipe"].pop("lr")
        assert same[0] == same[1] == same[2]
    assert [s[0].recipe.epochs for s in by_arm] == [4, 4, 8, 4, 1, 4, 4, 1, 1, 1]


def test_a_shorter_search_keeps_the_ratio_of_each_arms_epochs_to_its_nets(
    preset: Preset, trained: Trained, tmp_path: Path
) -> None:
    tune(preset, ["net"], epochs=2)
    assert [s.recipe.epochs for s in trained.specs[::3]] == [2, 2, 4, 2, 1, 2, 2]  # of 4, 4, 8, 4, 1, 4, 4
    assert all(s.recipe.evaluate_every == s.recipe.epochs for s in trained.specs)
    assert {s.after.recipe.epochs for s in trained.specs if s.after} == {2}
    table = pd.read_csv(tmp_path / "figures" / "p" / "tuning" / "tuning.csv")
    assert table.epochs.tolist() == [s.recipe.epochs for s in trained.specs]
    with pytest.raises(InputError, match="epochs = 0: must be"):
        tune(preset, ["net"], epochs=0)


def test_what_comes_after_another_run_does_so_without_the_images_too(preset: Preset, trained: Trained) -> None:
    tune(preset, ["net"])
    (tuned, *_) = (s for s in trained.specs if s.after)
    assert tuned.after == held_out(tuned_arms(preset)["net"]["ours"])
    assert (tuned.after.hold_out, tuned.after.seed, tuned.after.recipe.lr) == (600, 0, 0.5)


def test_the_best_is_chosen_written_and_told_as_the_preset_has_it(
    preset: Preset, trained: Trained, tmp_path: Path
) -> None:
    text = tune(preset, ["net"])
    table = pd.read_csv(tmp_path / "figures" / "p" / "tuning" / "tuning.csv")
    assert list(table.columns) == tuning.COLUMNS
    assert table.net.unique().tolist() == ["net"]
    assert table.arm.unique().tolist() == ARMS["net"]
    assert table[table.chosen].lr.tolist() == pytest.approx([0.018] * 7)  # nearest to 0.02
    for _, arm in table.groupby("arm"):
        assert arm.accuracy.idxmax() == arm.index[arm.chosen][0]
    (section,) = (part for part in text.split("\n\n") if part.startswith("[nets."))
    assert tomllib.loads(section)["nets"]["net"]["arms"] == {
        "ours": {"lr": 0.018}, "potential": {"lr": 0.018}, "direct": {"lr": 0.018}, "relu": {"lr": 0.018},
        "uniform": {"lr": 0.018},
        "equal_time": {"epochs": 8, "evaluate_every": 2, "lr": 0.018}, "tuned": {"epochs": 1, "lr": 0.018},
    }  # fmt: skip
    assert "| net direct" in text
    assert "tuning.csv" in text


@pytest.mark.parametrize(
    ("best", "told"),
    [
        (0.02, "ours (3 × lr), potential (3 × lr), relu (3 × lr)"),
        (0.001, "ours (1/3 × lr), potential (1/3 × lr), relu (1/3 × lr)"),
        (0.006, "none"),
    ],
)
def test_the_arms_that_do_best_at_an_edge_of_the_grid_are_told(
    preset: Preset, trained: Trained, best: float, told: str
) -> None:
    trained.best = best * 0.1 / 0.006  # of the other net
    line = f"best at an edge of the grid, which is not extended: {told}"
    assert tune(preset, ["other"]).replace("other ", "").count(line) == 1


def test_of_equal_rates_the_presets_is_chosen(preset: Preset, trained: Trained) -> None:
    trained.best = 0.006 * 3**0.5  # as far from 1 as from 3 times
    assert "ours = { lr = 0.006 }" in tune(preset, ["net"])


def test_a_rate_at_which_training_breaks_off_is_not_chosen(preset: Preset, trained: Trained, tmp_path: Path) -> None:
    trained.errors = {0.018: TrainingError("no longer finite")}
    assert "ours = { lr = 0.006 }" in tune(preset, ["net"])
    trained.errors |= {0.002: TrainingError("x"), 0.006: TrainingError("x")}
    assert "[nets." not in tune(preset, ["net"])
    assert not pd.read_csv(tmp_path / "figures" / "p" / "tuning" / "tuning.csv").chosen.any()
    trained.errors[0.006] = DeviceError("gone")
    with pytest.raises(DeviceError):
        tune(preset, ["net"])


def test_a_net_without_such_arms_is_refused(preset: Preset, trained: Trained) -> None:
    with pytest.raises(InputError, match="preset p, net = 'nets': must be one of net, other"):
        tune(preset, ["nets"])
    alike = {"net": {"arctan": preset.notebooks["silent_choices"]["net"]["arctan"]}}
    none = preset.model_copy(update={"notebooks": {"silent_choices": alike}})
    with pytest.raises(InputError, match="preset p: must have an arm with a rate of its own"):
        tune(none)
    assert not trained.specs


def test_all_that_is_refused_is_refused_before_anything_is_trained(
    preset: Preset, trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="benchmark has no accuracy for cnn"):  # needed at the end, for equal time
        tune(preset.model_copy(update={"benchmark": {}}))
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "claimed", lambda *_: (_ for _ in ()).throw(InputError("another preset's")))
        with pytest.raises(InputError, match="another preset's"):
            tune(preset)
    content = {**CONTENT, "nets": {**CONTENT["nets"], "other": {**NET, "width": 1 / 8, "recipe": {"lr": 5.0}}}}
    (tmp_path / "p.toml").write_text(toml(content))
    with pytest.raises(InputError, match="lr = 15.0: .*less than or equal to 10"):  # of the net that is last
        tune(load_preset("p"))
    assert not trained.specs


def test_a_presets_nets_have_the_whole_of_their_recipes(preset: Preset) -> None:
    nets = nets_as_written("p")
    assert nets["net"]["recipe"]["lr"] == 6e-3
    assert nets["other"]["recipe"] == {**nets["net"]["recipe"], "epochs": 1, "lr": 0.1, "evaluate_every": 1}
    assert nets["net"]["arms"] == CONTENT["nets"]["net"]["arms"]


def test_a_grid_has_three_digits() -> None:
    assert rates(2e-3) == {"1": 0.002, "1/3": 0.000667, "3": 0.006}


def test_the_command_trains_what_is_missing_and_goes_on_where_it_was(
    preset: Preset, folder: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On few images: from the command line to the runs' store, interrupted once."""
    monkeypatch.setattr(command_line, "load_preset", lambda _: preset)
    monkeypatch.setattr(tuning, "training_cost", lambda *_, **__: costs(preset))
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            command_line.tune_rates(["other"], "p")
    command_line.tune_rates(["other"], "p")
    assert len(trainings) == 1 + 9
    assert all("held_out600-s0" in label for label in trainings)
    first = tuned_arms(preset)["other"]["ours"]
    assert Run(held_out(first, 0.3)).done
    command_line.tune_rates(["other"], "p")
    assert len(trainings) == 1 + 9


def costs(preset: Preset) -> pd.DataFrame:
    return pd.DataFrame({**NET, "augment": "none", "arm": ["ours", "direct"], "step_seconds": [0.01, 0.0655]})


def test_epochs_at_equal_time_are_told_by_the_measured_ratio(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "training_cost", lambda *_, **__: costs(preset))
    text = tuning.equal_time(preset, ["net"])
    assert [cell.strip() for cell in text.splitlines()[-1].split("|")[5:-1]] == ["4", "6.55", "24", "8"]
    assert tuning.equal_time(preset) == text
    assert tuning.equal_time(preset, ["other"]) == ""
