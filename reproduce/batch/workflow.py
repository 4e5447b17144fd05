"""All notebooks in batch, by Snakemake, and what is told of that."""

from __future__ import annotations

import json
import logging
import shlex
import time
from collections.abc import Collection

import pandas as pd

from reproduce.batch import gpus, process, slurm, train
from reproduce.batch.done import asked, not_as_they_look, refuse_damaged_publications, whole
from reproduce.batch.drawing import notebook_names
from reproduce.batch.engine import LOG
from reproduce.batch.jobs import jobs
from reproduce.batch.killed import Jobs, killed, log_file, logs
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.profile import Profile, load_profile
from reproduce.batch.readme import verdict_counts
from reproduce.batch.required import check_required
from reproduce.batch.resources import Cluster
from reproduce.batch.tell import Teller
from reproduce.experiments import compare
from reproduce.runs.preset import Preset
from reproduce.runs.preset_folder import claimed, figures_of
from reproduce.runs.run import default_device
from snnlib.checks import InputError, one_of
from snnlib.store.files import newer
from snnlib.store.paths import ROOT, USUAL_FIGURES, build_dir, figures_dir, runs_dir
from snnlib.store.sums import ENDING

log = logging.getLogger("snnlib")


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
        DamagedError: a published run's file is not as it was published.
        InputError: no such target, runs that a notebook cannot draw (`check_required`), a folder that Snakemake cannot
            handle, or no such cluster.
        WorkflowError: another one is at work.
    """
    notebooks = notebook_names()
    for target in targets:
        one_of("target", target, ["all", "trained", *notebooks])
    _without_braces(preset)
    check_required(preset, targets)
    profile = profile or load_profile()
    process.refuse_a_second()  # before anything is hashed, or moved out of its way
    where = _where(preset, profile)
    refuse_damaged_publications(preset)
    trainings = jobs(preset, apart=apart(profile.cluster))
    claimed(build_dir() / preset.name, preset)
    if profile.executor == "slurm":
        slurm.wait_for_left_over()
    began, start = time.perf_counter(), process.now()
    log.info("looking for what is missing or out of date at preset %s", preset.name)
    # Targets first: --config would take them for settings, and a name like 2024 for a number.
    # No lock of Snakemake's: it outlives a killed Snakemake.
    arguments = [*targets, "--profile", str(profile.folder), "--nolock", *where]
    given = f"!!str {json.dumps(preset.given, ensure_ascii=False)} "  # it strips quotes, but not before a blank
    arguments += ["--config", f"preset={given}", "--forcerun", *not_as_they_look(preset, targets)]
    with Teller(preset, trainings, build_dir(), start) as teller:
        code = process.snakemake(arguments, teller.look)
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
    if whole(claims := folder / "claims.csv", preset, "claims"):
        table = pd.read_csv(claims, keep_default_na=False)
        lines += ["", *(f"{row.verdict}: {row.claim} ({row.section})" for row in table.itertuples())]
        lines += [f"{verdict_counts(table)}; measured values: {claims.with_suffix('.md')}"]
    if not preset.own:
        lines += ["", compare.report(preset.name, listed=compare.UNLIKE)]
        out = "" if figures_dir() == ROOT / USUAL_FIGURES else f" --out {shlex.quote(str(figures_dir()))}"
        lines += [f"each of these numbers: python -m reproduce compare --preset {preset.name}{out}"]
    return "\n".join(lines)


def _made(preset: Preset, targets: Collection[str], start: float, teller: Teller, took: str) -> list[str]:
    """What was trained and drawn since then, where, and what was up to date; nothing if all was."""
    folder = figures_of(preset)
    drawn = sorted(path.name for path in folder.glob("*") if path.suffix != ENDING and newer(path, start))
    lines = [f"drawn in {took}, in {folder}:", *(f"  {name}" for name in drawn)] if drawn else []
    if teller.trained:
        lines += [f"trained or evaluated: {teller.trained} of {len(preset.all_runs())} runs, in {runs_dir()}"]
    still = [name for name in asked(targets) if name not in teller.planned and not {*NOTEBOOK_FILES[name]} & {*drawn}]
    if lines and still:
        lines += [f"up to date: {', '.join(still)}"]
    build = build_dir()
    return [*lines, f"executed notebooks and logs: {build / preset.name}, Snakemake's: {build / LOG}"] if lines else []


def _failed(preset: Preset, targets: Collection[str], trainings: Jobs, start: float) -> train.BatchError:
    """What is not as the targets want it, and why, as far as the jobs since then could tell."""
    of_all, folder = set(targets) <= {"all", "trained"}, build_dir() / preset.name
    failed = train.unfinished(preset, start, logs(trainings, folder)) if of_all else train.failed(preset, start)
    failed |= _undrawn(preset, start) | killed(preset, trainings, folder, start)
    of = f"{len(preset.all_runs())} runs and {len(notebook_names())} notebooks"
    return train.BatchError(failed or {"Snakemake": f"failed, see {build_dir() / LOG}"}, of)


def _without_braces(preset: Preset) -> None:
    """Refuse paths that Snakemake takes for patterns, which it has no way to escape."""
    for variable, path in (
        ("SNNLIB_RUNS", runs_dir()), ("SNNLIB_FIGURES", figures_dir()), ("SNNLIB_BUILD", build_dir()),
        ("the repository's folder", ROOT), ("preset", preset.given),
    ):  # fmt: skip
        if set("{}") & set(str(path)):
            raise InputError(f"{variable} = {path}: must be without braces, for Snakemake's sake")


def _undrawn(preset: Preset, start: float) -> dict[str, str]:
    """Why each notebook that was begun since then has no finished copy, from its log's last line."""
    found = {}
    for name in sorted(NOTEBOOK_FILES):
        file = log_file(build_dir() / preset.name, name)
        if not newer(file, start):
            continue
        last = (file.read_text(encoding="utf-8", errors="replace").splitlines() or [""])[-1]
        if not last.endswith(f"{name}.ipynb"):
            message = last.removeprefix("error: ")
            found[name] = message if message != last else f"not done, see {file}"
    return found
