"""The run store: equal specs are one run, trained once, resumed where it stopped, checked when read."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import weights
from pollution import POLLUTIONS
from safetensors import safe_open

from snnlib.baselines.ann_neurons import QCFS, ReLU
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.fast.process import PRECISIONS
from snnlib.neurons import LIF, Converted, SingleStep
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.runs import checkpoints
from snnlib.runs import run as runs
from snnlib.runs.run import FILES, Run, Spec, build_for, ensure
from snnlib.store import locks
from snnlib.store import tensors as store
from snnlib.store.files import DamagedError, StoreError, seal, set_aside, sha256, write
from snnlib.surrogate import Arctan
from snnlib.training.failures import TrainingError
from snnlib.training.loop import Recipe, start, train_epochs

TINY: dict[str, Any] = {
    "dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "seed": 3,
    "recipe": {"epochs": 3, "batch_size": 32, "lr": 1e-3},
}  # fmt: skip


class InterruptError(Exception):
    """What an interrupted run dies of."""


@pytest.fixture
def folder(tmp_path: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty run store, whose runs train on the small set."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "store"))
    monkeypatch.setattr(runs, "load", lambda *_, **__: small)
    monkeypatch.setattr(runs, "default_device", lambda: "cpu")
    return tmp_path / "store"


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The label of each training that begins."""
    began: list[str] = []
    original = runs.train_epochs

    def spy(*args: Any, **kwargs: Any) -> Any:
        began.append(kwargs["label"])
        return original(*args, **kwargs)

    monkeypatch.setattr(runs, "train_epochs", spy)
    return began


def stop_after(epoch: int, patch: pytest.MonkeyPatch) -> None:
    """Have each training interrupted once this epoch's checkpoint is written."""
    original = checkpoints.save_checkpoint

    def save_then_stop(folder: Path, state: Any, about: Any) -> None:
        original(folder, state, about)
        if state.epoch == epoch:
            raise InterruptError

    patch.setattr(checkpoints, "save_checkpoint", save_then_stop)


def spec(**changes: Any) -> Spec:
    return Spec(**{**TINY, **changes})


# --- specs -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    [
        {"width": 1},
        {"timesteps": 1, "seed": 0, "readout": "spikes"},
        {"recipe": Recipe()},
        {"recipe": {}},
        {"recipe": {"lr": 0.0001, "epochs": 100}},
        {"recipe": {"epochs": 100.0}},
        {"dynamics": SingleStep()},
        {"dynamics": SingleStep(Gaussian(0, 1, 4), v_th=1)},
        {"dynamics": {"kind": "single_step"}},
        {"dynamics": {"kind": "single_step", "v_th": 1, "noise": {"kind": "gaussian", "low": 0, "high": 1}}},
        {"dynamics": {"surrogate": {"width": 1, "kind": "triangle"}, "kind": "single_step"}},
    ],
    ids=str,
)
def test_equal_specs_have_one_key_however_they_are_written(written: dict[str, Any]) -> None:
    plain = Spec(dataset="mnist", network="cnn")
    assert Spec(network="cnn", dataset="mnist", **written).key == plain.key
    assert Spec(network="cnn", dataset="mnist", **written).name == plain.name


CHANGES: list[dict[str, Any]] = [
    {"dataset": "mnist"},
    {"network": "resnet18"},
    {"width": 1 / 8},
    {"readout": "potential"},
    {"batch_norm": False},
    {"seed": 4},
    {"after": {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16}},
    {"hold_out": 600},
    {"dynamics": ReLU(), "readout": "potential"},
    {"dynamics": QCFS(), "readout": "potential"},
    {"dynamics": QCFS(levels=4), "readout": "potential"},
    {"dynamics": QCFS(threshold=2), "readout": "potential"},
    {"dynamics": LIF(), "timesteps": 1},
    {"dynamics": LIF(), "timesteps": 2},
    {"dynamics": LIF(leak=0.4)},
    {"dynamics": LIF(v_reset=0.1)},
    {"dynamics": SingleStep(MaxNormalised())},
    {"dynamics": SingleStep(Uniform())},
    {"dynamics": SingleStep(Gaussian(high=0.9))},
    {"dynamics": SingleStep(Gaussian(low=0.1))},
    {"dynamics": SingleStep(Gaussian(k=5))},
    {"dynamics": SingleStep(v_th=0.9)},
    {"dynamics": SingleStep(surrogate=Arctan())},
    {"dynamics": SingleStep(surrogate=Arctan(slope=3))},
    *(
        {"recipe": {**TINY["recipe"], **change}}
        for change in (
            {"epochs": 4}, {"batch_size": 33}, {"lr": 1.1e-3}, {"schedule": "cosine"}, {"restart_every": 50},
            {"augment": "crop"}, {"augment": "crop_flip"}, {"precision": "bfloat16"}, {"threads": 2},
            {"evaluate_every": 2}, {"test_timesteps": 4}, {"compile": True},
        )
    ),
]  # fmt: skip


