"""How a notebook begins: bad parameters stop it at its first call, whoever set them."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pandas as pd
import papermill
import pytest

from reproduce.experiments import notebook
from reproduce.experiments.notebook import again, begin, evaluated_again
from reproduce.experiments.parameters import PARAMETERS as KNOWN
from reproduce.runs import preset_found
from reproduce.runs.preset import load_preset
from snnlib.checks import InputError
from snnlib.store.paths import NOTEBOOKS, ROOT

BOOK = "fig7_potential_dynamics"
PARAMETERS = 'preset = "smoke"  # the scale\nseed = 0  # of the noise'
CALL = "p, out, own = begin(BOOK, preset, seed=seed)"


def after(monkeypatch: pytest.MonkeyPatch, *cells: str) -> None:
    """Let `begin` believe that it is called in a notebook in which these cells were run."""
    shell = SimpleNamespace(user_ns={"In": ["", *cells]})
    monkeypatch.setitem(notebook.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))


@pytest.mark.parametrize(
    ("injected", "name"),
    [
        ('# Parameters\npresett = "cpu"\n', "presett"),
        ('# Parameters\npreset = "smoke"\nseeds = [1, 2]\n', "seeds"),
        ("# Parameters\nseeds: int = 3\n", "seeds"),
    ],
)
def test_an_injected_name_that_the_notebook_lacks_is_refused(
    monkeypatch: pytest.MonkeyPatch, injected: str, name: str
) -> None:
    after(monkeypatch, PARAMETERS, injected, CALL)
    with pytest.raises(InputError, match=f"notebook parameter = '{name}': must be one of preset, seed$"):
        begin(BOOK, "smoke", seed=0)


@pytest.mark.parametrize(
    "cells",
    [
        [PARAMETERS, CALL],
        [PARAMETERS, '# Parameters\npreset = "smoke"\nseed = 3\n', CALL],
        [PARAMETERS.replace("seed =", "seed: int ="), "# Parameters\nseed: int = 3\n", CALL],
        [PARAMETERS, CALL, "# Parameters\nof_my_own = 3\n", CALL],  # a reader's cell
        [PARAMETERS, CALL, "x = (", "# Parameters\nthat do not parse", CALL],
        [PARAMETERS, "# Parameters\nseedd = 3\n", CALL, PARAMETERS, "# Parameters\nseed = 3\n", CALL],  # mended
    ],
)
def test_what_is_allowed_passes(monkeypatch: pytest.MonkeyPatch, cells: list[str]) -> None:
    after(monkeypatch, *cells)
    p, out, own = begin(BOOK, "smoke", seed=0)
    assert (p.name, out.changed, own.seed, own.alpha) == ("smoke", {}, 0, 4.0)


def test_outside_of_a_notebook_there_is_nothing_to_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(notebook.sys.modules, "IPython", raising=False)
    assert begin("claims", "smoke")[0].name == "smoke"
    monkeypatch.setitem(notebook.sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    assert begin("claims", "smoke")[0].name == "smoke"


def test_an_unknown_preset_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    after(monkeypatch, PARAMETERS, '# Parameters\npreset = "big"\n', CALL)
    with pytest.raises(InputError, match="preset = 'big': must be one of cpu, paper, smoke"):
        begin(BOOK, "big", seed=0)


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        (3, "preset = 3: must be one of cpu, paper, smoke"),
        (["smoke"], r"preset = \['smoke'\]: must be one of"),
        (None, "preset = None: must be one of"),
        ("../smoke", "preset = '../smoke': must be the path of"),
    ],
)
def test_a_preset_that_cannot_be_is_refused(preset: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        begin("claims", preset)


@pytest.mark.parametrize("book", [BOOK, "claims"])
def test_a_parameter_of_which_nobody_says_what_it_may_be_is_a_mistake_in_the_notebook(book: str) -> None:
    with pytest.raises(KeyError, match="colour"):
        begin(book, "smoke", colour="blue")


def test_results_go_to_the_readers_own_folder_of_the_preset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    assert begin("claims", "cpu")[1].folder == ROOT / "figures" / "mine" / "cpu"
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    assert begin("claims", "cpu")[1].folder == tmp_path / "cpu"


def test_papermill_fails_at_the_first_call_in_one_line(tmp_path: Path) -> None:
    """The real thing: papermill's cell is where `begin` looks for it."""
    cells = [
        PARAMETERS,
        f"from reproduce.experiments.notebook import begin\n{CALL.replace('BOOK', repr(BOOK))}",
        "raise SystemError('went on')",
    ]
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    book.cells[0].metadata.tags = ["parameters"]
    book.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, tmp_path / "book.ipynb")
    with pytest.raises(papermill.PapermillExecutionError) as error:
        papermill.execute_notebook(
            tmp_path / "book.ipynb", tmp_path / "out.ipynb", {"presett": "cpu"}, progress_bar=False, cwd=tmp_path
        )
    assert error.value.ename == "InputError"
    assert error.value.evalue == "notebook parameter = 'presett': must be one of preset, seed"
    assert error.value.traceback == [f"InputError: {error.value.evalue}"]


# --- the notebooks that are there ------------------------------------------------------------


def sources(path: Path, tag: str | None = None) -> str:
    """Code of a notebook, or of its cells with this tag."""
    cells = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    chosen = [c for c in cells if tag is None or tag in c["metadata"].get("tags", [])]
    return "\n".join("".join(c["source"]) for c in chosen)


