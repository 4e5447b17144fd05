"""The progress bar: one line in a terminal, one output in a notebook."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from snnlib import progress


def test_a_terminal_gets_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar(10, 4, "net") as bar:
        bar.update(6)
    shown = capsys.readouterr().err
    assert "net:  40%" in shown  # what was done before counts
    assert "net: 100%" in shown


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
    assert len(updated) >= 10
    assert IPython.lib.pretty.pretty(updated[-1]).startswith("net: 100%")


def test_a_shell_without_a_kernel_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: SimpleNamespace())
    assert progress._stream() is sys.stderr
