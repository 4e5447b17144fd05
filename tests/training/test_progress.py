"""The progress bar: one line in a terminal, one output in a notebook."""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from snnlib.training import progress


def test_a_terminal_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar(10, 4, "net") as bar:
        bar.refresh()
        bar.update(6)
        bar.refresh()
    label, shown = capsys.readouterr().err.split("\n", 1)
    assert label == "net"
    assert " 40%" in shown  # what was done before counts
    assert "100%" in shown


def test_everything_fits_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar(800_000, 300_000, "net") as bar:
        bar.update(12_345)
        progress.show(bar, epoch=312, epochs=1000, loss=0.0123, accuracy=0.987, batch_size=128)
        line = str(bar)
    assert len(line) <= 80
    for word in ("312/1000", "left", "loss 0.0123", "acc 0.987", "images/s"):
        assert word in line


def test_a_notebook_gets_one_output_that_is_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, updated = [], []

    def display(line: object, display_id: bool) -> SimpleNamespace:
        shown.append(line)
        return SimpleNamespace(update=updated.append)

    import IPython.display

    monkeypatch.setattr(IPython.display, "display", display)
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace(kernel=object()))
    with progress.bar(10, 0, "net") as bar:
        for _ in range(10):
            bar.update()
            bar.refresh()
    assert len(shown) == 1
    assert len(updated) >= 9  # the first one made the output
    assert IPython.lib.pretty.pretty(updated[-1]).strip().startswith("100%")


def test_a_shell_without_a_kernel_is_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    stream = progress._stream()
    assert stream.encoding == sys.stderr.encoding
    stream.write("a word")
    assert capsys.readouterr().err == "a word"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_a_bar_that_cannot_be_drawn_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    full = open("/dev/full", "w", buffering=1)  # noqa: SIM115
    monkeypatch.setattr(sys, "stderr", full)
    with progress.bar(3, 0, "label") as bar:
        for _ in range(3):
            bar.update()
            bar.refresh()
    with pytest.raises(OSError, match="No space left"):
        full.write("a line\n")
    with suppress(OSError):
        full.close()
