"""Every row of a figure's CSV names its runs, and ``runs.csv`` says what each of them was made with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from reproduce.experiments import made_with as made
from reproduce.experiments.made_with import NAMES, made_with, overview, runs_named
from reproduce.experiments.outputs import Outputs
from reproduce.runs import run as runs
from reproduce.runs.preset import load_preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.store.files import seal, sha256, unseal
from snnlib.store.paths import published_dir

SMOKE = published_dir() / "smoke"

# CSV files without runs, and why.
WITHOUT = {
    "claims.csv": "decided from the other files, which it names in the column tables",
    "claims_beyond.csv": "likewise",
    "method_firing.csv": "noise and surrogate alone, without a net",
    "fig7_potential_dynamics.csv": "a simulated layer, all of whose parameters are columns",
    "fig7_silence.csv": "likewise",
    "explorer.csv": "a published net, named in the column published",
    "own_network.csv": "a net that the notebook trains itself, on digits, as a reader would: no run of the store",
}


# Of each figure the rows of the paper's step 3, as the preset runs it.
STEP_3: dict[str, dict[str, object]] = {
    "fig2_accuracy_vs_timesteps": {"ties": "first", "inference": "noise"},
    "fig5_alpha": {"alpha": 4},
    "fig6_noise_type": {},
    "memories": {"memory": "paper's memory"},
    "what_noise_does": {"inference": "step 3"},
    "silent_choices": {"default": True},
    "table2_accuracy_vs_timesteps": {"method": "ours"},
    "beyond_equal_accuracy": {"net": "converted net"},
}


@pytest.mark.parametrize("preset", ["smoke", "cpu"])
def test_a_run_has_one_accuracy_whatever_figure_tells_it(preset: str) -> None:
    """Figures of one preset are published from one store: a run that was trained again has all of them anew."""
    found = []
    for name, columns in STEP_3.items():
        if (file := published_dir() / preset / f"{name}.csv").exists():
            table = pd.read_csv(file)
            chosen = table[(table[[*columns]] == [*columns.values()]).all(axis=1)]
            assert len(chosen), name
            found.append(chosen[["run", "noise_seed", "timesteps", "accuracy"]].assign(figure=name))
    by_run = pd.concat(found).groupby(["run", "noise_seed", "timesteps"])
    assert by_run.figure.nunique().max() >= 3  # there is something to compare
    differ = by_run.accuracy.agg(["min", "max"]).query("max - min > 1e-9").index.get_level_values("run")
    assert not {*differ}


def test_what_was_changed_in_a_notebook_is_not_the_presets(tmp_path: Path) -> None:
    Outputs(tmp_path).write_csv(pd.DataFrame({"run": ["usual"]}), "f")
    Outputs(tmp_path, {"width": 0.5}).write_csv(pd.DataFrame({"run": ["wider"]}), "f")
    assert runs_named(tmp_path) == ["usual"]


# --- the committed figures -------------------------------------------------------------------


@pytest.mark.parametrize("file", sorted(SMOKE.glob("*.csv")), ids=lambda file: file.stem)
def test_each_row_of_a_committed_csv_names_runs_that_are_known(file: Path) -> None:
    table = pd.read_csv(file)
    columns = [name for name in NAMES if name in table]
    assert bool(columns) == (file.name not in WITHOUT)
    if file.name == "table2_inference_time.csv":
        table = table[table.source == "measured"]  # the other rows are the paper's
    assert table[columns].notna().all(axis=None)
    here = {name for column in columns for cell in table[column] for name in cell.split()}
    assert here <= set(load_preset("smoke").all_runs())
    assert here <= set(pd.read_csv(SMOKE / made.FILE).run)


def test_the_committed_runs_are_those_that_are_named_and_each_has_its_whole_row() -> None:
    table = pd.read_csv(SMOKE / made.FILE)
    assert list(table) == made.COLUMNS
    assert list(table.run) == runs_named(SMOKE)
    assert table.notna().all(axis=None)
    assert table.weights_sha256.str.fullmatch("[0-9a-f]{64}").all()
    known = load_preset("smoke").all_runs()
    specs = [known[name].spec for name in table.run]
    assert list(table.seed) == [spec.seed for spec in specs]
    assert list(table.epochs) == [spec.recipe.epochs for spec in specs]


# --- a store of our own ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Iterator[Run]:
    recipe = {"epochs": 1, "batch_size": 32, "lr": 1e-3, "schedule": "constant"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        yield ensure(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe, seed=3))


@pytest.fixture
def figures(tmp_path: Path, trained: Run, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of figures whose CSV files name a run that is in its own store, and one that is not."""
    shutil.copytree(trained.folder, tmp_path / "runs" / trained.spec.name)
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    folder = tmp_path / "figures"
    folder.mkdir()
    pd.DataFrame({"runs": [f"gone {trained.spec.name}", None]}).to_csv(folder / "a.csv")
    pd.DataFrame({"our_runs": ["gone"], "opponent_runs": [trained.spec.name]}).to_csv(folder / "b.csv")
    (folder / "damaged.csv").write_bytes(b"\xff\xfe\x00\x81")
    (folder / "empty.csv").touch()
    return folder


