"""What the paper does not say, one choice at a time: the settings of a preset, and what each does to accuracy.

A choice of training has runs of its own; a choice of the conversion converts the default's runs another way.
Every setting has the default's seeds, so that differences are taken seed by seed.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from snnlib.checks import InputError
from snnlib.conversion import STATISTICS
from snnlib.experiments.over_seeds import at_timesteps, over_seeds, percent, plus_minus
from snnlib.neurons import FIRST_STEPS
from snnlib.noise import Gaussian, MaxNormalised
from snnlib.runs.evaluations import Evaluation
from snnlib.runs.preset import Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, Spec

NOTEBOOK = "silent_choices"
READOUT, SURROGATE, GAUSSIAN, BATCH_NORM = "readout", "surrogate gradient", "Gaussian in [0, 1]", "batch norm"
ABLATION = "ablation: noise in training"  # the paper is not silent here
TRAINED = (READOUT, SURROGATE, GAUSSIAN, BATCH_NORM, ABLATION)
# Fields of `Conversion`, with the values that they can have.
CONVERTED = {"statistics of Eqs. 8-9": ("statistics", STATISTICS), "first step": ("first_step", FIRST_STEPS)}
# Three, where one comparison would ask for two: a dozen settings are compared at once.
ERRORS = 3
POINTS = "+z.1f"  # how a difference is written; z: never -0.0


@dataclass(frozen=True)
class Setting:
    """A run and how it is evaluated: as by default, or different from that in one choice."""

    choice: str
    value: str
    default: bool
    run: Run
    evaluation: Evaluation
    options: str = ""  # with which `python -m snnlib evaluate RUN` gives the same accuracies


def settings(preset: Preset) -> list[Setting]:
    """Every setting that the preset measures; the default once for each choice, with the value that it has there.

    The notebook's first run in the preset is the default. How often a run is tested is no difference.

    Raises:
        InputError: a run differs from the default in anything but one choice of `TRAINED`, a setting's seeds are
            not the default's, or no run differs in one of the choices.
    """
    runs, where = preset.runs(NOTEBOOK), f"preset {preset.name}, runs for notebook {NOTEBOOK}"
    usual = runs[0].spec
    groups: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in runs:
        choice = _choice(usual, run.spec, where)
        groups[choice, _value(choice, run.spec)].append(run)
    default = groups.pop(("", ""))
    _check(default, groups, where)

    found = []
    for choice in TRAINED:
        found += [Setting(choice, _value(choice, usual), True, run, preset.evaluation) for run in default]
        for (differs, value), others in groups.items():
            if differs == choice:
                found += [Setting(choice, value, False, run, preset.evaluations(run)[-1]) for run in others]
    for choice, (field, values) in CONVERTED.items():
        first = getattr(preset.evaluation, field)
        for value in (first, *(v for v in values if v != first)):
            evaluation = preset.evaluation.changed(**{field: value})
            options = "" if value == first else f"--{field.replace('_', '-')} {value}"
            found += [Setting(choice, value, value == first, run, evaluation, options) for run in default]
    return found


def measure(settings: list[Setting]) -> pd.DataFrame:
    """Accuracy of each setting at T = 1 and at its last T; trains what is missing.

    Returns:
        Columns choice, value, default, options, then those of `results.accuracy`.
    """
    tables = []
    for s in settings:
        table = accuracy(s.run, s.evaluation)
        table = table[table.timesteps.isin((1, s.evaluation.timesteps))]
        named = {"choice": s.choice, "value": s.value, "default": s.default, "options": s.options}
        tables.append(table.assign(**named)[[*named, *table]])
    return pd.concat(tables, ignore_index=True)


def default(table: pd.DataFrame) -> pd.DataFrame:
    """The default's accuracy in percent over training seeds: columns mean, sd, seeds, indexed by timesteps."""
    return over_seeds(percent(table[table.default], "timesteps"))


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """What each setting adds to the default's accuracy with the same seed, each averaged over its noise seeds.

    Args:
        table: of `measure`, or its CSV.

    Returns:
        Columns choice, value, timesteps, seed, points (percentage points); the default itself has no rows.
    """
    rows = percent(table, "choice", "value", "default", "timesteps").rename("points").reset_index()
    pairs = rows[~rows.default].merge(rows[rows.default], on=["choice", "timesteps", "seed"], suffixes=("", "_default"))
    return pairs.assign(points=pairs.points - pairs.points_default)[["choice", "value", "timesteps", "seed", "points"]]


def effects(table: pd.DataFrame) -> pd.DataFrame:
    """The paired differences over training seeds, and whether they are more than chance.

    With two seeds a sd is hardly known, so a standard error is never taken to be smaller than from the sd pooled at
    this T over all settings of the kind: trained another way, converted another way, and the ablation for itself.

    Returns:
        Columns choice, value, timesteps, mean, sd (nan for one seed), seeds, error (standard error of the mean), all
        in points, and matters: |mean| exceeds both `ERRORS` standard errors and the default's sd over seeds.
    """
    points = differences(table).set_index(["choice", "value", "timesteps", "seed"]).points
    found = over_seeds(points).reset_index()
    kind = found.choice.map(_kind)
    variance = found.sd.pow(2).groupby([kind, found.timesteps]).transform("mean")
    found["error"] = np.sqrt(np.maximum(variance, found.sd**2) / found.seeds)
    spread = found.timesteps.map(default(table).sd)
    found["matters"] = (found["mean"].abs() > ERRORS * found.error) & (found["mean"].abs() > spread)
    return found


