"""How a notebook begins: parameters are checked, the preset is read, and it is said where results go; and how again."""

from __future__ import annotations

import ast
import shlex
import sys
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import torch

from snnlib.checks import between, one_of, positive, whole
from snnlib.experiments.fig7_potential_dynamics.table import NOISES
from snnlib.experiments.outputs import Outputs
from snnlib.neurons import Converted
from snnlib.runs.preset import Preset, load_preset
from snnlib.runs.preset_folder import claimed
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.store.paths import NOTEBOOKS, figures_dir, from_root
from snnlib.store.used import forget

_INJECTED = "# Parameters\n"  # the first line of the cell that papermill adds


def _gibibytes(name: str, value: float) -> None:
    positive(name, value)
    between(name, value, 0, 1_000_000)


def _convertible(name: str, value: float) -> None:
    Converted(**{name: value})  # refuses with its reason


# The parameters of each notebook that has others than `preset`, with their defaults; None is the value of the preset's
# evaluation. They stand here too, since a reader changes them where they stand in the notebook.
DEFAULTS: dict[str, dict[str, Any]] = {
    "method": {"timesteps": None, "alpha": None, "beta": None, "leak": None, "image": 1},
    "fig3_4_training_time": {"memory_gib": 8, "repeats": 5},
    "fig7_potential_dynamics": {
        "alpha": 4.0, "beta": 0.5, "leak": 0.5, "noise": "gaussian", "weight": 0.4, "seed": 0,
    },
}  # fmt: skip

# How each parameter's value is checked, `preset` apart.
_VALUES: dict[str, Callable[[str, Any], None]] = {
    "memory_gib": _gibibytes,
    "repeats": partial(whole, least=2, most=1000),
    "seed": partial(whole, least=0, most=2**63 - 1),
    "timesteps": partial(whole, least=2, most=MOST_TIMESTEPS),
    "alpha": _convertible,
    "beta": _convertible,
    "leak": _convertible,
    "image": partial(whole, least=0, most=99),
    "noise": partial(one_of, choices=NOISES),
    "weight": partial(between, low=0, high=1),
}


def begin(notebook: str, preset: str, **others: Any) -> tuple[Preset, Outputs]:
    """Check what papermill injected, load the preset, and compute on one thread from here on.

    papermill only warns of a parameter that the notebook does not have, and goes on with the default. Its own cell
    follows the one that holds the parameters, which tells it from a reader's cell with the same first line.
    Values are checked here, since most are used after hours of training.

    Args:
        notebook: the name of its file.
        preset: the notebook's parameter of that name, which is a name or the path of a TOML file.
        **others: its other parameters, by name.

    Returns:
        The preset, and what writes the notebook's results to the preset's folder of figures: it knows which parameters
        are not at their `DEFAULTS`.

    Raises:
        InputError: papermill was given a name that is not among these, a value cannot be used, or the preset is
            unknown, holds one that cannot, or has the name of another one that was drawn there.
        KeyError: a parameter of which it is not said above what its default is and how to check it.
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
    defaults = DEFAULTS.get(notebook, {})
    given = {name: value for name, value in others.items() if value is not None or defaults[name] is not None}
    for name, value in given.items():
        _VALUES[name](name, value)
    p = load_preset(preset)
    usual = {name: getattr(p.evaluation, name) if defaults[name] is None else defaults[name] for name in given}
    changed = {name: value for name, value in given.items() if value != usual[name]}
    return p, Outputs(claimed(figures_dir() / p.name, p), changed)


def again(notebook: str, preset: str, out: Outputs) -> str:
    """The command that draws a notebook again with what was changed in it, for a shell in the repository's folder.

    The executed copy goes where the pictures go, and has what was changed in its name too.
    """
    if not out.changed:
        return shlex.join(["python", "-m", "snnlib", "draw", notebook, "--preset", preset])
    given = {"preset": preset, **out.changed}
    # -p makes numbers of what looks like one; -r takes text as it is.
    words = [word for name, v in given.items() for word in ("-r" if isinstance(v, str) else "-p", name, str(v))]
    files = NOTEBOOKS / f"{notebook}.ipynb", out.folder / f"{out.named(notebook)}.ipynb"
    return shlex.join(["python", "-m", "papermill", *words, *map(from_root, files)])


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
