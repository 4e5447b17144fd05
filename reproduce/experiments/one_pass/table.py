"""Accuracy over T of nets trained on the rates of L steps, run in each way, beside what they are between."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import pandas as pd

from reproduce.experiments.contrasts import COLUMNS, Side, contrast
from reproduce.experiments.fig3_4_training_time.cost import step_seconds
from reproduce.experiments.nets import named
from reproduce.experiments.over_seeds import NET
from reproduce.runs.arms import LEVELS
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import Integrated, Phased, Pipelined
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run, default_device

NOTEBOOK = "one_pass"
# All layers step together; so too, but the first `WARM_UP` outputs do not count; each layer waits; an ANN has no steps.
SPIKING, WARMED, PIPELINED, AT_ONCE = ("spiking", "spiking, first outputs dropped", "pipelined", "at once")
WARM_UP = 2
AT = (1, 2, 4, 6, 8, 10)  # T, as far as the preset goes
# Names of arms: what is trained, with random phases and with U = 1/2, and their other start of batch norm.
RANDOM = {f"rate{levels}": levels for levels in LEVELS}
HALF = {f"half{levels}": levels for levels in LEVELS}
STARTS = {f"{arm}_start": arm for arm in (*RANDOM, "qcfs", "potential")}
OF_DIRECT = ("of_direct", "of_direct_q25", "of_direct_q75")  # columns of `costs`
SHORT = "rate4_short"
LONGER = ("rate4_longer", "rate4_then1", "rate4_in_time")  # or trained on after one of those
OPPONENTS = ("potential", "direct4_short", "qcfs", "relu")
ARMS = (*RANDOM, *HALF, *STARTS, SHORT, *LONGER, *OPPONENTS)
AGAINST = {  # who is held against whom, as they spike
    **{arm: ("potential", half) for arm, half in zip(RANDOM, HALF, strict=True)},
    "rate4": ("potential", "potential_start", "half4", "direct4_short"),
    SHORT: ("direct4_short",),
    "rate4_in_time": ("rate4_longer",),
}


def compared(preset: Preset) -> dict[str, Comparison]:
    """The preset's runs for the notebook, by net and arm."""
    return preset.comparison(NOTEBOOK, must=("potential",), may=ARMS)


def steps(preset: Preset, timesteps: Sequence[int] = AT) -> list[int]:
    """The T at which nets are compared: these, as far as the preset goes."""
    return [t for t in timesteps if t <= preset.evaluation.timesteps]


def evaluations(preset: Preset, run: Run, timesteps: Sequence[int] = AT) -> list[tuple[str, Evaluation]]:
    """The ways in which a run is evaluated (`SPIKING` and so on): each is one run in time, or for `PIPELINED` one T.

    Args:
        timesteps: of which it is one, as far as the preset goes.
    """
    e = preset.evaluation
    # Phases differ from image to image, so thousands of images average over them in one run.
    shared = {"noise_seeds": e.noise_seeds[:1], "batch_size": e.batch_size}
    match run.spec.dynamics.kind:
        case "rate":
            spiking = Integrated(timesteps=e.timesteps, **shared)
            pipelined = [(PIPELINED, Pipelined(levels=t, **shared)) for t in steps(preset, timesteps)]
            return [(SPIKING, spiking), (WARMED, spiking.changed(warm_up=WARM_UP)), *pipelined]
        case "single_step":
            return [(SPIKING, Phased(timesteps=e.timesteps, **shared))]
        case "relu":
            return [(AT_ONCE, preset.evaluations(run)[0])]
        case "qcfs":  # on all images, as the nets that it is compared with
            return [(SPIKING, preset.evaluations(run)[-1].changed(tested=None))]
    return [(SPIKING, preset.evaluations(run)[-1])]


