"""What is made once: made, read, made again when damaged, and never twice by two that ask at a time."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from snnlib.store.files import DamagedError
from snnlib.store.locks import alone
from snnlib.store.once import once


class Place:
    """A file that holds "right", and a list of what was done."""

    def __init__(self, folder: Path) -> None:
        self.file, self.lock, self.done = folder / "file", folder / "lock", []

    def read(self) -> str | None:
        if not self.file.exists():
            return None
        if self.file.read_text() != "right":
            raise DamagedError(f"{self.file}: damaged")
        return "right"

    def move_aside(self, error: DamagedError) -> None:
        self.done.append(str(error))
        self.file.unlink()

    def make(self) -> str:
        self.done.append("made")
        self.file.write_text("right")
        return "right"

    def ask(self) -> str:
        return once(self.read, lambda: alone(self.lock, "makes it"), self.move_aside, self.make)


def test_what_is_missing_is_made_and_then_read(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert [place.ask(), place.ask()] == ["right", "right"]
    assert place.done == ["made"]


def test_what_is_damaged_is_moved_aside_and_made_again(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.file.write_text("wrong")
    assert place.ask() == "right"
    assert place.done == [f"{place.file}: damaged", "made"]


def test_what_another_one_made_meanwhile_is_read(tmp_path: Path) -> None:
    place, other = Place(tmp_path), Place(tmp_path)
    read = place.read

    def first_read() -> str | None:
        place.read = read
        found = read()
        other.ask()  # between the first look and the lock
        return found

    place.read = lambda: first_read()
    assert once(lambda: place.read(), lambda: alone(place.lock, "makes it"), place.move_aside, place.make) == "right"
    assert (place.done, other.done) == ([], ["made"])


def test_many_that_ask_at_once_make_it_once(tmp_path: Path) -> None:
    places = [Place(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=place.ask) for place in places]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [what for place in places for what in place.done] == ["made"]


def test_what_fails_while_it_is_made_is_not_hidden_and_the_lock_is_free(tmp_path: Path) -> None:
    place = Place(tmp_path)

    def broken() -> str:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        once(place.read, lambda: alone(place.lock, "makes it"), place.move_aside, broken)
    assert place.ask() == "right"
