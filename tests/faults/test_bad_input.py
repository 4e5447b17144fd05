"""The long half: how many bad values of each kind were tried, and how many were answered well."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import answers
import bad_input
import pytest
import test_public_functions as public
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from snnlib.data.sets import Dataset

pytestmark = pytest.mark.faults

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with (
        pytest.MonkeyPatch.context() as patch,
        answers.sandbox(tmp_path_factory.mktemp("faults"), patch) as folder,
    ):
        yield folder


def tried(record: Record, what: str, check: Callable[[Any], str | None], cases: st.SearchStrategy, n: int) -> None:
    """Try as many cases, put down how many came out well, and fail with the first that did not."""
    found: list[str | None] = []

    @settings(
        max_examples=n, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(cases)
    def each(case: Any) -> None:
        try:
            found.append(check(case))
        except Exception as error:  # a traceback is what must not be
            found.append(f"{case!r}: {type(error).__name__}: {error}"[:1000])

    each()
    summed_up(record, what, found)


def summed_up(record: Record, what: str, found: list[str | None]) -> None:
    wrong = [complaint for complaint in found if complaint is not None]
    record("fault", [what, len(found), len(found) - len(wrong)])
    assert not wrong, wrong[0]


def test_arguments_of_public_functions(small: Dataset, record_property: Record) -> None:
    for _, call, argument in public.every(small):
        tried(
            record_property, "bad argument of a public function",
            lambda value, call=call, argument=argument: public.answer(call, **{argument: value}),
            public.bad_values(argument), 60,
        )  # fmt: skip


def test_preset_fields(presets: Path, record_property: Record) -> None:
    tried(record_property, "bad preset field", lambda c: answers.preset_field(presets, c), bad_input.preset_cases, 800)


def test_unknown_fields(presets: Path, record_property: Record) -> None:
    tried(
        record_property,
        "unknown preset field",
        lambda c: answers.unknown_field(presets, c),
        bad_input.unknown_cases,
        150,
    )


def test_slips_of_the_pen(presets: Path, record_property: Record) -> None:
    tried(record_property, "damaged preset file", lambda c: answers.preset_file(presets, c), bad_input.toml_texts, 300)


def test_harmful_files(presets: Path, record_property: Record) -> None:
    found = [answers.refused_file(presets, text) for text in bad_input.BOMBS]
    summed_up(record_property, "harmful preset file", found)


def test_values_given_in_python(presets: Path, record_property: Record) -> None:
    cases = bad_input.spec_cases | bad_input.evaluation_cases
    tried(record_property, "bad spec or evaluation", answers.model_field, cases, 400)
    tried(record_property, "bad spec or evaluation", answers.run_field, bad_input.run_cases, 800)


def test_notebook_parameters(presets: Path, record_property: Record) -> None:
    tried(record_property, "bad notebook parameter", answers.parameter, bad_input.parameter_cases, 250)


def test_command_lines(presets: Path, record_property: Record) -> None:
    tried(record_property, "bad command line", answers.command, bad_input.command_lines(), 500)


def test_whole_processes(tmp_path: Path, record_property: Record) -> None:
    """As a user sees it, with Python's own start and end."""
    lines = [
        ["train", "--preset", "../../paper"],
        ["train", "../nonsense"],
        ["evaluate", bad_input.A_RUN, "--noise-seeds", "1000000000"],
        ["evaluate", bad_input.A_RUN, "--lambda", "0.5"],
        ["draw", "/etc/passwd"],
        ["figures", "--", "--unlock"],
        ["bench", "--rounds", "0"],
        ["data", "x" * 10_000],
        ["nonsense"],
        ["runs", b"--preset=\xff"],
    ]
    found = []
    for line in lines:
        done = subprocess.run(
            [sys.executable, "-m", "reproduce", *line],
            cwd=tmp_path,
            env={"PATH": "/usr/bin:/bin", "SNNLIB_RUNS": str(tmp_path / "runs"), "SNNLIB_FIGURES": str(tmp_path / "f")},
            capture_output=True,
            text=True,
        )
        wrong = answers.complaint(done.stderr.removesuffix("\n"), "error: ")
        if done.returncode != 2 or done.stdout or any(tmp_path.iterdir()):
            wrong = (
                f"{line}: exit code {done.returncode}, {done.stdout!r}, {sorted(tmp_path.iterdir())}, {done.stderr!r}"
            )
        found.append(wrong)
    summed_up(record_property, "bad command line, a process each", found)
