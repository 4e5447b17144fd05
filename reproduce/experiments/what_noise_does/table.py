"""Controls of noise: nets trained with noise or with its mean in its place, each run in either way, at T = 1 and later.

Training without noise as Eq. 4 has it takes two things away at once, the spread of the noise and its mean 1/2. With the
constant 1/2 in place of the noise only the spread is gone.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import pandas as pd

from reproduce.experiments.contrasts import Side, contrast
from reproduce.experiments.effects import Effect
from reproduce.experiments.nets import named
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.titles import net_title
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import predictions
from reproduce.runs.run import Run

NOTEBOOK = "what_noise_does"
NOISE, CONSTANT, NONE = TRAINED = ("gaussian", "constant", "none")  # `Spec.noise` of ours and of its controls
AT_MEAN, STEP_2, STEP_3, AS_LIF, EQ_4 = INFERENCE = ("constant 1/2", "step 2", "step 3", "LIF", "Eq. 4")
# Arms of each readout, spikes and potential: trained with noise, with the constant, without either.
ARMS = (("ours", "constant", "no_noise"), ("potential", "constant_potential"))


@dataclass(frozen=True)
class Way:
    """How a net was trained and is run, at which T."""

    noise: str  # of `TRAINED`
    inference: str  # of `INFERENCE`
    timesteps: int


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of the controls, each net with either readout."""
    must = ("ours", "potential", "constant", "constant_potential")
    return preset.comparison(NOTEBOOK, must=must, may=("no_noise",))


def evaluations(preset: Preset, run: Run) -> dict[str, Evaluation]:
    """The ways in which a run is run, by name (`INFERENCE`)."""
    if run.spec.noise == NONE:
        as_trained, as_lif = preset.evaluations(run)
        return {EQ_4: as_trained, AS_LIF: as_lif}
    if run.spec.noise == CONSTANT:
        return dict(zip((AT_MEAN, AS_LIF, STEP_2, STEP_3), preset.evaluations(run), strict=True))
    e = preset.evaluation
    return {AT_MEAN: e.at_mean, STEP_2: e.changed(alpha=math.inf), STEP_3: e}


def accuracies(preset: Preset) -> pd.DataFrame:
    """Accuracy of every net in every way at every T; trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then inference (of `INFERENCE`), noise_seed, timesteps, accuracy, tied,
        silent (fractions, of `predict`).
    """
    tables = []
    for arms in compared(preset).values():
        for run in (run for runs in arms.values() for run in runs):
            columns = run.spec.columns()
            for inference, evaluation in evaluations(preset, run).items():
                table = predictions(run, evaluation).table.assign(inference=inference)
                tables.append(table[[*columns, "inference", *(c for c in table if c not in {*columns, "inference"})]])
    return pd.concat(tables, ignore_index=True)


def pairs(last: int) -> dict[str, tuple[Way, Way]]:
    """What is compared, the one way less the other, in words."""
    ours, alone, plain = Way(NOISE, STEP_3, last), Way(NOISE, AT_MEAN, 1), Way(CONSTANT, AT_MEAN, 1)
    return {
        f"T = {last} over T = 1, with noise": (ours, Way(NOISE, STEP_3, 1)),
        f"T = {last} over T = 1 without noise at inference": (ours, alone),
        "taking the noise away at T = 1": (alone, Way(NOISE, STEP_2, 1)),
        f"the memory of step 3 over step 2, T = {last}": (ours, Way(NOISE, STEP_2, last)),
        "noise in training, T = 1 without noise at inference": (alone, plain),
        "taking the noise away at T = 1 from a net trained without": (plain, Way(CONSTANT, STEP_2, 1)),
        f"ours at T = {last} over a net trained with 1/2, as it is": (ours, plain),
        f"ours at T = {last} over a net trained with 1/2, step 3": (ours, Way(CONSTANT, STEP_3, last)),
        f"ours at T = {last} over a net trained with 1/2, as LIF": (ours, Way(CONSTANT, AS_LIF, last)),
        f"ours at T = {last} over a net trained by Eq. 4, as it is": (ours, Way(NONE, EQ_4, 1)),
        f"ours at T = {last} over a net trained by Eq. 4, as LIF": (ours, Way(NONE, AS_LIF, last)),
    }


def contrasts(preset: Preset) -> pd.DataFrame:
    """The `pairs` of each net and readout, in points.

    Returns:
        Columns `NET`, then those of the one `Way` and, after other_, of the other, then
        those of `contrast`.
    """
    tables = []
    for arms in compared(preset).values():
        for names in ARMS:
            trained = {arms[name][0].spec.noise: arms[name] for name in names if name in arms}
            for one, other in pairs(preset.evaluation.timesteps).values():
                if other.noise in trained:
                    table = contrast(*(_side(preset, trained[way.noise], way) for way in (one, other)))
                    ways = asdict(one) | {f"other_{name}": value for name, value in asdict(other).items()}
                    tables.append(named(trained[NOISE][0], table, *NET, **ways))
    return pd.concat(tables, ignore_index=True)


def _side(preset: Preset, runs: list[Run], way: Way) -> Side:
    return Side(runs, evaluations(preset, runs[0])[way.inference], way.timesteps)


def between(table: pd.DataFrame, one: Way, other: Way) -> pd.DataFrame:
    """The rows of `contrasts` that compare these two."""
    right = pd.Series(True, table.index)
    for prefix, way in (("", one), ("other_", other)):
        for name, value in asdict(way).items():
            right &= table[f"{prefix}{name}"] == value
    return table[right]


def in_words(table: pd.DataFrame) -> str:
    """What noise does in training, what it costs at T = 1, what time wins back, net by net.

    Args:
        table: of `contrasts`, or its CSV.
    """
    lines = ["Points, ± half of the 95 % interval, of training seeds and of test images."]
    for net, rows in table.groupby(NET, sort=False):
        of = dict(zip(NET, net, strict=True))
        lines.append(f"{net_title(of)}, readout {of['readout']}:")
        for words, (one, other) in pairs(int(table.timesteps.max())).items():
            if len(found := between(rows, one, other)):
                lines.append(f"  {words}: {Effect.of(found).shown()}")
    return "\n".join(lines)
