"""What several commands take: where figures go, other values for a preset, JSON, and what stands before a command."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from commands import begin
from tiny_runs import spec
from typer.testing import CliRunner, Result

from reproduce.batch import readme
from reproduce.batch.ledger import ledger
from reproduce.cli import drawing
from reproduce.cli.commands import app
from reproduce.cli.options import figures_in, print_json
from reproduce.experiments import compare
from reproduce.experiments.outputs import Outputs
from reproduce.runs.preset import as_written, load_preset
from reproduce.runs.preset_found import FOLDER
from reproduce.runs.results import accuracy
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.conversion import convert_exact
from snnlib.store.paths import figures_dir, published_dir
from snnlib.training.evaluation import accuracy_over_time

QUICK = {"recipe": {"epochs": 1, "batch_size": 32, "lr": 1e-3}}


@pytest.fixture(autouse=True)
def level() -> Iterator[None]:
    """The log's level as it was: a process of its own has it for itself."""
    before = logging.getLogger("snnlib").level
    yield
    logging.getLogger("snnlib").setLevel(before)


def command(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


# --- before a command ------------------------------------------------------------------------


def test_versions_are_said() -> None:
    process = begin("-m", "reproduce", "--version")
    said, errors = process.communicate(timeout=60)
    assert said.startswith(f"snnlib {version('snnlib')}, torch {torch.__version__}, Python 3.")
    assert (process.returncode, errors) == (0, "")


def test_how_much_is_said(folder: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    run = ensure(spec(**QUICK))
    capsys.readouterr()
    words = ["evaluate", run.spec.key, "--timesteps", "2"]
    said = {}
    for option in ("-q", "", "-v"):
        caplog.clear()
        command(*filter(None, [option, *words]))
        said[option] = caplog.text
    assert (said["-q"], said[""]) == ("", "")
    assert f"{run.label}: evaluated before, in {run.folder}" in said["-v"]
    with pytest.raises(InputError, match="-v and -q: must not both be there"):
        command("-v", "-q", "runs")


def test_quietly_trained_is_without_a_bar(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command("-q", "runs")
    ensure(spec(**QUICK))
    assert capsys.readouterr().err == ""
    command("runs")
    ensure(spec(**QUICK, seed=9))
    assert spec(**QUICK, seed=9).label in capsys.readouterr().err


# --- --out -----------------------------------------------------------------------------------


def test_figures_go_where_they_are_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for before in (None, "elsewhere"):
        monkeypatch.setenv("SNNLIB_FIGURES", before) if before else monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
        usual = figures_dir()
        for out in ("new/folder", "./new/folder", "~/new/folder", str(tmp_path / "new" / "folder")):
            with figures_in(out):
                assert figures_dir() == tmp_path / "new" / "folder"  # from where the command was given
                inherited = subprocess.run([sys.executable, "-c", ECHO], capture_output=True, text=True).stdout
                assert inherited == str(figures_dir())
            assert figures_dir() == usual
        with figures_in(None):
            assert figures_dir() == usual
    assert not list(tmp_path.iterdir())  # it is made when something is drawn


ECHO = "import os; print(os.environ['SNNLIB_FIGURES'], end='')"


@pytest.mark.parametrize(
    ("out", "words"),
    [
        ("", "must be a path"),
        ("a\nb", "must be a path of printable characters"),
        ("a\0b", ""),
        ("\ud800", ""),
        ("x" * 5000, ""),
        ("~nobody_of_this_name", ""),
        ("file", "must be a folder that can be written to, or made; .*/file cannot"),
        ("file/below", "must be a folder that can be written to, or made; .*/file cannot"),
        (str(published_dir()), "must not be the published one"),
    ],
)
def test_a_folder_that_cannot_be_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    with pytest.raises(InputError, match=f"^--out .*: .*{words}") as error, figures_in(out):
        pass
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 1000


def test_every_command_on_figures_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(drawing, "draw_notebook", lambda *_: seen.append(figures_dir()))
    monkeypatch.setattr(drawing, "figures", lambda *_, **__: seen.append(figures_dir()))
    monkeypatch.setattr(readme, "drawn", lambda _: seen.append(figures_dir()))
    monkeypatch.setattr(compare, "report", lambda _: seen.append(figures_dir()))
    for words in (["draw", "method"], ["figures"], ["claims"], ["compare"]):
        command(*words, "--out", str(tmp_path / "out"))
    assert seen == [tmp_path / "out"] * 4


# --- --preset, --set -------------------------------------------------------------------------


def test_a_preset_is_printed_as_it_is_or_with_other_values(tmp_path: Path) -> None:
    assert command("preset", "cpu").stdout == (FOLDER / "cpu.toml").read_text(encoding="utf-8")
    changes = ["--set", "width=0.03", "--set", "seeds=0,1"]
    file = tmp_path / "mine.toml"
    file.write_text(command("preset", "smoke", *changes).stdout)
    assert load_preset(str(file)).all_runs() == load_preset("smoke", ["width=0.03", "seeds=0,1"]).all_runs()
    assert command("preset", str(file)).stdout == file.read_text()


@pytest.mark.parametrize("words", [["train"], ["evaluate", "fashion_mnist_mini-cnn-w0.03-spikes-gaussian-s7"]])
def test_runs_are_those_with_other_values(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    changed = load_preset("smoke", ["width=0.03", "seeds=7"])
    asked = []
    monkeypatch.setattr("reproduce.cli.training.train_runs", lambda runs, p: asked.extend(runs) or asked.append(p))

    def noted(run: Any, evaluation: Any) -> pd.DataFrame:
        asked.extend([run, evaluation])
        return pd.DataFrame({"timesteps": [1], "accuracy": [0.5]})

    monkeypatch.setattr("reproduce.cli.training.accuracy", noted)
    if words == ["train"]:
        command(*words, "--set", "width=0.03", "--set", "seeds=7")
        assert asked == [*changed.all_runs().values(), changed]
        return
    with pytest.raises(InputError, match="several runs begin with it"):
        command("evaluate", words[1][:-1], "--set", "width=0.03", "--set", "seeds=7")
    ours = next(run for name, run in changed.all_runs().items() if changed.uses()[name] == "cnn ours")
    command("evaluate", ours.spec.key, "--set", "width=0.03", "--set", "seeds=7", "--set", "evaluation.alpha=3")
    assert asked == [ours, changed.evaluation.changed(alpha=3.0)]


def test_figures_take_files_not_other_values() -> None:
    for name in ("figures", "draw", "claims", "compare", "publish", "tune"):
        assert "--set" not in command(name, "--help").stdout
        assert "--preset" in command(name, "--help").stdout


def test_a_preset_of_ones_own_is_not_published(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(command("preset", "smoke", "--set", "width=0.03").stdout)
    with pytest.raises(InputError, match=rf"preset = {file}: must be one that ships, in reproduce/runs/presets, to be"):
        command("publish", "--preset", str(file))
    assert as_written(str(file))


# --- evaluate --------------------------------------------------------------------------------


def test_several_alphas_are_a_column_each(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    said = command("evaluate", run.spec.key, "--alpha", "2,3,inf", "--timesteps", "2", "--noise-seeds", "2").stdout
    usual = load_preset("smoke").evaluation.changed(timesteps=2, noise_seeds=(0, 1))
    _, _, header, _, *rows = said.splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in (header, *rows)]
    assert cells[0] == ["timesteps", "alpha = 2", "alpha = 3", "alpha = inf"]
    for i, alpha in enumerate((2, 3, float("inf")), 1):
        table = accuracy(run, usual.changed(alpha=alpha))
        for t, row in enumerate(cells[1:], 1):
            percent = 100 * table[table.timesteps == t].accuracy
            assert (row[0], row[i]) == (str(t), f"{percent.mean():.2f} ± {percent.std():.2f}")


@pytest.mark.parametrize(
    ("alphas", "words"),
    [("2,2", "--alpha = .*: must each be there once"), ("2,1", "alpha = 1.0: must be at least 2, or inf")],
)
def test_alphas_are_checked_before_any_work(folder: Path, trainings: list[str], alphas: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        command("evaluate", "fashion_mnist_mini-resnet18-w0.0625-spikes-gaussian-s0", "--alpha", alphas)
    assert not trainings


def test_the_memory_is_chosen(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    said = command("evaluate", run.spec.key, "--memory", "exact", "--spread", "0.3", "--timesteps", "2").stdout
    model = run.model("cpu")
    exact = convert_exact(model, spread=[0.3] * (len([*model.neurons()]) - 1) + [0.5])
    p = load_preset("smoke").evaluation
    expected = accuracy_over_time(exact, run.data("cpu"), 2, p.noise_seeds, p.batch_size).accuracy.mul(100)
    rows = [[float(cell) for cell in line.split("|")[1:3]] for line in said.splitlines()[-2:]]
    assert rows == [[t, pytest.approx(a, abs=0.005)] for t, a in enumerate(expected, 1)]
    assert command("evaluate", run.spec.key, "--memory", "potential").stdout.splitlines()[1].startswith("Conversion: ")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--memory", "none"], "--memory = 'none': must be one of potential, exact"),
        (
            ["--memory", "exact", "--alpha", "3"],
            "alpha = 3.0: no such field; must be one of timesteps",
        ),
        (["--spread", "0.5"], "spread = 0.5: no such field; must be one of timesteps"),
        (["--memory", "exact", "--readout-spread", "2"], "spread = 2.0: must be a number between 0 and 1"),
    ],
)
def test_a_memory_and_what_is_not_its_own_are_refused(
    folder: Path, trainings: list[str], options: list[str], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        command("evaluate", "fashion_mnist_mini-resnet18-w0.0625-spikes-gaussian-s0", *options)
    assert not trainings


# --- --json ----------------------------------------------------------------------------------


def test_an_evaluation_is_one_document(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    found = json.loads(command("evaluate", run.spec.key, "--alpha", "2,inf", "--timesteps", "2", "--json").stdout)
    assert (found["run"], found["label"]) == (run.spec.name, run.label)
    for each, alpha in zip(found["evaluations"], (2.0, float("inf")), strict=True):
        evaluation = load_preset("smoke").evaluation.changed(timesteps=2, alpha=alpha)
        assert each["evaluation"] == evaluation.spelled
        expected = accuracy(run, evaluation)[["noise_seed", "timesteps", "accuracy"]]
        assert each["accuracy"] == expected.to_dict("records")


def test_claims_and_the_comparison_are_one_document_each(tmp_path: Path) -> None:
    folder = tmp_path / "smoke"
    found = ledger(tmp_path, "smoke")
    Outputs(folder).write_table(found.claims, "claims", readme.claims_markdown(found, "smoke"))
    Outputs(folder).write_csv(found.beyond, "claims_beyond")
    claims = json.loads(command("claims", "--out", str(tmp_path), "--json").stdout)
    assert [row["claim"] for row in claims["claims"]] == found.claims.claim.tolist()
    assert [row["verdict"] for row in claims["beyond"]] == found.beyond.verdict.tolist()
    compared = json.loads(command("compare", "--out", str(tmp_path), "--json").stdout)
    table, *missing = compare.compare(folder, published_dir() / "smoke")
    assert compared["rows"] == table.to_dict("records")
    assert compared["missing"] == dict(zip(("own", "published"), missing, strict=True))
    assert sum(compared["outcomes"].values()) == len(table)


def test_a_preset_of_the_store_is_one_document(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reproduce.cli.runs.estimate", lambda p: dict.fromkeys(p.all_runs(), 1.5))
    found = json.loads(command("runs", "--preset", "smoke", "--json").stdout)
    runs = load_preset("smoke").all_runs()
    assert {row["run"]: row["label"] for row in found["runs"]} == {name: run.label for name, run in runs.items()}
    assert {(row["state"], row["seconds_left"]) for row in found["runs"]} == {("missing", 1.5)}


def test_an_error_leaves_the_output_empty() -> None:
    process = begin("-m", "reproduce", "show", "nonsense", "--json")
    said, errors = process.communicate(timeout=60)
    assert (process.returncode, said, errors.count("\n")) == (2, "", 1)


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), float("inf"), 0.5, True, None, "ä"], 3: {"b": (1,)}})
    assert json.loads(capsys.readouterr().out) == {"a": [None, None, 0.5, True, None, "ä"], "3": {"b": [1]}}
    with pytest.raises(TypeError):
        print_json({"a": os})
