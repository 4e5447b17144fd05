"""A run store written before fields were added: its names hold, and it is loaded, evaluated and resumed."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from snnlib.experiments.made_with import made_with
from snnlib.runs import results
from snnlib.runs import run as runs
from snnlib.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion, Evaluation
from snnlib.runs.preset import load_preset, preset_names
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, ensure
from snnlib.runs.spec import Spec
from snnlib.training.loop import State

# Written by commit 980eae4, the specs and evaluations below by the names that they had there; names.json is what
# its presets named. Neither is ever written anew: that would prove nothing.
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


def test_every_run_and_evaluation_of_every_preset_has_the_name_it_had() -> None:
    before = json.loads((STORE / "names.json").read_text())
    assert set(before) <= set(preset_names())
    for preset, known in before.items():
        p = load_preset(preset)
        now = {name: [e.key for e in p.evaluations(run)] for name, run in p.all_runs().items()}
        assert {name: now.get(name) for name in known} == known


@pytest.mark.parametrize("spec", [SINGLE, RELU, TUNED], ids=lambda spec: spec.training)
def test_a_finished_run_is_loaded(store: Path, spec: Spec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "train_epochs", forbidden)
    run = ensure(spec)
    assert run.damage() is None
    assert len(run.history) == 1
    assert sum(p.numel() for p in run.model("cpu").parameters()) > 0


@pytest.mark.parametrize(("spec", "evaluation"), EVALUATED, ids=lambda x: type(x).__name__)
def test_what_was_evaluated_is_found(
    store: Path, spec: Spec, evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "_compute", forbidden)
    before = pd.read_csv(STORE / spec.name / f"accuracy-{evaluation.key}.csv")
    pd.testing.assert_frame_equal(accuracy(Run(spec), evaluation), before)


def test_another_evaluation_of_an_old_run_is_computed_from_its_weights(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "train_epochs", forbidden)
    table = accuracy(Run(SINGLE), Conversion(**COMMON, alpha=3.0))
    assert list(table.timesteps) == [1, 2]


def test_a_run_that_was_begun_goes_on_after_its_checkpoint(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    began = []
    train_epochs = runs.train_epochs

    def seen(state: State, *args: Any, **kwargs: Any) -> State:
        began.append(state.epoch)
        return train_epochs(state, *args, **kwargs)

    monkeypatch.setattr(runs, "train_epochs", seen)
    run = ensure(BEGUN)
    assert began == [1]
    assert list(run.history.epoch) == [1, 2]


def test_what_old_runs_were_made_with_is_told(store: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures"
    figures.mkdir()
    pd.DataFrame({"run": [SINGLE.name, TUNED.name]}).to_csv(figures / "some.csv", index=False)
    assert made_with(figures).weights_sha256.notna().all()
