"""How a notebook begins: its parameters are checked, its preset is read."""

from __future__ import annotations

import ast
import sys
from typing import Any

from snnlib.checks import one_of
from snnlib.preset import Preset, load_preset

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill adds


def start(preset: str, **others: Any) -> Preset:
    """Check what papermill injected, and load the preset.

    papermill only warns of a parameter that the notebook does not have, and goes on with the default.

    Args:
        preset: the notebook's parameter of that name.
        **others: its other parameters, by name.

    Raises:
        InputError: papermill was given a name that is not among these, or the preset is unknown or
            holds a value that cannot be used.
    """
    ipython = sys.modules.get("IPython")  # not imported: then this is no notebook
    shell = ipython.get_ipython() if ipython else None
    for cell in shell.user_ns.get("In", []) if shell is not None else []:
        if cell.startswith(_INJECTED):
            for name in _assigned(cell):
                one_of("notebook parameter", name, ("preset", *others))
    return load_preset(preset)


def _assigned(cell: str) -> list[str]:
    """Names that a cell's top level assigns to."""
    targets = [t for node in ast.parse(cell).body if isinstance(node, ast.Assign) for t in node.targets]
    return [t.id for t in targets if isinstance(t, ast.Name)]
