"""Step 1: what a training step computes, that it repeats bit for bit, and that it resumes so."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import weights
from pydantic import ValidationError
from torch import nn

from reproduce.runs.checkpoints import found, restore, save_checkpoint
from snnlib.baselines.ann_neurons import QCFS, ReLU
from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.data.batches import crop, flip, standardise
from snnlib.data.sets import Dataset
from snnlib.dynamics import LIF, Dynamics, SingleStep
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.noise import Gaussian, Uniform
from snnlib.simulation import Simulation
from snnlib.training import loop
from snnlib.training.evaluation import accuracy_over_time
from snnlib.training.failures import DeviceError, TrainingError
from snnlib.training.loop import State, initial_state, train_epochs
from snnlib.training.losses import mse
from snnlib.training.recipe import Recipe
from snnlib.training.seeds import stream

SCHEDULES = ("warm_restarts", "cosine", "one_cycle", "constant")
WAYS: dict[str, dict[str, Any]] = {
    **{schedule: {"schedule": schedule} for schedule in SCHEDULES},
    "sgd": {"optimizer": "sgd", "lr": 0.1, "weight_decay": 5e-4, "schedule": "triangle"},
    "muon": {"optimizer": "muon", "weight_decay": 0.01, "loss": "cross_entropy", "smoothing": 0.1},
}
COLUMNS = ["epoch", "lr", "train_loss", "train_accuracy", "test_accuracy_t1", "test_accuracy"]


class InterruptError(Exception):
    """What an interrupted run dies of."""


def fresh(dynamics: Dynamics | None = None, readout: str = "spikes", seed: int = 7) -> Spiking:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build("cnn", dynamics or SingleStep(), width=1 / 16, readout=readout)


def recipe(**options: Any) -> Recipe:
    return Recipe(**{"epochs": 3, "batch_size": 32, "lr": 3e-3, "restart_every": 2, **options})


def trained(data: Dataset, r: Recipe, **options: Any) -> State:
    return train_epochs(initial_state(fresh(), data, r), data, r, **options)


# --- what a step computes --------------------------------------------------------------------


@pytest.mark.parametrize(("dynamics", "timesteps"), [(SingleStep(Uniform()), 1), (LIF(), 3)], ids=["single", "lif"])
def test_an_epoch_is_adam_on_the_mse_of_the_mean_output(small: Dataset, dynamics: Dynamics, timesteps: int) -> None:
    r = recipe(epochs=1, lr=1e-3, schedule="constant")
    state = train_epochs(initial_state(fresh(dynamics, "potential"), small, r), small, r, timesteps=timesteps, seed=11)

    model = fresh(dynamics, "potential").train()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    noise, losses, right = stream(11, "noise", 1), [], 0
    order = torch.randperm(160, generator=stream(11, "order", 1))
    for index in order.split(32):
        x = (small.train.images[index] / 255 - small.mean) / small.std
        x = x.contiguous(memory_format=torch.channels_last)
        out = model(x, simulation=Simulation(noise, timesteps)).mean(0)
        target = torch.eye(10)[small.train.labels[index]]
        loss = ((out - target) ** 2).sum() / out.numel()
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
        right += (out.argmax(1) == small.train.labels[index]).sum().item()

    (row,) = state.history
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert row["train_accuracy"] == pytest.approx(right / 160, abs=0.02)
    for mine, theirs in zip(state.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-2, atol=1e-4)


def test_a_step_takes_the_loss_and_the_optimizer_of_the_recipe(small: Dataset) -> None:
    options = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.8, "weight_decay": 0.01, "schedule": "constant"}
    r = recipe(epochs=1, batch_size=160, loss="cross_entropy", smoothing=0.2, **options)
    state = train_epochs(initial_state(fresh(readout="potential"), small, r), small, r, seed=11)

    model = fresh(readout="potential").train()
    order = torch.randperm(160, generator=stream(11, "order", 1))
    x = standardise(small.train.images[order], small).contiguous(memory_format=torch.channels_last)
    out = model(x, simulation=Simulation(stream(11, "noise", 1), 1)).mean(0)
    target = 0.8 * torch.eye(10)[small.train.labels[order]] + 0.2 / 10
    (-(target * out.log_softmax(1)).sum(1).mean()).backward()
    for mine, w in zip(state.model.parameters(), model.parameters(), strict=True):
        step = w.grad + 0.01 * w.detach()
        torch.testing.assert_close(mine.detach(), w.detach() - 0.1 * (step + 0.8 * step), rtol=1e-3, atol=1e-5)


def test_a_taught_net_has_half_of_its_loss_from_the_teachers_outputs_on_the_same_images(small: Dataset) -> None:
    options = {"optimizer": "sgd", "lr": 0.1, "momentum": 0.0, "schedule": "constant", "augment": "crop"}
    r = recipe(epochs=1, batch_size=160, loss="cross_entropy", **options)
    teacher = fresh(ReLU(), "potential", seed=5).eval()
    begun = weights(teacher)
    state = train_epochs(initial_state(fresh(readout="potential"), small, r, teacher=teacher), small, r, seed=11)
    assert weights(teacher) == begun
    assert all(p.grad is None for p in teacher.parameters())

    model = fresh(readout="potential").train()
    order = torch.randperm(160, generator=stream(11, "order", 1))
    x = standardise(crop(small.train.images[order], stream(11, "augmentation", 1)), small)
    x = x.contiguous(memory_format=torch.channels_last)
    out = model(x, simulation=Simulation(stream(11, "noise", 1), 1)).mean(0)
    p = (teacher(x, simulation=Simulation()).mean(0) / 2).softmax(1).detach()
    labels = -(torch.eye(10)[small.train.labels[order]] * out.log_softmax(1)).sum(1).mean()
    divergence = 4 * (p * (p.log() - (out / 2).log_softmax(1))).sum(1).mean()
    ((labels + divergence) / 2).backward()
    assert state.history[0]["train_loss"] == pytest.approx(((labels + divergence) / 2).item(), rel=1e-4)
    for mine, w in zip(state.model.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine.detach(), w.detach() - 0.1 * w.grad, rtol=1e-3, atol=1e-5)


def test_the_paper_cnn_learns(small: Dataset) -> None:
    r = recipe(epochs=12, lr=1e-2, schedule="one_cycle", batch_size=16, evaluate_every=12)
    state = train_epochs(initial_state(fresh(readout="potential"), small, r), small, r)
    assert state.history[-1]["train_loss"] < 0.6 * state.history[0]["train_loss"]
    assert state.history[-1]["test_accuracy"] > 0.4


@pytest.mark.parametrize("options", [{"augment": True}, {"precision": "bfloat16"}], ids=str)
def test_augmentation_and_bfloat16_change_the_run_and_repeat(small: Dataset, options: dict[str, Any]) -> None:
    first, second, plain = (trained(small, recipe(epochs=1, **o)) for o in (options, options, {}))
    assert weights(first.model) == weights(second.model) != weights(plain.model)
    assert all(p.dtype == torch.float32 for p in first.model.parameters())


# --- history ---------------------------------------------------------------------------------


def test_history_has_a_row_for_each_epoch(small: Dataset) -> None:
    state = trained(small, recipe())
    assert [list(row) for row in state.history] == [COLUMNS] * 3
    assert [row["epoch"] for row in state.history] == [1, 2, 3]
    assert all(0 <= row[c] <= 1 for row in state.history for c in COLUMNS[3:])
    assert [list(row) for row in state.timing] == [["epoch", "seconds", "images_per_s"]] * 3
    for row in state.timing:
        assert row["images_per_s"] == pytest.approx(160 / row["seconds"])


def test_evaluation_comes_every_so_often_and_last(small: Dataset) -> None:
    history = trained(small, recipe(evaluate_every=2)).history
    assert ["test_accuracy" in row for row in history] == [False, True, True]


def test_it_is_never_evaluated_if_the_recipe_says_so_and_trained_all_the_same(small: Dataset) -> None:
    often, never = (trained(small, recipe(evaluate_every=n)) for n in (1, 0))
    assert [list(row) for row in never.history] == [COLUMNS[:-2]] * 3
    assert [row["train_loss"] for row in never.history] == [row["train_loss"] for row in often.history]


# Enough training for accuracies that tell one time step from several.
QUICK = {"epochs": 6, "lr": 1e-2, "schedule": "one_cycle", "batch_size": 16, "evaluate_every": 6}


@pytest.mark.parametrize(("test_timesteps", "test_batch"), [(1, 250), (4, 250), (4, 30)])
def test_a_single_step_net_is_tested_converted(small: Dataset, test_timesteps: int, test_batch: int) -> None:
    r = recipe(test_timesteps=test_timesteps, test_batch=test_batch, **QUICK)
    state = train_epochs(initial_state(fresh(readout="potential"), small, r), small, r)
    snn = convert(state.model, statistics="layer")
    table, otherwise = (accuracy_over_time(snn, small, test_timesteps, batch_size=n) for n in (test_batch, 45))
    assert test_timesteps == 1 or not table.accuracy.equals(otherwise.accuracy)  # the batch matters
    assert state.history[-1]["test_accuracy_t1"] == table.accuracy.iloc[0]
    assert state.history[-1]["test_accuracy"] == table.accuracy.iloc[-1]
    assert test_timesteps == 1 or table.accuracy.iloc[0] != table.accuracy.iloc[-1]


@pytest.mark.parametrize(
    ("dynamics", "readout", "timesteps"),
    [
        (SingleStep(Gaussian(high=0.0)), "spikes", 1),  # no noise to put a potential in place of
        (SingleStep(Uniform(0.3, 0.3)), "potential", 1),
        (LIF(), "potential", 3),
        (ReLU(), "potential", 1),
        (QCFS(), "potential", 1),
    ],
    ids=str,
)
def test_any_other_net_is_tested_as_it_is(small: Dataset, dynamics: Dynamics, readout: str, timesteps: int) -> None:
    r = recipe(test_timesteps=7, **QUICK)
    state = train_epochs(initial_state(fresh(dynamics, readout), small, r), small, r, timesteps=timesteps)
    at = accuracy_over_time(state.model, small, 7).set_index("timesteps").accuracy
    assert state.history[-1]["test_accuracy_t1"] == at[1]
    assert state.history[-1]["test_accuracy"] == at[timesteps]
    assert dynamics != LIF() or len({at[1], at[3], at[7]}) == 3


def test_evaluating_less_often_changes_no_weight(small: Dataset) -> None:
    often, seldom = (trained(small, recipe(evaluate_every=n)) for n in (1, 3))
    assert weights(often.model) == weights(seldom.model)


def test_save_is_called_after_every_epoch_with_its_row(small: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    trained(small, recipe(), save=lambda s: seen.append((s.epoch, len(s.history))))
    assert seen == [(1, 1), (2, 2), (3, 3)]


# --- evaluated within an epoch ---------------------------------------------------------------


# An epoch; at this rate accuracies tell one third of it from another.
TEN_STEPS = {"batch_size": 16, "lr": 3e-2, "schedule": "one_cycle", "augment": "crop_flip"}


def reads_potentials(data: Dataset, save: Callable[[State], None] = lambda _: None, **options: Any) -> State:
    r = recipe(**TEN_STEPS, **options)
    return train_epochs(initial_state(fresh(readout="potential"), data, r), data, r, seed=2, save=save)


@pytest.fixture(scope="module")
def thirds(small: Dataset) -> State:
    """Three epochs of ten steps each, evaluated thrice in each."""
    return reads_potentials(small, evaluate_every=1 / 3)


def test_evaluating_within_an_epoch_changes_no_weight(small: Dataset, thirds: State) -> None:
    once = reads_potentials(small)
    assert weights(thirds.model) == weights(once.model)
    assert [row for row in thirds.history if row["epoch"] in (1, 2, 3)] == once.history


def test_history_and_timing_have_a_row_for_each_part_of_an_epoch(thirds: State) -> None:
    epochs = [k / 3 for k in range(1, 10)]
    for rows in (thirds.history, thirds.timing):
        assert [row["epoch"] for row in rows] == pytest.approx(epochs)
    assert [list(row) for row in thirds.history] == [COLUMNS] * 9
    assert thirds.epoch == 3


def test_a_row_within_an_epoch_is_the_net_after_so_many_steps(small: Dataset, thirds: State) -> None:
    """Ten steps in thirds: after steps 3, 7 and 10, the first of which are counted here."""
    r, n = recipe(**TEN_STEPS), 3
    state, losses = initial_state(fresh(readout="potential"), small, r), []
    order, noise, crops = (stream(2, purpose, 1) for purpose in ("order", "noise", "augmentation"))
    state.model.train()
    for index in torch.randperm(160, generator=order).split(16)[:n]:
        x = flip(crop(small.train.images[index], crops), crops)
        x = standardise(x, small).contiguous(memory_format=torch.channels_last)
        loss = mse(state.model(x, simulation=Simulation(noise, 1)).mean(0), small.train.labels[index])
        state.optimizer.zero_grad()
        loss.backward()
        state.optimizer.step()
        state.scheduler.step()
        losses.append(loss.item())
    row, at = thirds.history[0], ["test_accuracy_t1", "test_accuracy"]
    assert row["train_loss"] == pytest.approx(np.mean(losses), rel=1e-5)
    table = accuracy_over_time(convert(state.model, statistics="layer"), small, 10)
    assert [row[name] for name in at] == list(table.accuracy.iloc[[0, -1]])
    assert len({row["test_accuracy"] for row in thirds.history[:3]}) == 3  # so no other step's


@pytest.mark.parametrize("after", [1, 2])
def test_a_run_evaluated_within_epochs_resumes_to_the_same_bytes(
    small: Dataset, thirds: State, tmp_path: Path, after: int
) -> None:
    r = recipe(**TEN_STEPS, evaluate_every=1 / 3)

    def save_then_stop(state: State) -> None:
        save_checkpoint(tmp_path, state, {"run": "r"})
        if state.epoch == after:
            raise InterruptError

    with pytest.raises(InterruptError):
        reads_potentials(small, save_then_stop, evaluate_every=1 / 3)
    state = initial_state(fresh(readout="potential", seed=8), small, r)
    restore(found(tmp_path)[0], state, "r")
    assert (state.epoch, len(state.history)) == (after, 3 * after)
    train_epochs(state, small, r, seed=2)
    assert weights(state.model) == weights(thirds.model)
    assert state.history == thirds.history


def test_it_is_saved_after_whole_epochs_alone(small: Dataset) -> None:
    seen: list[tuple[int, int]] = []
    trained(small, recipe(evaluate_every=0.5), save=lambda s: seen.append((s.epoch, len(s.history))))
    assert seen == [(1, 2), (2, 4), (3, 6)]


def test_an_epoch_has_no_more_parts_than_steps(small: Dataset) -> None:
    history = trained(small, recipe(epochs=1, evaluate_every=0.1)).history  # five steps
    assert [row["epoch"] for row in history][-1] == 1
    assert len(history) == 5


def test_the_clock_does_not_run_while_the_net_is_tested(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes a second, a test a thousand."""
    now = [0.0]
    monkeypatch.setattr(loop.time, "perf_counter", lambda: now[0])
    r = recipe(epochs=2, batch_size=16, evaluate_every=0.5)
    state, test = initial_state(fresh(), small, r), loop._test
    update = state.optimizer.step

    def tested(*args: Any) -> dict[str, float]:
        now[0] += 1000
        return test(*args)

    def step() -> None:
        now[0] += 1
        update()

    monkeypatch.setattr(loop, "_test", tested)
    state.optimizer.step = step
    train_epochs(state, small, r)
    assert now[0] == 4020
    assert [row["seconds"] for row in state.timing] == [5, 5, 5, 5]
    assert [row["images_per_s"] for row in state.timing] == [16] * 4


