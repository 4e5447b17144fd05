"""Accuracies kept beside a run: computed once, and what the three steps of the method give."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from snnlib import results, runs
from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble
from snnlib.data import Dataset
from snnlib.evaluation import accuracy_over_time, calibration_images
from snnlib.results import Conversion, accuracy, three_steps
from snnlib.runs import Run, Spec, ensure


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """A tiny finished run on the small set, in a store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load", lambda *_: small)
        spec = Spec(
            dataset="fashion_mnist_mini", network="cnn", width=1 / 16,
            recipe={"epochs": 2, "batch_size": 32, "lr": 3e-3, "schedule": "constant"},
        )  # fmt: skip
        yield ensure(spec)


E = Conversion(timesteps=4, noise_seeds=(3, 5), batch_size=30)


def test_accuracy_is_that_of_the_converted_net_with_the_runs_columns(run: Run, small: Dataset) -> None:
    table = accuracy(run, E)
    expected = accuracy_over_time(convert(run.model()), small, 4, (3, 5), 30)
    assert table[["noise_seed", "timesteps", "accuracy"]].equals(expected)
    assert list(table.columns) == [*run.spec.columns(), "noise_seed", "timesteps", "accuracy"]
    assert set(table.run) == {run.spec.name}
    assert (table.noise == "gaussian").all()


def test_accuracy_is_computed_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = accuracy(run, E)
    monkeypatch.setattr(results, "accuracy_over_time", None)  # a second computation would fail
    assert accuracy(run, E).equals(first)
    with pytest.raises(TypeError):
        accuracy(run, E.changed(alpha=3.0))


def test_an_accuracy_trains_what_is_missing(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    same = accuracy(run, E)
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    assert not run.done
    assert accuracy(run, E).equals(same)


def test_the_three_steps_are_t_1_the_ensemble_and_the_conversion(run: Run, small: Dataset) -> None:
    table = three_steps(run, E).set_index("step")
    alone = accuracy_over_time(run.model(), small, 1, (3, 5), 30).accuracy * 100
    many = accuracy_over_time(ensemble(run.model()), small, 4, (3, 5), 30).query("timesteps == 4").accuracy * 100
    snn = accuracy_over_time(convert(run.model()), small, 4, (3, 5), 30).query("timesteps == 4").accuracy * 100
    for step, expected in ((2, many), (3, snn)):
        assert table["mean"][step] == pytest.approx(expected.mean())
        assert table["std"][step] == pytest.approx(expected.std())
    assert list(table.timesteps) == [1, 4, 4]
    assert abs(table["mean"][1] - alone.mean()) < 20  # other noise in the second batch, the same net


def test_frozen_statistics_are_calibrated_on_training_images(run: Run, small: Dataset) -> None:
    e = E.changed(statistics="frozen", calibration=40)
    images = calibration_images(small, 40)
    expected = convert(run.model(), statistics="frozen", calibration=images, timesteps=4)
    assert e.network(run).first.dynamics == expected.first.dynamics


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alpha": 1.0}, "alpha = 1.0: must be at least 2, or inf"),
        ({"leak": 2.0}, "leak = 2.0: must be a number between 0 and 1"),
        ({"statistics": "mean"}, "statistics = 'mean': .*'layer', 'sample' or 'frozen'"),
        ({"noise_seeds": (-1,)}, "noise_seeds.0 = -1: .*greater than or equal to 0"),
        ({"noise_seeds": ()}, "noise_seeds = ()"),
        ({"timesteps": 0}, "timesteps = 0: .*greater than or equal to 1"),
    ],
)
def test_a_bad_evaluation_is_one_line(fields: dict[str, Any], words: str) -> None:
    for make in (lambda: Conversion(**fields), lambda: E.changed(**fields)):
        with pytest.raises(InputError, match=words) as error:
            make()
        assert "\n" not in str(error.value)


def test_the_key_is_that_of_the_values() -> None:
    assert E.key == Conversion(timesteps=4, noise_seeds=[3, 5], batch_size=30, alpha=4).key
    keys = {E.key, E.changed(alpha=float("inf")).key, E.changed(alpha=5).key, E.changed(noise_seeds=(3,)).key}
    assert len(keys) == 4
