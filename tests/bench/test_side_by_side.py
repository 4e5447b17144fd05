"""Other libraries' quick starts beside ours: they learn, time is the taker's, the page shows what was measured."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator

import pandas as pd
import pytest
import torch
from torch import Tensor

from reproduce.bench import peers, quick_starts, report, side_by_side
from reproduce.bench.side_by_side import OURS, PAIRS, Pair, Timed, code, lines, summary
from reproduce.cli.benchmark import bench
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.store.markdown import markers, part
from snnlib.store.paths import DOCS, published_dir

SIDES = [(pair, who) for pair in PAIRS for who in (pair.library, OURS)]


@pytest.mark.slow
@pytest.mark.parametrize(("pair", "who"), SIDES, ids=lambda value: getattr(value, "library", value))
def test_a_quick_start_learns(pair: Pair, who: str, small: Dataset) -> None:
    if who != OURS and peers.version_of(who) is None:
        pytest.skip(f"{who} is not installed")
    torch.manual_seed(0)
    images, labels = small.train.images / 255, small.train.labels
    if pair.standardised:
        images = (images - images.mean()) / images.std()
    train = list(zip(images.split(20), labels.split(20), strict=True))
    assert pair.side(who)(train, train, 12) > 0.3  # a tenth is chance


def test_time_is_that_of_the_taker(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: clock[0])

    class Loader(list):
        def __iter__(self) -> Iterator:
            for batch in super().__iter__():
                clock[0] += 100  # of loading
                yield batch

    batches = Timed(Loader(["a", "b", "c"]))
    for work, _ in enumerate(batches, start=1):
        clock[0] += work
    assert batches.seconds == [1, 2, 3]
    assert len(batches) == 3


def example(train: Tensor, test: Tensor, epochs: int) -> float:
    import math

    total = math.pi

    for _ in range(epochs):
        total += 1
    return total


def test_code_is_the_source_without_types_and_its_lines_are_those_that_are_not_blank() -> None:
    assert code(example) == (
        "def example(train, test, epochs):\n    import math\n\n    total = math.pi\n\n"
        "    for _ in range(epochs):\n        total += 1\n    return total\n"
    )
    assert lines(example) == 5


@pytest.mark.parametrize(("pair", "who"), SIDES, ids=lambda value: getattr(value, "library", value))
def test_the_page_shows_the_code_that_is_measured(pair: Pair, who: str) -> None:
    shown = (DOCS / "coming_from.md").read_text(encoding="utf-8")
    function = pair.side(who)
    assert f"```python\n{code(function)}```" in shown, "run `python -m reproduce bench --quick-starts --publish`"
    names: dict[str, Callable] = {}
    exec(code(function), names)  # it is whole without the module around it
    assert function is getattr(quick_starts, function.__name__)


def test_the_page_shows_what_was_measured() -> None:
    text = (DOCS / "coming_from.md").read_text(encoding="utf-8")
    start, end = part(text, "quick_starts")
    folder = published_dir() / report.QUICK_STARTS
    assert text[start:end].strip() == (folder / "quick_starts.md").read_text(encoding="utf-8").strip()
    found = summary(pd.read_csv(folder / "accuracy.csv"), pd.read_csv(folder / "rounds.csv"))
    told = pd.read_csv(folder / "quick_starts.csv")
    measured = [c for c in told if re.search("_ms|_ratio|accuracy|seeds|rounds|quick_start|who", c)]
    pd.testing.assert_frame_equal(told[measured], found[measured])


def rounds(factor: float) -> pd.DataFrame:
    """Theirs take ``factor`` times as long in each round, and all is slower in the second one."""
    rows = [
        (pair.library, who, n, slow * (factor if who != OURS else 1), slow * (1 if who != OURS else 0.5))
        for pair in PAIRS
        for who in (pair.library, OURS)
        for n, slow in enumerate((1.0, 10.0, 2.0))
    ]
    return pd.DataFrame(rows, columns=["quick_start", "who", "round", "step_seconds", "test_seconds"])


def test_ratios_are_taken_within_a_round() -> None:
    rows = [(pair.library, who, s, 0.5 + 0.1 * s) for pair in PAIRS for who in (pair.library, OURS) for s in range(3)]
    accuracy = pd.DataFrame(rows, columns=["quick_start", "who", "seed", "accuracy"])
    table = summary(accuracy, rounds(30.0))
    assert len(table) == 2 * len(PAIRS)
    for column in ("step_ratio", "step_ratio_q25", "step_ratio_q75"):
        assert table[column].to_numpy() == pytest.approx(30)
    assert table.test_ratio.to_numpy() == pytest.approx(2)
    assert table.step_ms.tolist() == pytest.approx([60_000, 2_000] * len(PAIRS))
    assert table.accuracy.to_numpy() == pytest.approx(0.6)
    assert table.accuracy_sd.to_numpy() == pytest.approx(0.1)
    line = side_by_side.text(table).splitlines()[2]
    assert line.endswith("| 60000 / **2000** (30×) | 2000 / **1000** (2×) | 60.0 ± 10.0 | 60.0 ± 10.0 |")


def test_all_libraries_are_needed_and_three_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(side_by_side, "version_of", lambda library: None if library == "sinabs" else "1")
    with pytest.raises(InputError, match=r"--quick-starts: sinabs not installed; .*pip install -e '.\[bench,quick-s"):
        report.bench_quick_starts()
    with pytest.raises(InputError, match="--rounds = 2: must be a whole number of at least 3"):
        report.bench_quick_starts(2)


@pytest.mark.parametrize(
    "two", [("--scaling", "--peers"), ("--peers", "--quick-starts"), ("--scaling", "--equal-time")]
)
def test_what_is_measured_is_one_thing_at_a_time(two: tuple[str, str]) -> None:
    chosen = {name.removeprefix("--").replace("-", "_"): True for name in two}
    with pytest.raises(InputError, match=r"--[a-z-]+ and --[a-z-]+: must be one of them at a time"):
        bench(**chosen, publish=True)


def test_nothing_is_published_before_it_is_measured(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    page = tmp_path / "coming_from.md"
    page.write_text("\n".join([*markers("quick_starts"), *markers("quick_start_code")]))
    monkeypatch.setattr(report, "DOCS", tmp_path)
    before = page.read_text()
    with pytest.raises(InputError, match=r"quick_starts.csv, quick_starts.md, accuracy.csv and 1 more files missing"):
        report.publish_quick_starts()
    assert page.read_text() == before
