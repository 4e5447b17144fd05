"""Notebooks in batch: one by papermill, all of them by Snakemake."""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from snnlib.batch import gpus, slurm
from snnlib.batch import train as batch
from snnlib.batch.engine import LOCK, LOG
from snnlib.batch.estimate import incomplete
from snnlib.batch.evaluated import evaluations
from snnlib.batch.jobs import jobs
from snnlib.batch.killed import Jobs, killed, log_file, logs, newer
from snnlib.batch.notebook_files import NOTEBOOK_FILES
from snnlib.batch.parent import BUSY, ending_with_this
from snnlib.batch.profile import Profile, load_profile
from snnlib.batch.readme import verdict_counts
from snnlib.batch.resources import Cluster
from snnlib.batch.tell import Teller
from snnlib.checks import InputError, one_of
from snnlib.experiments import compare
from snnlib.experiments.changed import named
from snnlib.experiments.parameters import PARAMETERS, wanted
from snnlib.runs.preset import Preset
from snnlib.runs.preset_folder import claimed, figures_of
from snnlib.runs.run import default_device
from snnlib.store import locks
from snnlib.store.files import StoreError, explained, set_aside
from snnlib.store.paths import NOTEBOOKS, ROOT, figures_dir, needs_repository, published_dir, runs_dir
from snnlib.store.sums import ENDING, made_from, record, sums, verified

log = logging.getLogger("snnlib")

BUILD = ROOT / "build"
ANOTHER = "another `make figures` or `make test` is at work here; wait for it"
EVERY = 1.0  # second is looked at what a workflow has done


class WorkflowError(RuntimeError):
    """A notebook or the workflow failed; the message says which, and where to look."""


def _notebooks() -> list[str]:
    """The names of the notebooks; an `InputError` where there are none, since only the repository has them."""
    needs_repository("drawing figures")
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def draw_notebook(name: str, preset: Preset, parameters: Mapping[str, Any] = MappingProxyType({})) -> Path:
    """Execute a notebook at a preset; returns the executed copy, in an ignored folder.

    papermill writes its copy anew after every cell: it gets its name once the last one is done.

    Args:
        parameters: values for others of its parameters. What they change is in the copy's name, as it is in those of
            the figures.

    Raises:
        InputError: no such notebook or parameter, a value that cannot be used, another preset of that name was drawn,
            or no repository.
        WorkflowError: a cell failed.
        StoreError: the copy cannot be written.
    """
    one_of("notebook", name, _notebooks())
    for parameter in parameters:
        one_of(f"{name}, parameter", parameter, PARAMETERS.get(name, {}))
    changed = wanted(name, preset.given, parameters).changed
    import papermill  # only batch work needs the `notebooks` extra

    notebook = NOTEBOOKS / f"{name}.ipynb"
    copy = claimed(BUILD / preset.name, preset) / f"{named(name, changed)}.ipynb"
    # Without a cell tagged `parameters`, which a new notebook may lack, papermill ignores the value.
    one_of(f"{notebook.name}, parameter", "preset", papermill.inspect_notebook(notebook))
    so_far = copy.with_name(f"{copy.stem}.unfinished.ipynb")
    given = {"preset": preset.given, **changed}
    with locks.alone(copy.with_suffix(".lock"), f"draws {name} at {preset.name}"), explained(copy):
        try:
            papermill.execute_notebook(
                notebook, so_far, given, cwd=NOTEBOOKS, coalesce_streams=True, progress_bar=False
            )
        except papermill.PapermillExecutionError as error:
            cause = f"{error.ename}: {error.evalue}".splitlines()[0]
            raise WorkflowError(f"{name}: cell {error.exec_count}: {cause} (see {so_far})") from None
        os.replace(so_far, copy)
        record(copy)
    return copy


