"""What the paper does not say, one choice at a time: the settings of a preset, and what each does to accuracy.

A choice of training has runs of its own; a choice of the conversion converts the default's runs another way.
Every setting has the default's seeds, so that differences are taken seed by seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from snnlib.checks import InputError
from snnlib.conversion import STATISTICS
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
CONVERTED = {"statistics of Eqs. 8-9": ("statistics", STATISTICS), "first step": ("first_step", FIRST_STEPS)}
# Three, where one comparison would ask for two: a dozen settings are compared at once.
ERRORS = 3


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
    runs = table[table.default].groupby(["timesteps", "seed"]).accuracy.mean() * 100
    return _over_seeds(runs.groupby("timesteps"))


def differences(table: pd.DataFrame) -> pd.DataFrame:
    """What each setting adds to the default's accuracy with the same seed, each averaged over its noise seeds.

    Args:
        table: of `measure`, or its CSV.

    Returns:
        Columns choice, value, timesteps, seed, points (percentage points); the default itself has no rows.
    """
    percent = table.groupby(["choice", "value", "default", "timesteps", "seed"], sort=False).accuracy.mean() * 100
    rows = percent.rename("points").reset_index()
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
    keys = ["choice", "value", "timesteps"]
    found = _over_seeds(differences(table).groupby(keys, sort=False).points).reset_index()
    kind = found.choice.isin(CONVERTED) + 2 * (found.choice == ABLATION)
    variance = found.sd.pow(2).groupby([kind, found.timesteps]).transform("mean")
    found["error"] = np.sqrt(np.maximum(variance, found.sd**2) / found.seeds)
    spread = found.timesteps.map(default(table).sd)
    found["matters"] = (found["mean"].abs() > ERRORS * found.error) & (found["mean"].abs() > spread)
    return found


def verdict(table: pd.DataFrame) -> str:
    """Which settings move the accuracy at the last T by more than another seed does, the largest effect first."""
    last = table.timesteps.max()
    found = effects(table).query("timesteps == @last").sort_values("mean", key=lambda x: -x.abs())
    usual = default(table).loc[last]
    lines = [f"T = {last}: default {usual['mean']:.1f}{plus_minus(usual.sd)} %, mean and sd of {usual.seeds:.0f} seeds"]
    for row in found.itertuples():
        judged = "matters" if row.matters else "no clear effect" if row.seeds > 1 else "one seed cannot tell"
        lines.append(f"{row.choice} = {row.value}: {signed(row.mean)}{plus_minus(row.sd)} points, {judged}")
    return "\n".join(lines)


def ablation(table: pd.DataFrame) -> str:
    """Is it the noise, or just T = 1? Accuracy at both T, and what time adds to it, with noise in training and without.

    Without noise there is nothing to convert: those weights run in plain LIF neurons (Eqs. 1-3). As an ensemble
    (step 2) they would repeat T = 1, step for step.
    """
    last, rows = table.timesteps.max(), table[table.choice == ABLATION]
    runs = rows.groupby(["default", "value", "seed", "timesteps"]).accuracy.mean().mul(100).unstack("timesteps")
    lines = []
    for (_, value), seeds in list(runs.groupby(["default", "value"]))[::-1]:
        gain = seeds[last] - seeds[1]
        lines.append(
            f"noise in training = {value}: {seeds[1].mean():.1f} % at T = 1, {seeds[last].mean():.1f} % at T = {last}; "
            f"time adds {signed(gain.mean())}{plus_minus(gain.std())} points ({len(gain)} seeds)"
        )
    return "\n".join(lines)


def signed(points: float) -> str:
    """One decimal, a sign that is never that of -0.0."""
    return f"{round(points, 1) + 0.0:+.1f}".replace("-", "−")


def plus_minus(sd: float) -> str:
    """± sd, nothing for one seed."""
    return "" if np.isnan(sd) else f" ± {sd:.1f}"


def _over_seeds(points: Any) -> pd.DataFrame:
    return points.agg(["mean", "std", "count"]).rename(columns={"std": "sd", "count": "seeds"})


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
