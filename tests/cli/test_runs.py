"""Commands on the run store: what they list, say, write and remove, of runs that no preset names."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import pytest
from filelock import FileLock
from safetensors import safe_open
from tiny_runs import InterruptError, spec, spoil, stop_after
from typer.testing import CliRunner, Result

from reproduce.batch import listing, pretrained
from reproduce.cli import choose
from reproduce.cli.commands import app
from reproduce.runs import first_images, preset_found
from reproduce.runs.evaluations import AsTrained, Conversion
from reproduce.runs.preset import load_preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import FILES, Run
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.store.files import DamagedError, StoreError
from snnlib.store.paths import runs_dir

QUICK = {"recipe": {"epochs": 1, "batch_size": 32, "lr": 1e-3}}


def command(*words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=answer, catch_exceptions=False)


def document(*words: str) -> Any:
    return json.loads(command(*words, "--json").stdout)


def listed() -> dict[str, dict[str, Any]]:
    return {row["run"]: row for row in document("runs")["runs"]}


# --- runs ------------------------------------------------------------------------------------


def test_an_empty_store_has_no_runs(folder: Path) -> None:
    assert command("runs").stdout.startswith("no runs in the store")
    assert document("runs") == {"store": str(folder), "preset": None, "runs": []}


def test_every_run_of_the_store_is_listed_with_what_became_of_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done, spoilt, other = (ensure(spec(**QUICK, seed=seed)) for seed in range(3))
    spoil(spoilt.folder / "weights.safetensors", "a byte changed")
    renamed = other.folder.with_name(f"{other.spec.label}-{'0' * 12}")
    other.folder.rename(renamed)
    unreadable = ensure(spec(**QUICK, seed=3))
    spoil(unreadable.folder / "metadata.json", "cut short")
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            ensure(spec(seed=4))
    failed = folder / f"mnist-cnn-{'1' * 12}"
    failed.mkdir()
    (failed / "failure.txt").write_text("memory is full")
    (folder / "damaged").mkdir()  # no run
    rows = listed()
    assert {name: row["state"] for name, row in rows.items()} == {
        done.spec.name: "trained", spoilt.spec.name: "damaged", renamed.name: "of another version",
        unreadable.spec.name: "damaged", spec(seed=4).name: "begun", failed.name: "failed",
    }  # fmt: skip
    last = done.history.iloc[-1]
    row = rows[done.spec.name]
    assert (row["accuracy_t1"], row["accuracy"]) == (last.test_accuracy_t1, last.test_accuracy)
    assert (row["label"], row["uses"], row["seconds_left"]) == (done.spec.label, {}, None)
    text = command("runs").stdout
    for name, row in rows.items():
        (line,) = [line for line in text.splitlines() if f"| {name[-12:]} |" in line]
        assert row["state"] in line
        assert line.startswith(f"| {row['label']} ")


def test_a_presets_runs_say_so_and_have_its_accuracies(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = ensure(spec(**QUICK))
    p = load_preset("smoke").model_copy(update={"name": "p", "notebooks": {"method": {"net": {"ours": (run.spec,)}}}})
    monkeypatch.setattr(listing, "shipped", lambda: [p])
    evaluation = p.evaluations(run)[-1]
    assert listed()[run.spec.name]["uses"] == {"p": "net ours"}
    at = accuracy(run, evaluation).accuracy
    row = listed()[run.spec.name]
    assert (row["accuracy_t1"], row["accuracy"]) == (at.iloc[0], at.iloc[-1])


def test_a_run_that_was_begun_is_known_by_the_preset_that_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    p = load_preset("smoke").model_copy(update={"notebooks": {"method": {"net": {"ours": (spec(),)}}}})
    monkeypatch.setattr(listing, "shipped", lambda: [p])
    Run(spec()).folder.mkdir(parents=True)
    assert listing.in_store() == {spec().name: Run(spec())}


def test_labels_tell_apart_what_is_listed(folder: Path) -> None:
    first, second = ensure(spec(**QUICK)), ensure(spec(recipe={**QUICK["recipe"], "lr": 0.01}))
    labels = {name: row["label"] for name, row in listed().items()}
    assert labels[first.spec.name] != labels[second.spec.name]
    assert {first.spec.label, f"{first.spec.label}+lr=0.01"} >= {labels[second.spec.name]}


def test_changes_need_a_preset(folder: Path) -> None:
    with pytest.raises(InputError, match="--set: must come with --preset"):
        command("runs", "--set", "width=0.5")


# --- choosing --------------------------------------------------------------------------------


def test_a_run_is_meant_by_id_label_and_beginning(folder: Path) -> None:
    first, second = (ensure(spec(**QUICK)), ensure(spec(recipe={**QUICK["recipe"], "lr": 0.01})))
    label = next(row["label"] for row in listed().values() if "+" in row["label"])
    marked = first if label.endswith("+lr=0.001") else second
    for run in (first, second):
        for text in (run.spec.key, run.spec.name, run.spec.name[:-3]):
            assert choose.one_stored(text) == (run.spec.name, run)
    assert choose.one_stored(label) == (marked.spec.name, marked)
    other = second if marked == first else first
    assert choose.one_stored(other.spec.label) == (other.spec.name, other)  # though it is the beginning of both
    with pytest.raises(InputError) as error:
        choose.one_stored(first.spec.label[:-1])
    assert all(f"{run.spec.key} (" in str(error.value) for run in (first, second))


@pytest.mark.parametrize("name", ["smoke", "cpu"])
def test_a_label_of_the_preset_means_its_run_whatever_else_has_it(folder: Path, name: str) -> None:
    p = load_preset(name)
    labels = Counter(run.label for run in p.all_runs().values())
    found = {run.label: run for run in p.all_runs().values() if labels[run.label] == 1}
    assert len(found) > len(labels) / 2
    for label, run in [*found.items()][:: 1 if name == "smoke" else 10]:
        assert choose.one(label, p) == run


@pytest.mark.parametrize("text", ["", "nonsense", "fashion_mnist_mini-vgg17-w0.0625", "x" * 1000])
def test_a_wrong_name_suggests_the_nearest_three(folder: Path, text: str) -> None:
    ensure(spec(**QUICK))
    for choice in (lambda: choose.one(text, load_preset("smoke")), lambda: choose.several([text], load_preset("cpu"))):
        with pytest.raises(InputError) as error:
            choice()
        said, nearest = str(error.value).split("; nearest are ")
        assert said.startswith(f"name = '{text[:20]}")
        assert len(nearest.split(", ")) == 3
        assert len(str(error.value)) < 500
    assert "vgg17" not in text or nearest.startswith("fashion_mnist") or "vgg16" in nearest


def test_several_that_begin_so_are_trained_but_not_evaluated(folder: Path) -> None:
    p = load_preset("smoke")
    runs = choose.several(["fashion_mnist_mini-cnn"], p)
    assert runs == [run for run in p.all_runs().values() if run.spec.network == "cnn"]
    assert choose.several(None, p) == list(p.all_runs().values())
    with pytest.raises(InputError, match=r"several runs begin with it: .* and \d+ more"):
        choose.one("fashion_mnist_mini-cnn", p)


def test_a_run_of_an_own_preset_that_was_only_begun_hides_no_other(folder: Path) -> None:
    finished = ensure(spec(**QUICK))
    p = load_preset("smoke").model_copy(update={"notebooks": {"method": {"net": {"ours": (spec(),)}}}})
    Run(spec()).folder.mkdir()
    assert listing.in_store()[spec().name] is None  # nothing there says what it is
    assert choose.one(finished.spec.key, p) == finished
    assert choose.one(spec().name, p) == Run(spec())


# --- show ------------------------------------------------------------------------------------


def test_show_says_what_a_run_is_and_what_came_of_it(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    evaluation = Conversion(timesteps=3, noise_seeds=(0, 1), calibration=50, alpha=3.0)
    table = accuracy(run, evaluation)
    found = document("show", run.spec.key)
    assert found["spec"] == run.spec.model_dump(mode="json")
    assert found["last_epoch"] == run.history.iloc[-1].to_dict()
    (each,) = found["evaluations"]
    assert each["evaluation"] == evaluation.spelled
    assert list(each["accuracy"].values()) == table.groupby("timesteps").accuracy.mean().tolist()
    assert found["sittings"] == run.metadata["sittings"]
    assert {f["file"] for f in found["files"] if f["state"] == "as written"} >= {*FILES, evaluation.file(run).name}
    text = command("show", run.spec.key).stdout
    for word in (run.label, run.spec.key, "alpha = 3.0", "packages.torch", "weights.safetensors", "used by no preset"):
        assert word in text
    assert "beta = " not in text  # as by default


def test_show_says_what_is_the_matter(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    evaluation = AsTrained(timesteps=1, noise_seeds=(0,))
    accuracy(run, evaluation)
    spoil(evaluation.file(run), "a byte changed")
    spoil(run.folder / "history.csv", "a byte changed")
    found = document("show", run.spec.key)
    states = {file["file"]: file["state"] for file in found["files"]}
    assert (found["state"], states["history.csv"], states["timing.csv"]) == ("damaged", "damaged", "as written")
    assert states[evaluation.file(run).name] == ""
    assert "| history.csv" in command("show", run.spec.key).stdout
    spoil(run.folder / "metadata.json", "cut short")  # then nothing says what it is
    assert document("show", run.spec.key)["state"] == "damaged"


# --- export ----------------------------------------------------------------------------------


def test_the_weights_are_those_of_the_net(folder: Path, tmp_path: Path) -> None:
    run, file = ensure(spec(**QUICK)), tmp_path / "new" / "net.safetensors"
    assert command("export", run.spec.key, "--to", str(file)).stdout.startswith(f"{file}: ")
    with safe_open(file, framework="pt") as f:
        weights = run.model("cpu").model.state_dict()
        assert set(f.keys()) == set(weights)
        assert all(f.get_tensor(name).equal(tensor) for name, tensor in weights.items())
        assert json.loads(f.metadata()["info"])["spec"] == run.spec.model_dump(mode="json")


def test_a_graph_says_what_is_lost(folder: Path, tmp_path: Path) -> None:
    run, file = ensure(spec(**QUICK)), tmp_path / "net.nir"
    said = command("export", run.spec.key, "--to", str(file), "--alpha", "4").stdout
    graph = nir.read(file)
    neurons = len(list(run.model("cpu").neurons()))
    assert sum(isinstance(node, nir.LIF) for node in graph.nodes.values()) == neurons
    assert graph.metadata["not_expressed"].count("\n") == 2 * neurons - 1  # the first step's noise, and N'
    assert all(line in said for name in ("not_expressed", "left_open") for line in graph.metadata[name].split("\n"))
    command("export", run.spec.key, "--to", str(tmp_path / "2.nir"), "--alpha", "2")
    assert nir.read(tmp_path / "2.nir").metadata["not_expressed"].count("\n") == neurons - 1  # no N' at alpha = 2


@pytest.mark.parametrize(
    ("changes", "options", "words"),
    [
        ({}, ["--to", "net.onnx"], "--to .*net.onnx': must end in .safetensors or .nir"),
        ({}, ["--to", "there.nir"], "--to .*there.nir': is there already"),
        ({}, ["--to", "~nobody_of_this_name/net.nir"], "--to '~nobody_of_this_name/net.nir': "),
        ({}, ["--to", "a\0.nir"], "--to .*: must be a path of printable characters"),
        ({}, ["--to", "net.safetensors", "--alpha", "3"], "alpha: only a .nir is of the converted net"),
        ({}, ["--to", "net.nir", "--alpha", "1"], "alpha = 1.0: must be at least 2, or inf"),
        ({"dynamics": {"kind": "lif"}, "timesteps": 2}, ["--to", "net.nir", "--leak", "0"], "leak: only a net that is"),
        (
            {"dynamics": {"kind": "relu"}, "readout": "potential"},
            ["--to", "net.nir"],
            "dynamics = relu: must be",
        ),
    ],
)
def test_what_cannot_be_exported_is_one_line(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, options: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.nir").touch()
    run = ensure(spec(**QUICK, **changes))
    with pytest.raises(InputError, match=words):
        command("export", run.spec.key, *options)
    assert {path.name for path in tmp_path.iterdir()} == {"there.nir", folder.name}


def test_a_run_that_is_not_whole_is_not_exported(folder: Path, tmp_path: Path) -> None:
    run = ensure(spec(**QUICK))
    spoil(run.folder / "weights.safetensors", "a byte changed")
    for ending in ("safetensors", "nir"):
        with pytest.raises(DamagedError, match="damaged"):
            command("export", run.spec.key, "--to", str(tmp_path / f"net.{ending}"))
    spoil(run.folder / "metadata.json", "missing")
    with pytest.raises(DamagedError, match="not finished, damaged, or of another version"):
        command("export", run.spec.key, "--to", str(tmp_path / "net.nir"))


# --- what is published -----------------------------------------------------------------------


@pytest.fixture
def store(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Dataset) -> Callable[[str], Run]:
    """Publishes a run, with or without its weights, and returns it as another store knows it."""
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(first_images, "load_dataset", lambda _: small)

    def published(how: str) -> Run:
        run = ensure(spec(**QUICK))
        accuracy(run, Conversion(timesteps=3, calibration=50))
        pretrained.publish_net(run, [Conversion(timesteps=3, calibration=50)]) if how else pretrained.publish(run)
        monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "another"))
        return run

    return published


@pytest.mark.parametrize("how", ["", "with weights"])
def test_what_is_published_is_shown_from_an_empty_store(store: Callable[[str], Run], how: str) -> None:
    run = store(how)
    found = document("show", run.spec.key)
    assert (found["state"], found["spec"]) == ("published", run.spec.model_dump(mode="json"))
    assert list(found["evaluations"][0]["accuracy"]) == ["1", "2", "3"]
    states = {file["file"]: file["state"] for file in found["files"]}
    assert states.pop("metadata.json") == ""
    assert set(states.values()) == {"as written"}
    assert ("weights.safetensors" in states) == bool(how)
    assert not (runs_dir() / run.spec.name).exists()


def test_what_is_damaged_where_it_is_published_is_shown_so(store: Callable[[str], Run]) -> None:
    run = store("")
    spoil(run.place / "history.csv", "a byte changed")
    found = document("show", run.spec.key)
    states = {file["file"]: file["state"] for file in found["files"]}
    assert (found["state"], states["history.csv"], states["timing.csv"]) == ("damaged", "damaged", "as written")
    assert listed()[run.spec.name]["state"] == "damaged"


def test_what_is_published_and_begun_here_too_is_shown_as_it_is_here(
    store: Callable[[str], Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = store("")
    with monkeypatch.context() as patch:
        stop_after(1, patch)
        with pytest.raises(InterruptError):
            ensure(run.spec)
    failure = run.folder / "failure.txt"
    for state in ("begun", "failed"):
        found = document("show", run.spec.key)
        assert (found["state"], found["folder"], found["epochs"]) == (state, str(run.folder), 1)
        assert listed()[run.spec.name]["state"] == state
        failure.write_text("memory is full")
    failure.unlink()
    for checkpoint in run.folder.glob("checkpoint-*"):
        checkpoint.unlink()
    assert (run.folder / "lock").exists()
    assert document("show", run.spec.key)["folder"] == str(run.place)
    row = listed()[run.spec.name]
    assert (row["state"], row["accuracy"]) == ("published", run.history.test_accuracy.iloc[-1])


def test_what_is_published_with_weights_is_exported_from_an_empty_store(
    store: Callable[[str], Run], tmp_path: Path
) -> None:
    run, file = store("with weights"), tmp_path / "net.safetensors"
    command("export", run.spec.key, "--to", str(file))
    with safe_open(file, framework="pt") as f:
        for name, tensor in ensure(run.spec).model("cpu").model.state_dict().items():
            assert f.get_tensor(name).equal(tensor)
    command("export", run.spec.key, "--to", str(tmp_path / "net.nir"))
    assert "published" in document("show", run.spec.key)["state"]  # in the store now


def test_what_is_published_without_weights_cannot_be_exported_nor_removed(
    store: Callable[[str], Run], tmp_path: Path
) -> None:
    run = store("")
    for ending in ("safetensors", "nir"):
        with pytest.raises(InputError, match="published without its weights; `python -m reproduce train` trains it"):
            command("export", run.spec.key, "--to", str(tmp_path / f"net.{ending}"))
    with pytest.raises(InputError, match="must be an id or begin the name of a run of the store"):
        command("rm", run.spec.key, "--yes")
    assert run.published


# --- rm --------------------------------------------------------------------------------------


def test_a_run_is_removed_once_that_is_agreed(folder: Path) -> None:
    run, other = ensure(spec(**QUICK)), ensure(spec(**QUICK, seed=9))
    assert command("rm", run.spec.key, answer="n\n").stdout == "nothing was removed\n"
    with pytest.raises(InputError, match="nobody answered, so nothing was done; --yes"):
        command("rm", run.spec.key, answer="")
    assert run.damage() is None
    asked = command("rm", run.spec.key, answer="y\n")
    assert asked.stderr.startswith(f"remove {run.label}, trained, ")
    assert os.listdir(folder) == [other.spec.name]
    command("rm", other.spec.key, "--yes")
    assert os.listdir(folder) == []
    assert ensure(spec(**QUICK)).damage() is None  # nothing is left that would be in its way


def test_a_run_at_which_somebody_is_at_work_stays(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    with FileLock(run.folder / "lock"), pytest.raises(StoreError, match=r"another process is at work there; nothing"):
        command("rm", run.spec.key, "--yes")
    assert run.damage() is None


def test_what_a_killed_removal_left_goes_with_the_next(folder: Path) -> None:
    run = ensure(spec(**QUICK))
    left_over = folder / ".1234.removed"
    left_over.mkdir()
    (left_over / "weights.safetensors").touch()
    assert list(listed()) == [run.spec.name]
    command("rm", run.spec.key, "--yes")
    assert os.listdir(folder) == []


def test_no_preset_of_a_readers_own_has_to_be_readable(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preset_found, "FOLDER", tmp_path)
    (tmp_path / "bad.toml").write_text("x")
    ensure(spec(**QUICK))
    assert len(listed()) == 1
