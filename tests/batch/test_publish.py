"""Publishing: only what is whole, the committed notebooks and the README with the preset that they show."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from reproduce.batch import executed as copies
from reproduce.batch import publish as publishing
from reproduce.batch import readme
from reproduce.batch.ledger import ledger
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.train import BatchError
from reproduce.experiments.made_with import made_with
from reproduce.experiments.outputs import Outputs
from reproduce.runs.preset import load_preset
from snnlib.checks import InputError
from snnlib.store import paths
from snnlib.store.files import DamagedError
from snnlib.store.markdown import markers
from snnlib.store.sums import ENDING, made_from, verified, write_summed
from snnlib.store.used import forget, note


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The reader's own files of a preset, drawn when the workflow is called, and a README; notebooks write theirs."""
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(readme, "README", tmp_path / "README.md")
    monkeypatch.setattr(readme, "DOCS", tmp_path)
    (tmp_path / "README.md").write_text("\n".join(markers("headlines")))
    (tmp_path / "claims.md").write_text("\n".join(markers("claims")))
    executed.clear()

    def figures(preset: object, *names: str) -> None:
        write(preset.name, "drawn", *(names or NOTEBOOK_FILES))

    def run(what: str, arguments: list[str], variables: dict[str, str]) -> None:
        names, preset = tuple(what.split(", ")), arguments[-1] if "draw" in arguments else "smoke"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            write(preset, "executed", *names)
        if preset == "smoke":
            executed.append(names)

    monkeypatch.setattr(publishing, "figures", figures)
    monkeypatch.setattr(publishing, "_run", run)
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path / "build"))
    monkeypatch.setattr(copies, "NOTEBOOKS", tmp_path / "notebooks")
    yield tmp_path / "figures" / "mine"
    forget()


executed: list[tuple[str, ...]] = []
DRAWN = {
    "cells": [
        {"cell_type": "markdown", "metadata": {"papermill": {"duration": 1}}, "source": ["# A title\n", "\n", "Text."]},
        {"cell_type": "code", "metadata": {"tags": ["parameters"], "execution": {}}, "source": "1", "outputs": [
            {"output_type": "stream", "text": "said"},
            {"output_type": "execute_result", "data": {copies.MOVED: {"model_id": "1"}, "image/png": "a picture"}},
        ]},
        {"cell_type": "markdown", "metadata": {}, "source":
            "[a](../docs/verdicts.md#rule) [b](claims.ipynb) [c](https://a.org/b) [d](#there) ![e](../figures/a.png)"},
    ],
    "metadata": {"papermill": {"input_path": "/home/somebody"}, "widgets": {}, "kernelspec": {"name": "python3"}},
    "nbformat": 4,
}  # fmt: skip


def write(preset: str, text: str, *names: str) -> None:
    folder = paths.figures_dir() / preset
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_summed({paths.ROOT / "build" / preset / f"{name}.ipynb": json.dumps(DRAWN)})
        for file in NOTEBOOK_FILES[name]:
            write_summed({folder / file: f"{text}\n"})
        if name == "claims":  # the files that are read again
            found = ledger(folder, preset)
            for file, table in (("claims.csv", found.claims), ("claims_beyond.csv", found.beyond)):
                write_summed({folder / file: table.to_csv(index=False)})
            Outputs(folder).write_csv(made_with(folder), "runs")


def published(preset: str) -> dict[str, str]:
    files = (paths.published_dir() / preset).iterdir()
    return {path.name: path.read_text() for path in files if path.suffix != ENDING and verified(path)}


def test_of_smoke_the_notebooks_and_the_readme_show_what_is_published(own: Path) -> None:
    said = publishing.publish_preset(load_preset("smoke"))
    assert said.startswith("published in figures/smoke, notebooks/, README.md and docs/claims.md;")
    assert [name for names in executed for name in names] == [*(n for n in NOTEBOOK_FILES if n != "claims"), "claims"]
    assert executed[-1] == ("claims",)  # when the others' files are published
    found = published("smoke")
    assert set(found) == {file for files in NOTEBOOK_FILES.values() for file in files}
    read_again = ("runs.csv", "claims.csv", "claims_beyond.csv")
    assert {text for file, text in found.items() if file not in read_again} == {"executed\n"}
    assert list(pd.read_csv(paths.published_dir() / "smoke" / "runs.csv").columns)[:2] == ["run", "seed"]
    assert "executed" in (own.parents[1] / "claims.md").read_text()
    assert "**not tested**" in (own.parents[1] / "README.md").read_text()


def test_of_another_preset_the_figures_and_the_executed_copies(own: Path) -> None:
    said = publishing.publish_preset(load_preset("cpu"))
    assert said == "published in figures/cpu, README.md and docs/claims.md; commit it"
    assert not executed
    assert not (own / "cpu" / "claims.csv").exists()  # they are decided from what is published, where that is
    found = published("cpu")
    assert found["method.csv"] == "drawn\n"
    assert {name for name in found if name.endswith(".ipynb")} == {f"{name}.ipynb" for name in NOTEBOOK_FILES}


