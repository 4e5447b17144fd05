"""Figure 5: what alpha of Eq. 9 does to accuracy and to the terms of Eq. 6 (Sec. 3.3)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from torch import Tensor

from reproduce.experiments import eq6_terms
from reproduce.experiments.contrasts import Side, combination, contrast
from reproduce.experiments.fig5_alpha.claims import (
    ALPHA,
    FIRST,
    GAIN,
    LAST,
    LOSSLESS_AT,
    NO_NOISE,
    OFF,
    SHORT,
)
from reproduce.experiments.nets import by_net, first_nets, named
from reproduce.experiments.over_seeds import NET
from reproduce.experiments.titles import TITLES
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import simulate
from snnlib.training.evaluation import calibration_images
from snnlib.training.seeds import stream

NOTEBOOK = "fig5_alpha"
ALPHAS = (NO_NOISE, 2.5, ALPHA, 8.0, math.inf)  # the last is step 2

# What Eqs. 8-9 measure hardly changes from the second step on, nor with more images than these.
IMAGES, TIMESTEPS = 100, 3


def compared(preset: Preset) -> dict[str, Comparison]:
    """The runs of Figure 5, by net and arm. Without one of `ALPHA_NETWORKS`, its claims stay open."""
    return preset.comparison(NOTEBOOK, must=("ours",), may=("potential", "uniform", "uniform_potential"))


def our_runs(nets: dict[str, Comparison]) -> list[Run]:
    """Those of arm ours of the first net of each network, which are run at every alpha."""
    return first_nets((run for arms in nets.values() for run in arms["ours"]), "network")


def accuracy_by_alpha(runs: Iterable[Run], evaluation: Conversion, alphas: Sequence[float] = ALPHAS) -> pd.DataFrame:
    """Accuracy at every T and alpha; trains what is missing.

    Returns:
        The runs' columns (`Spec.columns`), then alpha, noise_seed, timesteps, accuracy (a fraction).
    """
    tables = []
    for run in runs:
        for alpha in alphas:
            table = accuracy(run, evaluation.changed(alpha=alpha))
            table.insert(len(run.spec.columns()), "alpha", alpha)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def losses(nets: dict[str, Comparison], evaluation: Conversion) -> pd.DataFrame:
    """What conversion adds: step 3 over step 2 with the same noise seeds, in points, of every net and arm.

    At `LOSSLESS_AT`, as far as nets are run so long, and at the last T.

    Returns:
        Columns `NET`, noise, timesteps, then those of `contrast`.
    """
    step_2, tables, last = evaluation.changed(alpha=math.inf), [], evaluation.timesteps
    steps = sorted({last, *(t for t in LOSSLESS_AT if t <= last)})
    for arms in nets.values():
        for runs in arms.values():
            for t in steps:
                table = contrast(Side(runs, evaluation, t), Side(runs, step_2, t))
                tables.append(named(runs[0], table, timesteps=t))
    return pd.concat(tables, ignore_index=True)


def effects(nets: dict[str, Comparison], evaluation: Conversion, alphas: Sequence[float] = ALPHAS) -> pd.DataFrame:
    """What alpha does to `our_runs`, in points.

    Returns:
        Columns `NET`, noise, alpha, effect, then those of `contrast`. The effect is `GAIN`,
        from T = 1 to 10, or to the last T if nets are not run so long; `SHORT`, by how much that is less than half of
        the gain at alpha = 4; or `OFF`, accuracy at T = 10, or that last T, over that at alpha = 4.
    """
    tables, steps = [], (FIRST, min(LAST, evaluation.timesteps))
    for runs in by_net(our_runs(nets)).values():
        usual = [Side(runs, evaluation.changed(alpha=ALPHA), t) for t in steps]
        for alpha in alphas:
            first, last = (Side(runs, evaluation.changed(alpha=alpha), t) for t in steps)
            found = {
                GAIN: contrast(last, first),
                SHORT: combination((0.5, usual[1]), (-0.5, usual[0]), (-1, last), (1, first)),
                OFF: contrast(last, usual[1]),
            }
            tables += [named(runs[0], table, alpha=alpha, effect=effect) for effect, table in found.items()]
    return pd.concat(tables, ignore_index=True)


def term_spreads(runs: Iterable[Run], evaluation: Conversion, alphas: Sequence[float] = ALPHAS) -> pd.DataFrame:
    """What the terms of Eq. 6 really are at each alpha, in each layer, on training images.

    Returns:
        The runs' columns, then alpha, layer, term (`eq6_terms`), mean, sd (in units of the threshold).
    """
    tables = []
    for run, alpha, model, images in _converted(runs, evaluation, alphas):
        recorded = eq6_terms.record(model, images, stream(0, "evaluation", device=images.device), TIMESTEPS)
        found = eq6_terms.moments(recorded)[["layer", "term", "mean", "sd"]]
        tables.append(found.assign(**run.spec.columns(), alpha=alpha)[[*run.spec.columns(), "alpha", *found]])
    return pd.concat(tables, ignore_index=True)


def memory_told(spreads: pd.DataFrame) -> str:
    """`term_spreads` in words, a line for each network: how wide the memory is beside the noises.

    At alpha = 4, or at that which is nearest to it.
    """
    alpha = min(spreads.alpha.unique(), key=lambda alpha: abs(alpha - ALPHA))
    sd = spreads[spreads.alpha == alpha].groupby([*NET, "term", "layer"], sort=False).sd.mean()  # over training seeds
    lines = []
    for net, of_net in sd.groupby(NET, sort=False):
        terms = of_net.droplevel(NET)
        memory = terms[eq6_terms.POTENTIAL]
        others = ", ".join(f"{term} {terms[term].mean():.3f}" for term in (eq6_terms.RESIDUAL, eq6_terms.NOISE))
        lines.append(
            f"{TITLES[net[1]]}, α = {alpha:g}: standard deviation of {eq6_terms.POTENTIAL} {memory.mean():.3f} "
            f"(layers {memory.min():.3f} to {memory.max():.3f}), {others}"
        )
    return "\n".join(lines)


def firing_again(runs: Iterable[Run], evaluation: Conversion, alphas: Sequence[float] = ALPHAS) -> pd.DataFrame:
    """How often the last layer's neurons that fire at t = 1 fire again at t = 2, mean over training seeds.

    Returns:
        A row for each network, a column for each alpha: the share of t = 1's spikes, on training images; nan if
        there were none.
    """
    nets = _converted(runs, evaluation, alphas)
    rows = [(run.spec.network, alpha, _firing_again(model, images)) for run, alpha, model, images in nets]
    table = pd.DataFrame(rows, columns=["network", "alpha", "share"])
    return table.groupby(["network", "alpha"], sort=False).share.mean().unstack("alpha", sort=False)


def _converted(
    runs: Iterable[Run], evaluation: Conversion, alphas: Sequence[float]
) -> Iterator[tuple[Run, float, Spiking, Tensor]]:
    """Each run converted with each alpha, with the training images to look at it on; on the run's threads."""
    for run in runs:
        ensure(run.spec)
        images = calibration_images(run.data(), IMAGES)
        with run.spec.recipe.execution():
            for alpha in alphas:
                yield run, alpha, evaluation.changed(alpha=alpha).network(run), images


def _firing_again(model: Spiking, images: Tensor) -> float:
    spikes = []
    *_, (_, last) = model.neurons()

    def observe(neuron: Neuron, t: int, s: Tensor, v: Tensor | None) -> None:
        if neuron is last:
            spikes.append(s)

    for _ in simulate(model, images, stream(0, "evaluation", device=images.device), 2, observe=observe):
        pass
    first, second = spikes
    return second[first == 1].mean().item()
