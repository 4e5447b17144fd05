"""Accuracy at equal time: one net and one recipe for all, trained for as long as the paper's training takes.

Ours in one pass, of L = 1 and on rates, QCFS, and direct training at T = 4 with our neurons and with other libraries'.
Who takes longer for a step trains for fewer epochs: how many, the ratio of the steps says, which are timed in turns.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pandas as pd
from tqdm import tqdm

from reproduce.bench import peers
from reproduce.bench.contest import machine
from reproduce.bench.peer_neurons import with_peer
from reproduce.experiments.over_seeds import over_seeds, percent
from reproduce.experiments.record.table import compared
from reproduce.runs.preset import load_preset
from reproduce.runs.run import Run, build_for
from reproduce.runs.spec import Spec
from snnlib.baselines.ann_to_snn import to_spiking
from snnlib.checks import whole
from snnlib.conversion import convert_exact
from snnlib.data.sets import Dataset, Split
from snnlib.network import Spiking
from snnlib.rate import integrated
from snnlib.store.markdown import lines as markdown_lines
from snnlib.training.evaluation import accuracy_over_time
from snnlib.training.loop import State, initial_state, one_epoch, train_epochs
from snnlib.training.measure import seconds

EPOCHS, SEEDS = 8, 3  # of the paper's training; all others' follow
STEPS = 8  # of a turn
TIMESTEPS, NOISE_SEEDS = 10, (0, 1, 2)  # of evaluation
SHOWN = (1, 4, 10)  # T
BASE = "the paper's training"


@dataclass(frozen=True)
class Side:
    """Who is trained, and how it runs afterwards.

    Args:
        arm: of preset cpu's `record_narrow`, whose net and recipe all have.
        runs_as: what spikes, of the trained net.
        peer: whose neurons it has; ours if empty.
    """

    who: str
    arm: str
    runs_as: Callable[[Spiking], Spiking] = lambda net: net
    peer: str = ""

    def net(self, spec: Spec) -> Spiking:
        net = build_for(spec)
        return with_peer(net, self.peer) if self.peer else net


def _if_net(net: Spiking) -> Spiking:
    return to_spiking(net, v_init=0.5)


OURS = (
    Side(BASE, "potential", convert_exact),
    Side("rates of L = 4 steps", "rate4", integrated),
    Side("the same, U = ½ as in QCFS", "half4", integrated),
    Side("QCFS, L = 4", "qcfs", _if_net),
    Side("direct training, T = 4", "direct4_short"),
)


def sides() -> list[Side]:
    """Ours, and the peers that are installed."""
    direct = OURS[-1]
    return [*OURS, *(replace(direct, who=f"{direct.who}, {peer}", peer=peer) for peer in peers.installed())]


def specs(preset: str = "cpu", net: str = "record_narrow", epochs: int = EPOCHS) -> dict[str, Spec]:
    """What each arm trains, by arm; on all training images, since nothing is chosen by what comes out."""
    arms = {side.arm for side in OURS}
    runs = compared(load_preset(preset))[net].items()
    return {arm: _changed(found[0].spec, epochs, hold_out=0) for arm, found in runs if arm in arms}


def step_seconds(taking_part: Sequence[Side], of: dict[str, Spec], rounds: int = 7) -> pd.DataFrame:
    """Seconds of a step of training, in rounds in which each side has a turn of `STEPS`, after one to warm up.

    Args:
        of: the spec of each side's arm.

    Returns:
        Columns round, who, seconds.

    Raises:
        InputError: fewer than three rounds.
    """
    whole("rounds", rounds, least=3)
    of = {arm: _changed(spec, epochs=rounds + 1) for arm, spec in of.items()}
    data = Run(of[taking_part[0].arm]).data("cpu")
    size = STEPS * of[taking_part[0].arm].recipe.batch_size
    few = replace(data, train=Split(data.train.images[:size], data.train.labels[:size]))
    states = {side: initial_state(side.net(of[side.arm]), few, of[side.arm].recipe) for side in taking_part}
    rows = []
    for n in tqdm(range(rounds + 1), desc="steps, in turns"):
        for side in random.Random(n).sample(taking_part, len(taking_part)):
            took = _turn(states[side], few, of[side.arm])
            if n:
                rows.append((n, side.who, took / STEPS))
    return pd.DataFrame(rows, columns=["round", "who", "seconds"])


def _turn(state: State, data: Dataset, spec: Spec) -> float:
    """Seconds of an epoch of so few images."""
    with spec.recipe.execution():
        return seconds(
            lambda: list(one_epoch(state, data, spec.recipe, spec.timesteps, spec.seed)), data.train.images.device
        )


def epochs_of(steps: pd.DataFrame, epochs: int = EPOCHS) -> dict[str, int]:
    """For how many epochs each side is trained, one at least, in the time that `BASE` takes for so many.

    Args:
        steps: of `step_seconds`.
    """
    seconds = steps.groupby("who").seconds.median()
    return {who: max(1, round(epochs * seconds[BASE] / s)) for who, s in seconds.items()}


def accuracy(side: Side, spec: Spec, epochs: int, seed: int) -> pd.DataFrame:
    """Train a side and run it on the test set; of its last epoch.

    Returns:
        Columns who, seed, epochs, noise_seed, timesteps, accuracy (a fraction).
    """
    spec = _changed(spec, epochs, seed=seed)
    data = Run(spec).data("cpu")
    with spec.recipe.execution():
        state = initial_state(side.net(spec), data, spec.recipe)
        train_epochs(state, data, spec.recipe, timesteps=spec.timesteps, seed=seed, label=f"{side.who}, seed {seed}")
        found = accuracy_over_time(
            side.runs_as(state.model), data, TIMESTEPS, NOISE_SEEDS, precision=spec.recipe.precision
        )
    return found.assign(who=side.who, seed=seed, epochs=epochs)[
        ["who", "seed", "epochs", "noise_seed", "timesteps", "accuracy"]
    ]


def summary(steps: pd.DataFrame, accuracies: pd.DataFrame, images: int, batch: int) -> pd.DataFrame:
    """A row for each side and T.

    Args:
        steps: of `step_seconds`.
        accuracies: of `accuracy`, all sides and seeds.
        images: of an epoch.
        batch: images of a step.

    Returns:
        Columns who, step_ms (median over rounds), step_ratio (over `BASE`'s of the same round, median), epochs,
        minutes (of these steps), timesteps, accuracy (percent, mean over seeds), sd, seeds, rounds and the machine.
    """
    by_round = steps.pivot(index="round", columns="who", values="seconds")
    at = over_seeds(percent(accuracies, "who", "epochs", "timesteps")).reset_index()
    seconds = by_round.median()
    return at.rename(columns={"mean": "accuracy"}).assign(
        step_ms=at.who.map(1e3 * seconds),
        step_ratio=at.who.map(by_round.div(by_round[BASE], axis=0).median()),
        minutes=at.who.map(seconds) * (images // batch) * at.epochs / 60,
        rounds=len(by_round),
        **machine("cpu") | {"threads": "1"},
    )


def text(table: pd.DataFrame) -> str:
    """The summary for readers."""
    rows = []
    for who, found in table.groupby("who", sort=False):
        one, at = found.iloc[0], found.set_index("timesteps")
        reached = (f"{at.accuracy[t]:.1f} ± {at.sd[t]:.1f}" for t in SHOWN)
        took = (f"{one.step_ms:.0f} ({one.step_ratio:.2g}×)", str(one.epochs), f"{one.minutes:.1f}")
        rows.append((str(who), *took, *reached))
    head = ("training", "step, ms", "epochs", "minutes", *(f"T = {t}, %" for t in SHOWN))
    one = table.iloc[0]
    versions = ", ".join(f"{name} {one[name]}" for name in ("torch", "python", *peers.PEERS) if name in table)
    told = (
        f"*{one.device}, one thread; {versions}. A step: median of {one.rounds} rounds in which each has a "
        f"turn; minutes: of so many steps. Accuracy on the test set after the last epoch, mean ± sd of {one.seeds} "
        "training seeds.*"
    )
    return f"{markdown_lines(head, rows)}\n\n{told}\n"


def _changed(spec: Spec, epochs: int, **fields: object) -> Spec:
    recipe = {**spec.recipe.model_dump(), "epochs": epochs}
    return Spec(**{**spec.model_dump(), "recipe": recipe, **fields})