def test_docs_have_the_claims_of_all_that_is_published_the_largest_first(own: Path) -> None:
    for preset in ("smoke", "cpu"):
        publishing.publish_preset(load_preset(preset))
    text = (own.parents[1] / "claims.md").read_text()
    assert re.findall(r"^## At preset `(\w+)`$", text, re.M) == ["cpu", "smoke"]
    assert "at `cpu`" in (own.parents[1] / "README.md").read_text()


def test_an_executed_copy_has_nothing_of_its_machine_and_leads_where_the_notebook_does(own: Path) -> None:
    publishing.publish_preset(load_preset("cpu"), "method")
    book = json.loads(published("cpu")["method.ipynb"])
    assert book["metadata"] == {"kernelspec": {"name": "python3"}}
    title, said, code, last = book["cells"]
    assert title["source"] == "# A title, at preset `cpu`\n\nText."
    assert said["source"].startswith("**As executed at preset `cpu`** (full data sets")
    assert [cell["metadata"] for cell in book["cells"]] == [{}, {}, {"tags": ["parameters"]}, {}]
    assert code["outputs"][1]["data"] == {"image/png": "a picture"}
    links = re.findall(r"\]\((\S+)\)", last["source"])
    there = paths.published_dir() / "cpu"
    assert links[2:4] == ["https://a.org/b", "#there"]
    assert [(there / link).resolve().relative_to(own.parents[1]) for link in (*links[:2], links[4])] == [
        Path("docs/verdicts.md#rule"), Path("notebooks/claims.ipynb"), Path("figures/a.png"),
    ]  # fmt: skip


def test_an_executed_copy_that_was_changed_is_not_published(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(preset: object, name: str) -> None:
        write("cpu", "drawn", name)
        (own.parents[1] / "build" / "cpu" / f"{name}.ipynb").write_text("{}")

    monkeypatch.setattr(publishing, "figures", figures)
    with pytest.raises(DamagedError, match=r"method\.ipynb"):
        publishing.publish_preset(load_preset("cpu"), "method")
    assert not paths.published_dir().joinpath("cpu").exists()


def test_of_some_notebooks_their_figures_alone_and_those_of_others_stay(own: Path) -> None:
    cpu = load_preset("cpu")
    publishing.publish_preset(cpu, "method")
    assert set(published("cpu")) == {*NOTEBOOK_FILES["method"], "method.ipynb", "runs.csv"}
    (paths.published_dir() / "cpu" / "of_an_older_version.csv").write_text("run\ngone\n")
    (own / "cpu" / "method.csv").unlink()  # it is not drawn again
    publishing.publish_preset(cpu, "one_pass")
    drawn = {*NOTEBOOK_FILES["method"], *NOTEBOOK_FILES["one_pass"], "method.ipynb", "one_pass.ipynb"}
    assert set(published("cpu")) == {*drawn, "runs.csv"}
    with pytest.raises(InputError, match="notebook = 'fig1': must be one of method"):
        publishing.publish_preset(cpu, "fig1")


@pytest.mark.parametrize(("names", "done"), [(["method"], [("method",)]), (["claims"], [("claims",)])])
def test_of_some_notebooks_of_smoke_only_these_are_executed(own: Path, names: list[str], done: list) -> None:
    publishing.publish_preset(load_preset("smoke"))
    executed.clear()
    file = own.parents[1] / "README.md"
    file.write_text("\n".join(markers("headlines")))
    said = publishing.publish_preset(load_preset("smoke"), *names)
    assert executed == done
    decides = "claims" in names
    assert ("README.md" in said) == decides
    assert ("**not tested**" in file.read_text()) == decides


def test_runs_of_what_is_not_published_are_not_in_its_runs(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def figures(preset: object, *names: str) -> None:
        write("cpu", "run\nused", *NOTEBOOK_FILES)
        (own / "cpu" / "method-timesteps20.csv").write_text("run\nexplored\n")

    monkeypatch.setattr(publishing, "figures", figures)
    publishing.publish_preset(load_preset("cpu"))
    assert list(pd.read_csv(paths.published_dir() / "cpu" / "runs.csv").run) == ["used"]


def test_what_is_published_rests_on_no_run_store(own: Path) -> None:
    note(own.parents[1] / "runs" / "a run" / "accuracy.json", "0")
    publishing.publish_preset(load_preset("cpu"))
    folder = paths.published_dir() / "cpu"
    assert not [source for file in folder.glob("*.csv") for source in made_from(file) if source.startswith("..")]


def test_nothing_is_published_where_something_failed_or_is_missing(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(preset: object, *names: str) -> None:
        raise BatchError({"a run": "why"}, "1 run")

    monkeypatch.setattr(publishing, "figures", failed)
    with pytest.raises(BatchError):
        publishing.publish_preset(load_preset("smoke"))

    def all_but_the_first(preset: object, *names: str) -> None:
        write("cpu", "drawn", *NOTEBOOK_FILES)
        for file in NOTEBOOK_FILES["method"]:
            (own / "cpu" / file).unlink()

    monkeypatch.setattr(publishing, "figures", all_but_the_first)
    with pytest.raises(InputError, match=r"method.svg, method.png, method.csv and 6 more files missing; nothing was"):
        publishing.publish_preset(load_preset("cpu"))
    assert not paths.published_dir().joinpath("cpu").exists()
    assert not executed
