"""The cost of a training step: peak memory against PyTorch's profiler, time on a clock of our own."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.experiments.fig3_4_training_time import cost
from snnlib.experiments.fig3_4_training_time.cost import (
    GIB,
    first,
    largest_batch,
    line,
    peak_memory,
    step_seconds,
    trainer,
    training_cost,
)
from snnlib.runs.run import Run, Spec, build_for
from snnlib.training import measure
from snnlib.training.loop import initial_state, train_epochs

RECIPE = {"epochs": 1, "batch_size": 32, "lr": 1e-3, "schedule": "constant"}
OURS = Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE)
DIRECT = Spec(
    dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE, dynamics={"kind": "lif"}, timesteps=10
)
RACE = {"ours": [Run(OURS)], "direct": [Run(DIRECT)]}


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
    expected = profiled(lambda: trainer(spec, small)(images), tmp_path)
    assert peak_memory(spec, small, 32) == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("spec", [OURS, DIRECT], ids=["ours", "direct"])
def test_memory_is_a_line_in_the_batch_size(spec: Spec, small: Dataset) -> None:
    a, b = line(*((n, peak_memory(spec, small, n)) for n in (16, 32)))
    assert peak_memory(spec, small, 64) == pytest.approx(a + 64 * b, rel=0.02)
    assert a > 3 * sum(p.nbytes for p in build_for(spec).parameters())  # weights and moments, whatever the batch


# --- time ------------------------------------------------------------------------------------


def test_a_measured_step_is_a_step_of_training(small: Dataset) -> None:
    for spec in (OURS, DIRECT):
        trained = train_epochs(
            initial_state(build_for(spec), small, spec.recipe), small, spec.recipe, timesteps=spec.timesteps
        )
        assert trainer(spec, small)(small)[0]["train_loss"] == trained.history[0]["train_loss"]


def test_arms_take_turns_and_a_measurement_is_per_step(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, []

    def one_epoch(state, data, recipe, timesteps, seed, bar) -> None:
        nonlocal now
        steps = len(data.train) // recipe.batch_size
        calls.append((timesteps, steps))
        now += steps * (0.01 if timesteps == 1 else 0.2)

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
        yield training_cost([RACE], memory_gib=0.02, repeats=2)


def test_the_table_has_a_row_for_each_arm(table) -> None:
    assert list(table.columns) == [
        *OURS.columns(), "batch_size", "arm", "timesteps", "device", "step_seconds", "step_seconds_sd",
        "peak_bytes", "fixed_bytes", "image_bytes", "largest_batch", "memory_limit_bytes",
    ]  # fmt: skip
    assert list(table.run) == [OURS.name, DIRECT.name]
    assert table[["arm", "timesteps", "batch_size"]].to_numpy().tolist() == [["ours", 1, 32], ["direct", 10, 32]]
    assert (table.step_seconds > 0).all()
    assert table.peak_bytes[1] > 5 * table.peak_bytes[0]


def test_the_largest_batch_fits_and_a_larger_one_does_not(table, small: Dataset) -> None:
    limit = 0.02 * GIB
    for spec, row in zip((OURS, DIRECT), table.itertuples(), strict=True):
        assert row.memory_limit_bytes == round(limit)
        assert row.peak_bytes == peak_memory(spec, small, 32)
        assert peak_memory(spec, small, row.largest_batch) < 1.01 * limit
        assert peak_memory(spec, small, round(1.03 * row.largest_batch)) > limit


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
