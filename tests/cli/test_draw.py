"""`draw`: which parameters a notebook has, and how they are given."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import papermill
import pytest
from typer.testing import CliRunner, Result

from reproduce.cli.commands import app
from reproduce.cli.notebook_command import parameters
from reproduce.experiments.parameters import ARMS_OF, PARAMETERS
from reproduce.runs.arms import ARMS
from reproduce.runs.preset import as_written, load_preset
from reproduce.runs.preset_file import toml
from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.store.paths import build_dir
from snnlib.training.evaluation import accuracy_over_time


def command(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What papermill is asked for, in place of executing it."""
    asked: list[dict[str, Any]] = []

    def note(_: Path, copy: Path, given: dict[str, Any], **__: Any) -> None:
        asked.append(given)
        copy.write_text("")

    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(papermill, "execute_notebook", note)
    return asked


# --- help ------------------------------------------------------------------------------------


@pytest.mark.parametrize("notebook", PARAMETERS)
def test_help_lists_the_notebooks_parameters(notebook: str) -> None:
    said = command("draw", notebook, "--help").stdout
    _, title, rows = said.partition(f"Parameters of {notebook}, -p NAME VALUE each [default, at preset smoke]:\n")
    assert title
    rows, _, arms = rows.partition(f"\nArms of {notebook}:\n")
    assert bool(arms) == ("arms" in PARAMETERS[notebook])
    for arm in ARMS_OF.get(notebook, ()):
        assert f"{arm} {ARMS[arm].what}" in " ".join(arms.split())
    listed = [line.split()[0] for line in rows.splitlines() if line.startswith("  ") and line[2] != " "]
    assert listed == (list(PARAMETERS[notebook]) or ["none"])
    if PARAMETERS[notebook]:
        assert " ".join(next(iter(PARAMETERS[notebook].values())).help.split()) in " ".join(rows.split())


def test_defaults_are_those_of_the_preset_that_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(toml(as_written("smoke", ["evaluation.timesteps=13", "width=0.03"])))
    for words in (["--preset", str(file), "--help"], ["--help", f"--preset={file}"]):
        said = command("draw", "method", *words).stdout
        assert "at preset mine" in said
        assert "[13]" in said
        assert "[0.03]" in said
    with pytest.raises(InputError, match="preset = 'big': must be one of"):
        command("draw", "method", "--help", "--preset", "big")


def test_help_without_a_notebook_says_which_there_are() -> None:
    said = " ".join(command("draw", "--help").stdout.split())
    assert "another value for a parameter of the notebook" in said
    assert f"notebooks: {', '.join(PARAMETERS)}" in said
    assert command("draw", "--help").stdout == command("draw", "nonsense", "--help").stdout


# --- -p --------------------------------------------------------------------------------------


def test_parameters_reach_papermill_as_they_are_used_and_are_in_the_copys_name(executed: list[dict[str, Any]]) -> None:
    words = ["-p", "timesteps", "20", "-p", "alphas", "[2, 3, inf]", "-p", "nets", "cnn", "-p", "width=0.5"]
    said = command("draw", "fig5_alpha", *words).stdout
    assert executed == [
        {"preset": "smoke", "alphas": [2, 3, float("inf")], "timesteps": 20, "nets": ["cnn"], "width": 0.5}
    ]
    copy = build_dir() / "smoke" / "fig5_alpha-alphas2_3_inf-timesteps20-netscnn-width0.5.ipynb"
    assert said == f"{copy}\n"
    assert {path.name for path in copy.parent.glob("*.ipynb")} == {copy.name}


def test_what_the_preset_has_is_no_change(executed: list[dict[str, Any]]) -> None:
    said = command("draw", "memories", "-p", "timesteps", "10", "-p", "seeds", "0,1,2").stdout
    assert executed == [{"preset": "smoke"}]
    assert said == f"{build_dir() / 'smoke' / 'memories.ipynb'}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["timestep", "20"], "fig5_alpha, parameter = 'timestep': must be one of alphas, timesteps, noise_seeds, nets"),
        (["preset", "cpu"], "fig5_alpha, parameter = 'preset': must be one of alphas"),
        (["timesteps", "1"], "timesteps = 1: must be a whole number of at least 2"),
        (["timesteps", "--preset"], "timesteps = '--preset': must be a whole number"),
        (["alphas", "[2, 1]"], "alphas = 1: must be at least 2, or inf"),
        (["timesteps"], "-p 'timesteps': must be NAME VALUE, such as timesteps 20"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_executed(
    executed: list[dict[str, Any]], words: list[str], message: str
) -> None:
    with pytest.raises(InputError) as error:
        command("draw", "fig5_alpha", "-p", *words)
    assert str(error.value).startswith(message)
    assert not executed


def test_a_value_may_have_an_equals_sign_and_the_last_of_several_counts() -> None:
    assert parameters(["a=b=c", "n=3", "n=4", "x=1e-3", "t=text"]) == {"a": "b=c", "n": 4, "x": 0.001, "t": "text"}


# --- the real thing --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_notebook_with_other_values_leaves_the_presets_own_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Executed by papermill, at a preset of nets that train in a moment: once as it is, once with other values."""
    file = tmp_path / "tiny.toml"
    changes = ["width=0.02", "recipe.epochs=1", "recipe.batch_size=500", "evaluation.timesteps=3", "seeds=0"]
    content = as_written("smoke", changes)
    content["notebooks"] = {"fig5_alpha": [{"nets": ["cnn"], "arms": ["ours"], "seeds": [0]}]}
    file.write_text(toml(content))
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path / "figures"))
    draw = ["draw", "fig5_alpha", "--preset", str(file)]
    command(*draw)
    folder = tmp_path / "figures" / "tiny"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    command(*draw, "-p", "timesteps", "4", "-p", "alphas", "[2, 3, 8]")
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert len([*(tmp_path / "runs").glob("fashion*")]) == 1  # nothing else was trained
    table = pd.read_csv(folder / "fig5_alpha-alphas2_3_8-timesteps4.csv")
    assert set(table.alpha) == {2, 3, 8}
    assert set(table.timesteps) == {1, 2, 3, 4}
    cells = json.loads((tmp_path / "build" / "tiny" / "fig5_alpha-alphas2_3_8-timesteps4.ipynb").read_text())["cells"]
    printed = "".join("".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", ()))
    assert "no verdicts: claims are decided with the preset's own values, not with alphas = [2, 3, 8]" in printed
    usual = pd.read_csv(folder / "fig5_alpha.csv")
    assert set(usual.alpha) == {2, 2.5, 4, 8, float("inf")}
    (run,) = load_preset(str(file)).runs("fig5_alpha")
    expected = accuracy_over_time(convert(run.model("cpu"), alpha=3, statistics="layer"), run.data("cpu"), 4, (0,))
    assert table[table.alpha == 3].accuracy.tolist() == expected.accuracy.tolist()
