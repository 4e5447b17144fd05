"""One notebook in batch, by papermill."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reproduce.batch.process import WorkflowError
from reproduce.experiments.changed import named
from reproduce.experiments.parameters import PARAMETERS, wanted
from reproduce.runs.preset import Preset
from reproduce.runs.preset_folder import claimed
from snnlib.checks import one_of
from snnlib.store import locks
from snnlib.store.files import explained
from snnlib.store.paths import NOTEBOOKS, build_dir
from snnlib.store.sums import record


def notebook_names() -> list[str]:
    """The names of the notebooks."""
    return sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb"))


def draw_notebook(name: str, preset: Preset, parameters: Mapping[str, Any] = MappingProxyType({})) -> Path:
    """Execute a notebook at a preset; returns the executed copy, in an ignored folder.

    papermill writes its copy anew after every cell: it gets its name once the last one is done.

    Args:
        parameters: values for others of its parameters. What they change is in the copy's name, as it is in those of
            the figures.

    Raises:
        InputError: no such notebook or parameter, a value that cannot be used, or another preset of that name was
            drawn.
        WorkflowError: a cell failed.
        StoreError: the copy cannot be written.
    """
    one_of("notebook", name, notebook_names())
    for parameter in parameters:
        one_of(f"{name}, parameter", parameter, PARAMETERS.get(name, {}))
    changed = wanted(name, preset.given, parameters).changed
    import papermill  # only batch work needs the `notebooks` extra

    notebook = NOTEBOOKS / f"{name}.ipynb"
    copy = claimed(build_dir() / preset.name, preset) / f"{named(name, changed)}.ipynb"
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
