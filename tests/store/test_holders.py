"""Machines whose locks a file system does not share: noticed, whoever comes first."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock

from snnlib.store import holders, locks
from snnlib.store.files import StoreError
from snnlib.store.locks import alone, holder_of

BEAT, SILENCE = 0.05, 0.6


@pytest.fixture
def nodes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Callable[[], object]], Future[object]]]:
    """Runs a function on a machine of this name: in a thread, which sees no other machine's locks."""
    here = threading.local()
    monkeypatch.setattr(holders, "machine", lambda: getattr(here, "name", "this"))
    monkeypatch.setattr(holders, "BEAT", BEAT)
    monkeypatch.setattr(holders, "SILENCE", SILENCE)
    monkeypatch.setattr(locks, "FileLock", lambda path, **options: FileLock(f"{path}.{holders.machine()}", **options))

    with ThreadPoolExecutor() as pool:

        def on(name: str, work: Callable[[], object]) -> Future[object]:
            def run() -> object:
                here.name = name
                return work()

            return pool.submit(run)

        yield on


def test_who_comes_while_another_machine_is_at_work_leaves(
    tmp_path: Path, nodes: Callable[[str, Callable[[], object]], Future[object]]
) -> None:
    lock, begun, leave = tmp_path / "lock", threading.Event(), threading.Event()

    def works() -> str:
        with alone(lock, "works"):
            begun.set()
            leave.wait(30)
            holders.alone_here(holder_of(lock))
        return "undisturbed"

    def comes() -> None:
        with alone(lock, "comes"):
            pytest.fail("it was let in")

    first = nodes("one", works)
    assert begun.wait(30)
    second = nodes("two", comes)
    words = (
        rf"^{tmp_path}: process {os.getpid()} on \S+ \(since .*\) is at work there, though this machine, \S+, was given"
    )
    with pytest.raises(StoreError, match=words) as error:
        second.result(30)
    assert "\n" not in str(error.value)
    leave.set()
    assert first.result(30) == "undisturbed"
    assert not holder_of(lock).exists()


def test_without_beats_it_would_be_let_in(
    tmp_path: Path, nodes: Callable[[str, Callable[[], object]], Future[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is they that the test above rests on."""
    monkeypatch.setattr(os, "utime", lambda *_: None)
    lock, begun, leave = tmp_path / "lock", threading.Event(), threading.Event()

    def works() -> None:
        with alone(lock, "works"):
            begun.set()
            leave.wait(30)

    first = nodes("one", works)
    assert begun.wait(30)

    def comes() -> str:
        with alone(lock, "comes"):
            return "let in"

    assert nodes("two", comes).result(30) == "let in"
    leave.set()
    first.result(30)


def test_of_two_that_come_at_once_the_first_to_be_named_leaves(
    tmp_path: Path, nodes: Callable[[str, Callable[[], object]], Future[object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, written, lock = threading.Barrier(2), threading.Event(), tmp_path / "lock"
    look = holders.look_elsewhere

    def look_together(file: Path) -> None:
        look(file)
        both.wait(30)  # neither is named yet
        if holders.machine() == "two":
            written.wait(30)

    monkeypatch.setattr(holders, "look_elsewhere", look_together)

    def first() -> None:
        with alone(lock, "works"):
            written.set()
            while holders.named(holder_of(lock)).machine == "one":
                time.sleep(0.01)
            holders.alone_here(holder_of(lock))
            pytest.fail("it wrote beside the other")

    leave = threading.Event()

    def second() -> str:
        with alone(lock, "works"):
            leave.wait(30)
            holders.alone_here(holder_of(lock))
        return "undisturbed"

    one, two = nodes("one", first), nodes("two", second)
    with pytest.raises(StoreError, match="does not share locks between machines"):
        one.result(30)
    assert holders.named(holder_of(lock)).machine == "two"  # not removed by the one that left
    leave.set()
    assert two.result(30) == "undisturbed"


def test_a_dead_one_on_another_machine_is_waited_for_and_then_forgotten(
    tmp_path: Path,
    nodes: Callable[[str, Callable[[], object]], Future[object]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    lock = tmp_path / "lock"
    left = {"process": 1, "host": "far", "machine": "elsewhere", "since": "2026-01-01 00:00:00"}
    holder_of(lock).write_text(json.dumps(left))

    def comes() -> str:
        with alone(lock, "comes"):
            return holders.named(holder_of(lock)).machine

    assert nodes("two", comes).result(30) == "two"
    assert "process 1 on far (since 2026-01-01 00:00:00) had this lock" in caplog.text


def test_a_dead_one_on_this_machine_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holders, "SILENCE", 3600.0)
    lock = tmp_path / "lock"
    left = {"process": 1, "host": "here", "machine": holders.machine(), "since": "2026-01-01 00:00:00"}
    holder_of(lock).write_text(json.dumps(left))
    with alone(lock, "comes"):
        assert holders.named(holder_of(lock)).process == os.getpid()
