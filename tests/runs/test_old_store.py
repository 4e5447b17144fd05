"""A run store written before fields were added: its runs' names hold, and they are loaded, evaluated and resumed."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reproduce.experiments.made_with import made_with
from reproduce.runs import results, trained
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.training.loop import State

# Written by commit 980eae4, the specs below by the names that they had there; names.json is what its presets named,
# with the evaluations of each run. Neither is ever written anew: that would prove nothing. Evaluations keep more since,
# which images are right, so those of then are computed anew (`evaluation.FORMAT`); preset smoke has other runs.
STORE = Path(__file__).parent / "old_store"

NET = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 0.02}
RECIPE = {"epochs": 1, "batch_size": 500, "lr": 1e-2, "schedule": "one_cycle"}
SINGLE = Spec(**NET, recipe=RECIPE)
RELU = Spec(**NET, readout="potential", dynamics={"kind": "relu"}, recipe=RECIPE)
TUNED = Spec(**NET, dynamics={"kind": "lif"}, timesteps=2, recipe=RECIPE, after=SINGLE)
BEGUN = Spec(
    **NET,
    dynamics={"kind": "single_step", "noise": {"kind": "uniform"}},
    recipe={**RECIPE, "epochs": 2, "augment": "crop_flip"},
)
COMMON = {"timesteps": 2, "noise_seeds": (0,), "calibration": 50}
EVALUATED = [
    (SINGLE, Conversion(**COMMON)),
    (SINGLE, Conversion(**COMMON, alpha=math.inf)),
    (SINGLE, Conversion(**COMMON, statistics="frozen")),
    (SINGLE, AsLIF(**COMMON)),
    (RELU, AsTrained(**COMMON | {"timesteps": 1})),
    (RELU, AnnConversion(**COMMON, percentile=99.0)),
    (TUNED, AsTrained(**COMMON)),
]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the store, where runs are looked for."""
    copy = tmp_path / "runs"
    shutil.copytree(STORE, copy)
    monkeypatch.setenv("SNNLIB_RUNS", str(copy))
    return copy


def forbidden(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("computed again")


def as_it_was(name: str) -> Preset:
    """A preset with the nets that it had then; the paper's are Table 1's still."""
    file = STORE / f"{name}_then.toml"
    return load_preset(str(file) if file.exists() else name)


@pytest.mark.parametrize("name", ["cpu", "paper"])
def test_every_run_of_a_preset_has_the_name_it_had(name: str) -> None:
    before = json.loads((STORE / "names.json").read_text())
    assert set(before) == set(preset_names())
    assert len(before[name]) > 60
    assert set(before[name]) <= set(as_it_was(name).all_runs())


def test_no_evaluation_passes_for_one_that_kept_less() -> None:
    before = json.loads((STORE / "names.json").read_text())
    for name, known in before.items():
        preset = as_it_was(name)
        now = {e.key for run in preset.all_runs().values() for e in preset.evaluations(run)}
        assert not now & {key for keys in known.values() for key in keys}


@pytest.mark.parametrize("spec", [SINGLE, RELU, TUNED], ids=lambda spec: spec.training)
def test_a_finished_run_is_loaded(store: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "train_epochs", forbidden)
    run = ensure(spec)
    assert run.damage() is None
    assert len(run.history) == 1
    assert sum(p.numel() for p in run.model("cpu").parameters()) > 0


def then(spec: Spec, evaluation: Evaluation) -> pd.DataFrame:
    """What the old store holds of an evaluation, found by the fields that there were."""
    added = {"ties", "noise"}
    wanted = {name: value for name, value in evaluation.spelled.items() if name not in added}
    for about in (STORE / spec.name).glob("accuracy-*.json"):
        if json.loads(about.read_text())["evaluation"] == wanted:
            return pd.read_csv(about.with_suffix(".csv"))
    raise AssertionError(wanted)


@pytest.mark.parametrize(("spec", "evaluation"), EVALUATED, ids=lambda x: type(x).__name__)
def test_what_was_evaluated_is_computed_anew_from_the_old_weights_to_the_same_numbers(
    store: Path, spec: Spec, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "train_epochs", forbidden)
    assert results.known(Run(spec), evaluation) is None
    before, now = then(spec, evaluation), accuracy(Run(spec), evaluation)
    rest = [column for column in before if column != "accuracy"]
    pd.testing.assert_frame_equal(now[rest], before[rest])
    assert now.accuracy.tolist() == pytest.approx(before.accuracy.tolist(), abs=0.02)  # on any processor


def test_another_evaluation_of_an_old_run_is_computed_from_its_weights(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trained, "train_epochs", forbidden)
    table = accuracy(Run(SINGLE), Conversion(**COMMON, alpha=3.0))
    assert list(table.timesteps) == [1, 2]


def test_a_run_that_was_begun_goes_on_after_its_checkpoint(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []
    train_epochs = trained.train_epochs

    def seen(state: State, *args: Any, **kwargs: Any) -> State:
        began.append(state.epoch)
        return train_epochs(state, *args, **kwargs)

    monkeypatch.setattr(trained, "train_epochs", seen)
    run = ensure(BEGUN)
    assert began == [1]
    assert list(run.history.epoch) == [1, 2]


def test_what_old_runs_were_made_with_is_told(store: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    pd.DataFrame({"run": [SINGLE.name, TUNED.name]}).to_csv(figures / "some.csv", index=False)
    assert made_with(figures).weights_sha256.notna().all()
