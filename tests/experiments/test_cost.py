"""The cost of a training step: peak memory against closed forms and PyTorch's profiler, time on a clock of our own."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.experiments.fig3_4_training_time import cost
from snnlib.experiments.fig3_4_training_time.cost import (
    GIB,
    Storages,
    first,
    largest_batch,
    line,
    peak_bytes,
    peak_memory,
    step_seconds,
    trainer,
    training_cost,
)
from snnlib.runs.run import Run, Spec, build_for
from snnlib.training.loop import fit, start

CPU = torch.device("cpu")
RECIPE = {"epochs": 1, "batch_size": 32, "lr": 1e-3, "schedule": "constant"}
OURS = Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE)
DIRECT = Spec(
    dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=RECIPE, dynamics={"kind": "lif"}, timesteps=10
)
RACE = {"ours": [Run(OURS)], "direct": [Run(DIRECT)]}


# --- peak memory -----------------------------------------------------------------------------


def chain(x: Tensor, links: int) -> Tensor:
    for _ in range(links):
        x = x.sigmoid()
    return x


@pytest.mark.parametrize("links", [2, 5, 10])
def test_peak_of_a_chain_is_its_tensors_and_two_gradients(links: int) -> None:
    # Each sigmoid keeps its output for the backward pass, the last one also under a name of its own. When that
    # has begun, the gradient that comes in and the one that goes out are there beside all of them.
    n = 1000

    def work() -> None:
        x = torch.rand(n, requires_grad=True)
        y = chain(x, links)
        y.sum().backward()

    assert peak_bytes(work, CPU) == pytest.approx(4 * n * (links + 3), abs=16)  # the sum and its gradient are scalars


def test_without_gradients_a_chain_holds_two_tensors_beside_what_was_there() -> None:
    x = torch.rand(1000)
    with torch.no_grad():
        assert peak_bytes(lambda: chain(x, 10), CPU) == 2 * 4000
        assert peak_bytes(lambda: x[10:].reshape(2, -1).t().add_(1), CPU) == 0  # views of what was there


def test_what_is_freed_is_counted_no_more() -> None:
    with Storages() as counted:
        a = torch.zeros(100)
        b = a.view(10, 10)[2:]
        del a
        assert counted.live == 400  # the view keeps all of it
        del b
        gc.collect()
        assert (counted.live, counted.peak) == (0, 400)
        c = torch.zeros(50, dtype=torch.int64)
        assert (counted.live, counted.peak) == (c.nbytes, 400)


def test_peak_of_adam_is_weight_gradient_and_two_moments() -> None:
    n = 300

    def work() -> None:
        model = nn.Linear(n, n, bias=False)
        adam = torch.optim.Adam(model.parameters(), fused=True)
        for _ in range(2):
            adam.zero_grad()
            model(torch.ones(1, n)).sum().backward()
            adam.step()

    assert peak_bytes(work, CPU) == pytest.approx(4 * 4 * n * n, rel=0.02)  # the rest is vectors of n


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
        trained = fit(start(build_for(spec), small, spec.recipe), small, spec.recipe, timesteps=spec.timesteps)
        assert trainer(spec, small)(small)[0]["train_loss"] == trained.history[0]["train_loss"]


def test_arms_take_turns_and_a_measurement_is_per_step(small: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    now, calls = 0.0, []

    def one_epoch(state, data, recipe, timesteps, seed, bar) -> None:
        nonlocal now
        steps = len(data.train) // recipe.batch_size
        calls.append((timesteps, steps))
        now += steps * (0.01 if timesteps == 1 else 0.2)

    monkeypatch.setattr(cost, "one_epoch", one_epoch)
    monkeypatch.setattr(cost.time, "process_time", lambda: now)
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