def test_direct_training_takes_ten_steps_unless_told_otherwise() -> None:
    assert spec(dynamics=LIF()) == spec(dynamics={"kind": "lif"}) == spec(dynamics=LIF(), timesteps=10)
    assert spec(dynamics=LIF()).timesteps == 10
    assert spec().timesteps == spec(dynamics=ReLU(), readout="potential").timesteps == 1


def test_every_changed_field_changes_the_key() -> None:
    keys = [spec().key, *(spec(**c).key for c in CHANGES)]
    assert len(set(keys)) == len(CHANGES) + 1


def test_every_field_of_the_recipe_is_among_the_changes() -> None:
    changed = set().union(*(c["recipe"] for c in CHANGES if "recipe" in c))
    assert changed == set(Recipe.model_fields) - {"devices"}  # one, so far
    assert set().union(*CHANGES) == set(Spec.model_fields)


@pytest.mark.parametrize(("before", "now"), [(False, "none"), (True, "crop_flip")])
def test_augmentation_is_read_in_its_old_spelling_too(before: bool, now: str) -> None:
    old, new = (spec(recipe={**TINY["recipe"], "augment": value}) for value in (before, now))
    assert old.recipe.augment == now
    assert old.key == new.key


def test_a_spec_survives_json_with_its_key() -> None:
    for change in CHANGES:
        s = spec(**change)
        again = Spec.model_validate_json(s.model_dump_json())
        assert (again, again.key) == (s, s.key)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"dataset": "imagenet"},
            r"dataset = 'imagenet': .*'mnist', 'fashion_mnist', 'cifar10' or 'fashion_mnist_mini'",
        ),
        ({"network": "lenet"}, r"network = 'lenet': .*'cnn', 'vgg16' or 'resnet18'"),
        ({"readout": "rate"}, r"readout = 'rate': .*'spikes' or 'potential'"),
        ({"timesteps": -1}, r"timesteps = -1: .*greater than or equal to 1"),
        ({"timesteps": 2}, r"timesteps = 2: single_step nets train at 1"),
        ({"seed": -1}, r"seed = -1: .*greater than or equal to 0"),
        ({"width": 0.005}, r"width = 0.005: leaves no channel"),
        ({"width": math.nan}, r"width = nan: must be a finite number above 0"),
        ({"widht": 1.0}, r"widht = 1.0: Extra inputs are not permitted"),
        ({"dynamics": Converted()}, r"dynamics = .*'converted'.*'single_step', 'lif'"),
        ({"dynamics": {"kind": "lif", "leak": 1.5}}, r"leak = 1.5: must be a number between 0 and 1"),
        ({"dynamics": {"kind": "lif", "tau": 2.0}}, r"tau = 2.0: (Extra inputs|Unexpected keyword)"),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "pink"}}}, r"'pink'.*'gaussian'"),
        ({"recipe": {"lr": -1}}, r"lr = -1: .*greater than 0"),
        ({"recipe": {"test_timesteps": 0}}, r"test_timesteps = 0: .*greater than or equal to 1"),
        ({"dynamics": ReLU()}, r"readout = spikes: must be potential for relu nets"),
        ({"dynamics": QCFS()}, r"readout = spikes: must be potential for qcfs nets"),
        ({"dynamics": ReLU(), "readout": "potential", "timesteps": 2}, r"timesteps = 2: relu nets train at 1"),
        ({"dynamics": QCFS(), "readout": "potential", "timesteps": 8}, r"timesteps = 8: qcfs nets train at 1"),
        ({"dynamics": {"kind": "qcfs", "levels": 0}}, r"qcfs levels = 0: must be a whole number of at least 1"),
        ({"dynamics": {"kind": "if"}}, r"dynamics = .*'if'.*'single_step', 'lif', 'relu', 'qcfs'"),
        *(
            ({"after": {**TINY, **change}}, rf"{name} = .*: must be .*, as in the run that this is `after`")
            for name, change in (
                ("dataset", {"dataset": "mnist"}),
                ("network", {"network": "vgg16"}),
                ("width", {"width": 0.5}),
                ("readout", {"readout": "potential"}),
                ("batch_norm", {"batch_norm": False}),
            )
        ),
        ({"after": {**TINY, "seed": -1}}, r"seed = -1: .*greater than or equal to 0"),
        ({"after": "fashion_mnist_mini-cnn"}, r"after = 'fashion_mnist_mini-cnn'"),
    ],
    ids=str,
)
def test_bad_specs_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        spec(**changes)
    assert "\n" not in str(error.value)