def environment() -> dict[str, str]:
    """That of jobs and notebooks: `python` is this one, whether or not its environment is activated; and no bars."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    # A bar for each of several jobs would be a mess; a line an epoch is not.
    return {**os.environ, "PATH": path, "TQDM_DISABLE": "1"}


def _snakemake(arguments: list[str], look: Callable[[], None] = lambda: None) -> int:
    """Exit code of Snakemake, which runs once at a time and ends with this process, however that ends.

    What it says goes to its log; ``look`` is called every second meanwhile, and once more when it is through.

    Snakemake and its jobs are a process group of their own, so that whatever interrupts this process is passed on to
    all of them, once.
    """
    with explained(BUILD):
        BUILD.mkdir(exist_ok=True)
        for name in (LOCK, LOG):
            (BUILD / name).touch()  # it can be written: else this says why not
    command = [sys.executable, "-m", "snnlib.batch.engine", str(BUILD), *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=ending_with_this(environment()), process_group=0) as snakemake:
        try:
            code = None
            while code is None:
                with suppress(subprocess.TimeoutExpired):
                    code = snakemake.wait(EVERY)
                with suppress(OSError, StoreError):  # what cannot be told stops nothing
                    look()
        except KeyboardInterrupt:
            os.killpg(snakemake.pid, signal.SIGINT)
            snakemake.wait()
            raise
    if code == BUSY:
        raise WorkflowError(ANOTHER)
    return code


def _now() -> float:
    """The time by the clock of the file system, which another machine may keep; a tick earlier."""
    with explained(BUILD):
        BUILD.mkdir(exist_ok=True)
        (BUILD / LOG).touch()
        return (BUILD / LOG).stat().st_mtime - 0.1


def _refuse_a_second() -> None:
    """Whose jobs are in the queue while another one is at work here is no question."""
    with explained(BUILD):
        BUILD.mkdir(exist_ok=True)
    try:
        FileLock(BUILD / LOCK, fallback_to_soft=False).acquire(timeout=0).lock.release()
    except Timeout:
        raise WorkflowError(ANOTHER) from None


def _where(preset: Preset, profile: Profile) -> list[str]:
    """What a profile leaves open: the names of a cluster's jobs, or how many GPUs this machine has for its own."""
    if profile.executor == "slurm":
        return ["--slurm-jobname-prefix", slurm.name_prefix(preset)]
    if profile.cluster is not None or any(entry.startswith("gpu=") for entry in profile.resources):
        return []
    there, most = len(gpus.seen()), max(run.spec.recipe.devices for run in preset.all_runs().values())
    if default_device() == "cuda" and most > there:
        raise InputError(f"recipe.devices = {most}: must be at most {there}, the GPUs of this machine")
    return ["--resources", *profile.resources, f"gpu={max(there, most)}"]


def apart(cluster: Cluster | None) -> bool:
    """Whether each run is a job of its own, since more of them go on at a time than there are nets."""
    return cluster is not None or len(gpus.seen()) > 1


def figures(preset: Preset, *targets: str, profile: Profile | None = None) -> str:
    """Run the Snakefile at a preset, for ``targets``: notebooks, ``trained``, or ``all``, the default.

    Args:
        profile: where jobs run; on this machine if None.

    Returns:
        What was drawn, where, and how long it took; the verdicts on the claims; the key numbers beside the published.

    Raises:
        BatchError: jobs failed; it lists them.
        InputError: no such target, a folder that Snakemake cannot handle, no repository, or no such cluster.
        WorkflowError: another one is at work.
    """
    notebooks = _notebooks()
    for target in targets:
        one_of("target", target, ["all", "trained", *notebooks])
    _without_braces(preset)
    profile = profile or load_profile()
    where = _where(preset, profile)
    trainings = jobs(preset, apart=apart(profile.cluster))
    claimed(BUILD / preset.name, preset)
    if profile.executor == "slurm":
        _refuse_a_second()
        slurm.wait_for_left_over()
    began, start = time.perf_counter(), _now()
    log.info("looking for what is missing or out of date at preset %s", preset.name)
    # Targets first: --config would take them for settings, and a name like 2024 for a number.
    # No lock of Snakemake's: it outlives a killed Snakemake.
    arguments = [*targets, "--profile", str(profile.folder), "--nolock", *where]
    given = f"!!str {json.dumps(preset.given, ensure_ascii=False)} "  # it strips quotes, but not before a blank
    arguments += ["--config", f"preset={given}", "--forcerun", *_not_as_they_look(preset, targets)]
    with Teller(preset, trainings, BUILD, start) as teller:
        code = _snakemake(arguments, teller.look)
    took = f"{time.perf_counter() - began:.0f} s"
    made = _made(preset, targets, start, teller, took)
    if code:
        for line in made:
            log.info(line)
        raise _failed(preset, targets, trainings, start)
    if targets:
        return "\n".join([f"{', '.join(targets)}: done ({took})", *made])
    folder = figures_of(preset)
    lines = made or [f"nothing to do: everything in {folder} is up to date ({took})"]
    if _whole(claims := folder / "claims.csv", preset, "claims"):
        table = pd.read_csv(claims, keep_default_na=False)
        lines += ["", *(f"{row.verdict}: {row.claim} ({row.section})" for row in table.itertuples())]
        lines += [f"{verdict_counts(table)}; measured values: {claims.with_suffix('.md')}"]
    if not preset.own:
        lines += ["", compare.report(preset.name, listed=compare.UNLIKE)]
        usual = figures_dir().is_relative_to(published_dir())
        out = "" if usual else f" --out {shlex.quote(str(figures_dir()))}"
        lines += [f"each of these numbers: python -m snnlib compare --preset {preset.name}{out}"]
    return "\n".join(lines)


