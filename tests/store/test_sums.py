"""Sums beside files: what is not as it was written is told from what is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from snnlib.store.files import DamagedError, sha256, write
from snnlib.store.sums import made_from, record, stand_alone, sums, verified, write_summed


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


def test_what_it_was_made_from_is_vouched_for_too(files: list[Path], tmp_path: Path) -> None:
    """A file of a store, and a table beside it whose name could be that of a file that these sums are for."""
    sources = [tmp_path / "runs" / "accuracy.json", files[3]]
    write(sources[0], "0.9")
    write_summed({files[0]: "made"}, {source: sha256(source) for source in sources})
    assert made_from(files[0]) == ["./fig-alpha2.5.csv", "runs/accuracy.json"]
    assert subprocess.run(["sha256sum", "--check", "--quiet", sums(files[0])], cwd=tmp_path).returncode == 0
    assert verified(files[0])
    for source in sources:
        before = source.read_text()
        source.write_text("another")
        told = rf"{source.name}: damaged, or newer than .*{files[0].name}, which was made from it: then make that again"
        with pytest.raises(DamagedError, match=told):
            verified(files[0])
        source.write_text(before)
    sources[0].unlink()
    with pytest.raises(DamagedError, match=r"accuracy\.json: missing"):
        verified(files[0])
    write_summed({files[0]: "made again, from nothing"})
    assert made_from(files[0]) == []


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


def test_a_folder_that_stands_alone_rests_on_nothing_outside_of_it_at_any_depth(tmp_path: Path) -> None:
    run, table = tmp_path / "runs" / "metadata.json", tmp_path / "figures" / "fig.csv"
    inner = table.parent / "tuning" / "tuning.csv"
    for path in (run, table):
        write(path, path.name)
    write_summed({inner: "lr"}, {path: sha256(path) for path in (run, table)})
    assert len(made_from(inner)) == 2
    stand_alone(table.parent)
    assert made_from(inner) == [os.path.join("..", "fig.csv")]
    assert verified(inner) == inner
