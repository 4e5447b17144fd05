"""Published runs: figures rest on them without training, nets come back as they were rounded, damage is told."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import weights
from tiny_runs import TINY, spec, spoil
from typer.testing import CliRunner

from reproduce.batch import listing, pretrained, workflow
from reproduce.batch.done import refuse_damaged_publications
from reproduce.batch.estimate import to_do
from reproduce.batch.jobs import jobs
from reproduce.cli.commands import app
from reproduce.experiments.made_with import made_with
from reproduce.runs import first_images, trained
from reproduce.runs import pretrained as published
from reproduce.runs import run as runs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Preset
from reproduce.runs.results import accuracy, predictions
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure, with_curves
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.store.files import DamagedError
from snnlib.store.tensors import load_tensors

E = Conversion(timesteps=4, noise_seeds=(3, 5), batch_size=30)
QUICK = spec(recipe={**TINY["recipe"], "epochs": 1})


@pytest.fixture
def place(tmp_path: Path, folder: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to publish in, beside an empty run store."""
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(first_images, "load_dataset", lambda _: small)
    return tmp_path / "pretrained"


def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another machine, on which nothing is trained yet."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "another store"))


def preset_of(run: Run) -> Preset:
    return Preset(name="p", description="d", evaluation=E, benchmark={}, notebooks={"n": {"net": {"ours": [run.spec]}}})


