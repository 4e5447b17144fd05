"""Table 2: accuracy and inference time of ours, of direct training and of ANN-to-SNN conversion, on the same nets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import pandas as pd

from snnlib.checks import InputError
from snnlib.experiments.over_seeds import ARCHITECTURE, over_seeds, percent
from snnlib.experiments.paper import TABLE2, TABLE2_DATASETS
from snnlib.experiments.table2_inference_time.claims import WITHIN
from snnlib.runs.evaluations import AnnConversion, AsTrained, Conversion, Evaluation
from snnlib.runs.preset import Comparison, Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, Spec

NOTEBOOK = "table2_inference_time"
OUR_TIMESTEPS = (5, 10)  # of the rows "Ours"
# What an arm is in the table.
METHODS = {
    "ours": "ours", "potential": "ours", "direct": "direct", "tuned": "tuned", "relu": "conversion", "qcfs": "qcfs",
}  # fmt: skip
ANN_ARMS = ("relu", "qcfs")
LINE = [*ARCHITECTURE, "readout", "training", "method", "variant"]
COLUMNS = [
    "source", "author", "method", "variant", *ARCHITECTURE, "readout", "inference_time", "timesteps",
    "accuracy_mean", "accuracy_sd", "seeds", "runs",
]  # fmt: skip


def compared(preset: Preset) -> dict[str, Comparison]:
    """The preset's runs for the table, by net and arm, trained or not.

    Raises:
        InputError: a net that lacks ours or an opponent, or too few time steps for ours. Where some net has them all,
            another may have just ours and direct training, which costs so much that a preset may have it narrower.
    """
    nets = preset.comparison(NOTEBOOK, must=("ours",), may=tuple(METHODS))
    where = f"preset {preset.name}, notebook {NOTEBOOK}"
    if preset.evaluation.timesteps < max(OUR_TIMESTEPS):
        found = preset.evaluation.timesteps
        raise InputError(f"{where}, evaluation.timesteps = {found}: must be at least {max(OUR_TIMESTEPS)}")
    lacking = {net: [arm for arm in ANN_ARMS if arm not in arms] for net, arms in nets.items()}
    for net, arms in nets.items():
        beside = "direct" in arms and len(lacking[net]) == len(ANN_ARMS) and not all(lacking.values())
        if lacking[net] and not beside:
            missing = " and ".join(lacking[net])
            raise InputError(f"{where}, net {net}: has no arm {missing}; must have ours, {' and '.join(ANN_ARMS)}")
    return nets


def accuracy_by_method(preset: Preset) -> pd.DataFrame:
    """Accuracy of everything at every T; trains and evaluates what the run store does not hold.

    Returns:
        The runs' columns, then method (ours, direct, tuned, conversion, qcfs; ann at timesteps = 1 is the net
        before it was converted), variant, noise_seed, timesteps, accuracy (a fraction).
    """
    tables = []
    for arm, run in members(compared(preset)):
        for evaluation in preset.evaluations(run):
            method, variant = label(arm, run.spec, evaluation)
            table = accuracy(run, evaluation).assign(method=method, variant=variant)
            tables.append(table[[*run.spec.columns(), "method", "variant", "noise_seed", "timesteps", "accuracy"]])
    return pd.concat(tables, ignore_index=True)


def members(nets: dict[str, Comparison]) -> Iterator[tuple[str, Run]]:
    """Every run with its arm, net by net."""
    for arms in nets.values():
        for arm, runs in arms.items():
            yield from ((arm, run) for run in runs)


def label(arm: str, spec: Spec, evaluation: Evaluation) -> tuple[str, str]:
    """Method and variant of an evaluation of an arm's run."""
    found = METHODS[arm]
    levels = f"L = {getattr(spec.dynamics, 'levels', '')}"
    match evaluation:
        case Conversion():
            return found, f"{spec.noise} noise, alpha {evaluation.alpha:g}"
        case AnnConversion():
            start = f"V(0) = {Fraction(evaluation.v_init).limit_denominator(100)}"
            limit = "maximum" if evaluation.percentile == 100 else f"percentile {evaluation.percentile:g}"
            return found, f"{levels if found == 'qcfs' else limit}, {start}"
        case AsTrained() if found in ("conversion", "qcfs"):
            return "ann", "ReLU" if found == "conversion" else f"QCFS, {levels}"
    return found, f"at T = {spec.timesteps}"


def by_line(table: pd.DataFrame) -> pd.DataFrame:
    """The lines of table and picture: accuracy in percent at each T, over training seeds, and the runs behind it.

    Returns:
        Columns `LINE`, timesteps, accuracy_mean, accuracy_sd (nan for one seed), seeds, runs (their names, joined by
        a space).
    """
    names = table.groupby(LINE, sort=False).run.agg(lambda run: " ".join(sorted(set(run)))).rename("runs")
    found = over_seeds(percent(table, *LINE, "timesteps"))
    found = found.set_axis(["accuracy_mean", "accuracy_sd", "seeds"], axis=1).join(names).reset_index()
    number = found.groupby(LINE, sort=False).ngroup()
    return found.assign(line=number).sort_values(["line", "timesteps"], ignore_index=True).drop(columns="line")


