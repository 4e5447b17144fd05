"""Sums beside files: what is not as it was written is told from what is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from snnlib.store.files import DamagedError
from snnlib.store.sums import record, sums, verified, write_summed


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A picture of three files that share their sums, and a table whose name begins like theirs."""
    paths = [tmp_path / name for name in ("fig.csv", "fig.svg", "fig.png", "fig-alpha2.5.csv")]
    write_summed({path: f"{path.name}\n" for path in paths})
    return paths


def test_what_was_written_is_verified(files: list[Path]) -> None:
    assert [verified(path) for path in files] == files
    assert {sums(path).name for path in files} == {"fig.sha256", "fig-alpha2.5.sha256"}


def test_writing_one_again_leaves_the_sums_of_the_others(files: list[Path]) -> None:
    write_summed({files[0]: b"new"})
    assert [verified(path) for path in files] == files
    assert files[0].read_bytes() == b"new"


def test_what_was_written_by_somebody_else_is_recorded(files: list[Path]) -> None:
    files[1].write_text("by papermill")
    record(files[1])
    assert verified(files[1])


@pytest.mark.parametrize("content", [b"", b"fig.svg", b"fig.svg\n\n", b"fig.svh\n"])
def test_what_is_emptied_cut_or_edited_is_not(files: list[Path], content: bytes) -> None:
    files[1].write_bytes(content)
    with pytest.raises(DamagedError, match=r"fig\.svg: damaged"):
        verified(files[1])
    assert verified(files[0])


@pytest.mark.parametrize("content", [b"", b"0" * 64 + b"  fig.csv\n", b"\xff\xfe\x00", b"no sums at all\n"])
def test_sums_that_are_damaged_vouch_for_nothing(files: list[Path], content: bytes) -> None:
    sums(files[0]).write_bytes(content)
    for path in files[:3]:
        with pytest.raises(DamagedError):
            verified(path)


def test_a_missing_file_and_a_pipe_are_named(files: list[Path]) -> None:
    files[0].unlink()
    with pytest.raises(DamagedError, match="missing"):
        verified(files[0])
    os.mkfifo(files[0])
    with pytest.raises(DamagedError, match="a pipe or a device"):
        verified(files[0])
    sums(files[1]).unlink()
    os.mkfifo(sums(files[1]))
    with pytest.raises(DamagedError, match=r"fig\.sha256 does not have it"):
        verified(files[1])
