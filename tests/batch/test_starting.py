"""The first seconds of the command line: what goes wrong there is told in a line."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from commands import begin

from snnlib.store.paths import ROOT


def test_ctrl_c_is_one_line_at_any_time() -> None:
    codes = set()
    for seconds in (0.6, 0.9, 1.2, 1.6, 2.4):
        process = begin("-m", "snnlib", "runs")
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert process.returncode in (0, 130), errors  # 0: on a quick machine it was through
        assert process.returncode == 0 or errors.strip().splitlines()[-1].startswith("interrupted")
        codes.add(process.returncode)
    assert 130 in codes


def test_memory_that_does_not_suffice_is_one_line() -> None:
    process = begin("-m", "snnlib", "runs", memory=700 * 2**20)  # less than PyTorch's libraries take
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("error: snnlib cannot start: ")
    assert errors.count("\n") == 1


def test_a_program_that_imports_snnlib_keeps_its_own_handlers() -> None:
    code = "import signal, sys; before = signal.getsignal(signal.SIGINT), sys.excepthook; import snnlib.models; "
    code += "assert before == (signal.getsignal(signal.SIGINT), sys.excepthook)"
    process = begin("-c", code)
    assert process.wait(timeout=60) == 0


def test_so_does_one_that_is_begun_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m theirs`: as long as Python looks for it, it has the name that snnlib's own command has."""
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("import snnlib.models\n")
    handlers = "signal.getsignal(signal.SIGINT) is signal.default_int_handler, sys.excepthook is sys.__excepthook__"
    (package / "__main__.py").write_text(f"import signal, sys\nprint({handlers})")
    out, errors = begin("-m", "theirs").communicate(timeout=60)
    assert (out, errors) == ("True True\n", "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_letters_is_told_nevertheless(encoding: str) -> None:
    code = "import sys; from snnlib.__main__ import main; sys.argv = ['snnlib', 'data', 'fashion_mnist_mini±√']; main()"
    process = begin("-c", code, encoding=encoding)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("error: ")
    assert "Traceback" not in errors