def change(run: Run, /, **fields: object) -> None:
    """Write a run's metadata anew, and right, with other fields."""
    file = run.folder / "metadata.json"
    file.write_text(seal({**unseal(file), **fields}))


def test_a_run_has_a_row_with_what_made_it(figures: Path, trained: Run) -> None:
    table = made_with(figures)
    assert list(table) == made.COLUMNS
    assert list(table.run) == [trained.spec.name, "gone"]
    row, other = table.iloc[0], table.iloc[1]
    (sitting,) = trained.metadata["sittings"]
    assert (row.seed, row.epochs, row.sittings) == (3, 1, 1)
    assert row.weights_sha256 == sha256(trained.folder / "weights.safetensors")
    assert row[["device", "python", "started", "finished"]].to_dict() == {
        name: sitting[name] for name in ("device", "python", "started", "finished")
    }
    assert row.wall_seconds == pytest.approx(sitting["wall_seconds"], abs=0.05)
    assert other.drop("run").isna().all()
    assert overview(table).startswith("runs: 2, 1 of them missing or damaged, with nothing known\ndevice: ")


def test_sittings_that_differ_are_all_there_in_order(figures: Path, trained: Run) -> None:
    (one,) = trained.metadata["sittings"]
    old = {name: value for name, value in one.items() if name != "snnlib"}
    made_by = [
        {**one, "git": {"commit": "aaa", "clean": True}}, {**one, "git": {"commit": "bbb", "clean": False}},
        {**one, "git": None, "snnlib": "3.2.1"}, {**old, "git": None},
    ]  # fmt: skip
    change(trained, sittings=[{**made, "started": f"{i}", "finished": f"{i}+"} for i, made in enumerate(made_by)])
    row = made_with(figures).iloc[0]
    assert (row.commit, row.clean) == ("aaa; bbb; version 3.2.1; unknown", "yes; no; unknown; unknown")
    assert (row.device, row.sittings) == (one["device"], 4)
    assert (row.started, row.finished) == ("0", "3+")


@pytest.mark.parametrize("what", ["weights", "metadata", "another's", "unfinished"])
def test_a_run_that_is_damaged_has_an_empty_row_or_the_one_that_it_had(figures: Path, trained: Run, what: str) -> None:
    whole = made_with(figures)
    match what:
        case "weights":
            (trained.folder / "weights.safetensors").write_bytes(b"other")
        case "metadata":
            (trained.folder / "metadata.json").write_text(json.dumps({"run": trained.spec.name}))
        case "another's":
            change(trained, spec={**trained.metadata["spec"], "seed": 9})
        case "unfinished":
            (trained.folder / "metadata.json").unlink()
    assert made_with(figures).drop(columns="run").isna().all(axis=None)
    assert overview(made_with(figures)) == "runs: 2, 2 of them missing or damaged, with nothing known"
    Outputs(figures).write_csv(whole, "runs")
    before = (figures / made.FILE).read_bytes()
    Outputs(figures).write_csv(made_with(figures), "runs")
    assert (figures / made.FILE).read_bytes() == before
    assert overview(made_with(figures)) == overview(whole)


def test_what_no_file_names_any_more_is_dropped(figures: Path) -> None:
    Outputs(figures).write_csv(made_with(figures), "runs")
    for file in ("a.csv", "b.csv"):
        (figures / file).unlink()
    assert made_with(figures).empty
    assert overview(made_with(figures)) == "runs: 0"
