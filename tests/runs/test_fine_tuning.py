"""Runs that come after others, or are taught by them: their weights, their key, their order."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from conftest import weights
from tiny_runs import TINY, InterruptError, spec, spoil, stop_after

from reproduce.runs import checkpoints, trained
from reproduce.runs.run import Run, build_for
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.baselines.ann_neurons import ReLU
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.dynamics import LIF, SingleStep
from snnlib.noise import Uniform
from snnlib.store import locks
from snnlib.training.failures import TrainingError
from snnlib.training.loop import initial_state, train_epochs
from snnlib.training.recipe import Recipe


def tuned(**changes: Any) -> Spec:
    """Direct training at T = 2 after the single-step run."""
    return spec(**{"dynamics": LIF(), "timesteps": 2, "after": spec(), **changes})


def test_what_a_run_comes_after_is_part_of_its_key() -> None:
    others = [spec(seed=4), spec(recipe={**TINY["recipe"], "lr": 2e-3}), spec(dynamics=SingleStep(Uniform())), tuned()]
    specs = [tuned(), tuned(after=None), *(tuned(after=other) for other in others)]
    assert len({s.key for s in specs}) == len(specs)


def taught(**changes: Any) -> Spec:
    """A single-step net that learns an ANN's outputs too."""
    return spec(**{"readout": "potential", "teacher": TEACHER, **changes})


TEACHER = spec(readout="potential", dynamics=ReLU())


def test_a_teacher_is_part_of_its_key_and_of_its_label() -> None:
    others = (TEACHER, None, spec(readout="potential", dynamics=ReLU(), seed=4))
    assert len({taught(teacher=other).key for other in others}) == 3
    assert taught(teacher=None).key == spec(readout="potential").key  # as before there were teachers
    assert taught().label == spec(readout="potential").label.replace("gaussian", "taught_gaussian")


def test_a_teacher_is_trained_first_and_its_outputs_are_learnt(folder: Path, trainings: list[str]) -> None:
    run = ensure(taught())
    assert trainings == [TEACHER.label, taught().label]
    alone = ensure(taught(teacher=None))
    assert weights(run.model()) != weights(alone.model())
    assert run.history.train_loss[0] != alone.history.train_loss[0]
    assert taught().before == (TEACHER,)


def test_a_taught_net_is_resumed_to_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ensure(taught()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    ensure(TEACHER)
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            ensure(taught())
    run = ensure(taught())
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


@pytest.mark.parametrize(
    ("teacher", "wrong"),
    [
        (spec(), "teacher.dynamics = single_step: must be relu or qcfs, an ANN"),
        (tuned(readout="potential", after=None), "teacher.dynamics = lif: must be"),
        (TEACHER.model_copy(update={"dataset": "mnist"}), "teacher.dataset = mnist: must be fashion_mnist_mini"),
        (TEACHER.model_copy(update={"hold_out": 500}), "teacher.hold_out = 500: must be 0"),
        (TEACHER.model_copy(update={"network": "vgg8"}), r"teacher.images = \(3, 32, 32\): must be \(1, 28, 28\)"),
    ],
)
def test_a_teacher_is_an_ann_that_sees_the_same_images(teacher: Spec, wrong: str) -> None:
    with pytest.raises(InputError, match=wrong):
        taught(teacher=teacher)


@pytest.fixture
def first_weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, bytes]]:
    """The weights that each training began with, by its label."""
    seen: dict[str, dict[str, bytes]] = {}
    original = trained.train_epochs

    def spy(state: Any, *args: Any, **kwargs: Any) -> Any:
        seen[kwargs["label"]] = weights(state.model)
        return original(state, *args, **kwargs)

    monkeypatch.setattr(trained, "train_epochs", spy)
    return seen


def test_a_run_begins_with_the_last_weights_of_the_one_before(
    folder: Path, first_weights: dict[str, dict[str, bytes]]
) -> None:
    before = ensure(spec())
    left = {p.name: p.read_bytes() for p in before.folder.iterdir()}
    run = ensure(tuned())
    assert first_weights[run.spec.label] == weights(before.model())  # running statistics of batch norm too
    assert first_weights[before.spec.label] == weights(build_for(spec())) != first_weights[run.spec.label]
    assert weights(run.model()) != weights(before.model())
    assert all(n.dynamics == LIF() for _, n in run.model().neurons())
    assert {p.name: p.read_bytes() for p in before.folder.iterdir()} == left


def test_a_run_trains_the_one_before_if_it_is_missing(folder: Path, trainings: list[str]) -> None:
    ensure(tuned())
    assert trainings == [spec().label, tuned().label]
    assert Run(spec()).done
    ensure(tuned())
    ensure(tuned(recipe={**TINY["recipe"], "epochs": 1}))
    assert trainings == [spec().label, tuned().label, tuned().label]


def test_a_chain_of_runs_is_trained_from_its_beginning(
    folder: Path, first_weights: dict[str, dict[str, bytes]]
) -> None:
    chain = tuned(timesteps=3, after=tuned())
    ensure(chain)
    assert list(first_weights) == [spec().label, tuned().label, chain.label]
    assert first_weights[chain.label] == weights(Run(tuned()).model())


def test_fine_tuning_is_fit_from_those_weights(folder: Path, small: Dataset) -> None:
    run = ensure(tuned())
    model, r = build_for(tuned()), Recipe(**TINY["recipe"])
    model.load_state_dict(Run(spec()).model().state_dict())
    state = train_epochs(initial_state(model, small, r), small, r, timesteps=2, seed=3)
    assert weights(run.model()) == weights(state.model)
    assert run.history.to_dict("records") == state.history


def test_fine_tuning_is_resumed_to_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ensure(tuned()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    ensure(spec())
    original = checkpoints.save_checkpoint
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            ensure(tuned())
    assert checkpoints.epochs_done(Run(tuned()).folder) == 1
    epochs: list[int] = []
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda f, s, a: (epochs.append(s.epoch), original(f, s, a)))
    run = ensure(tuned())
    assert epochs == [2, 3]
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


def test_one_lock_is_held_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events: list[tuple[str, Path]] = []

    class Lock(locks.FileLock):
        def acquire(self, *args: Any, **kwargs: Any) -> Any:
            events.append(("acquire", Path(self.lock_file)))
            return super().acquire(*args, **kwargs)

        def release(self, *args: Any, **kwargs: Any) -> None:
            events.append(("release", Path(self.lock_file)))
            super().release(*args, **kwargs)

    monkeypatch.setattr(locks, "FileLock", Lock)
    ensure(tuned())
    expected = [(what, Run(s).folder / "lock") for s in (spec(), tuned()) for what in ("acquire", "release")]
    assert [e for i, e in enumerate(events) if e not in events[:i]] == expected


def test_a_run_after_one_that_fails_is_not_begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise TrainingError("loss = nan")

    monkeypatch.setattr(trained, "train_epochs", fails)
    with pytest.raises(TrainingError):
        ensure(tuned())
    assert not Run(tuned()).folder.exists()


def test_a_run_after_a_damaged_one_has_that_trained_anew(folder: Path, trainings: list[str]) -> None:
    first = weights(ensure(spec()).model())
    spoil(Run(spec()).folder / "weights.safetensors", "cut short")
    ensure(tuned())
    assert trainings == [spec().label, spec().label, tuned().label]
    assert weights(Run(spec()).model()) == first


def test_a_finished_run_does_not_need_the_one_before(folder: Path, trainings: list[str]) -> None:
    ensure(tuned())
    shutil.rmtree(Run(spec()).folder)
    ensure(tuned()).model()
    assert len(trainings) == 2
