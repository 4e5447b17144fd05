"""What the paper does not say, one choice at a time: the settings of a preset, and what each does to accuracy.

A choice of training has runs of its own; a choice of the conversion converts the default's runs another way.
Every setting has the default's seeds, so that differences are taken seed by seed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
import pandas as pd

from snnlib.conversion import STATISTICS
from snnlib.experiments.contrasts import COLUMNS, Side, contrast
from snnlib.experiments.evidence import Effect
from snnlib.experiments.over_seeds import over_seeds, percent, plus_minus
from snnlib.experiments.tables import RUN_COLUMNS, Table
from snnlib.neurons import FIRST_STEPS
from snnlib.runs.evaluations import Evaluation
from snnlib.runs.preset import Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, Spec

NOTEBOOK = "silent_choices"
READOUT, SURROGATE, GAUSSIAN, BATCH_NORM = "readout", "surrogate gradient", "Gaussian in [0, 1]", "batch norm"
# Arms that are trained in another way than ours.
TRAINED = {
    READOUT: ("potential",),
    SURROGATE: ("rectangle", "arctan", "sigmoid"),
    GAUSSIAN: ("gaussian_k2", "gaussian_k8", "max_normalised"),
    BATCH_NORM: ("no_batch_norm",),
}
ARMS = ("ours", *chain(*TRAINED.values()))
# Fields of `Conversion`, with the values that they can have.
CONVERSION_CHOICES = {"statistics of Eqs. 8-9": ("statistics", STATISTICS), "first step": ("first_step", FIRST_STEPS)}
# Three, where one comparison would ask for two: a dozen settings are compared at once.
ERRORS = 3
POINTS = "+z.1f"  # how a difference is written; z: never -0.0
CHOICES = Table("silent_choices", {**RUN_COLUMNS, "choice": "text", "default": "bool"})


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
        InputError: more nets than one, or another arm than ours and those of `TRAINED`.
    """
    arms = preset.comparison_of_one(NOTEBOOK, must=("ours",), may=ARMS)
    default, found = arms["ours"], []
    for choice, known in TRAINED.items():
        others = [run for arm in known for run in arms.get(arm, ())]
        if not others:
            continue
        found += [Setting(choice, _value(choice, run.spec), True, run, preset.evaluation) for run in default]
        found += [Setting(choice, _value(choice, r.spec), False, r, preset.evaluation) for r in others]
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


def differences(settings: list[Setting]) -> pd.DataFrame:
    """What each setting adds to the default's accuracy with the same seed on the same images, in points.

    Returns:
        Columns choice, value, timesteps (1 and the last), then those of `contrast`; the default itself has no rows.
    """
    groups: dict[tuple[str, str, bool], list[Setting]] = {}
    for s in settings:
        groups.setdefault((s.choice, s.value, s.default), []).append(s)
    usual = {choice: found for (choice, _, is_default), found in groups.items() if is_default}
    tables = []
    for (choice, value, is_default), found in groups.items():
        if is_default:
            continue
        for t in sorted({1, found[0].evaluation.timesteps}):
            points = contrast(_side(found, t), _side(usual[choice], t))
            keys = {"choice": choice, "value": value, "timesteps": t}
            tables.append(points.assign(**keys)[[*keys, *COLUMNS]])
    return pd.concat(tables, ignore_index=True)


def effects(differences: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The paired differences over training seeds, and whether they are more than chance.

    A difference matters if it is larger than ``half`` and than the default's sd over seeds. ``half`` is half of the
    95 % interval (`Effect`), as for claims, or `ERRORS` standard errors if that is more. The part of the seeds in these
    is never taken to be smaller than from the sd pooled at this T over all settings of the kind, trained another way or
    converted another way: a few seeds may agree by chance, and of a dozen settings one will.

    Args:
        differences, table: of `differences` and `measure`, or their CSV.

    Returns:
        Columns choice, value, timesteps, mean, sd (nan for one seed), seeds, half (inf for fewer than three), all in
        points, and matters.
    """
    by = ["choice", "value", "timesteps"]
    groups = differences.groupby(by, sort=False)
    found = groups.agg(mean=("points", "mean"), sd=("points", "std"), seeds=("points", "count")).reset_index()
    kind = found.choice.isin(CONVERSION_CHOICES)
    variance = found.sd.pow(2).groupby([kind, found.timesteps]).transform("mean")
    images = groups.image_error.first().to_numpy()
    error = np.sqrt(np.maximum(variance, found.sd**2) / found.seeds + images**2)
    effects = [Effect.of(rows) for _, rows in groups]
    found["half"] = np.fmax([effect.interval[1] - effect.mean for effect in effects], ERRORS * error)
    spread = found.timesteps.map(default(table).sd)
    found["matters"] = (found["mean"].abs() > found.half) & (found["mean"].abs() > spread)
    return found


def what_matters(differences: pd.DataFrame, table: pd.DataFrame) -> str:
    """Which settings move the accuracy at the last T by more than chance does, the largest effect first.

    Args:
        differences, table: of `differences` and `measure`, or their CSV.
    """
    last = table.timesteps.max()
    found = effects(differences, table)
    found = found[found.timesteps == last].sort_values("mean", key=abs, ascending=False, kind="stable")
    usual = default(table).loc[last]
    lines = [
        f"T = {last}: default {plus_minus(usual['mean'], usual.sd, '.1f')} %, mean and sd of {usual.seeds:.0f} seeds"
    ]
    for row in found.itertuples():
        says = "matters" if row.matters else "no clear effect" if np.isfinite(row.half) else "too few seeds to tell"
        lines.append(f"{row.choice} = {row.value}: {shown(row.mean, row.half)} points, {says}")
    return "\n".join(lines)


def shown(mean: float, half: float) -> str:
    """An effect with half of its interval; fewer than three seeds give none (inf)."""
    return plus_minus(mean, half if np.isfinite(half) else np.nan, POINTS)


def _side(settings: list[Setting], timesteps: int) -> Side:
    return Side([s.run for s in settings], settings[0].evaluation, timesteps)


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
    return ""
