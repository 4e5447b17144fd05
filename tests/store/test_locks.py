"""A lock is held by one, says by whom, and ends with its holder."""

from __future__ import annotations

import errno
import json
import logging
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from snnlib.store import holders
from snnlib.store.files import StoreError
from snnlib.store.locks import alone


def hold(lock: Path, held: multiprocessing.synchronize.Event) -> None:
    """Take the lock and keep it."""
    with alone(lock, "holds"):
        held.set()
        time.sleep(60)


def test_a_killed_holder_holds_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=hold, args=(tmp_path / "lock", held))
    holder.start()
    assert held.wait(60)
    killer = threading.Timer(1, os.kill, (holder.pid, signal.SIGKILL))
    killer.start()
    with alone(tmp_path / "lock", "works"):
        now = json.loads((tmp_path / "lock.holder").read_text())
    holder.join()
    assert now["process"] == os.getpid()
    waiting, through = (record.getMessage() for record in caplog.records)
    assert waiting.startswith(f"waiting for process {holder.pid} on ")
    assert waiting.endswith(", which holds")
    assert "is through, or gone" in through


def test_only_one_is_in_at_a_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "snnlib")
    inside, most = [], []

    def work() -> None:
        with alone(tmp_path / "lock", "works"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


def test_it_is_free_after_an_error_and_names_nobody(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), alone(tmp_path / "lock", "works"):
        raise KeyboardInterrupt
    assert not (tmp_path / "lock.holder").exists()
    with alone(tmp_path / "lock", "works"):
        pass


@pytest.mark.parametrize("left", ["", "{", "[]", '{"process": 1}', "\x00"])
def test_whatever_a_killed_holder_left_is_no_obstacle(tmp_path: Path, left: str) -> None:
    (tmp_path / "lock").write_text("left over")
    (tmp_path / "lock.holder").write_text(left)
    with alone(tmp_path / "lock", "works"):
        pass


def test_a_place_where_nothing_can_be_locked_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(StoreError, match=r"^\S*file\S*: .*the same command goes on from there$"),
        alone(tmp_path / "file" / "lock", "works"),
    ):
        pass


@pytest.mark.parametrize("where", ["unlink", "write"])
def test_it_is_free_also_if_ctrl_c_comes_at_its_end_or_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A notebook keeps the traceback, and with it whatever has not been let go."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*{"unlink": (Path, "unlink"), "write": (holders, "write")}[where], interrupt)
        with pytest.raises(KeyboardInterrupt) as kept, alone(tmp_path / "lock", "works"):
            pass
    with FileLock(tmp_path / "lock", timeout=0):
        pass
    assert kept.tb is not None


def test_a_file_system_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """filelock would take a file for a lock, which stays when its holder is killed."""
    fcntl = pytest.importorskip("fcntl")

    def missing(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    words = "no locks: SNNLIB_RUNS, SNNLIB_FIGURES, SNNLIB_DATA and SNNLIB_BUILD name other folders"
    with pytest.raises(StoreError, match=words), alone(tmp_path / "lock", "works"):
        pass


def test_who_is_not_to_wait_is_told_who_holds_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    holder = context.Process(target=hold, args=(tmp_path / "lock", held))
    holder.start()
    assert held.wait(60)
    told = f"{tmp_path}: process {holder.pid} on .* is at work there; nothing was done"
    with pytest.raises(StoreError, match=told), alone(tmp_path / "lock", "works", wait=False):
        pass
    assert holder.is_alive()
    holder.kill()
    holder.join()
    with alone(tmp_path / "lock", "works", wait=False):
        pass
