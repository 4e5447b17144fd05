"""Which of several ranks' failures is told, and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from torch.distributed.elastic.multiprocessing.errors import ProcessFailure

from reproduce.runs.launch import _what_happened
from snnlib.checks import InputError
from snnlib.training.failures import TrainingError


def failure(folder: Path, rank: int, exitcode: int, said: str = "", at: int = 100) -> ProcessFailure:
    file = folder / f"{rank}.json"
    if said:
        file.write_text(json.dumps({"message": {"message": said, "extraInfo": {"timestamp": str(at)}}}))
    found = ProcessFailure(rank, 1000 + rank, exitcode, str(file))
    found.timestamp = at
    return found


@pytest.mark.parametrize(
    ("ranks", "told"),
    [
        (
            {0: (-15,), 1: (1, "RuntimeError: the real cause\nin two lines")},
            "rank 1 .* failed .*the real cause in two lines",
        ),
        (
            {0: (1, "RuntimeError: Connection closed"), 1: (-9,)},
            "rank 1 of its devices, process 1001, was ended by SIGKILL",
        ),
        ({0: (1, "RuntimeError: late", 105), 1: (1, "KeyError: early", 101)}, "rank 1 .*KeyError: early"),
        ({0: (-15,), 1: (-15,)}, "rank 0 .* was ended by SIGTERM"),
    ],
    ids=["torchrun ended the other", "killed", "the first", "both"],
)
def test_the_first_cause_is_told_in_one_line(tmp_path: Path, ranks: dict[int, tuple], told: str) -> None:
    error = _what_happened("cnn", {rank: failure(tmp_path, rank, *how) for rank, how in ranks.items()})
    assert isinstance(error, TrainingError)
    with pytest.raises(TrainingError, match=f"^cnn: {told}.*: the same command goes on from the last finished epoch$"):
        raise error
    assert "\n" not in str(error)


def test_an_error_that_says_it_all_is_told_as_it_is(tmp_path: Path) -> None:
    ranks = {0: failure(tmp_path, 0, -15), 1: failure(tmp_path, 1, 1, "InputError: lr = -1: must be above 0")}
    error = _what_happened("cnn", ranks)
    assert (type(error), str(error)) == (InputError, "lr = -1: must be above 0")
