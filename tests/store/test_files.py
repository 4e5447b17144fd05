"""Sealed files, files moved aside, and what an operating system's error becomes."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnlib.store.files import DamagedError, StoreError, check, seal, set_aside, sha256, unseal, write

CONTENT = {"a": [1, 0.1, None, True], "b": {"c": "ä\n"}, "sha": "x"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_subnormal=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text().filter(lambda name: name != "sha256"), json_values, max_size=4))
def test_what_is_sealed_comes_back(tmp_path_factory: pytest.TempPathFactory, content: dict) -> None:
    path = tmp_path_factory.getbasetemp() / "sealed.json"
    write(path, seal(content))
    assert unseal(path) == content
    assert json.loads(path.read_text())["sha256"]


@pytest.mark.parametrize("bit", range(8))
def test_no_bit_of_a_sealed_file_can_change(tmp_path: Path, bit: int) -> None:
    path, whole = tmp_path / "f.json", seal(CONTENT).encode()
    for i in range(len(whole)):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 1 << bit]) + whole[i + 1 :])
        with pytest.raises(DamagedError, match=r"f\.json: damaged"):
            unseal(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b"null", b'{"sha256": 1}', b"\xff\xfe", b"[" * 100_000, np.random.default_rng(0).bytes(500)],
    ids=["empty", "no fields", "a list", "null", "a number", "not text", "too deep", "noise"],
)
def test_what_was_never_sealed_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "f.json").write_bytes(content)
    with pytest.raises(DamagedError, match=r"f\.json: damaged, or not written by this version$"):
        unseal(tmp_path / "f.json")


def test_a_file_is_checked_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "f"
    with pytest.raises(DamagedError, match="f: missing$"):
        check(path, "0" * 64)
    path.write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert check(path, sha256(path)) == path
    with pytest.raises(DamagedError, match=r"f: damaged, its sha256 is ba7816bf8f01\.\.\., not 000000000000\.\.\."):
        check(path, "0" * 64)


def test_what_is_moved_aside_is_never_overwritten(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for turn in ("first", "second"):
        one.write_text(turn)
        two.write_text(f"two, {turn}")
        set_aside(one, two, tmp_path / "missing")
        assert not one.exists()
    assert (tmp_path / "damaged" / "1" / "one").read_text() == "first"
    assert (tmp_path / "damaged" / "2" / "one").read_text() == "second"
    assert (tmp_path / "damaged" / "2" / "two").read_text() == "two, second"


def test_errors_of_the_system_are_one_line_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "below", tmp_path / ("x" * 300)):
        with pytest.raises(StoreError) as error:
            write(path, "content")
        assert (
            str(path) in str(error.value) or path.name in str(error.value) or str(tmp_path / "file") in str(error.value)
        )
        assert str(error.value).endswith("the same command goes on from there")
        assert "\n" not in str(error.value)
    with pytest.raises(DamagedError, match="missing: missing$"):
        unseal(tmp_path / "missing")


def test_many_can_write_one_file_at_once(tmp_path: Path) -> None:
    """As when two processes draw the same figure."""
    errors: list[Exception] = []

    def work(content: str) -> None:
        try:
            for _ in range(100):
                write(tmp_path / "file", content)
        except StoreError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(letter * 1000,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert (tmp_path / "file").read_text() in [letter * 1000 for letter in "abcd"]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["file", "a**b", "a*", "a[b]?"])
def test_what_a_killed_writer_left_goes_with_the_next_one_whatever_the_files_name(tmp_path: Path, name: str) -> None:
    """A reader's own file may have a name that reads as a pattern."""
    left, others = tmp_path / f".{name}.0.partial", tmp_path / ".another.0.partial"
    for path in (left, others):
        path.touch()
        os.utime(path, (0, 0))
    write(tmp_path / name, "content")
    assert {path.name for path in tmp_path.iterdir()} == {name, others.name}
