"""The peak learning rate of each arm, chosen from the same grid on held-out training images (docs/verdicts.md)."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator

import pandas as pd

from reproduce.experiments.fig3_4_training_time.cost import training_cost
from reproduce.experiments.fig3_4_training_time.equal_time import epochs_by_ratio
from reproduce.experiments.fig3_4_training_time.race import NOTEBOOK, raced
from reproduce.experiments.outputs import Outputs
from reproduce.runs.arms import ARMS
from reproduce.runs.preset import Comparison, Preset, nets_as_written
from reproduce.runs.preset_folder import claimed
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.checks import InputError, one_of, whole
from snnlib.data.sets import SIZES
from snnlib.store.paths import figures_dir
from snnlib.training.failures import DeviceError, TrainingError

log = logging.getLogger("snnlib")

GRID = {"1": 1.0, "1/3": 1 / 3, "3": 3.0}  # times the preset's rate; of equal ones the first is chosen
SHARE = 0.1  # of the training images, held out
SEED = 0
COLUMNS = ["net", "arm", "factor", "lr", "epochs", "accuracy", "chosen", "run"]


def tune(preset: Preset, nets: Collection[str] = (), epochs: int | None = None) -> str:
    """Train each arm at each rate of the grid, or resume or skip it; the result is written to a ``tuning.csv``.

    That has a folder of its own below the preset's figures: no notebook reads it.

    Args:
        nets: of the preset; all that have such arms if none is given.
        epochs: of each net, for a shorter search than the preset's training; an arm that has more or fewer keeps its
            ratio to its net's.

    Returns:
        For readers: accuracies, which of the best rates are an edge of the grid, the lines that the preset's file is to
        have, and the epochs of ours at equal time.

    Raises:
        InputError: a net that has no such arms, no epoch, a net that cannot be trained so, a race that cannot be told
            of (`raced`), or another preset's folder; nothing is trained then.
        DataError, StoreError, DeviceError: as `ensure`. Where training breaks off, as at too high a rate, that rate
            has no accuracy.
    """
    if epochs is not None:
        whole("epochs", epochs, 1, 100_000)
    found = tuned_arms(preset)
    for net in nets:
        one_of(f"preset {preset.name}, net", net, found)
    chosen = {net: found[net] for net in found if net in nets or not nets}
    if not chosen:
        raise InputError(f"preset {preset.name}: must have an arm with a rate of its own")
    # All that can be refused is, before hours of training: a race that `equal_time` cannot tell of, too.
    _races(preset, chosen)
    trials = list(_trials(preset, chosen, epochs))
    out = Outputs(claimed(figures_dir() / preset.name, preset) / "tuning")
    table = pd.DataFrame(_rows(trials), columns=COLUMNS)
    out.write_csv(table, "tuning")
    parts = [
        _table(table).to_markdown(floatfmt=".2f"), _edges(table), *_lines(preset, table), equal_time(preset, chosen),
        out.written,
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def tuned_arms(preset: Preset) -> dict[str, dict[str, Spec]]:
    """The arms of any notebook that have a rate of their own, by net: the spec of one of their runs."""
    found: dict[str, dict[str, Spec]] = {}
    for nets in preset.notebooks.values():
        for net, arms in nets.items():
            own = {arm: specs[0] for arm, specs in arms.items() if "lr" in ARMS[arm].settable}
            found.setdefault(net, {}).update(own)
    return {net: {arm: arms[arm] for arm in ARMS if arm in arms} for net, arms in found.items() if arms}


def held_out(spec: Spec, lr: float | None = None, of_epochs: float = 1) -> Spec:
    """The same training at another rate, without the images on which it is then tested, at the end alone.

    Args:
        of_epochs: the part of them that it has, and what it comes after.
    """
    fields = spec.model_dump()
    epochs = max(1, round(of_epochs * spec.recipe.epochs))
    own = {"epochs": epochs, "evaluate_every": epochs, "lr": spec.recipe.lr if lr is None else lr}
    recipe = {**fields["recipe"], **own}
    before = {name: getattr(spec, name) for name in ("after", "teacher")}
    before = {name: held_out(other, of_epochs=of_epochs) for name, other in before.items() if other}  # at its rate
    images = round(SHARE * SIZES[spec.dataset][0])
    return Spec(**{**fields, "recipe": recipe, "seed": SEED, "hold_out": images, **before})


def rates(lr: float) -> dict[str, float]:
    """The grid around a rate, to three digits as they are written in a preset."""
    return {name: float(f"{factor * lr:.2e}") for name, factor in GRID.items()}


def _trials(
    preset: Preset, nets: dict[str, dict[str, Spec]], epochs: int | None
) -> Iterator[tuple[str, str, dict[str, float], dict[str, Spec]]]:
    """Net, arm, and by factor its rates and what is trained at them."""
    written = nets_as_written(preset.given)
    for net, arms in nets.items():
        usual = written[net]["recipe"]
        of_epochs = epochs / usual["epochs"] if epochs else 1
        for arm, spec in arms.items():
            grid = rates(usual["lr"])
            yield net, arm, grid, {factor: held_out(spec, lr, of_epochs) for factor, lr in grid.items()}


def _rows(trials: Iterable[tuple[str, str, dict[str, float], dict[str, Spec]]]) -> Iterator[tuple]:
    for net, arm, grid, specs in trials:
        accuracy = pd.Series({factor: _last_accuracy(s) for factor, s in specs.items()}, dtype=float)
        best = accuracy.idxmax() if accuracy.notna().any() else None
        for factor, s in specs.items():
            yield net, arm, factor, grid[factor], s.recipe.epochs, accuracy[factor], factor == best, s.name


def _last_accuracy(spec: Spec) -> float:
    """On the held-out images after the last epoch, of ours converted; nan if training broke off."""
    try:
        return ensure(spec).history.test_accuracy.iloc[-1]
    except DeviceError:
        raise
    except TrainingError as error:
        log.error("%s", error)
        return float("nan")


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in percent, a row for each arm, a column for each rate."""
    shown = rows.assign(accuracy=100 * rows.accuracy).pivot(index=["net", "arm"], columns="factor", values="accuracy")
    arms = list(rows[["net", "arm"]].drop_duplicates().itertuples(index=False, name=None))
    shown = shown.loc[arms, sorted(GRID, key=GRID.get)].rename(columns=lambda factor: f"{factor} × lr, %")
    shown.index = pd.Index([" ".join(key) for key in shown.index], name="held-out accuracy")
    return shown


