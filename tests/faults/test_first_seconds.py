"""Before there is a program, and on a terminal that knows few letters: whatever goes wrong is told in a line."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

import pytest
from commands import begin

pytestmark = pytest.mark.faults

Record = Callable[[str, object], None]


def test_ctrl_c_while_python_imports(record_property: Record) -> None:
    """From the moment that Python has found this package on, to the answer."""
    rng, tries, survived = random.Random(0), 20, 0
    try:
        for _ in range(tries):
            process = begin("-m", "reproduce", "runs")
            time.sleep(rng.uniform(0.5, 4))
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
            assert "Traceback" not in errors
            assert process.returncode in (0, 130), errors
            assert process.returncode == 0 or errors.strip().splitlines()[-1].startswith("interrupted"), errors
            survived += 1
    finally:
        record_property("fault", ["Ctrl-C from half a second on", tries, survived])


@pytest.mark.parametrize("mebibytes", [300, 500, 700, 900, 1000])
def test_memory_below_what_the_libraries_take(mebibytes: int, record_property: Record) -> None:
    process = begin("-m", "reproduce", "runs", memory=mebibytes * 2**20)
    out, errors = process.communicate(timeout=60)
    survived = process.returncode == 2 and not out and errors.startswith("error: ") and errors.count("\n") == 1
    record_property("fault", ["memory that does not suffice to start", 1, int(survived)])
    assert survived, errors


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("words", ["runs", "data mnist±√", "figures --help", "runs --preset 雪"])
def test_a_terminal_that_knows_few_letters(encoding: str, words: str, record_property: Record) -> None:
    code = f"import sys; from reproduce.__main__ import main; sys.argv = ['snnlib', *{words.split()}]; main()"
    process = begin("-c", code, encoding=encoding)
    out, errors = process.communicate(timeout=60)
    good = words in ("runs", "figures --help")
    survived = (process.returncode, bool(out), bool(errors)) == ((0, True, False) if good else (2, False, True))
    survived = survived and "Traceback" not in errors
    record_property("fault", ["a terminal of another encoding", 1, int(survived)])
    assert survived, (out, errors)
