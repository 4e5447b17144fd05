"""How a notebook begins: its parameters are checked, its preset is read."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

from snnlib.checks import between, one_of, positive, whole
from snnlib.runs.preset import Preset, load_preset

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill adds


def _gibibytes(name: str, value: float) -> None:
    positive(name, value)
    between(name, value, 0, 1_000_000)


# How each parameter's value is checked, `preset` apart.
_VALUES: dict[str, Callable[[str, Any], None]] = {
    "memory_gib": _gibibytes,
    "repeats": partial(whole, least=2, most=1000),
    "seed": partial(whole, least=0, most=2**63 - 1),
}


def start(preset: str, **others: Any) -> Preset:
    """Check what papermill injected, and load the preset.

    papermill only warns of a parameter that the notebook does not have, and goes on with the default. Its own cell
    follows the one that holds the parameters, which tells it from a reader's cell with the same first line.
    Values are checked here, since most are used after hours of training.

    Args:
        preset: the notebook's parameter of that name.
        **others: its other parameters, by name.

    Raises:
        InputError: papermill was given a name that is not among these, a value cannot be used, or the preset is
            unknown or holds one that cannot.
        KeyError: a parameter of which it is not said above how to check it.
    """
    known = {"preset", *others}
    injected = [
        _assigned(cell)
        for before, cell in pairwise(_inputs())
        if cell.startswith(_INJECTED) and known <= set(_assigned(before))
    ]
    for name in injected[-1] if injected else ():  # the last one: cells may have been mended and run again
        one_of("notebook parameter", name, ("preset", *others))
    for name, value in others.items():
        _VALUES[name](name, value)
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
