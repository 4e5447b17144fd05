"""Table 2: accuracy and inference time of ours, of direct training and of ANN-to-SNN conversion, on the same nets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import pandas as pd

from reproduce.experiments.contrasts import Side, contrast
from reproduce.experiments.nets import named
from reproduce.experiments.over_seeds import ARCHITECTURE, over_seeds, percent
from reproduce.experiments.paper import OUR_TIMESTEPS, TABLE2, TABLE2_DATASETS
from reproduce.experiments.table2_inference_time.claims import WITHIN
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsTrained, Conversion
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import accuracy, predictions
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError

NOTEBOOK = "table2_inference_time"
# What an arm is in the table.
METHODS = {
    "ours": "ours", "potential": "ours", "direct": "direct", "direct4": "direct", "direct2": "direct", "tuned": "tuned",
    "relu": "conversion", "qcfs": "qcfs",
}  # fmt: skip
OUR_ARMS, ANN_ARMS = ("ours", "potential"), ("relu", "qcfs")
ONCE = {"noise_seeds", "batch_size", "calibration"}  # of the ANN's own evaluation, as of its conversions
LINE = [*ARCHITECTURE, "readout", "training", "method", "variant"]
COLUMNS = [
    "source", "author", "method", "variant", *ARCHITECTURE, "readout", "inference_time", "timesteps",
    "accuracy_mean", "accuracy_sd", "seeds", "runs",
]  # fmt: skip


def compared(preset: Preset, timesteps: Sequence[int] = OUR_TIMESTEPS) -> dict[str, Comparison]:
    """The preset's runs for the table, by net and arm, trained or not.

    Args:
        timesteps: T of ours, as in all below.

    Raises:
        InputError: a net that lacks ours or an opponent, or too few time steps for ours. Where some net has them all,
            another may have no ANN: ours from other images, or narrower beside direct training, which costs so much.
    """
    nets = preset.comparison(NOTEBOOK, must=("ours",), may=tuple(METHODS))
    where = f"preset {preset.name}, notebook {NOTEBOOK}"
    if preset.evaluation.timesteps < max(timesteps):
        found = preset.evaluation.timesteps
        raise InputError(f"{where}, evaluation.timesteps = {found}: must be at least {max(timesteps)}")
    lacking = {net: [arm for arm in ANN_ARMS if arm not in arms] for net, arms in nets.items()}
    for net, arms_not_there in lacking.items():
        none_of_them = len(arms_not_there) == len(ANN_ARMS) and not all(lacking.values())
        if arms_not_there and not none_of_them:
            missing = " and ".join(arms_not_there)
            raise InputError(f"{where}, net {net}: has no arm {missing}; must have ours, {' and '.join(ANN_ARMS)}")
    return nets


def accuracy_by_method(
    preset: Preset, timesteps: Sequence[int] = OUR_TIMESTEPS, within: float = WITHIN
) -> pd.DataFrame:
    """Accuracy of everything at every T; trains and evaluates what the run store does not hold.

    A converted ANN goes on to the next of `Preset.stages` until it is ``within`` these points of ours at each of its
    ``timesteps``, with either readout, in the mean over seeds and seed by seed. Where the preset tests conversions on
    `Preset.ann_images` alone, theirs are as `on_all_images`.

    Returns:
        The runs' columns, then method (ours, direct, tuned, conversion, qcfs; ann at timesteps = 1 is the net
        before it was converted), variant, noise_seed, timesteps, accuracy (a fraction).
    """
    tables = []
    for arms in compared(preset, timesteps).values():
        target = _target(preset, arms, timesteps, within)
        for arm, runs in arms.items():
            for evaluation in preset.evaluations(runs[0]):
                method, variant = label(arm, runs[0].spec, evaluation)
                if isinstance(evaluation, AnnConversion):
                    evaluation = _long_enough(runs, evaluation, preset.stages, target)
                for run in runs:
                    table = on_all_images(run, evaluation).assign(method=method, variant=variant)
                    columns = [*run.spec.columns(), "method", "variant", "noise_seed", "timesteps", "accuracy"]
                    tables.append(table[columns])
    return pd.concat(tables, ignore_index=True)


def over_relu(preset: Preset, timesteps: Sequence[int] = OUR_TIMESTEPS) -> pd.DataFrame:
    """How many points ours, at its ``timesteps``, is above the ReLU net that is converted.

    Returns:
        Columns `NET`, noise, timesteps, then those of `contrasts.contrast`.
    """
    tables = []
    for arms in compared(preset, timesteps).values():
        if "relu" in arms:
            once = next(e for e in preset.evaluations(arms["relu"][0]) if isinstance(e, AsTrained))
            relu = Side(arms["relu"], once, 1)
            for side in _ours(preset, arms, timesteps):
                tables.append(named(side.runs[0], contrast(side, relu), timesteps=side.timesteps))
    return pd.concat(tables, ignore_index=True)


def _ours(preset: Preset, arms: Comparison, timesteps: Sequence[int]) -> Iterator[Side]:
    """Ours with each readout at each T."""
    for arm in OUR_ARMS:
        yield from (Side(arms[arm], preset.evaluation, t) for t in timesteps if arm in arms)


def _target(preset: Preset, arms: Comparison, timesteps: Sequence[int], within: float) -> np.ndarray:
    """The accuracies that a conversion is to come to: of each seed, and of their mean."""
    sides = np.array([side.right().mean(1).numpy() for side in _ours(preset, arms, timesteps)])  # [sides, seeds]
    return np.append(sides.max(0), sides.mean(1).max()) - within / 100 - 1e-9


def _long_enough(
    runs: list[Run], evaluation: AnnConversion, stages: tuple[int, ...], target: np.ndarray
) -> AnnConversion:
    """The evaluation at the first of the stages that comes to the target, else at the last."""
    for timesteps in stages:
        evaluation = evaluation.changed(timesteps=timesteps)
        tables = [on_all_images(run, evaluation) for run in runs]
        at = np.array([table.groupby("timesteps").accuracy.mean() for table in tables])  # [seeds, T]
        if (np.append(at.max(1), at.mean(0).max()) >= target).all():
            break
    return evaluation


def on_all_images(run: Run, evaluation: Evaluation) -> pd.DataFrame:
    """`accuracy`; of a converted ANN that was tested on the first images alone, what it would be on all.

    That is the ANN's own on all images, less what conversion loses on those (a control variate). It errs by the images
    on which the two differ, d of n: some 196 √d / n points (95 %), 0.6 with ten of 1,000, and not at all where the
    conversion is the ANN. Intervals over training seeds have that in them, as far as seeds differ by it.
    """
    table, tested = accuracy(run, evaluation), getattr(evaluation, "tested", None)
    if tested is None:
        return table
    right = predictions(run, AsTrained(timesteps=1, **evaluation.model_dump(include=ONCE))).right[0, 0].double()
    lost = right[:tested].mean().item() - table.accuracy
    return table.assign(accuracy=(right.mean().item() - lost).clip(0, 1))


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
            limit = "max-norm" if evaluation.percentile == 100 else f"{evaluation.percentile:g} %"
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


def table2(table: pd.DataFrame, timesteps: Sequence[int] = OUR_TIMESTEPS) -> pd.DataFrame:
    """The paper's rows, then the measured ones, at powers of two, at those of ours (5 and 10) and the last T.

    Returns:
        Columns source ("paper" or "measured"), author, method, variant, dataset, network, width, readout,
        inference_time (as printed), timesteps, accuracy_mean, accuracy_sd (percent, over training seeds), seeds, runs
        (names of the measured ones, joined by a space).
    """
    measured = by_line(table)
    t, last = measured.timesteps, measured.groupby(LINE, sort=False).timesteps.transform("max")
    measured = measured[power_of_two(t) | t.isin(timesteps) | (t == last)]
    measured = measured.assign(source="measured", author="snnlib", inference_time=measured.timesteps.map(str))
    return pd.concat([printed_rows(), measured[COLUMNS].astype({"seeds": "Int64"})], ignore_index=True)


def power_of_two(t: pd.Series) -> pd.Series:
    """Where T is one of 1, 2, 4, 8, ..."""
    return (t & (t - 1)) == 0
