"""What must become of bad input: a value that is really usable, or an error of one line that names it.

Each check takes one case of `bad_input` and returns what is wrong with the outcome, or None.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd
import papermill
import pytest
import torch
from bad_input import RUN
from toml_text import toml

from reproduce.batch import process, publish, readme
from reproduce.bench import report as bench_report
from reproduce.cli import main as cli
from reproduce.cli import runs as run_commands
from reproduce.cli import training as training_commands
from reproduce.experiments import notebook
from reproduce.runs import preset_found
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_file import LARGEST
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.data import checksums as files
from snnlib.data import sets as data
from snnlib.models import build
from snnlib.store.markdown import markers
from snnlib.store.paths import ROOT

LONGEST = 2000  # characters of an error


def complaint(message: str, *names: str) -> str | None:
    """What is wrong with an error: it is one line of printable characters, not endless, and names the value."""
    if len(message.splitlines()) != 1 or not message.isprintable():
        return f"not one line: {message!r}"
    if len(message) > LONGEST:
        return f"{len(message)} characters: {message!r}"
    if not all(name in message for name in names):
        return f"does not name {names}: {message!r}"
    return None


def put(content: dict[str, Any], there: dict[tuple[Any, ...], Any]) -> dict[str, Any]:
    """This content with these values at these places."""
    for place, value in there.items():
        *parents, last = place
        inside = content
        for parent in parents:
            inside = inside.setdefault(parent, {}) if isinstance(inside, dict) else inside[parent]
        inside[last] = value
    return content


def filed() -> dict[str, Any]:
    """What a preset's file holds, with a place for every field."""
    entry = {"nets": ["cnn"], "arms": ["ours", "tuned"], "seeds": [0]}
    return {
        "description": "d", "evaluation": {}, "benchmark": {"cnn": 0.9}, "recipe": {},
        "nets": {"cnn": {"dataset": "mnist", "network": "cnn", "recipe": {}, "arms": {"ours": {}, "tuned": {}}}},
        "notebooks": {"method": [entry]},
    }  # fmt: skip


def preset_file(folder: Path, text: str | bytes, *names: str) -> str | None:
    """What is wrong with what becomes of a preset's file."""
    content = text if isinstance(text, bytes) else text.encode(errors="surrogatepass")
    (folder / "bad.toml").write_bytes(content)
    try:
        usable(load_preset("bad"))
    except InputError as error:
        return complaint(str(error), "bad.toml", *_inside(content, names))
    return None


def refused_file(folder: Path, text: str, *names: str) -> str | None:
    """What is wrong with the refusal of a preset's file that nobody can use."""
    (folder / "bad.toml").write_text(text, encoding="utf-8")
    try:
        load_preset("bad")
    except InputError as error:
        return complaint(str(error), "bad.toml", *_inside(text.encode(), names))
    return f"taken: {text[:200]!r}"


def _inside(content: bytes, names: tuple[str, ...]) -> tuple[str, ...]:
    """What an error has to name; into a file that is too long nobody looks."""
    return () if len(content) > LARGEST else names


def preset_field(folder: Path, case: tuple[Any, Any]) -> str | None:
    """What is wrong with what becomes of a value in a preset's field."""
    path, value = case
    # A list or mapping may be wrong inside.
    names = [] if isinstance(value, list | dict) else [path[-1].removesuffix("s")]
    return preset_file(folder, toml(put(filed(), {path: value})), *names)


def unknown_field(folder: Path, case: tuple[Any, str, Any]) -> str | None:
    """What is wrong with what becomes of a field that there is not."""
    parent, name, value = case
    return refused_file(folder, toml(put(filed(), {(*parent, name): value})), name[:3])


def run_field(case: tuple[Any, Any]) -> str | None:
    """What is wrong with what becomes of a value given to a preset's run in Python."""
    (path, there), value = case
    fresh = {"dataset": "mnist", "network": "cnn"}
    start = put({"name": "p", "description": "d", "evaluation": {}, "benchmark": {}, "notebooks": {}}, {
        RUN[:-1]: [{**fresh, "recipe": {}, "after": {**fresh, "recipe": {}}}],
        **{place: deepcopy(what) for place, what in there.items()}, path: value,
    })  # fmt: skip
    try:
        usable(Preset(**start))
    except InputError as error:
        return complaint(str(error), *([] if isinstance(value, list | dict) else [path[-1]]))
    return None


def model_field(case: tuple[type[Evaluation] | type[Spec], str, Any]) -> str | None:
    """What is wrong with what becomes of a value given to a spec or an evaluation in Python."""
    cls, name, value = case
    required = {"dataset": "mnist", "network": "cnn"} if cls is Spec else {}
    try:
        made = cls(**{**required, name: value})
    except InputError as error:
        return complaint(str(error), *([] if isinstance(value, list | dict) else [name]))
    assert len(made.key) == 12
    return None


def parameter(case: tuple[tuple[str, str], Any]) -> str | None:
    """What is wrong with what becomes of a notebook's parameter."""
    (book, name), value = case
    try:
        notebook.begin(book, **{"preset": "smoke", name: value})
    except InputError as error:
        return complaint(str(error), f"{name} = ")
    return None


