"""What of a preset is done, and only looks done: Snakemake looks at times alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from pathlib import Path

from reproduce.batch.estimate import incomplete
from reproduce.batch.evaluated import evaluations
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.runs.preset import Preset
from reproduce.runs.preset_folder import figures_of
from reproduce.runs.results import known
from snnlib.store.files import DamagedError, StoreError, set_aside
from snnlib.store.paths import build_dir, runs_dir
from snnlib.store.sums import ENDING, made_from, sums, verified

log = logging.getLogger("snnlib")


def asked(targets: Collection[str]) -> list[str]:
    """The notebooks among the targets."""
    return [name for name in NOTEBOOK_FILES if not targets or name in targets or "all" in targets]


def outputs(preset: Preset, name: str) -> list[Path]:
    """What drawing a notebook leaves: its executed copy, and its files in the preset's folder, each with its sum."""
    files = [
        build_dir() / preset.name / f"{name}.ipynb",
        *(figures_of(preset) / file for file in NOTEBOOK_FILES[name]),
    ]
    return list(dict.fromkeys(path for file in files for path in (file, sums(file))))


def refuse_damaged_publications(preset: Preset) -> None:
    """See that what is published of a preset's runs is whole: who only looks whether it is there has no job for them.

    Learning curves are mended.

    Raises:
        DamagedError: a file is not as it was published.
    """
    for run in preset.all_runs().values():
        if run.place == run.folder:
            continue
        try:
            if not run.mend():
                raise run.damage()
            for evaluation in evaluations(preset, run):
                if known(run, evaluation) is None and (file := evaluation.file(run)).parent == run.place:
                    raise DamagedError(f"{file.with_suffix('.json')}: missing")
        except DamagedError as error:
            ways_out = "`git checkout` restores it, with SNNLIB_PRETRAINED=none all is trained here"
            raise DamagedError(f"{error}; {ways_out}") from None


def not_as_they_look(preset: Preset, targets: Collection[str]) -> list[str]:
    """What the targets need and Snakemake takes for done, since it looks at times alone: damaged runs, old figures.

    What is no file at all, which it could not even move out of its way, is moved aside.
    """
    notebooks = asked(targets)
    evaluated = [(run, e) for run in preset.all_runs().values() for e in evaluations(preset, run)]
    for path in (*(e.file(run) for run, e in evaluated), *(f for name in notebooks for f in outputs(preset, name))):
        if os.path.lexists(path) and not path.is_file():
            log.warning("%s: no file, where one belongs; moved to %s", path, set_aside(path))
    left = {run.spec.name for run in incomplete(preset)}
    _tell(preset, notebooks, left)
    files = [e.file(run) for run, e in evaluated if run.spec.name in left]
    files = [file for file in files if file.parent.parent == runs_dir()]  # not what is published
    files += [file for name in notebooks for file in outputs(preset, name) if not whole(file, preset, name)]
    return [str(file) for file in files if file.exists()]


def _tell(preset: Preset, notebooks: Collection[str], left: Collection[str]) -> None:
    """Which figures wait for runs, and for how many of theirs."""
    of = {name: [run.spec.name in left for run in preset.runs(name)] for name in notebooks if name in preset.notebooks}
    waiting = [f"{name} {sum(missing)} of {len(missing)}" for name, missing in of.items() if any(missing)]
    if waiting:
        log.info("runs that figures wait for: %s", ", ".join(waiting))


def whole(file: Path, preset: Preset, notebook: str) -> bool:
    """Whether a file is as it was written; figures of runs say of which, else they were not drawn here."""
    of_runs = notebook in preset.notebooks and file.suffix != ".ipynb"
    try:
        return file.suffix == ENDING or (verified(file).exists() and (not of_runs or bool(made_from(file))))
    except StoreError:
        return False
