"""How a notebook begins: its parameters are checked, its preset is read."""

from __future__ import annotations

import ast
import sys
from itertools import pairwise
from typing import Any

from snnlib.checks import one_of
from snnlib.preset import Preset, load_preset

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill adds


def start(preset: str, **others: Any) -> Preset:
    """Check what papermill injected, and load the preset.

    papermill only warns of a parameter that the notebook does not have, and goes on with the default. Its own cell
    follows the one that holds the parameters, which tells it from a reader's cell with the same first line.

    Args:
        preset: the notebook's parameter of that name.
        **others: its other parameters, by name.

    Raises:
        InputError: papermill was given a name that is not among these, or the preset is unknown or
            holds a value that cannot be used.
    """
    known = {"preset", *others}
    injected = [
        _assigned(cell)
        for before, cell in pairwise(_inputs())
        if cell.startswith(_INJECTED) and known <= set(_assigned(before))
    ]
    for name in injected[-1] if injected else ():  # the last one: cells may have been mended and run again
        one_of("notebook parameter", name, ("preset", *others))
    return load_preset(preset)


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
