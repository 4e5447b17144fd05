"""What the paper does not say, one choice at a time: the settings of a preset, and what each does to accuracy.

A choice of training has runs of its own; a choice of the conversion converts the default's runs another way.
Every setting has the default's seeds, so that differences are taken seed by seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
import pandas as pd

from snnlib.checks import InputError
from snnlib.conversion import STATISTICS
from snnlib.experiments.over_seeds import at_timesteps, over_seeds, percent, plus_minus
from snnlib.neurons import FIRST_STEPS
from snnlib.runs.evaluations import Evaluation
from snnlib.runs.preset import Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, Spec

NOTEBOOK = "silent_choices"
READOUT, SURROGATE, GAUSSIAN, BATCH_NORM = "readout", "surrogate gradient", "Gaussian in [0, 1]", "batch norm"
ABLATION = "ablation: noise in training"  # the paper is not silent here
# Arms that are trained in another way than ours.
TRAINED = {
    READOUT: ("potential",),
    SURROGATE: ("rectangle", "arctan", "sigmoid"),
    GAUSSIAN: ("gaussian_k2", "gaussian_k8", "max_normalised"),
    BATCH_NORM: ("no_batch_norm",),
    ABLATION: ("no_noise",),
}
# Fields of `Conversion`, with the values that they can have.
CONVERSION_CHOICES = {"statistics of Eqs. 8-9": ("statistics", STATISTICS), "first step": ("first_step", FIRST_STEPS)}
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

    The default is ours. How often a run is tested is no difference.

    Raises:
        InputError: more nets than one, another arm than ours and those of `TRAINED`, or a choice without one.
    """
    arms = preset.comparison_of_one(NOTEBOOK, must=("ours",), may=tuple(chain(*TRAINED.values())))
    default, found = arms["ours"], []
    for choice, known in TRAINED.items():
        others = [run for arm in known for run in arms.get(arm, ())]
        if not others:
            where = f"preset {preset.name}, notebook {NOTEBOOK}"
            raise InputError(f"{where}: has no arm for {choice}; must have one of {', '.join(known)}")
        found += [Setting(choice, _value(choice, run.spec), True, run, preset.evaluation) for run in default]
        found += [Setting(choice, _value(choice, r.spec), False, r, preset.evaluations(r)[-1]) for r in others]
    for choice, (field, values) in CONVERSION_CHOICES.items():
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
    return "converted" if choice in CONVERSION_CHOICES else "trained"


def what_matters(table: pd.DataFrame) -> str:
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