def _made(preset: Preset, targets: Collection[str], start: float, teller: Teller, took: str) -> list[str]:
    """What was trained and drawn since then, where, and what was up to date; nothing if all was."""
    folder = figures_of(preset)
    drawn = sorted(path.name for path in folder.glob("*") if path.suffix != ENDING and newer(path, start))
    lines = [f"drawn in {took}, in {folder}:", *(f"  {name}" for name in drawn)] if drawn else []
    if teller.trained:
        lines += [f"trained or evaluated: {teller.trained} of {len(preset.all_runs())} runs, in {runs_dir()}"]
    still = [name for name in _asked(targets) if name not in teller.planned and not {*NOTEBOOK_FILES[name]} & {*drawn}]
    if lines and still:
        lines += [f"up to date: {', '.join(still)}"]
    return [*lines, f"executed notebooks and logs: {BUILD / preset.name}, Snakemake's: {BUILD / LOG}"] if lines else []


def _failed(preset: Preset, targets: Collection[str], trainings: Jobs, start: float) -> batch.BatchError:
    """What is not as the targets want it, and why, as far as the jobs since then could tell."""
    of_all, folder = set(targets) <= {"all", "trained"}, BUILD / preset.name
    failed = batch.unfinished(preset, start, logs(trainings, folder)) if of_all else batch.failed(preset, start)
    failed |= _undrawn(preset, start) | killed(preset, trainings, folder, start)
    of = f"{len(preset.all_runs())} runs and {len(list(NOTEBOOKS.glob('*.ipynb')))} notebooks"
    return batch.BatchError(failed or {"Snakemake": f"failed, see {BUILD / LOG}"}, of)


def _asked(targets: Collection[str]) -> list[str]:
    """The notebooks among the targets."""
    return [name for name in NOTEBOOK_FILES if not targets or name in targets or "all" in targets]


def _without_braces(preset: Preset) -> None:
    """Refuse paths that Snakemake takes for patterns, which it has no way to escape."""
    for variable, path in (
        ("SNNLIB_RUNS", runs_dir()), ("SNNLIB_FIGURES", figures_dir()), ("the repository's folder", ROOT),
        ("preset", preset.given),
    ):  # fmt: skip
        if set("{}") & set(str(path)):
            raise InputError(f"{variable} = {path}: must be without braces, for Snakemake's sake")


def outputs(preset: Preset, name: str) -> list[Path]:
    """What drawing a notebook leaves: its executed copy, and its files in the preset's folder, each with its sum."""
    files = [
        BUILD / preset.name / f"{name}.ipynb",
        *(figures_of(preset) / file for file in NOTEBOOK_FILES[name]),
    ]
    return list(dict.fromkeys(path for file in files for path in (file, sums(file))))


def _not_as_they_look(preset: Preset, targets: Collection[str]) -> list[str]:
    """What the targets need and Snakemake takes for done, since it looks at times alone: damaged runs, old figures.

    What is no file at all, which it could not even move out of its way, is moved aside.
    """
    notebooks = _asked(targets)
    evaluated = [(run, e) for run in preset.all_runs().values() for e in evaluations(preset, run)]
    for path in (*(e.file(run) for run, e in evaluated), *(f for name in notebooks for f in outputs(preset, name))):
        if os.path.lexists(path) and not path.is_file():
            log.warning("%s: no file, where one belongs; moved to %s", path, set_aside(path))
    left = {run.spec.name for run in incomplete(preset)}
    _tell(preset, notebooks, left)
    files = [e.file(run) for run, e in evaluated if run.spec.name in left]
    files = [file for file in files if file.parent.parent == runs_dir()]  # not what is published
    files += [file for name in notebooks for file in outputs(preset, name) if not _whole(file, preset, name)]
    return [str(file) for file in files if file.exists()]


def _tell(preset: Preset, notebooks: Collection[str], left: Collection[str]) -> None:
    """Which figures wait for runs, and for how many of theirs."""
    of = {name: [run.spec.name in left for run in preset.runs(name)] for name in notebooks if name in preset.notebooks}
    waiting = [f"{name} {sum(missing)} of {len(missing)}" for name, missing in of.items() if any(missing)]
    if waiting:
        log.info("runs that figures wait for: %s", ", ".join(waiting))


def _whole(file: Path, preset: Preset, notebook: str) -> bool:
    """Whether a file is as it was written; figures of runs say of which, else they were not drawn here."""
    of_runs = notebook in preset.notebooks and file.suffix != ".ipynb"
    try:
        return file.suffix == ENDING or (verified(file).exists() and (not of_runs or bool(made_from(file))))
    except StoreError:
        return False


def _undrawn(preset: Preset, start: float) -> dict[str, str]:
    """Why each notebook that was begun since then has no finished copy, from its log's last line."""
    found = {}
    for name in sorted(NOTEBOOK_FILES):
        file = log_file(BUILD / preset.name, name)
        if not newer(file, start):
            continue
        last = (file.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]
        if not last.endswith(f"{name}.ipynb"):
            message = last.removeprefix("error: ")
            found[name] = message if message != last else f"not done, see {file}"
    return found
