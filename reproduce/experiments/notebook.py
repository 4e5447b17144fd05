"""How a notebook begins: parameters are checked, the preset is read, and it is said where results go; and how again."""

from __future__ import annotations

import ast
import shlex
import sys
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import torch

from reproduce.experiments.changed import text
from reproduce.experiments.outputs import Outputs
from reproduce.experiments.parameters import PARAMETERS, wanted
from reproduce.runs.preset import Preset
from reproduce.runs.preset_folder import claimed
from snnlib.checks import one_of
from snnlib.store.paths import figures_dir
from snnlib.store.used import forget

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill adds


def begin(notebook: str, preset: str, **others: Any) -> tuple[Preset, Outputs, SimpleNamespace]:
    """Check what papermill injected, load the preset, and compute on one thread from here on.

    papermill only warns of a parameter that the notebook does not have, and goes on with the default. Its own cell
    follows the one that holds the parameters, which tells it from a reader's cell with the same first line.
    Values are checked here, since most are used after hours of training.

    Args:
        notebook: the name of its file.
        preset: the notebook's parameter of that name, which is a name or the path of a TOML file.
        **others: its other parameters, by name (`PARAMETERS`).

    Returns:
        The preset, with what was changed in it; what writes the notebook's results to the preset's folder of figures:
        it knows which parameters are not as by default; and those parameters that the figure gets itself.

    Raises:
        InputError: papermill was given a name that is not among these, a value cannot be used, or the preset is
            unknown, holds one that cannot, or has the name of another one that was drawn there.
        KeyError: a parameter that is not in `PARAMETERS`.
    """
    known = {"preset", *others}
    injected = [
        _assigned(cell)
        for before, cell in pairwise(_inputs())
        if cell.startswith(_INJECTED) and known <= set(_assigned(before))
    ]
    for name in injected[-1] if injected else ():  # the last one: cells may have been mended and run again
        one_of("notebook parameter", name, ("preset", *others))
    forget()
    torch.set_num_threads(1)  # for all that is no run's own: how a sum is split among threads decides its last bit
    p, changed, own = wanted(notebook, preset, others)
    return p, Outputs(claimed(figures_dir() / p.name, p), changed), own


def again(notebook: str, preset: str, out: Outputs) -> str:
    """The command that draws a notebook again with what was changed in it, for a shell in the repository's folder."""
    words = [word for name, value in out.changed.items() for word in ("-p", name, text(value, ","))]
    return shlex.join(["python", "-m", "reproduce", "draw", notebook, "--preset", preset, *words])


def evaluated_again(notebook: str, preset: str, out: Outputs, run: str, *options: str) -> str:
    """The command that prints a run's accuracies with what was changed in a notebook.

    Args:
        run: its name.
        options: what else it is evaluated with.
    """
    known = PARAMETERS[notebook]
    sets = {known[name].sets: text(value, ",") for name, value in out.changed.items() if not known[name].own}
    changed = [f"{name}={value}" for name, value in sets.items() if name.startswith("evaluation.")]
    options = (*options, *(word for change in changed for word in ("--set", change)))
    return shlex.join(["python", "-m", "reproduce", "evaluate", run, "--preset", preset, *options])


def _inputs() -> list[str]:
    """What was run in this notebook so far, cell by cell; nothing outside of one."""
    ipython = sys.modules.get("IPython")  # not imported: then this is no notebook
    shell = ipython.get_ipython() if ipython else None
    return shell.user_ns.get("In", []) if shell is not None else []


def _assigned(cell: str) -> list[str]:
    """Names that a cell's top level assigns to, with or without an annotation."""
    try:
        body = ast.parse(cell).body
    except SyntaxError:  # such a cell is kept too
        return []
    targets = [t for node in body if isinstance(node, ast.Assign) for t in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return [t.id for t in targets if isinstance(t, ast.Name)]