def test_a_test_within_an_epoch_that_fails_is_named(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried")

    monkeypatch.setattr(loop, "accuracy_over_time", full)
    with pytest.raises(TrainingError, match="my run: test after epoch 0.5: out of memory at recipe.test_batch = 250"):
        trained(small, recipe(evaluate_every=0.5), label="my run")


@pytest.mark.parametrize(("given", "kept"), [(2.0, 2), (1.0, 1), (0.25, 0.25), (1 / 3, 1 / 3), (5, 5)])
def test_a_whole_number_of_epochs_is_one_however_it_is_written(given: float, kept: float) -> None:
    found = Recipe(evaluate_every=given).evaluate_every
    assert (found, type(found)) == (kept, type(kept))


# --- the same seed, the same run -------------------------------------------------------------


def test_the_seed_fixes_the_run_whatever_was_drawn_before(small: Dataset) -> None:
    first = trained(small, recipe(augment=True), seed=5)
    torch.manual_seed(123)
    np.random.seed(1)
    torch.rand(17)
    second = trained(small, recipe(augment=True), seed=5)
    assert weights(first.model) == weights(second.model)
    assert first.history == second.history
    other = trained(small, recipe(augment=True), seed=6)
    assert weights(first.model) != weights(other.model)


def test_streams_differ_by_seed_purpose_and_index() -> None:
    purposes = ("weights", "order", "augmentation", "noise", "evaluation", "calibration", "ties")
    seeds = {stream(s, p, i).initial_seed() for s in range(10) for p in purposes for i in range(10)}
    assert len(seeds) == 700


# --- resuming --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(small: Dataset) -> dict[str, State]:
    """An uninterrupted run of each way."""
    return {way: trained(small, recipe(epochs=4, augment=True, **o), seed=2) for way, o in WAYS.items()}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_resumed_run_equals_an_uninterrupted_one(
    small: Dataset, whole: dict[str, State], tmp_path: Path, way: str, after: int
) -> None:
    r = recipe(epochs=4, augment=True, **WAYS[way])

    def save_then_stop(state: State) -> None:
        save_checkpoint(tmp_path, state, {"run": "r"})
        if state.epoch == after:
            raise InterruptError

    with pytest.raises(InterruptError):
        trained(small, r, seed=2, save=save_then_stop)

    state = initial_state(build("cnn", SingleStep(), width=1 / 16), small, r)  # other weights: all come from the file
    restore(found(tmp_path)[0], state, "r")
    assert state.epoch == after
    train_epochs(state, small, r, seed=2)
    assert weights(state.model) == weights(whole[way].model)
    assert state.history == whole[way].history
    assert [row["epoch"] for row in state.timing] == [1, 2, 3, 4]


def test_a_restored_state_keeps_the_memory_layout_of_weights_and_moments(small: Dataset, tmp_path: Path) -> None:
    r = recipe(epochs=1)
    state = trained(small, r)
    again = initial_state(fresh(), small, r)
    restore(save_checkpoint(tmp_path, state, {"run": "r"}), again, "r")
    for old, new in zip(state.model.parameters(), again.model.parameters(), strict=True):
        assert old.stride() == new.stride()
        assert torch.equal(old, new)
        for slot, value in state.optimizer.state[old].items():
            assert torch.equal(value, again.optimizer.state[new][slot])
            assert value.stride() == again.optimizer.state[new][slot].stride()


def test_a_checkpoint_is_a_safetensors_file(small: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("pickled")

    for module, name in (("torch", "save"), ("torch", "load"), ("pickle", "dump"), ("pickle", "load")):
        monkeypatch.setattr(f"{module}.{name}", refuse)
    state = trained(small, recipe(epochs=1), save=lambda s: save_checkpoint(tmp_path, s, {"run": "r"}))
    (path,) = tmp_path.iterdir()
    restore(path, state, "r")
    assert path.read_bytes()[8:9] == b"{"


# --- learning rates --------------------------------------------------------------------------


def cosine(begin: float, end: float, share: float) -> float:
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2


def one_cycle(lr: float, k: int, total: int) -> float:
    """From lr / 25 up to lr over three tenths of the cycle, then down to lr / 250,000 (Smith & Topin 2017)."""
    top = 0.3 * (total + 1) - 1
    return cosine(lr / 25, lr, k / top) if k <= top else cosine(lr, lr / 25 / 1e4, (k - top) / (total - top))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_each_update_takes_the_schedules_learning_rate(small: Dataset, schedule: str) -> None:
    r, n = recipe(schedule=schedule, epochs=5, evaluate_every=5), 160 // 32
    state = initial_state(fresh(), small, r)
    taken: list[float] = []
    state.optimizer.register_step_pre_hook(lambda adam, *_: taken.append(float(adam.param_groups[0]["lr"])))
    train_epochs(state, small, r)
    expected = [
        {
            "warm_restarts": cosine(3e-3, 0, k % (2 * n) / (2 * n)),  # restart_every = 2 epochs
            "cosine": cosine(3e-3, 0, k / (5 * n)),
            "one_cycle": one_cycle(3e-3, k, 5 * n),
            "constant": 3e-3,
        }[schedule]
        for k in range(5 * n)
    ]
    assert taken == pytest.approx(expected, rel=1e-6)
    assert [row["lr"] for row in state.history] == pytest.approx(expected[::n], rel=1e-6)


def test_the_papers_recipe_is_the_default() -> None:
    r = Recipe()
    assert (r.lr, r.schedule, r.restart_every, r.batch_size) == (1e-4, "warm_restarts", 100, 128)


# --- what goes wrong -------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_before_it_is_saved(small: Dataset, value: float) -> None:
    model = fresh(readout="potential")
    last = [m for m in model.modules() if isinstance(m, nn.Linear)][-1]
    nn.init.constant_(last.bias, value)
    saved: list[State] = []
    r = recipe()
    words = rf"^my run: epoch 1, step 1 of 5: .* no longer finite \(mean loss (nan|inf)\): .*lr than {r.lr}"
    with pytest.raises(TrainingError, match=words):
        train_epochs(initial_state(model, small, r), small, r, label="my run", save=saved.append)
    assert not saved


@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [
        ("epochs", 0, "greater than or equal to 1"),
        ("epochs", -3, "greater than or equal to 1"),
        ("epochs", 1.5, "integer"),
        ("batch_size", 1, "greater than or equal to 2"),
        ("lr", 0.0, "greater than 0"),
        ("lr", -1e-3, "greater than 0"),
        ("lr", 11.0, "less than or equal to 10"),
        ("lr", math.nan, "less than or equal to 10"),
        ("schedule", "linear", "'warm_restarts', 'cosine', 'one_cycle', 'triangle' or 'constant'"),
        ("restart_every", 0, "greater than or equal to 1"),
        ("precision", "bf16", "'float32' or 'bfloat16'"),
        ("threads", 0, "greater than or equal to 1"),
        ("evaluate_every", -1, "greater than or equal to 0"),
        ("evaluate_every", -0.5, "greater than or equal to 0"),
        ("evaluate_every", 0.3, "must be a whole number of epochs, or 1 / a whole number up to 1000"),
        ("evaluate_every", 1.5, "must be a whole number of epochs, or 1 / a whole number up to 1000"),
        ("evaluate_every", 1e-4, "must be a whole number of epochs, or 1 / a whole number up to 1000"),
        ("evaluate_every", 1e-300, "must be a whole number of epochs, or 1 / a whole number up to 1000"),
        ("evaluate_every", math.nan, "greater than or equal to 0"),
        ("momentum", 1.0, "less than 1"),
        ("weight_decay", -0.1, "greater than or equal to 0"),
        ("loss", "hinge", "'mse' or 'cross_entropy'"),
        ("optimizer", "lion", "'adam', 'sgd' or 'muon'"),
        ("smoothing", 0.1, "must be 0 with loss = mse"),
        ("beta", 0.9, "no such field"),
    ],
)
def test_bad_recipe_is_refused(field: str, value: Any, allowed: str) -> None:
    with pytest.raises(InputError) as error:
        Recipe(**{field: value})
    message = str(error.value)
    assert message.removeprefix("Recipe: ").startswith(f"{field} = {value!r}: ")
    assert allowed in message
    assert "\n" not in message


def test_a_recipe_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Recipe().lr = 1.0


def test_nan_weights_stop_training_with_a_spiking_readout_too(small: Dataset) -> None:
    model, r = fresh(), recipe(epochs=1)
    nn.init.constant_(model.model.encoder[0].weight, math.nan)
    with pytest.raises(TrainingError, match="epoch 1, step 1 of 5: loss, gradients or weights are no longer finite"):
        train_epochs(initial_state(model, small, r), small, r)


@pytest.mark.parametrize("step", [2, 5])
def test_the_step_is_the_first_one_that_went_wrong(small: Dataset, step: int) -> None:
    model, r = fresh(readout="potential"), recipe(epochs=2)
    state, seen = initial_state(model, small, r), []
    update = state.optimizer.step

    def spoil() -> None:
        seen.append(1)
        update()
        if len(seen) == 5 + step:
            nn.init.constant_(model.model.encoder[0].weight, math.inf)

    state.optimizer.step = spoil
    with pytest.raises(TrainingError, match=f"epoch 2, step {step} of 5"):
        train_epochs(state, small, r)
    assert state.epoch == 1


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried"),
            TrainingError,
            "out of memory at recipe.batch_size = 32: try 16",
        ),
        (MemoryError(), TrainingError, "out of memory at recipe.batch_size = 32: try 16"),
        (RuntimeError("CUDA error: device-side assert"), DeviceError, "the device failed: .* run the same command"),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), DeviceError, "the device failed"),
        (RuntimeError("shapes do not match"), RuntimeError, "^shapes do not match$"),
    ],
    ids=str,
)
def test_what_stops_training_is_named_with_epoch_and_step(
    small: Dataset, error: Exception, kind: type[Exception], words: str
) -> None:
    r = recipe(epochs=2)
    state = initial_state(fresh(), small, r)
    update, steps = state.optimizer.step, iter(range(1, 100))

    def fail() -> None:
        if next(steps) == 8:
            raise error
        update()

    state.optimizer.step = fail
    saved: list[int] = []
    with pytest.raises(kind, match=words) as found:
        train_epochs(state, small, r, label="my run", save=lambda s: saved.append(s.epoch))
    assert type(found.value) is kind
    if kind is not RuntimeError:
        assert str(found.value).startswith("my run: epoch 2, step 3: ")
        assert "\n" not in str(found.value)
    assert saved == [1]
