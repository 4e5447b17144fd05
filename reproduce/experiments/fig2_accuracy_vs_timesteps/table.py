"""Figure 2 in numbers: accuracy at every T with either readout, ties of the output, and what T adds."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from reproduce.experiments.contrasts import Side, contrast, level
from reproduce.experiments.effects import Effect
from reproduce.experiments.nets import first_nets, named
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.paper import OUR_TIMESTEPS
from reproduce.experiments.titles import net_title
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import predictions
from reproduce.runs.run import Run
from snnlib.training.evaluation import TIES

NOTEBOOK = "fig2_accuracy_vs_timesteps"
STEPS = ((5, 1), (10, 5), (10, 1))  # later and earlier T
# What it is run with: noise; the constant 1/2, its mean; noise in all layers but one that spikes at the end; noise, the
# current read that arrives at that layer.
NOISE, CONSTANT, QUIET, CURRENT = INFERENCE = ("noise", "constant", "quiet output", "current")
FIRST, RANDOM = TIES


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of Figure 2, each net with either readout."""
    return preset.comparison(NOTEBOOK, must=("ours", "potential"))


def accuracies(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at every T; of nets that are `asked_more` also at T = 1 without noise, and, where spikes are read, with
    ties broken at random, at T = 1 without noise in that layer, and of the currents that arrive there.

    Trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then ties ("first" or "random"), inference (of `INFERENCE`), noise_seed,
        timesteps, accuracy, tied (images of which several classes have the largest output), silent (whose outputs are
        all 0), fractions.
    """
    tables = []
    for runs, by_ties in _ways(nets, evaluation):
        for run in runs:
            for ties, by in by_ties.items():
                for inference, e in by.items():
                    table, columns = predictions(run, e).table, run.spec.columns()
                    others = [column for column in table if column not in columns]
                    tables.append(
                        table.assign(ties=ties, inference=inference)[[*columns, "ties", "inference", *others]]
                    )
    return pd.concat(tables, ignore_index=True)


def shares(table: pd.DataFrame) -> pd.DataFrame:
    """How often classes tie, and how often no output has fired, with noise, whoever wins ties.

    Args:
        table: of `accuracies`.

    Returns:
        Its rows of that, without the columns ties, inference, accuracy.
    """
    rows = table[(table.inference == NOISE) & (table.ties == FIRST)]
    return rows.drop(columns=["ties", "inference", "accuracy"])


def gains(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """What more time steps add, in points, each net evaluated as for `accuracies`.

    Returns:
        Columns `NET`, noise, ties, later and earlier (T), inference (of the earlier; the
        later one has noise, and its spikes read), then those of `contrast`.
    """
    last = evaluation.timesteps
    pairs = dict.fromkeys((*STEPS, (last, 1)))
    steps = [(later, earlier, NOISE) for later, earlier in pairs if earlier < later <= last]
    steps += [(last, 1, way) for way in (CONSTANT, QUIET, CURRENT)] if last > 1 else []
    tables = []
    for runs, by_ties in _ways(nets, evaluation):
        for ties, by in by_ties.items():
            for later, earlier, inference in (step for step in steps if step[2] in by):
                table = contrast(Side(runs, by[NOISE], later), Side(runs, by[inference], earlier))
                way = {"ties": ties, "later": later, "earlier": earlier, "inference": inference}
                tables.append(named(runs[0], table, **way))
    return pd.concat(tables, ignore_index=True)


def levels(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy in percent at the T of the paper's Table 2, to be held against what it printed, and at the last T.

    Returns:
        Columns `NET`, noise, timesteps, then those of `contrasts.level`.
    """
    last, tables = evaluation.timesteps, []
    for runs in _arms(nets):
        for t in dict.fromkeys((*(t for t in OUR_TIMESTEPS if t < last), last)):
            table = level(Side(runs, evaluation.changed(ties=FIRST), t))
            tables.append(named(runs[0], table, timesteps=t))
    return pd.concat(tables, ignore_index=True)


def what_is_left(table: pd.DataFrame) -> str:
    """In words, net by net: what T adds, and of the nets that are `asked_more` what is left of that.

    Args:
        table: of `gains`, or its CSV.
    """
    last = table.later.max()
    rows = table[(table.later == last) & (table.earlier == 1)]
    lines = [f"Points at T = {last} over T = 1, ± half of the 95 % interval (seeds, images); what is left of it:"]
    for net, found in rows.groupby(NET, sort=False):
        by = {key: Effect.of(group) for key, group in found.groupby(["ties", "inference"], sort=False)}
        shown = dict(zip(NET, net, strict=True))
        line = f"{net_title(shown)}, readout {shown['readout']}: {by[FIRST, NOISE].shown()}"
        if (FIRST, CONSTANT) in by:
            line += f"; over T = 1 with the constant 1/2 {_with_share(by[FIRST, CONSTANT], by[FIRST, NOISE])}"
        if (RANDOM, CONSTANT) in by:
            random, both = (_with_share(by[RANDOM, way], by[FIRST, NOISE]) for way in (NOISE, CONSTANT))
            line += f"; with ties at random {random}, and over T = 1 with the constant 1/2 {both}"
        if (FIRST, CURRENT) in by:
            quiet, current = (_with_share(by[FIRST, way], by[FIRST, NOISE]) for way in (QUIET, CURRENT))
            line += f"; over T = 1 without noise in the output layer {quiet}, its current read {current}"
        lines.append(line)
    return "\n".join(lines)


def _with_share(effect: Effect, gain: Effect) -> str:
    """An effect, and which share of the gain it is, where there is a gain to speak of."""
    share = f" ({100 * effect.mean / gain.mean:.0f} %)" if gain.interval[0] > 0 else ""
    return f"{effect.shown()}{share}"


def asked_more(nets: dict[str, Comparison]) -> list[Run]:
    """The runs of the first net of each network and readout, on images as they are and varied: asked all questions."""
    kinds: dict[bool, list[Run]] = {False: [], True: []}
    for run in (run for runs in _arms(nets) for run in runs):
        kinds[run.spec.recipe.augment == "none"].append(run)
    return [run for runs in kinds.values() for run in first_nets(runs, "network", "readout")]


def _arms(nets: dict[str, Comparison]) -> Iterator[list[Run]]:
    return (runs for arms in nets.values() for runs in arms.values())


def _ways(
    nets: dict[str, Comparison], evaluation: Conversion
) -> Iterator[tuple[list[Run], dict[str, dict[str, Conversion]]]]:
    """Each net's runs, and how they are evaluated, by who wins ties and by inference.

    Currents read at the end hardly ever tie, and ties of one layer without noise are broken in one way.
    """
    more = asked_more(nets)
    for runs in _arms(nets):
        first = evaluation.changed(ties=FIRST)
        found = {FIRST: {NOISE: first}}
        if runs[0] in more:
            found[FIRST][CONSTANT] = first.at_mean
            if runs[0].spec.readout == "spikes":
                found[FIRST][QUIET] = first.changed(output="quiet", timesteps=1)
                found[FIRST][CURRENT] = first.changed(output="current")
                found[RANDOM] = {way: found[FIRST][way].changed(ties=RANDOM) for way in (NOISE, CONSTANT)}
        yield runs, found