def test_a_spec_fixes_its_initial_weights_whatever_was_drawn_before() -> None:
    first = build_for(spec())
    torch.rand(3)
    before = torch.get_rng_state()
    assert weights(build_for(spec())) == weights(first)
    assert torch.equal(torch.get_rng_state(), before)
    assert weights(build_for(spec(seed=4))) != weights(first)


def test_runs_with_one_seed_start_from_the_same_weights_whatever_their_noise() -> None:
    assert weights(build_for(spec(dynamics=SingleStep(Uniform())))) == weights(build_for(spec()))


# --- what was trained, in a word -------------------------------------------------------------

PARENT = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "seed": 3}
NO_NOISE = SingleStep(Gaussian(high=0.0))


@pytest.mark.parametrize(
    ("changes", "training", "noise", "word"),
    [
        ({}, "single_step", "gaussian", "gaussian"),
        ({"dynamics": SingleStep(Uniform())}, "single_step", "uniform", "uniform"),
        ({"dynamics": SingleStep(MaxNormalised())}, "single_step", "max_normalised", "max_normalised"),
        ({"dynamics": NO_NOISE}, "single_step", "none", "no_noise"),
        ({"dynamics": LIF(), "timesteps": 10}, "lif10", "none", "lif10"),
        ({"dynamics": LIF()}, "lif10", "none", "lif10"),
        ({"dynamics": ReLU(), "readout": "potential"}, "relu", "none", "relu"),
        ({"dynamics": QCFS(levels=4), "readout": "potential"}, "qcfs4", "none", "qcfs4"),
        ({"dynamics": LIF(), "timesteps": 4, "after": PARENT}, "tuned_lif4", "none", "tuned_lif4"),
        ({"after": PARENT}, "tuned_single_step", "gaussian", "tuned_gaussian"),
        ({"dynamics": NO_NOISE, "after": PARENT}, "tuned_single_step", "none", "tuned_no_noise"),
    ],
    ids=str,
)
def test_a_spec_says_what_was_trained(changes: dict[str, Any], training: str, noise: str, word: str) -> None:
    s = spec(**changes)
    assert (s.training, s.noise) == (training, noise)
    assert s.label == f"fashion_mnist_mini-cnn-w0.0625-{s.readout}-{word}-s3"
    assert s.name == f"{s.label}-{s.key}"
    assert s.columns() == {
        "run": s.name, "dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16,
        "readout": s.readout, "training": training, "noise": noise, "seed": 3,
    }  # fmt: skip


# --- ensure ----------------------------------------------------------------------------------


def test_a_run_is_trained_once_and_then_loaded(folder: Path, trainings: list[str]) -> None:
    first, second = ensure(spec()), ensure(Spec.model_validate_json(spec().model_dump_json()))
    assert trainings == [spec().label]
    assert first == second
    assert first.done
    assert first.folder == folder / spec().name
    assert weights(first.model()) == weights(second.model())
    ensure(spec(seed=4))
    assert len(trainings) == 2


