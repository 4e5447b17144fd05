"""Figure 2 in numbers: accuracy at every T with either readout, ties of the output, and what T adds."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from snnlib.experiments.contrasts import COLUMNS, Side, contrast
from snnlib.experiments.evidence import Effect
from snnlib.experiments.over_seeds import NET
from snnlib.experiments.titles import net_title
from snnlib.runs.evaluations import Conversion
from snnlib.runs.preset import Comparison, Preset
from snnlib.runs.results import predictions
from snnlib.runs.run import Run
from snnlib.training.evaluation import TIES

NOTEBOOK = "fig2_accuracy_vs_timesteps"
STEPS = ((5, 1), (10, 5), (10, 1))  # later and earlier T
NOISE, CONSTANT = INFERENCE = (
    "noise",
    "constant",
)  # what the trained net is run with; constant: 1/2, the mean of noise


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of Figure 2, each net with either readout."""
    return preset.comparison(NOTEBOOK, must=("ours", "potential"))


def accuracies(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at every T, and at T = 1 without noise, ties won by the first class and by chance.

    Trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then ties ("first" or "random"), inference (of `INFERENCE`), noise_seed,
        timesteps, accuracy, tied (images of which several classes have the largest output), silent (whose outputs are
        all 0), fractions.
    """
    tables = []
    for runs in _arms(nets):
        by_ties = _by_ties(runs, evaluation)
        for run in runs:
            for ties, by in by_ties.items():
                for inference, e in by.items():
                    table, named = predictions(run, e).table, run.spec.columns()
                    others = [column for column in table if column not in named]
                    tables.append(table.assign(ties=ties, inference=inference)[[*named, "ties", "inference", *others]])
    return pd.concat(tables, ignore_index=True)


def gains(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """What more time steps add, in points.

    Returns:
        Columns `NET`, noise, ties, later and earlier (T), inference (of the earlier; the
        later one has noise), then those of `contrast`.
    """
    last = evaluation.timesteps
    pairs = dict.fromkeys((*STEPS, (last, 1)))
    steps = [(later, earlier, NOISE) for later, earlier in pairs if earlier < later <= last]
    steps += [(last, 1, CONSTANT)] if last > 1 else []
    tables = []
    for runs in _arms(nets):
        for ties, by in _by_ties(runs, evaluation).items():
            for later, earlier, inference in steps:
                table = contrast(Side(runs, by[NOISE], later), Side(runs, by[inference], earlier))
                net = {name: runs[0].spec.columns()[name] for name in (*NET, "noise")}
                keys = {**net, "ties": ties, "later": later, "earlier": earlier, "inference": inference}
                tables.append(table.assign(**keys)[[*keys, *COLUMNS]])
    return pd.concat(tables, ignore_index=True)


def what_is_left(table: pd.DataFrame) -> str:
    """In words, net by net: what T adds, with ties broken at random, and over T = 1 without noise.

    Args:
        table: of `gains`, or its CSV.
    """
    last = table.later.max()
    rows = table[(table.later == last) & (table.earlier == 1)]
    lines = [f"Points at T = {last} over T = 1, ± half of the 95 % interval (seeds, images); what is left of it:"]
    for net, found in rows.groupby(NET, sort=False):
        by = {key: Effect.of(group) for key, group in found.groupby(["ties", "inference"], sort=False)}
        named = dict(zip(NET, net, strict=True))
        label = f"{net_title(named)}, readout {named['readout']}"
        gain = by["first", NOISE]
        random, constant = (_with_share(by[key], gain) for key in (("random", NOISE), ("random", CONSTANT)))
        lines.append(
            f"{label}: {gain.shown()}; with ties at random {random}; these over T = 1 with the constant 1/2 {constant}"
        )
    return "\n".join(lines)


def _with_share(effect: Effect, gain: Effect) -> str:
    """An effect, and which share of the gain it is, where there is a gain to speak of."""
    share = f" ({100 * effect.mean / gain.mean:.0f} %)" if gain.interval[0] > 0 else ""
    return f"{effect.shown()}{share}"


def _arms(nets: dict[str, Comparison]) -> Iterator[list[Run]]:
    return (runs for arms in nets.values() for runs in arms.values())


def _by_ties(runs: list[Run], evaluation: Conversion) -> dict[str, dict[str, Conversion]]:
    """By who wins ties and by inference: where no outputs tie, as potentials do not, all is evaluated only once."""
    usual = {NOISE: evaluation, CONSTANT: evaluation.at_mean}
    tied = any(predictions(run, e).table.tied.any() for run in runs for e in usual.values())
    return {ties: {name: e.changed(ties=ties) if tied else e for name, e in usual.items()} for ties in TIES}
