"""The first seconds of the command line: what goes wrong there is told in a line."""

from __future__ import annotations

import signal
import time

import pytest
from commands import begin


def test_ctrl_c_is_one_line_at_any_time() -> None:
    codes = set()
    for seconds in (0.6, 0.9, 1.2, 1.6, 2.4):
        process = begin("-m", "reproduce", "runs")
        time.sleep(seconds)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors
        assert process.returncode in (0, 130), errors  # 0: on a quick machine it was through
        assert process.returncode == 0 or errors.strip().splitlines()[-1].startswith("interrupted")
        codes.add(process.returncode)
    assert 130 in codes


def test_memory_that_does_not_suffice_is_one_line() -> None:
    process = begin("-m", "reproduce", "runs", memory=700 * 2**20)  # less than PyTorch's libraries take
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("error: snnlib cannot start: ")
    assert errors.count("\n") == 1


def test_a_program_that_imports_snnlib_keeps_its_own_handlers() -> None:
    code = "import signal, sys; before = signal.getsignal(signal.SIGINT), sys.excepthook; import snnlib.models; "
    code += "assert before == (signal.getsignal(signal.SIGINT), sys.excepthook)"
    process = begin("-c", code)
    assert process.wait(timeout=60) == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_knows_few_letters_is_told_nevertheless(encoding: str) -> None:
    code = (
        "import sys; from reproduce.__main__ import main; sys.argv = ['snnlib', 'data', 'fashion_mnist_mini±√']; main()"
    )
    process = begin("-c", code, encoding=encoding)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert errors.startswith("error: ")
    assert "Traceback" not in errors