def test_reading_a_finished_run_takes_no_lock(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    monkeypatch.setattr(locks, "FileLock", lambda *_, **__: pytest.fail("locked"))
    assert ensure(run.spec) == run


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_is_what_fit_trains(folder: Path, small: Dataset, precision: str) -> None:
    r = Recipe(**TINY["recipe"], precision=precision)
    run = ensure(spec(recipe=r))
    state = train_epochs(start(build_for(spec()), small, r), small, r, seed=3)
    model = run.model()
    assert weights(model) == weights(state.model)
    assert not model.training
    assert all(n.dynamics == SingleStep() for _, n in model.neurons())
    assert [p.stride() for p in model.parameters()] == [p.stride() for p in state.model.parameters()]
    assert run.history.columns.tolist() == [
        "epoch",
        "lr",
        "train_loss",
        "train_accuracy",
        "test_accuracy_t1",
        "test_accuracy",
    ]
    assert run.history.to_dict("records") == state.history


def test_the_same_seed_gives_the_same_bytes_in_another_store(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    torch.manual_seed(77)
    torch.rand(5)
    other = ensure(spec()).folder
    assert one.parent == folder
    assert other == folder.parent / "other" / one.name
    for file in ("weights.safetensors", "history.csv"):
        assert (one / file).read_bytes() == (other / file).read_bytes()


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> dict[str, dict[str, str]]:
    """Hashes of a run in each precision."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("clean")))
        patch.setattr(runs, "load", lambda *_, **__: small)
        return {p: ensure(spec(recipe={**TINY["recipe"], "precision": p})).metadata["files"] for p in PRECISIONS}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("what", POLLUTIONS)
def test_a_run_has_the_same_bytes_whatever_the_process_was_set_to(
    folder: Path, clean: dict[str, dict[str, str]], what: str, precision: str
) -> None:
    with POLLUTIONS[what]():
        run = ensure(spec(recipe={**TINY["recipe"], "precision": precision}))
    for name in ("weights.safetensors", "history.csv"):
        assert run.metadata["files"][name] == clean[precision][name]


def test_a_run_leaves_the_process_as_it_was(folder: Path) -> None:
    def settings() -> tuple[Any, ...]:
        return (
            torch.get_default_dtype(), torch.get_float32_matmul_precision(), torch.backends.mkldnn.enabled,
            torch.is_grad_enabled(), torch.get_num_threads(), torch.get_default_device(), torch.get_rng_state().sum(),
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic, torch.is_autocast_enabled("cpu"),
        )  # fmt: skip

    before = settings()
    ensure(spec())
    assert settings() == before


@pytest.mark.parametrize("after", [1, 2, 3])
@pytest.mark.parametrize("error", [InterruptError, KeyboardInterrupt])
def test_an_interrupted_run_is_resumed_to_the_same_bytes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, after: int, error: type[BaseException]
) -> None:
    whole = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    original = checkpoints.save_checkpoint

    def save_then_stop(folder: Path, state: Any, about: Any) -> None:
        original(folder, state, about)
        if state.epoch == after:
            raise error

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_checkpoint", save_then_stop)
        with pytest.raises(error):
            ensure(spec())
    run = Run(spec())
    assert not run.done
    assert checkpoints.epochs_done(run.folder) == after

    epochs: list[int] = []
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda f, s, a: (epochs.append(s.epoch), original(f, s, a)))
    ensure(spec())
    assert epochs == list(range(after + 1, 4))
    assert not checkpoints.found(run.folder)
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


def test_a_run_can_be_asked_for_again_while_the_error_that_stopped_it_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook, where sys.last_value keeps the traceback, and with it the locals of each frame."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_checkpoint", stop)
        with pytest.raises(KeyboardInterrupt) as kept:
            ensure(spec())
    again = threading.Thread(target=ensure, args=(spec(),), daemon=True)
    again.start()
    again.join(30)
    assert not again.is_alive(), "it waits for a lock that this very process holds"
    assert Run(spec()).done
    assert kept.tb is not None


def test_a_failed_training_leaves_the_last_good_checkpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(state: Any, data: Any, recipe: Any, *, save: Any, **options: Any) -> None:
        train_epochs(state, data, Recipe(**{**TINY["recipe"], "epochs": 1}), save=save, **options)
        raise TrainingError("loss = nan")

    with monkeypatch.context() as patch:
        patch.setattr(runs, "train_epochs", fails)
        with pytest.raises(TrainingError):
            ensure(spec())
    assert not Run(spec()).done
    assert checkpoints.epochs_done(Run(spec()).folder) == 1


def test_threads_are_those_of_the_recipe_and_then_as_before(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = checkpoints.save_checkpoint
    monkeypatch.setattr(
        checkpoints, "save_checkpoint", lambda f, s, a: (seen.append(torch.get_num_threads()), original(f, s, a))
    )
    before = torch.get_num_threads()
    ensure(spec(recipe={"epochs": 1, "threads": 2}))
    assert seen == [2]
    assert torch.get_num_threads() == before


# --- what stands in the store ----------------------------------------------------------------


def test_nothing_is_pickled_and_nothing_is_left_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickled")

    for name in ("torch.save", "torch.load", "pickle.dump", "pickle.dumps", "pickle.load", "pickle.loads"):
        monkeypatch.setattr(name, refuse)
    run = ensure(spec())
    run.model()
    assert {p.name for p in run.folder.iterdir()} - {"lock"} == {*FILES, "metadata.json"}
    with safe_open(run.folder / "weights.safetensors", framework="pt") as f:
        assert set(f.keys()) == set(build_for(spec()).state_dict())


def test_metadata_says_what_a_run_was_made_with(folder: Path) -> None:
    run = ensure(spec())
    m = run.metadata
    assert m["run"] == spec().name
    assert Spec(**m["spec"]) == spec()
    assert m["files"] == {name: sha256(run.folder / name) for name in FILES}
    (sitting,) = m["sittings"]
    torch_version = sitting["packages"]["torch"]
    assert torch_version == torch.__version__ or torch.__version__.startswith(torch_version)
    assert sitting["epochs"] == [1, 3]
    assert sitting["git"] is None or len(sitting["git"]["commit"]) == 40
    assert sitting["same_bytes"] == "promised"
    assert 0 < m["train_seconds"] < m["wall_seconds"] == sitting["wall_seconds"]
    assert sitting["started"] <= sitting["finished"]
    assert {"python", "device", "system"} <= sitting.keys()
    json.dumps(m, allow_nan=False)


def test_metadata_tells_the_sittings_of_a_run_apart(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever goes on with a run may do so on another machine, or with another version."""
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        patch.setattr(runs, "provenance", lambda device: {"device": "one", "git": {"commit": "a" * 40}})
        with pytest.raises(InterruptError):
            ensure(spec())
    monkeypatch.setattr(runs, "provenance", lambda device: {"device": "another", "git": {"commit": "b" * 40}})
    run = ensure(spec())
    first, second = run.metadata["sittings"]
    assert (first["device"], first["git"]["commit"][0], first["epochs"]) == ("one", "a", [1, 1])
    assert (second["device"], second["git"]["commit"][0], second["epochs"]) == ("another", "b", [2, 3])
    assert run.device == "one, then another"
    assert run.metadata["wall_seconds"] == first["wall_seconds"] + second["wall_seconds"]


def damaged(content: bytes, how: str) -> bytes | None:
    return {
        "a byte changed": content[:-1] + bytes([content[-1] ^ 1]),
        "a header byte changed": content[:20] + bytes([content[20] ^ 1]) + content[21:],
        "cut short": content[: len(content) // 2],
        "empty": b"",
        "missing": None,
    }[how]


DAMAGE = ["a byte changed", "a header byte changed", "cut short", "empty", "a folder", "missing"]


def spoil(path: Path, how: str) -> bytes | None:
    """Damage a file; returns what it holds then."""
    if how == "a folder":
        path.unlink()
        path.mkdir()
        return None
    content = damaged(path.read_bytes(), how)
    path.unlink() if content is None else path.write_bytes(content)
    return content


@pytest.mark.parametrize("name", [*FILES, "metadata.json"])
@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_refused_by_name_then_moved_aside_and_made_anew(
    folder: Path, caplog: pytest.LogCaptureFixture, name: str, how: str
) -> None:
    run = ensure(spec(recipe={**TINY["recipe"], "epochs": 1}))
    before = {f: (run.folder / f).read_bytes() for f in ("weights.safetensors", "history.csv")}
    path = run.folder / name
    content = spoil(path, how)
    if name in ("weights.safetensors", "metadata.json") and run.done:
        with pytest.raises(DamagedError) as error:
            run.model()
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
    if (name, how) == ("metadata.json", "missing"):  # then the run is not finished, and nothing vouches for the others
        assert not run.done
        content, name = before["weights.safetensors"], "weights.safetensors"
    else:
        assert str(path) in str(run.damage())

    ensure(run.spec)
    assert run.damage() is None
    assert {f: (run.folder / f).read_bytes() for f in before} == before
    aside = run.folder / "damaged" / "1"
    assert f"{path}: " in caplog.text
    assert str(aside) in caplog.text
    if content is not None:
        assert (aside / name).read_bytes() == content


def test_the_files_of_another_run_are_not_taken_for_this_ones(folder: Path) -> None:
    one, other = ensure(spec()), ensure(spec(seed=4))
    model = weights(one.model())
    shutil.rmtree(one.folder)
    shutil.copytree(other.folder, one.folder)
    with pytest.raises(DamagedError, match="metadata.json: belongs to another run"):
        one.model()
    assert weights(ensure(one.spec).model()) == model


@pytest.mark.parametrize("how", [*DAMAGE[:4], "of another run", "of another epoch"])
def test_a_damaged_checkpoint_is_moved_aside_and_the_one_before_is_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    whole = ensure(spec()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    run = Run(spec())
    with monkeypatch.context() as patch:
        stop_after(2, patch)
        for s in (spec(), spec(seed=4)):
            with pytest.raises(InterruptError):
                ensure(s)
    last, before = checkpoints.found(run.folder)
    if how == "of another run":
        last.unlink()
        (last,) = (shutil.copy(p, run.folder) for p in checkpoints.found(Run(spec(seed=4)).folder)[:1])
    elif how == "of another epoch":
        last = last.rename(last.with_name(last.name.replace("000002", "000009")))
    else:
        spoil(last, how)
    content = Path(last).read_bytes()
    epochs: list[int] = []
    original = checkpoints.save_checkpoint
    monkeypatch.setattr(checkpoints, "save_checkpoint", lambda f, s, a: (epochs.append(s.epoch), original(f, s, a)))
    ensure(spec())
    assert epochs == [2, 3]
    assert (run.folder / "damaged" / "1" / Path(last).name).read_bytes() == content
    assert str(last) in caplog.text
    assert not before.exists()  # the run is finished
    for file in ("weights.safetensors", "history.csv"):
        assert (run.folder / file).read_bytes() == (whole / file).read_bytes()


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a" / "file"
    write(path, "old")

    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, fail)
            with pytest.raises(StoreError, match=f"{path}: No space left on device: make room; .*the same command"):
                write(path, b"new")
        assert path.read_text() == "old"
        assert [p.name for p in path.parent.iterdir()] == ["file"]


def test_what_a_killed_writer_left_goes_once_it_is_old(tmp_path: Path) -> None:
    old, young = tmp_path / ".file.a.partial", tmp_path / ".file.b.partial"
    for partial in (old, young):
        partial.write_text("half")
    os.utime(old, (0, 0))
    write(tmp_path / "file", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == [young.name, "file"]


def test_what_a_killed_training_left_goes_when_the_next_one_begins(folder: Path) -> None:
    partial = Run(spec()).folder / ".weights.safetensors.a.partial"
    partial.parent.mkdir(parents=True)
    partial.write_text("half")
    ensure(spec())
    assert not partial.exists()


def test_tensors_and_their_info_come_back_bit_identical(tmp_path: Path) -> None:
    odd = torch.tensor([0.1, -0.0, math.inf, math.nan])
    tensors = {"a": odd, "b": torch.arange(6).reshape(2, 3).T, "c": torch.tensor(7)}
    store.save_tensors(tmp_path / "t", tensors, {"lr": 0.1 + 0.2})
    read, info = store.load_tensors(tmp_path / "t")
    assert info == {"lr": 0.1 + 0.2}
    assert all(read[k].numpy().tobytes() == tensors[k].numpy().tobytes() for k in tensors)


# --- several processes -----------------------------------------------------------------------

WORKER = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from dataclasses import replace
from snnlib.runs import run as runs
from snnlib.data.sets import Split, load

mini = load("fashion_mnist_mini")
part = lambda s: Split(s.images[::50], s.labels[::50])
runs.load = lambda *_, **__: replace(mini, train=part(mini.train), test=part(mini.test))
here, me = Path({here!r}), sys.argv[1]
train = runs.train_epochs

def train_epochs(*args, **kwargs):
    (here / f"trained-{{me}}").touch()
    until = time.monotonic() + 60
    while len(list(here.glob("asks-*"))) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(1)  # the other one is waiting by now, and has said so
    return train(*args, **kwargs)

runs.train_epochs = train_epochs
(here / f"asks-{{me}}").touch()
run = runs.ensure(runs.Spec.model_validate_json({spec!r}), "cpu")
assert run.done
print(run.metadata["files"]["weights.safetensors"])
run.model("cpu")
"""


def test_two_processes_that_ask_at_once_train_once(tmp_path: Path) -> None:
    code = WORKER.format(
        tests=str(Path(__file__).parents[1]),
        here=str(tmp_path),
        spec=spec(recipe={"epochs": 1, "batch_size": 32}).model_dump_json(),
    )
    environment = {**os.environ, "SNNLIB_RUNS": str(tmp_path / "store")}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", code, name], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, cwd=Path(__file__).parents[2],
        )
        for name in "ab"
    ]  # fmt: skip
    results = [worker.communicate(timeout=120) for worker in workers]
    assert [w.returncode for w in workers] == [0, 0], results
    assert len(list(tmp_path.glob("asks-*"))) == 2
    assert len(list(tmp_path.glob("trained-*"))) == 1
    assert results[0][0] == results[1][0]
    said = [line for _, err in results for line in err.splitlines() if line.startswith("waiting for process ")]
    assert len(said) == 1
    assert re.fullmatch(r"waiting for process \d+ on \S+ \(since .*\), which trains fashion_mnist_mini-cnn-.*", said[0])
    assert int(said[0].split()[3]) in [worker.pid for worker in workers]


def test_an_unfinished_run_has_no_model(folder: Path) -> None:
    with pytest.raises(StoreError, match="not finished"):
        Run(spec()).model()


# --- fine-tuning -----------------------------------------------------------------------------


def tuned(**changes: Any) -> Spec:
    """Direct training at T = 2 after the single-step run."""
    return spec(**{"dynamics": LIF(), "timesteps": 2, "after": spec(), **changes})


def test_what_a_run_comes_after_is_part_of_its_key() -> None:
    others = [spec(seed=4), spec(recipe={**TINY["recipe"], "lr": 2e-3}), spec(dynamics=SingleStep(Uniform())), tuned()]
    specs = [tuned(), tuned(after=None), *(tuned(after=other) for other in others)]
    assert len({s.key for s in specs}) == len(specs)


@pytest.fixture
def first_weights(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, bytes]]:
    """The weights that each training began with, by its label."""
    seen: dict[str, dict[str, bytes]] = {}
    original = runs.train_epochs

    def spy(state: Any, *args: Any, **kwargs: Any) -> Any:
        seen[kwargs["label"]] = weights(state.model)
        return original(state, *args, **kwargs)

    monkeypatch.setattr(runs, "train_epochs", spy)
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
    state = train_epochs(start(model, small, r), small, r, timesteps=2, seed=3)
    assert weights(run.model()) == weights(state.model)
    assert run.history.to_dict("records") == state.history


def test_fine_tuning_is_resumed_to_the_same_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ensure(tuned()).folder
    monkeypatch.setenv("SNNLIB_RUNS", str(folder.parent / "other"))
    ensure(spec())
    original = checkpoints.save_checkpoint

    def save_then_stop(folder: Path, state: Any, about: Any) -> None:
        original(folder, state, about)
        if state.epoch == 1:
            raise InterruptError

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "save_checkpoint", save_then_stop)
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

    monkeypatch.setattr(runs, "train_epochs", fails)
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


def test_a_run_that_is_moved_aside_meanwhile_is_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process has found it damaged, while this one looks whether it is."""
    run = ensure(spec())
    whole = weights(run.model())
    original = runs.check

    def aside(path: Path, digest: str) -> Path:
        monkeypatch.setattr(runs, "check", original)
        set_aside(*(run.folder / name for name in (*FILES, "metadata.json")))
        return original(path, digest)

    monkeypatch.setattr(runs, "check", aside)
    assert weights(ensure(spec()).model()) == whole


@pytest.mark.parametrize(
    "found", [{}, {"spec": None}, {"files": {}}, {"spec": {}, "files": {"weights.safetensors": "0"}}], ids=str
)
def test_sealed_metadata_of_something_else_is_damage(folder: Path, found: dict[str, Any]) -> None:
    run = ensure(spec())
    write(run.folder / "metadata.json", seal(found))
    with pytest.raises(DamagedError, match="belongs to another run, or was not written by this version"):
        run.model()
    assert ensure(spec()).damage() is None