def _kind(choice: str) -> str:
    if choice == ABLATION:
        return "ablation"
    return "converted" if choice in CONVERTED else "trained"


def summary(table: pd.DataFrame) -> str:
    """Which settings move the accuracy at the last T by more than another seed does, the largest effect first."""
    last = table.timesteps.max()
    found = effects(table)
    found = found[found.timesteps == last].sort_values("mean", key=abs, ascending=False, kind="stable")
    usual = default(table).loc[last]
    lines = [
        f"T = {last}: default {plus_minus(usual['mean'], usual.sd, '.1f')} %, mean and sd of {usual.seeds:.0f} seeds"
    ]
    for row in found.itertuples():
        effect = "matters" if row.matters else "no clear effect" if row.seeds > 1 else "one seed cannot tell"
        lines.append(f"{row.choice} = {row.value}: {plus_minus(row.mean, row.sd, POINTS)} points, {effect}")
    return "\n".join(lines)


def ablation(table: pd.DataFrame) -> str:
    """Is it the noise, or just T = 1? Accuracy at both T, and what time adds to it, with noise in training and without.

    Without noise there is nothing to convert: those weights run in plain LIF neurons (Eqs. 1-3). As an ensemble
    (step 2) they would repeat T = 1, step for step.
    """
    rows = table[table.choice == ABLATION]
    last = rows.timesteps.max()
    lines = []
    for is_default in (True, False):
        for value, seeds in at_timesteps(rows[rows.default == is_default], "value").groupby("value"):
            gain = seeds[last] - seeds[1]
            lines.append(
                f"noise in training = {value}: {seeds[1].mean():.1f} % at T = 1, {seeds[last].mean():.1f} % at "
                f"T = {last}; time adds {plus_minus(gain.mean(), gain.std(), POINTS)} points ({len(gain)} seeds)"
            )
    return "\n".join(lines)


def _choice(usual: Spec, spec: Spec, where: str) -> str:
    """The one choice in which a spec differs from the default, "" if in none."""
    theirs, own = _fields(usual), _fields(spec)
    different = sorted(name for name in theirs | own if theirs.get(name) != own.get(name))
    match different:
        case []:
            return ""
        case ["readout"]:
            return READOUT
        case ["batch_norm"]:
            return BATCH_NORM
        case ["dynamics.surrogate"]:
            return SURROGATE
        case ["dynamics.noise"]:
            noise, before = spec.dynamics.noise, usual.dynamics.noise
            if noise.low == noise.high == 0:  # Eq. 4
                return ABLATION
            if isinstance(noise, Gaussian | MaxNormalised) and (noise.low, noise.high) == (before.low, before.high):
                return GAUSSIAN
    raise InputError(
        f"{where}: {spec.name} differs from the first in {' and '.join(different)}; "
        f"must differ in exactly one of {', '.join(TRAINED)}"
    )


def _check(default: list[Run], groups: dict[tuple[str, str], list[Run]], where: str) -> None:
    seeds = sorted({run.spec.seed for run in default})
    for (choice, value), runs in {("the", "default"): default, **groups}.items():
        there = sorted(run.spec.seed for run in runs)
        if there != seeds:
            raise InputError(f"{where}: seeds of {choice} {value} = {there}: must be {seeds}, the default's, each once")
    missing = set(TRAINED) - {choice for choice, _ in groups}
    if missing:
        raise InputError(f"{where}: no run differs from the first in {', '.join(sorted(missing))}; each needs one")


def _fields(spec: Spec) -> dict[str, Any]:
    """What decides a run's accuracy, one level deep, without its seed."""
    fields = spec.model_dump(exclude={"seed": True, "recipe": {"evaluate_every"}})
    for name in ("dynamics", "recipe"):
        fields |= {f"{name}.{key}": value for key, value in fields.pop(name).items()}
    return fields


def _value(choice: str, spec: Spec) -> str:
    """What a spec has in this choice."""
    if choice == READOUT:
        return spec.readout
    if choice == BATCH_NORM:
        return "after every convolution" if spec.batch_norm else "none"
    if choice == SURROGATE:
        numbers = asdict(spec.dynamics.surrogate)
        return ", ".join([numbers.pop("kind"), *(f"{name} {number:g}" for name, number in numbers.items())])
    if choice == GAUSSIAN:
        return f"k = {spec.dynamics.noise.k:g}" if spec.noise == "gaussian" else spec.noise
    if choice == ABLATION:
        return "none, run as LIF" if spec.noise == "none" else spec.noise
    return ""
