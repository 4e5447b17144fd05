"""What `draw NOTEBOOK --help` says of a notebook's parameters: what each is, and what it is if nobody changes it.

Of arms, which are known by their names alone, what each one is too.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from reproduce.experiments.changed import text
from reproduce.experiments.parameter import Parameter
from reproduce.experiments.parameters import ARMS_OF, PARAMETERS, runs_of
from reproduce.runs.arms import ARMS
from reproduce.runs.preset import Preset
from reproduce.runs.spec import Spec

_OF_A_SPEC = {"dataset": "dataset", "network": "network", "width": "width", "epochs": "recipe.epochs", "seeds": "seed"}


def told(notebook: str, preset: Preset) -> list[tuple[str, str]]:
    """Each parameter's name, and its help with its default in brackets, the preset's value where that is it."""
    known = PARAMETERS[notebook]
    return [(name, f"{parameter.help} [{_default(notebook, parameter, preset)}]") for name, parameter in known.items()]


def arms_told(notebook: str) -> list[tuple[str, str]]:
    """Each arm that its parameter ``arms`` takes, and what it is; none where it has no such parameter."""
    return [(arm, ARMS[arm].what) for arm in ARMS_OF.get(notebook, ())]


def _default(notebook: str, parameter: Parameter, preset: Preset) -> str:
    if parameter.default is not None:
        return text(parameter.default)
    if parameter.sets.startswith("evaluation."):
        return text(getattr(preset.evaluation, parameter.sets.removeprefix("evaluation.")))
    if parameter.sets == "ann_timesteps":
        return text(preset.ann_timesteps)
    nets = preset.notebooks.get(runs_of(notebook), {})
    if parameter.sets == "nets":
        return text([*nets])
    by_net = {net: _of_net(parameter.sets, arms, preset.benchmark) for net, arms in nets.items()}
    if len({*by_net.values()}) == 1:
        return next(iter(by_net.values()))
    return "; ".join(f"{net}: {value}" for net, value in by_net.items())


def _of_net(sets: str, arms: Mapping[str, tuple[Spec, ...]], benchmark: Mapping[str, float]) -> str:
    first = next(iter(arms.values()))
    match sets:
        case "arms":
            return text([*arms])
        case "readout":
            return text([*dict.fromkeys(specs[0].readout for specs in arms.values())])
        case "seeds":
            return text([spec.seed for spec in first])
        case "benchmark":
            return text(benchmark.get(first[0].network, "none"))
    return text(attrgetter(_OF_A_SPEC[sets])(first[0]))
