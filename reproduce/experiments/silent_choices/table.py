"""What the paper does not say, one choice at a time: the settings of a preset, and what each does to accuracy.

A choice of training has runs of its own; a choice of the conversion converts the default's runs another way.
Every setting has the default's seeds, so that differences are taken seed by seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain

import numpy as np
import pandas as pd

from reproduce.experiments.contrasts import COLUMNS, Side, contrast
from reproduce.experiments.effects import Effect
from reproduce.experiments.over_seeds import over_seeds, percent, plus_minus
from reproduce.experiments.tables import RUN_COLUMNS, Table
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.conversion import STATISTICS
from snnlib.dynamics import FIRST_STEPS

NOTEBOOK = "silent_choices"
READOUT, SURROGATE, GAUSSIAN, BATCH_NORM = "readout", "surrogate gradient", "Gaussian in [0, 1]", "batch norm"
AUGMENTATION, LENGTH, RECIPE = "augmentation", "length of training", "recipe"
BOTH = f"{READOUT} and {LENGTH}"
# Arms that are trained in another way than ours.
TRAINED = {
    READOUT: ("potential",),
    SURROGATE: ("rectangle", "arctan", "sigmoid", "density", "density_start"),
    GAUSSIAN: ("gaussian_k2", "gaussian_k8", "max_normalised"),
    BATCH_NORM: ("no_batch_norm",),
    AUGMENTATION: ("cropped", "mirrored"),
    LENGTH: ("shorter",),
    BOTH: ("potential_longer", "potential_longest"),
    RECIPE: ("printed",),
}
READ = ", potentials"  # behind the name of a net that is read by potentials, and no other of its arms with it
ARMS = ("ours", *chain(*TRAINED.values()))
# Fields of `Conversion`, with the values that they can have.
EQ_8_9, FIRST_STEP = "statistics of Eqs. 8-9", "first step"
CONVERSION_CHOICES = {EQ_8_9: ("statistics", STATISTICS), FIRST_STEP: ("first_step", FIRST_STEPS)}
# Three, where one comparison would ask for two: a dozen settings are compared at once.
ERRORS = 3
POINTS = "+z.1f"  # how a difference is written; z: never -0.0
CHOICES = Table(
    "silent_choices",
    {"net": "text", **RUN_COLUMNS, "hold_out": "number", "choice": "text", "value": "text", "default": "bool"},
)  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A run and how it is evaluated: as by default, or different from that in one choice."""

    net: str  # the preset's name for it; read by potentials where that is no choice, with a word more
    choice: str
    value: str
    default: bool
    run: Run
    evaluation: Evaluation
    options: str = ""  # with which `python -m reproduce evaluate RUN` gives the same accuracies


def settings(preset: Preset) -> list[Setting]:
    """Every setting that the preset measures; the default once for each choice, with the value that it has there.

    The default is ours, and for how it is run once more, with a panel of its own, the same net read by potentials. How
    often a run is tested is no difference.

    Raises:
        InputError: another arm than ours and those of `TRAINED`; nothing that could differ from ours.
    """
    nets = preset.comparison(NOTEBOOK, must=("ours",), may=ARMS)
    found = [setting for net, arms in nets.items() for setting in _of_net(net, arms, preset.evaluation)]
    if not found:
        raise InputError(
            f"preset {preset.name}, notebook {NOTEBOOK}, nets = {', '.join(nets)}: have no arm but ours, and images "
            "held out; must have another arm, or a net that is tested on the test set"
        )
    return found


def _of_net(net: str, arms: Comparison, usual: Conversion) -> Iterator[Setting]:
    default = arms["ours"]
    for choice, known in TRAINED.items():
        others = [run for arm in known for run in arms.get(arm, ())]
        for run in [*default, *others] if others else ():
            yield Setting(net, choice, _value(choice, run.spec), run in default, run, usual)
    if default[0].spec.hold_out:
        return  # what is held out chooses between trainings; how a net is run is asked of those that are tested
    for choice in CONVERSION_CHOICES:
        yield from _converted(net, default, choice, usual)
    if "potential" in arms:
        yield from _converted(f"{net}{READ}", arms["potential"], EQ_8_9, usual)


def _converted(net: str, runs: list[Run], choice: str, usual: Conversion) -> Iterator[Setting]:
    """Each way of a choice of the conversion, that of the default first."""
    field, values = CONVERSION_CHOICES[choice]
    first = getattr(usual, field)
    for value in (first, *(v for v in values if v != first)):
        options = "" if value == first else f"--{field.replace('_', '-')} {value}"
        for run in runs:
            yield Setting(net, choice, value, value == first, run, usual.changed(**{field: value}), options)


def measure(settings: list[Setting]) -> pd.DataFrame:
    """Accuracy of each setting at T = 1 and at its last T; trains what is missing.

    Returns:
        Columns net, hold_out (training images in place of the test set, 0 where accuracy is the test set's), choice,
        value, default, options, then those of `results.accuracy`.
    """
    tables = []
    for s in settings:
        table = accuracy(s.run, s.evaluation)
        table = table[table.timesteps.isin((1, s.evaluation.timesteps))]
        named = {"net": s.net, "hold_out": s.run.spec.hold_out, "choice": s.choice, "value": s.value}
        named |= {"default": s.default, "options": s.options}
        tables.append(table.assign(**named)[[*named, *table]])
    return pd.concat(tables, ignore_index=True)