def test_what_is_known_of_a_run_is_known_elsewhere_without_training(
    place: Path, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    expected, history, metadata = predictions(run, E), run.history, run.metadata
    assert pretrained.publish(run) == place / run.spec.name
    elsewhere(monkeypatch, tmp_path)
    assert not run.done
    found = predictions(run, E)
    assert found.table.equals(expected.table)
    assert torch.equal(found.right, expected.right)
    assert with_curves(run.spec).history.equals(history)
    assert run.metadata == metadata
    assert to_do(run, preset_of(run)) is None
    assert jobs(preset_of(run)) == []
    assert len(trainings) == 1
    assert not (tmp_path / "another store").exists()
    (place / "figure.csv").write_text(f"run\n{run.spec.name}\n")
    assert made_with(place).weights_sha256.tolist() == [metadata["files"]["weights.safetensors"]]


def test_what_is_not_published_of_it_has_it_trained_and_then_its_own_results_count(
    place: Path, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    accuracy(run, E)
    pretrained.publish(run)
    elsewhere(monkeypatch, tmp_path)
    other = E.changed(alpha=3.0)
    p = preset_of(run)
    assert to_do(run, p.model_copy(update={"evaluation": other})).epochs == 1
    accuracy(run, other)
    assert len(trainings) == 2
    assert E.file(run) == run.folder / E.file(run).name
    assert not E.file(run).exists()


@pytest.mark.parametrize("how", ["a byte changed", "cut short", "missing"])
@pytest.mark.parametrize("what", ["metadata.json", ".csv", ".safetensors", ".json"])
def test_damaged_results_do_not_count(
    place: Path, tmp_path: Path, trainings: list[str], what: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    expected = accuracy(run, E)
    pretrained.publish(run)
    elsewhere(monkeypatch, tmp_path)
    file = E.file(run).with_suffix(what) if what.startswith(".") else place / run.spec.name / what
    assert file.is_relative_to(place)
    spoil(file, how)
    assert accuracy(run, E).equals(expected)  # trained again, to the same bytes
    assert len(trainings) == 2


@pytest.mark.parametrize("how", ["a byte changed", "cut short", "missing"])
@pytest.mark.parametrize("with_weights", [False, True])
def test_damaged_curves_are_written_anew_from_the_metadatas_copies_and_nothing_is_trained(
    place: Path, tmp_path: Path, trainings: list[str], with_weights: bool, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    accuracy(run, E)
    pretrained.publish_net(run, [E]) if with_weights else pretrained.publish(run)
    history = run.history
    elsewhere(monkeypatch, tmp_path)
    expected = accuracy(run, E)
    spoil(place / run.spec.name / "history.csv", how)
    if with_weights:
        assert ensure(QUICK).history.equals(history)
    else:
        assert with_curves(QUICK).history.equals(history)
        spoil(place / run.spec.name / "history.csv", how)
    assert accuracy(run, E).equals(expected)
    assert run.damage() is None
    assert len(trainings) == 1


@pytest.mark.parametrize("how", ["a byte changed", "missing"])
@pytest.mark.parametrize("what", ["metadata.json", "history.csv", ".csv", ".safetensors", ".json"])
def test_a_workflow_refuses_what_is_damaged_where_it_is_published_but_for_curves_which_it_mends(
    place: Path, tmp_path: Path, what: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a run is in no job as long as the files are there, so nobody would train or evaluate it."""
    run = ensure(QUICK)
    accuracy(run, E)
    pretrained.publish(run)
    elsewhere(monkeypatch, tmp_path)
    file = E.file(run).with_suffix(what) if what.startswith(".") else place / run.spec.name / what
    spoil(file, how)
    if what == "history.csv":
        refuse_damaged_publications(preset_of(run))
        assert run.damage() is None
    elif how == "missing" and what in ("metadata.json", ".csv"):
        refuse_damaged_publications(preset_of(run))  # then a job has it
        assert jobs(preset_of(run)) == [[run]]
    else:
        monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
        with pytest.raises(DamagedError, match=rf"{file.name}: .*; `git checkout` restores it, with SNNLIB_PRETRAINED"):
            workflow.figures(preset_of(run))
        monkeypatch.setenv("SNNLIB_PRETRAINED", "none")
        refuse_damaged_publications(preset_of(run))
        assert jobs(preset_of(run)) == [[run]]


def test_a_run_that_is_not_whole_is_not_published_and_nothing_is_lost(place: Path) -> None:
    run = Run(QUICK)
    with pytest.raises(DamagedError, match="not finished"):
        pretrained.publish(run)
    ensure(QUICK)
    pretrained.publish(run)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    spoil(run.folder / "weights.safetensors", "a byte changed")
    with pytest.raises(DamagedError, match=r"weights.safetensors: damaged"):
        pretrained.publish(run)
    assert before == {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_later_evaluations_of_a_published_net_join_it_and_another_training_takes_its_place(
    place: Path, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, later = ensure(QUICK), E.changed(alpha=3.0)
    pretrained.publish_net(run, [E])
    with monkeypatch.context() as other:
        elsewhere(other, tmp_path)
        expected = accuracy(run, later)
        pretrained.publish(run)
    assert published.published(run.spec.name, "weights.safetensors")
    with monkeypatch.context() as third:
        third.setenv("SNNLIB_RUNS", str(tmp_path / "third store"))
        assert accuracy(run, later).equals(expected)
        accuracy(run, E)
        assert not run.done  # both are known without its weights
        assert ensure(QUICK).done
    assert len(trainings) == 1
    pretrained.publish(run)  # its weights as they were trained, not rounded
    assert not published.published(run.spec.name, "weights.safetensors")


def test_a_published_net_comes_back_rounded_with_the_accuracy_of_the_rounded_one(
    place: Path, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    own = run.model().state_dict()
    pretrained.publish_net(run, [E])
    stored, _ = load_tensors(place / run.spec.name / "weights.safetensors")
    assert {t.dtype for t in stored.values() if t.is_floating_point()} == {torch.bfloat16}
    assert run.model().state_dict().keys() == own.keys()
    assert all(torch.equal(t, own[name]) for name, t in run.model().state_dict().items())  # the store has its own still

    elsewhere(monkeypatch, tmp_path)
    assert listing.of_store()[0]["state"] == "published"
    first = accuracy(run, E)  # as published
    assert not run.done
    assert ensure(QUICK).done
    assert len(trainings) == 1
    for name, t in run.model().state_dict().items():
        assert torch.equal(t, own[name].bfloat16().to(t.dtype) if t.is_floating_point() else own[name])
    assert [row["state"] for row in listing.of_store()] == ["published"]
    with monkeypatch.context() as alone:
        alone.setenv("SNNLIB_PRETRAINED", str(tmp_path / "nothing"))
        assert accuracy(run, E).equals(first)  # the evaluations came with it
        for file in run.folder.glob("accuracy-*"):
            file.unlink()
        assert accuracy(run, E).equals(first)  # and are those of the rounded weights


def test_rounded_weights_give_exactly_what_was_published_on_the_images_that_travel_with_them(
    place: Path, tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    pretrained.publish_net(run, [E, E.changed(alpha=3.0)])
    elsewhere(monkeypatch, tmp_path)
    data = first_images.first_images("fashion_mnist_mini")
    assert torch.equal(data.test.images, small.test.images)
    assert torch.equal(data.mean, small.mean)
    ensure(QUICK)
    said = pretrained.sampled(run.spec.name)
    assert [pretrained.on_sample(run, e) for e in (E, E.changed(alpha=3.0))] == said
    assert [len(s["accuracy"]) for s in said] == [pretrained.SAMPLE_T] * 2


def test_published_weights_that_are_damaged_are_told_and_nothing_is_trained(
    place: Path, tmp_path: Path, trainings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ensure(QUICK)
    pretrained.publish_net(run, [E])
    elsewhere(monkeypatch, tmp_path)
    spoil(place / run.spec.name / "weights.safetensors", "a byte changed")
    with pytest.raises(DamagedError, match=r"weights.safetensors: damaged"):
        ensure(QUICK)
    assert len(trainings) == 1
    assert not run.done


def test_a_begun_training_goes_on(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ensure(QUICK)
    own = weights(run.model())
    pretrained.publish_net(run, [E])
    elsewhere(monkeypatch, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(runs.pretrained, "published", lambda *_: False)
        patch.setattr(trained, "save_tensors", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(BaseException):  # noqa: B017, PT011 - between the checkpoint and the weights
            ensure(QUICK)
    assert weights(ensure(QUICK).model()) == own


def test_weights_of_more_than_two_mebibytes_and_nets_that_cannot_be_converted_are_refused(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "LARGEST", 1000)
    with pytest.raises(InputError, match=r"bytes of its weights in bfloat16 = \d+: must be .*1000"):
        pretrained.publish_net(ensure(QUICK))
    relu = spec(dynamics={"kind": "relu"}, readout="potential", recipe={**TINY["recipe"], "epochs": 1})
    with pytest.raises(InputError, match="dynamics = relu"):
        pretrained.publish_net(ensure(relu))
    assert published.names() == []


def test_the_command_publishes(place: Path) -> None:
    run = ensure(QUICK)
    accuracy(run, E)
    found = CliRunner().invoke(app, ["publish-runs", run.spec.name[-12:]], catch_exceptions=False)
    assert found.stdout.strip() == str(place / run.spec.name)
    assert published.names() == [run.spec.name]
    assert sorted(path.suffix for path in (place / run.spec.name).glob("accuracy-*")) == [
        ".csv", ".json", ".safetensors",
    ]  # fmt: skip
    assert pd.read_csv(place / run.spec.name / "history.csv").equals(run.history)


def test_no_images_travel_with_other_data_sets(place: Path) -> None:
    pretrained.publish_net(ensure(QUICK), [E])
    with pytest.raises(InputError, match="test images of mnist: must be one of fashion_mnist_mini"):
        first_images.first_images("mnist")
    assert published.folder("x") == place / "x"
