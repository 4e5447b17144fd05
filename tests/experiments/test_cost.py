"""The cost of a training step: peak memory against PyTorch's profiler, time on a clock of our own."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from reproduce.experiments.fig3_4_training_time import cost
from reproduce.experiments.fig3_4_training_time.cost import (
    GIB,
    first,
    largest_batch,
    line,
    memory_in_words,
    peak_memory,
    step_seconds,
    trainer,
    training_cost,
)
from reproduce.runs.run import Run, build_for
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.fast.noise_tape import LENGTH, SHORT, clipped_normal, tapes_read
from snnlib.training import measure
from snnlib.training.loop import initial_state, train_epochs

RECIPE = {"epochs": 1, "batch_size": 32, "lr": 1e-3, "schedule": "constant"}
OURS = Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE)
DIRECT = Spec(
    dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE, dynamics={"kind": "lif"}, timesteps=10
)
LONGER = OURS.model_copy(update={"recipe": OURS.recipe.model_copy(update={"epochs": 8})})
RACE = {"ours": [Run(OURS)], "equal_time": [Run(LONGER)], "direct": [Run(DIRECT)]}


# --- peak memory -----------------------------------------------------------------------------


def profiled(work: Callable[[], object], folder: Path) -> int:
    """Peak of the CPU allocator's own count, from the trace that PyTorch's profiler writes."""
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as p:
        work()
        gc.collect()
    p.export_chrome_trace(str(folder / "trace.json"))
    events = json.loads((folder / "trace.json").read_text())["traceEvents"]
    changes = sorted((e["args"]["Ev Idx"], e["args"]["Bytes"]) for e in events if e["name"] == "[memory]")
    sums = torch.tensor([n for _, n in changes]).cumsum(0)
    assert sums[-1] == 0  # all of it was freed within
    return int(sums.max())


@pytest.mark.parametrize("spec", [OURS, DIRECT], ids=["ours", "direct"])
def test_peak_of_a_training_step_is_the_allocators(spec: Spec, small: Dataset, tmp_path: Path) -> None:
    images = first(64, small)
    trainer(spec, small)(images)  # the noise tape is there
    expected = profiled(lambda: trainer(spec, small)(images), tmp_path)
    peak, tape = peak_memory(spec, small, 32)
    assert peak - tape == pytest.approx(expected, rel=0.05)


def test_the_noise_tape_counts_for_those_that_read_it(small: Dataset) -> None:
    def tape(batch: int = 32, precision: str = "float32", **fields: object) -> int:
        recipe = {**RECIPE, "precision": precision}
        return peak_memory(Spec(**{**OURS.model_dump(), "recipe": recipe, **fields}), small, batch)[1]

    assert tape() == 4 * LENGTH  # one float32 each
    assert tape(16) == tape(64) == tape()  # of whatever length the reads are
    assert tape(dynamics={"kind": "lif"}, timesteps=10) == 0
    assert tape(dynamics={"kind": "single_step", "noise": {"kind": "uniform"}}) == 0
    assert tape(1) < tape()  # no layer has so many neurons that its noise is read


def test_a_tape_is_noted_once_while_somebody_asks() -> None:
    def draw(sigma: float, n: int = SHORT) -> None:
        clipped_normal(n, 0.5, sigma, 0, 1, torch.bfloat16, torch.Generator().manual_seed(0))

    with tapes_read() as outer:
        draw(0.125)
        with tapes_read() as inner:
            draw(0.125)
            draw(0.25)
            draw(0.5, SHORT - 1)  # drawn, not read
        assert list(inner.values()) == [2 * LENGTH] * 2
    draw(0.375)
    assert outer == inner


@pytest.mark.parametrize("spec", [OURS, DIRECT], ids=["ours", "direct"])
def test_memory_is_a_line_in_the_batch_size(spec: Spec, small: Dataset) -> None:
    a, b = line(*((n, peak_memory(spec, small, n)[0]) for n in (16, 32)))
    assert peak_memory(spec, small, 64)[0] == pytest.approx(a + 64 * b, rel=0.02)
    assert a > 3 * sum(p.nbytes for p in build_for(spec).parameters())  # weights and moments, whatever the batch


# --- time ------------------------------------------------------------------------------------


def test_a_measured_step_is_a_step_of_training(small: Dataset) -> None:
    for spec in (OURS, DIRECT):
        trained = train_epochs(
            initial_state(build_for(spec), small, spec.recipe), small, spec.recipe, timesteps=spec.timesteps
        )
        ((row, _),) = trainer(spec, small)(small)
        assert row["train_loss"] == trained.history[0]["train_loss"]


def test_arms_take_turns_and_a_measurement_is_per_step(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, []

    def one_epoch(state, data, recipe, timesteps, seed) -> tuple:
        nonlocal now
        steps = len(data.train) // recipe.batch_size
        calls.append((timesteps, steps))
        now += steps * (0.01 if timesteps == 1 else 0.2)
        return ()

    monkeypatch.setattr(cost, "one_epoch", one_epoch)
    monkeypatch.setattr(measure.time, "process_time", lambda: now)
    monkeypatch.setattr(cost, "LEAST", 0.035)
    ours, direct = step_seconds([OURS, DIRECT], small, repeats=3)
    assert ours == pytest.approx([0.01] * 3)
    assert direct == pytest.approx([0.2] * 3)
    assert calls == [(1, 1)] * 2 + [(10, 1)] * 2 + [(1, 4), (10, 1)] * 3  # warm-up, then in turn


# --- the table -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(small: Dataset) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "data", lambda *_: small)
        yield training_cost([RACE], memory_gib=0.15, repeats=2)


def test_the_table_has_a_row_for_each_arm(table) -> None:
    assert list(table.columns) == [
        *OURS.columns(), "batch_size", "arm", "timesteps", "device", "step_seconds", "step_seconds_sd",
        "step_flop", "peak_bytes", "tape_bytes", "fixed_bytes", "image_bytes", "largest_batch", "memory_limit_bytes",
    ]  # fmt: skip
    assert list(table.run) == [OURS.name, DIRECT.name]
    assert table[["arm", "timesteps", "batch_size"]].to_numpy().tolist() == [["ours", 1, 32], ["direct", 10, 32]]
    assert (table.step_seconds > 0).all()
    alone = table.peak_bytes - table.tape_bytes
    assert alone[1] > 5 * alone[0]
    assert table.tape_bytes.tolist() == [4 * LENGTH, 0]
    assert table.fixed_bytes[0] > 4 * LENGTH


def test_flop_are_those_of_convolutions_and_products_by_hand(table) -> None:
    """Forward, for the inputs and for the weights; the first layer has none for its input, and a single step."""
    first, others = 28 * 28 * 4 * 9, 14 * 14 * 4 * 8 * 9 + 7 * 7 * 8 * 8 * 9 + 3 * 3 * 8 * 32 + 32 * 10
    assert table.step_flop.tolist() == [2 * 32 * (2 * first + 3 * t * others) for t in (1, 10)]


def test_the_largest_batch_fits_and_a_larger_one_does_not(table, small: Dataset) -> None:
    limit = 0.15 * GIB
    for spec, row in zip((OURS, DIRECT), table.itertuples(), strict=True):
        assert row.memory_limit_bytes == round(limit)
        assert row.peak_bytes == peak_memory(spec, small, 32)[0]
        assert peak_memory(spec, small, row.largest_batch)[0] < 1.01 * limit
        assert peak_memory(spec, small, round(1.03 * row.largest_batch))[0] > limit


def test_why_memory_is_less_than_t_folds_is_told_in_numbers() -> None:
    mib = 2**20
    net = {"dataset": "fashion_mnist", "network": "cnn", "width": 1.0, "augment": "none"}
    rows = [
        {"arm": "ours", "timesteps": 1, "peak_bytes": 80, "tape_bytes": 64, "fixed_bytes": 70, "image_bytes": 0.5},
        {"arm": "direct", "timesteps": 10, "peak_bytes": 200, "tape_bytes": 0, "fixed_bytes": 6, "image_bytes": 4},
        {"arm": "direct2", "timesteps": 2, "peak_bytes": 50, "tape_bytes": 0, "fixed_bytes": 6, "image_bytes": 1.2},
    ]
    table = pd.DataFrame([{**net, **{k: v * mib if "bytes" in k else v for k, v in row.items()}} for row in rows])
    text = (
        "Fashion-MNIST, CNN: 200 against 80 MiB is 2.5× at T = 10. Whatever the batch: 6 against 70 MiB (64 the noise "
        "tape). For each image: 4 against 0.5 MiB, 8.0×"
    )
    assert memory_in_words(table[:2]) == f"{text}."
    assert memory_in_words(table) == f"{text}; 0.5 of direct training's do not grow with T."  # 0.35 each step


def test_nothing_fits_in_less_than_the_weights() -> None:
    assert [largest_batch(limit, fixed=100, image=10) for limit in (50, 109, 110, 125)] == [0, 0, 1, 2]


@pytest.mark.parametrize(
    ("memory_gib", "repeats", "words"),
    [
        (0, 5, "memory_gib = 0: must be a finite number above 0"),
        (float("inf"), 5, "memory_gib = inf"),
        ("8", 5, "memory_gib = '8'"),
        (8, 1, "repeats = 1: must be a whole number of at least 2"),
    ],
)
def test_bad_input_is_refused_before_anything_is_measured(memory_gib: float, repeats: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        training_cost([None], memory_gib, repeats)


@pytest.mark.slow
def test_what_is_compiled_is_measured_too(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its memory is that of PyTorch's own operations: what a kernel claims cannot be seen."""
    monkeypatch.setattr(Run, "data", lambda *_: small)
    race = {
        arm: [Run(spec.model_copy(update={"recipe": spec.recipe.model_copy(update={"compile": True})}))]
        for arm, spec in (("ours", OURS), ("direct", DIRECT))
    }
    table = training_cost([race], memory_gib=0.15, repeats=2)
    plain = [peak_memory(spec, small, 32) for spec in (OURS, DIRECT)]
    assert table.peak_bytes.tolist() == [peak for peak, _ in plain]