def default(table: pd.DataFrame) -> pd.DataFrame:
    """The default's accuracy in percent over training seeds: columns mean, sd, seeds, indexed by net and timesteps."""
    return over_seeds(percent(table[table.default], "net", "timesteps"))


def differences(settings: list[Setting]) -> pd.DataFrame:
    """What each setting adds to the default's accuracy with the same seed on the same images, in points.

    Returns:
        Columns net, choice, value, timesteps (1 and the last), then those of `contrast`; the default has no rows.
    """
    groups: dict[tuple[str, str, str, bool], list[Setting]] = {}
    for s in settings:
        groups.setdefault((s.net, s.choice, s.value, s.default), []).append(s)
    usual = {(net, choice): found for (net, choice, _, is_default), found in groups.items() if is_default}
    tables = []
    for (net, choice, value, is_default), found in groups.items():
        if is_default:
            continue
        for t in sorted({1, found[0].evaluation.timesteps}):
            points = contrast(_side(found, t), _side(usual[net, choice], t))
            keys = {"net": net, "choice": choice, "value": value, "timesteps": t}
            tables.append(points.assign(**keys)[[*keys, *COLUMNS]])
    return pd.concat(tables, ignore_index=True)


def effects(differences: pd.DataFrame, table: pd.DataFrame) -> pd.DataFrame:
    """The paired differences over training seeds, and whether they are more than chance.

    A difference matters if it is larger than ``half`` and than the default's sd over seeds. ``half`` is half of the
    95 % interval (`Effect`), as for claims, or `ERRORS` standard errors if that is more. The part of the seeds in these
    is never taken to be smaller than from the sd pooled at this T over all the net's settings of the kind, trained
    another way or converted another way: a few seeds may agree by chance, and of a dozen settings one will.

    Args:
        differences, table: of `differences` and `measure`, or their CSV.

    Returns:
        Columns net, choice, value, timesteps, mean, sd (nan for one seed), seeds, half (inf for fewer than three), all
        in points, and matters.
    """
    by = ["net", "choice", "value", "timesteps"]
    groups = differences.groupby(by, sort=False)
    found = groups.agg(mean=("points", "mean"), sd=("points", "std"), seeds=("points", "count")).reset_index()
    kind = found.choice.isin(CONVERSION_CHOICES)
    variance = found.sd.pow(2).groupby([found.net, kind, found.timesteps]).transform("mean")
    images = groups.image_error.first().to_numpy()
    error = np.sqrt(np.maximum(variance, found.sd**2) / found.seeds + images**2)
    effects = [Effect.of(rows) for _, rows in groups]
    found["half"] = np.fmax([effect.interval[1] - effect.mean for effect in effects], ERRORS * error)
    spread = default(table).sd.reindex(pd.MultiIndex.from_frame(found[["net", "timesteps"]])).to_numpy()
    found["matters"] = (found["mean"].abs() > found.half) & (found["mean"].abs() > spread)
    return found


def what_matters(differences: pd.DataFrame, table: pd.DataFrame) -> str:
    """Which settings move the accuracy at the last T by more than chance does, the largest effect first, net by net.

    Args:
        differences, table: of `differences` and `measure`, or their CSV.
    """
    last = table.timesteps.max()
    found = effects(differences, table)
    found = found[found.timesteps == last].sort_values("mean", key=abs, ascending=False, kind="stable")
    lines = []
    for net in table.net.unique():
        usual = default(table).loc[net, last]
        spread = f"mean and sd of {usual.seeds:.0f} seeds" if usual.seeds > 1 else "one seed"
        lines.append(f"{net}, T = {last}: default {plus_minus(usual['mean'], usual.sd, '.1f')} %, {spread}")
        for row in found[found.net == net].itertuples():
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
    if choice == AUGMENTATION:
        return spec.recipe.augment
    if choice == LENGTH:
        return f"{spec.recipe.epochs} epochs"
    if choice == BOTH:
        return f"{spec.readout}, {spec.recipe.epochs} epochs"
    if choice == RECIPE:
        r = spec.recipe
        return f"{r.epochs} epochs, {r.optimizer}, batches of {r.batch_size}, {r.schedule.replace('_', ' ')}, {r.lr:g}"
    if choice == BATCH_NORM:
        return "after every convolution" if spec.batch_norm else "none"
    if choice == SURROGATE:
        numbers = asdict(spec.dynamics.surrogate)
        numbers |= {} if spec.norm_start == (1, 0) else dict(zip(("gain", "bias"), spec.norm_start, strict=True))
        return ", ".join([numbers.pop("kind"), *(f"{name} {number:g}" for name, number in numbers.items())])
    if choice == GAUSSIAN:
        return f"k = {spec.dynamics.noise.k:g}" if spec.noise == "gaussian" else spec.noise
    return ""