def _edges(rows: pd.DataFrame) -> str:
    """Which arms would perhaps do better beyond the grid: it is the same for all, so it is not extended for some."""
    edges, best = (min(GRID.values()), max(GRID.values())), rows[rows.chosen]
    at_edge = best[best.factor.map(GRID).isin(edges)]
    found = [f"{row.net} {row.arm} ({row.factor} × lr)" for row in at_edge.itertuples()]
    return f"best at an edge of the grid, which is not extended: {', '.join(found) or 'none'}"


def _lines(preset: Preset, rows: pd.DataFrame) -> Iterator[str]:
    """What each net's section of arms in the preset's file is to hold, with what it already holds."""
    written = nets_as_written(preset.given)
    for net, chosen in rows[rows.chosen].groupby("net", sort=False):
        has = written[net].get("arms", {})
        lines = {arm: {**has.get(arm, {}), "lr": lr} for arm, lr in zip(chosen.arm, chosen.lr, strict=True)}
        text = [
            f"{arm} = {{ {', '.join(f'{k} = {v}' for k, v in own.items())} }}" for arm, own in {**has, **lines}.items()
        ]
        yield "\n".join([f"[nets.{net}.arms]", *text])


def equal_time(preset: Preset, nets: Collection[str] = ()) -> str:
    """How long ours at equal time is to train, by the ratio of the steps measured here and now; nothing is trained.

    Args:
        nets: of the preset, all if none is given; of those that do not race nothing is said.

    Raises:
        InputError: as `raced`.
    """
    races = _races(preset, nets)
    if not races:
        return ""
    table = epochs_by_ratio(races, training_cost(races, memory_gib=1))
    return f"epochs of equal_time by the measured ratio of steps:\n{table.to_markdown(index=False, floatfmt='.3g')}"


def _races(preset: Preset, nets: Collection[str]) -> list[Comparison]:
    if NOTEBOOK not in preset.notebooks:
        return []
    racing = dict(zip(preset.notebooks[NOTEBOOK], raced(preset), strict=True))
    return [
        {arm: race[arm] for arm in ("ours", "equal_time", "direct") if arm in race}
        for net, race in racing.items()
        if net in nets or not nets
    ]
