"""Seconds on a clock of our own, and bytes against closed forms."""

from __future__ import annotations

import gc

import pytest
import torch
from torch import Tensor, nn

from snnlib.fast.process import threads
from snnlib.training import measure
from snnlib.training.measure import Storages, peak_bytes, seconds

CPU = torch.device("cpu")


@pytest.mark.parametrize(("n", "clock"), [(1, "process_time"), (2, "perf_counter")])
def test_a_call_is_timed_by_the_processors_time_where_it_has_one_thread(
    n: int, clock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 5.0

    def work() -> None:
        nonlocal now
        now += 0.25

    monkeypatch.setattr(measure.time, clock, lambda: now)
    with threads(n):
        assert seconds(work, CPU) == 0.25
        assert seconds(work, CPU, calls=8) == 0.25
    assert now == 5.0 + 9 * 0.25


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