def printed_rows() -> pd.DataFrame:
    """The paper's rows, one for each accuracy that it prints; columns as in `table2`.

    "50/100" stands before two accuracies, which take one each, in this order.
    """
    rows = []
    for author, how, time, *accuracies in TABLE2:
        given = [(d, float(a.rstrip("%"))) for d, a in zip(TABLE2_DATASETS, accuracies, strict=True) if a != "-"]
        times = time.split("/") if "/" in time else [time] * len(given)
        for (dataset, value), t in zip(given, times, strict=True):
            row = {"source": "paper", "author": author, "method": how, "variant": "as printed", "dataset": dataset}
            rows.append({**row, "inference_time": time, "timesteps": int(t), "accuracy_mean": value})
    return pd.DataFrame(rows).reindex(columns=COLUMNS).astype({"seeds": "Int64"})


def table2(table: pd.DataFrame) -> pd.DataFrame:
    """The paper's rows, then the measured ones, at powers of two, 5 and 10.

    Returns:
        Columns source ("paper" or "measured"), author, method, variant, dataset, network, width, readout,
        inference_time (as printed), timesteps, accuracy_mean, accuracy_sd (percent, over training seeds), seeds, runs
        (names of the measured ones, joined by a space).
    """
    measured = by_line(table)
    measured = measured[power_of_two(measured.timesteps) | measured.timesteps.isin(OUR_TIMESTEPS)]
    measured = measured.assign(source="measured", author="snnlib", inference_time=measured.timesteps.map(str))
    return pd.concat([printed_rows(), measured[COLUMNS].astype({"seeds": "Int64"})], ignore_index=True)


def speedup(table: pd.DataFrame) -> pd.DataFrame:
    """How many steps a conversion needs to come within `WITHIN` points of ours, or above, for each T of ours.

    ``steps_needed`` is the first recorded T at which it does, in the mean over seeds; ``steps_to_stay`` the first
    from which it does at every later recorded T too; ``steps_least`` and ``steps_most`` are the first T of its
    quickest and slowest seed, against the same mean of ours. Empty if there is none up to ``last_timesteps``.

    Returns:
        Columns dataset, network, width, readout and our_variant (of ours), our_timesteps, our_accuracy (percent),
        opponent ("conversion" or "qcfs"), variant, ann_accuracy (percent, before conversion), last_timesteps,
        within_points, steps_needed, steps_to_stay, steps_least, steps_most, seeds (of the opponent), our_runs and
        opponent_runs (the names of both sides' runs, joined by a space), step_factor = steps_needed / our_timesteps,
        and best: whether no other variant of this opponent does it in fewer steps.
    """
    rows = []
    by_seed = percent(table, *LINE, "timesteps").unstack("seed")
    for net, lines in by_line(table).groupby(ARCHITECTURE, sort=False):
        ann = lines[lines.method == "ann"].set_index("training").accuracy_mean
        ours = lines[(lines.method == "ours") & lines.timesteps.isin(OUR_TIMESTEPS)]
        opponents = lines[lines.method.isin(["conversion", "qcfs"])].groupby(["method", "variant"], sort=False)
        for our in ours.itertuples():
            for (opponent, variant), line in opponents:
                enough = our.accuracy_mean - WITHIN - 1e-9
                near = line.set_index("timesteps").accuracy_mean >= enough
                seeds = by_seed.loc[tuple(line[LINE].iloc[0])].sort_index().dropna(axis=1) >= enough
                firsts = [_first(seed) for _, seed in seeds.items()]
                rows.append({
                    **dict(zip(ARCHITECTURE, net, strict=True)), "readout": our.readout, "our_variant": our.variant,
                    "our_timesteps": our.timesteps, "our_accuracy": our.accuracy_mean,
                    "opponent": opponent, "variant": variant, "ann_accuracy": ann[line.training.iloc[0]],
                    "last_timesteps": near.index.max(), "within_points": WITHIN,
                    "steps_needed": _first(near), "steps_to_stay": _first(near[::-1].cummin()[::-1]),
                    "steps_least": min(firsts), "steps_most": max(firsts), "seeds": len(firsts),
                    "our_runs": our.runs, "opponent_runs": line.runs.iloc[0],
                })  # fmt: skip
    steps = ["steps_needed", "steps_to_stay", "steps_least", "steps_most"]
    found = pd.DataFrame(rows).replace(dict.fromkeys(steps, math.inf), pd.NA).astype(dict.fromkeys(steps, "Int64"))
    found["step_factor"] = found.steps_needed / found.our_timesteps
    ranked = found.sort_values(["steps_needed", "steps_to_stay"], kind="stable")  # empty ones last
    best = ranked.groupby([*ARCHITECTURE, "readout", "our_variant", "our_timesteps", "opponent"]).head(1).index
    found["best"] = found.index.isin(best)
    return found


def thinned(table: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """The curves that a picture needs: T up to 16, powers of two, the last, and each T that `speedup` ``found``."""
    named = pd.concat([found.steps_needed, found.steps_to_stay]).dropna()
    last = table.groupby([*LINE, "seed"]).timesteps.transform("max")
    t = table.timesteps
    return table[(t <= 16) | power_of_two(t) | (t == last) | t.isin(named)].reset_index(drop=True)


def _first(reached: pd.Series) -> float:
    """The first T at which it is reached, inf if it never is."""
    return reached.idxmax() if reached.any() else math.inf


def power_of_two(t: pd.Series) -> pd.Series:
    """Where T is one of 1, 2, 4, 8, ..."""
    return (t & (t - 1)) == 0