def calls(path: Path, function: str) -> list[ast.Call]:
    """Calls of a function or method of this name."""
    nodes = [n for n in ast.walk(ast.parse(sources(path))) if isinstance(n, ast.Call)]
    return [n for n in nodes if function in (getattr(n.func, "id", None), getattr(n.func, "attr", None))]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_starts_with_all_its_parameters_and_asks_for_runs_that_there_are(path: Path) -> None:
    cell = ast.parse(sources(path, "parameters")).body
    parameters = {n.targets[0].id: eval(ast.unparse(n.value), {"float": float}) for n in cell}
    known = KNOWN[path.stem]
    assert list(parameters) == ["preset", *known]
    assert parameters == {"preset": "smoke", **{name: parameter.default for name, parameter in known.items()}}
    comments = [line.partition("  # ")[2] for line in sources(path, "parameters").splitlines()]
    assert comments[1:] == [parameter.help for parameter in known.values()]
    assert ("None below: its own" in comments[0]) == (None in parameters.values())
    (call,) = calls(path, "begin")
    name, first = call.args
    assert (name.value, first.id) == (path.stem, "preset")
    assert {k.arg: k.value.id for k in call.keywords} == {name: name for name in parameters if name != "preset"}
    for asked in calls(path, "runs"):
        assert load_preset("smoke").runs(asked.args[0].value)


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda p: p.stem)
def test_nothing_else_has_a_parameters_name(path: Path) -> None:
    """Its first call may be run again, and is to have the value that stands in the cell above."""
    nodes = list(ast.walk(ast.parse(sources(path).replace(sources(path, "parameters"), "", 1))))
    stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
    imported = [(a.asname or a.name) for n in nodes if isinstance(n, ast.Import | ast.ImportFrom) for a in n.names]
    assert not {*stored, *imported} & {"preset", *KNOWN[path.stem]}


def test_every_preset_has_runs_for_the_same_notebooks() -> None:
    names = {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    groups = {name: load_preset(name).notebooks for name in preset_found.preset_names()}
    for notebooks in groups.values():
        assert set(notebooks) == set(groups["smoke"])
        assert set(notebooks) <= names
        assert all(notebooks.values())


def test_a_preset_without_a_notebooks_runs_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = (preset_found.FOLDER / "smoke.toml").read_text()
    (tmp_path / "half.toml").write_text(content.replace("fig5_alpha = ", "claims = "))
    monkeypatch.setattr(preset_found, "FOLDER", tmp_path)
    with pytest.raises(InputError, match="preset half, runs for notebook = 'fig5_alpha': must be one of method, fig2_"):
        begin("fig5_alpha", "half")[0].runs("fig5_alpha")
    with pytest.raises(InputError, match="preset half, runs for notebook = 'fig5_alpha': must be one of method, fig2_"):
        begin("fig5_alpha", "half", timesteps=20)


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ({}, "python -m reproduce draw method --preset smoke"),
        ({"alpha": 4, "timesteps": None}, "python -m reproduce draw method --preset smoke"),  # as the preset has it
        (
            {"timesteps": 20, "alpha": float("inf")},
            "python -m reproduce draw method --preset smoke -p timesteps 20 -p alpha inf",
        ),
        (
            {"noise_seeds": [3, 5], "network": "vgg8"},
            "python -m reproduce draw method --preset smoke -p noise_seeds 3,5 -p network vgg8",
        ),
    ],
)
def test_a_command_repeats_what_was_changed(given: dict[str, object], command: str) -> None:
    assert again("method", "smoke", begin("method", "smoke", **given)[1]) == command


def test_a_command_evaluates_as_the_notebook_does() -> None:
    unchanged, changed = (begin("fig5_alpha", "smoke", **given)[1] for given in ({}, {"alphas": [2, 3]}))
    for out in (unchanged, changed):  # nothing that an evaluation has
        command = evaluated_again("fig5_alpha", "smoke", out, "a-net", "--alpha", "2.5")
        assert command == "python -m reproduce evaluate a-net --preset smoke --alpha 2.5"
    out = begin("fig5_alpha", "smoke", timesteps=20, noise_seeds=[3, 5], width=0.5)[1]
    assert evaluated_again("fig5_alpha", "a b/mine.toml", out, "a-net") == (
        "python -m reproduce evaluate a-net --preset 'a b/mine.toml' "
        "--set evaluation.timesteps=20 --set evaluation.noise_seeds=3,5"
    )


@pytest.mark.slow
def test_the_commands_that_method_prints_do_what_they_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first is run here; it executes the notebook, which prints itself again, and another one that is run then."""
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    out = begin("method", "smoke", timesteps=3, alpha=2.5, image=7, noise_seeds=[4, 5])[1]
    command = again("method", "smoke", out)
    copy = Path(shell(command).splitlines()[-1])
    name = "method-timesteps3-alpha2.5-image7-noise_seeds4_5"
    assert copy.name == f"{name}.ipynb"
    assert {f"{name}.{ending}" for ending in ("csv", "svg", "png")} <= {p.name for p in out.folder.iterdir()}
    cells = json.loads(copy.read_text())["cells"]
    printed = "".join("".join(o.get("text", "")) for cell in cells for o in cell.get("outputs", ()))
    assert f"this notebook again: {command}\n" in printed
    (evaluation,) = re.findall(r"step 3 again: (.*)", printed)
    told = shell(evaluation)
    table = pd.read_csv(out.folder / f"{name}.csv")
    (mean,) = table[table.step == 3]["mean"]
    assert re.search(rf"^\|\s*3 \|\s*{mean:.2f} \|", told, re.MULTILINE), told


def shell(command: str) -> str:
    """What a command says that a reader pastes there."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    done = subprocess.run(command, shell=True, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
