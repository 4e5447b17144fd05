"""Whatever is written into a preset, a notebook's parameters or a command line: it works, or is one line of error."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import answers
import bad_input
import pytest
from hypothesis import HealthCheck, given, settings

from reproduce.cli import main as cli
from reproduce.runs import preset
from snnlib.checks import InputError, short, shown
from snnlib.dynamics import SingleStep
from snnlib.models import build

few = settings(
    max_examples=35, deadline=None, database=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def presets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with (
        pytest.MonkeyPatch.context() as patch,
        answers.sandbox(tmp_path_factory.mktemp("bad_input"), patch) as folder,
    ):
        yield folder


@few
@given(case=bad_input.preset_cases)
def test_a_value_in_a_presets_field(presets: Path, case: Any) -> None:
    assert answers.preset_field(presets, case) is None


@few
@given(case=bad_input.unknown_cases)
def test_a_field_that_there_is_not(presets: Path, case: Any) -> None:
    assert answers.unknown_field(presets, case) is None


@few
@given(text=bad_input.toml_texts)
def test_a_file_with_slips_of_the_pen(presets: Path, text: str) -> None:
    assert answers.preset_file(presets, text) is None


@pytest.mark.parametrize("number", range(len(bad_input.BOMBS)))
def test_a_file_that_is_meant_to_do_harm(presets: Path, number: int) -> None:
    assert answers.refused_file(presets, bad_input.BOMBS[number]) is None


@few
@given(case=bad_input.spec_cases | bad_input.evaluation_cases)
def test_a_value_given_in_python(case: Any) -> None:
    assert answers.model_field(case) is None


@few
@given(case=bad_input.run_cases)
def test_a_value_of_a_run_given_in_python(case: Any) -> None:
    assert answers.run_field(case) is None


@few
@given(case=bad_input.parameter_cases)
def test_a_notebooks_parameter(case: Any) -> None:
    assert answers.parameter(case) is None


@few
@given(line=bad_input.command_lines())
def test_a_command_line(presets: Path, line: list[str]) -> None:
    assert answers.command(line) is None


# --- the other side: what is right passes, and does what it says -----------------------------


@pytest.mark.parametrize(
    "line",
    [
        ["runs"],
        ["runs", "--json"],
        ["runs", "--preset", "paper"],
        ["runs", "--preset=smoke", "--set", "width=0.5", "--set=recipe.epochs=2", "--json"],
        ["train"],
        ["train", "fashion_mnist_mini-vgg16", "fashion_mnist_mini-cnn", "--preset=smoke"],
        ["evaluate", bad_input.A_RUN],
        ["evaluate", bad_input.A_RUN, "--alpha", "2,3,inf", "--json"],
        ["evaluate", bad_input.A_RUN, "--alpha", "inf", "--noise-seeds", "1000", "--timesteps", "1"],
        ["evaluate", bad_input.A_RUN, "--statistics", "frozen", "--first-step=rest", "--beta", ".5", "--leak", "1"],
        ["evaluate", bad_input.A_RUN, "--memory", "exact", "--spread", "0.3", "--readout-spread=0"],
        ["evaluate", "fashion_mnist_mini-cnn-w0.125-potential-relu-s0", "--percentile", "99.9", "--v-init", "0.5"],
        ["data", "fashion_mnist_mini"],
        ["draw", "method", "--preset", "cpu"],
        ["preset", "paper", "--set", "nets.mnist.width=0.5"],
        ["figures"],
        ["figures", "--out", "../figures/elsewhere"],
        ["figures", "trained", "all", "method", "claims"],
        ["bench", "--rounds", "3", "--peers"],
        ["bench", "--scaling"],
        [],
        ["--version"],
        ["--help"],
        ["evaluate", "--help"],
    ],
    ids=" ".join,
)
def test_a_right_command_line_passes(
    presets: Path, line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["snnlib", *line])
    cli.main()
    assert "error" not in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_ctrl_c_is_one_line_and_its_own_exit_code(
    presets: Path, error: type, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise error

    monkeypatch.setattr("reproduce.cli.training.train_runs", stopped)
    monkeypatch.setattr(sys, "argv", ["snnlib", "train"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    interrupted = (130, "interrupted; the same command goes on from the last finished epoch\n")
    assert (stop.value.code, capsys.readouterr().err) == (interrupted if error is KeyboardInterrupt else (None, ""))


def test_a_file_that_cannot_be_read_is_named(presets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (presets / "bad.toml").write_bytes(b"description = '\xff'")
    with pytest.raises(InputError, match=r"bad.toml, byte 15: must be text in UTF-8"):
        preset.load_preset("bad")
    (presets / "bad.toml").unlink()
    (presets / "bad.toml").mkdir()
    try:
        with pytest.raises(
            InputError, match=r"bad.toml: a folder, where a file belongs.*: must be a file that can be read"
        ):
            preset.load_preset("bad")
    finally:
        (presets / "bad.toml").rmdir()
        (presets / "bad.toml").write_text("")


# --- how values are shown --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("smoke", "'smoke'"),
        (1e-3, "0.001"),
        ("two\nlines", r"'two\nlines'"),
        (10**5000, "a huge int"),
        ([10**5000], "a huge list"),
        (math.nan, "nan"),
        ({"kind": "pink"}, "{'kind': 'pink'}"),
    ],
    ids=shown,
)
def test_a_value_is_shown_as_it_is_written(value: object, expected: str) -> None:
    assert shown(value) == expected


@pytest.mark.parametrize("value", ["x" * 10_000, ["y" * 99] * 9, 10**400, {"z" * 200: {}}, SingleStep(), "\x1b" * 200])
def test_a_long_value_is_shown_by_its_ends(value: object) -> None:
    assert len(shown(value)) <= 80
    assert shown(value).isprintable()
    assert "..." in shown(value)


def test_text_of_several_lines_becomes_one() -> None:
    assert short("a\n  b\x1b\u2028c") == "a b\\x1b c"


def test_a_net_wider_than_memory_is_refused() -> None:
    for width, words in (
        (17, "width = 17: must be at most 16"),
        (10**400, r"width = 1000.*\.\.\..*: must be at most 16"),
    ):
        with pytest.raises(InputError, match=words):
            build("cnn", SingleStep(), width=width)