def accuracies(
    preset: Preset,
    nets: dict[str, Comparison] | None = None,
    timesteps: Sequence[int] = AT,
    ways: Callable[[Preset, Run, Sequence[int]], list[tuple[str, Evaluation]]] = evaluations,
) -> pd.DataFrame:
    """Accuracy of every net in every way at each T; trains what is missing.

    Args:
        nets: by net and arm; those of the notebook if not given.
        timesteps: T at which nets are compared, as far as the preset goes.
        ways: in which a run is evaluated.

    Returns:
        The runs' columns (`Spec.columns`), then arm, way, noise_seed, timesteps (T of the net, or of each layer of a
        pipelined one; inf for an ANN), accuracy (a fraction).
    """
    tables = []
    for arms in (compared(preset) if nets is None else nets).values():
        for arm, runs in arms.items():
            for run in runs:
                for way, evaluation in ways(preset, run, timesteps):
                    table = accuracy(run, evaluation)
                    table.insert(len(run.spec.columns()), "arm", arm)
                    table.insert(len(run.spec.columns()) + 1, "way", way)
                    if way == PIPELINED:
                        table["timesteps"] = evaluation.levels
                    if way == AT_ONCE:
                        table["timesteps"] = math.inf
                    tables.append(table[table.timesteps.isin((*steps(preset, timesteps), math.inf))])
    return pd.concat(tables, ignore_index=True)


def over_others(preset: Preset, timesteps: Sequence[int] = AT) -> pd.DataFrame:
    """What nets trained on rates are above those of `AGAINST`, in points, all of them spiking.

    Returns:
        Columns `NET`, arm, other_arm, timesteps, then those of `contrast`.
    """
    tables = []
    for arms in compared(preset).values():
        for arm, others in AGAINST.items():
            for other in others:
                if arm not in arms or other not in arms:
                    continue
                for t in steps(preset, timesteps):
                    table = contrast(_spiking(preset, arms[arm], t), _spiking(preset, arms[other], t))
                    tables.append(named(arms[arm][0], table, *NET, arm=arm, other_arm=other, timesteps=t))
    nothing = pd.DataFrame(columns=[*NET, "arm", "other_arm", "timesteps", *COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else nothing


def _spiking(preset: Preset, runs: Sequence[Run], timesteps: int) -> Side:
    return Side(runs, dict(evaluations(preset, runs[0]))[SPIKING], timesteps)


def costs(preset: Preset, repeats: int = 9) -> pd.DataFrame:
    """What a training step takes, all arms of a net in turn, and its epochs: training time in that of the paper's.

    Returns:
        The columns of the arm's first run, then arm, epochs, step_seconds (median), time (epochs times step, with those
        of the arm that it comes after; of ``potential``, the paper's training, 1: median of the ratios in each turn,
        so that a machine that gets slower changes little), of_direct, of_direct_q25, of_direct_q75 (the same of
        ``direct4_short``, with quartiles over the turns; nan without that arm).
    """
    rows = []
    for arms in compared(preset).values():
        firsts = {arm: runs[0].spec for arm, runs in arms.items()}
        specs = [*dict.fromkeys([*firsts.values(), *(spec.after for spec in firsts.values() if spec.after)])]
        data = arms["potential"][0].data(default_device())
        with firsts["potential"].recipe.execution():
            measured = step_seconds(specs, data, repeats)
        seconds = {spec: pd.Series(times) for spec, times in zip(specs, measured, strict=True)}
        own = {spec: seconds[spec] * spec.recipe.epochs for spec in specs}
        whole = {arm: own[spec] + (own[spec.after] if spec.after else 0.0) for arm, spec in firsts.items()}
        direct = whole.get("direct4_short", math.nan)
        rows += [
            {
                **spec.columns(), "arm": arm, "epochs": spec.recipe.epochs,
                "step_seconds": seconds[spec].median(), "time": (whole[arm] / whole["potential"]).median(),
                **dict(zip(OF_DIRECT, (whole[arm] / direct).quantile([0.5, 0.25, 0.75]), strict=True)),
            }
            for arm, spec in firsts.items()
        ]  # fmt: skip
    return pd.DataFrame(rows)