def command(line: list[str]) -> str | None:
    """What is wrong with what becomes of a command line: it works, or is answered in one line with exit code 2."""
    out, err = io.StringIO(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["snnlib", *line])
        try:
            cli.main()
        except SystemExit as stop:
            code = stop.code
    if code in (None, 0):
        return None
    if code != 2 or not err.getvalue().startswith("error: "):
        return f"{line}: exit code {code}: {err.getvalue()!r}"
    if not err.getvalue().endswith("\n") or (out.getvalue() and "--help" not in line):
        return f"{line}: printed {out.getvalue()!r} and {err.getvalue()!r}"
    return complaint(err.getvalue()[:-1])


def usable(p: Preset) -> None:
    """Go through all that needs no training: an accepted value may not fail here."""
    for run in p.all_runs().values():
        spec = run.spec
        assert "/" not in spec.name
        assert len(spec.name) < 200
        assert Spec.model_validate_json(spec.model_dump_json()).key == spec.key
        with torch.device("meta"):  # shapes without memory
            build(spec.network, spec.dynamics, width=spec.width, readout=spec.readout, batch_norm=spec.batch_norm)
        for evaluation in p.evaluations(run):
            assert evaluation.file(run).parent == run.folder
        steps(spec)


def steps(spec: Spec) -> None:
    """Two steps of a spec's neurons: spikes, potentials and gradients are numbers."""
    generator = torch.Generator().manual_seed(spec.seed)
    current = torch.linspace(-2, 3, 64, requires_grad=True)
    s, state = spec.dynamics.step(current, None, generator)
    again, state = spec.dynamics.step(current, state, generator)
    (s + again).sum().backward()
    for x in (s, again, current.grad, *(() if state is None else (state,))):
        assert x.isfinite().all(), spec.dynamics


# --- where it happens ------------------------------------------------------------------------


@contextlib.contextmanager
def sandbox(tmp: Path, patch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for presets, in a place where nothing trains, draws or downloads.

    Nothing may appear there outside of the store, the figures and the presets, nor in the project's folder.
    """
    cwd, presets, build_folder = tmp / "cwd", tmp / "presets", tmp / "build"
    for folder in (cwd, presets):
        folder.mkdir()
    for name in preset_found.preset_names():
        (presets / f"{name}.toml").write_text((preset_found.FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    (presets / "bad.toml").write_text("")
    patch.chdir(cwd)
    patch.setenv("SNNLIB_RUNS", str(tmp / "store"))
    patch.setenv("SNNLIB_FIGURES", str(tmp / "figures"))
    patch.setenv("SNNLIB_BUILD", str(build_folder))
    patch.setattr(readme, "README", tmp / "README.md")
    patch.setattr(readme, "DOCS", tmp)
    patch.setattr(bench_report, "DOCS", tmp)
    for file, name in (("README.md", "headlines"), ("claims.md", "claims"), ("benchmarks.md", "benchmarks")):
        (tmp / file).write_text("\n".join(markers(name)))
    _idle(patch)
    before = listing(tmp)
    patch.setattr(preset_found, "FOLDER", presets)
    yield presets
    assert not listing(tmp) - before


def listing(tmp: Path) -> set[Path]:
    """All files that bad input might leave where it should not; other tests may use the project's own folders."""
    outside = {p for p in tmp.rglob("*") if p.relative_to(tmp).parts[0] not in ("store", "figures", "build")}
    project = {p for p in ROOT.glob("[!.]*") if p.name not in ("build", "figures", "runs")}
    return outside | project | {*(ROOT / "reproduce" / "runs" / "presets").iterdir(), *tmp.parent.glob("owned*")}


def _idle(patch: pytest.MonkeyPatch) -> None:
    """Let the commands check their input and do no more."""
    patch.setattr(papermill, "execute_notebook", lambda _, copy, *__, **___: Path(copy).write_text(""))
    patch.setattr(process, "snakemake", lambda *_: 0)
    patch.setattr(publish, "_run", lambda *_: None)
    patch.setattr(training_commands, "train_runs", lambda *_: None)
    patch.setattr(bench_report, "bench_steps", lambda **_: "")
    patch.setattr(bench_report, "bench_scaling", lambda *_: "")
    patch.setattr(data, "_full", _missing)
    patch.setattr(run_commands, "estimate", lambda p: dict.fromkeys(p.all_runs(), 1.0))
    patch.setattr(run_commands, "time_left", lambda *_: "")
    patch.setattr(run_commands.roofline, "estimates", lambda p: [dict.fromkeys(p.all_runs(), 1.0)] * 2)
    patch.setattr(training_commands, "accuracy", _accuracy)


def _missing(name: str, download: bool) -> None:
    raise files.DataError(f"{name}: no network here")


def _accuracy(run: Run, evaluation: Evaluation) -> Any:
    rows = [(seed, t, 0.5) for seed in evaluation.noise_seeds for t in range(1, min(evaluation.timesteps, 5) + 1)]
    return pd.DataFrame(rows, columns=["noise_seed", "timesteps", "accuracy"])
