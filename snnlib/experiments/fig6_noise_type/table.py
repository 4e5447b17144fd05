"""Figure 6: nets trained with Gaussian and with uniform noise, seed by seed (Sec. 3.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import pandas as pd

from snnlib.checks import InputError, one_of
from snnlib.experiments import eq6_terms
from snnlib.experiments.over_seeds import NET, at_timesteps
from snnlib.runs.evaluations import Conversion
from snnlib.runs.preset import Preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run, Spec
from snnlib.training.seeds import stream

NOTEBOOK = "fig6_noise_type"
NOISES = ("gaussian", "uniform")
DRAWS = 1_000_000


def needed(preset: Preset) -> list[Run]:
    """The runs of Figure 6, in pairs that differ in nothing but the noise.

    Raises:
        InputError: a data set and network without one of the two noises, or whose nets differ in
            anything else, the noise's range included, or in their seeds.
    """
    runs = preset.runs(NOTEBOOK)
    where = f"preset {preset.name}, {NOTEBOOK}"
    pairs: dict[tuple[str, str], dict[str, list[Spec]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        spec = run.spec
        one_of(f"{where}, {spec.label}: noise", spec.noise, NOISES)
        pairs[spec.dataset, spec.network][spec.noise].append(spec)
    for (dataset, network), arms in pairs.items():
        pair = f"{where}, {dataset} {network}"
        if set(arms) != set(NOISES):
            raise InputError(f"{pair}: noise = {', '.join(arms)}: must be {' and '.join(NOISES)}")
        ours, theirs = (sorted(map(_without_noise, arms[noise]), key=str) for noise in NOISES)
        _same(f"{pair}: seeds", [net["seed"] for net in ours], [net["seed"] for net in theirs])
        for a, b in zip(ours, theirs, strict=True):
            for field in a:
                _same(f"{pair}: {field}", a[field], b[field])
    return runs


def accuracies(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """Accuracy at T = 1 and at the last T; trains what is missing. A converted net keeps its noise's kind in N'.

    Returns:
        The runs' columns (`Spec.columns`), then noise_seed, timesteps, accuracy (a fraction).
    """
    table = pd.concat([accuracy(run, evaluation) for run in runs], ignore_index=True)
    return table[table.timesteps.isin([1, evaluation.timesteps])].reset_index(drop=True)


def noises(runs: Iterable[Run], evaluation: Conversion) -> pd.DataFrame:
    """N_noise, and N' after conversion, of the first net with each noise: kind, range and drawn standard deviation.

    The runs must be trained.
    """
    first = {run.spec.noise: run for run in reversed(list(runs))}
    rows = []
    for name in NOISES:
        dynamics = evaluation.network(first[name]).first.dynamics
        for term, noise in ((eq6_terms.NOISE, dynamics.noise), (eq6_terms.RESIDUAL, dynamics.residual)):
            sd = noise.sample((DRAWS,), stream(0, "noise")).std().item()
            rows.append((name, term, noise.kind, noise.low, noise.high, round(sd, 3)))
    return pd.DataFrame(rows, columns=["trained with", "term", "kind", "low", "high", "sd"])


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Accuracy with Gaussian noise minus that with uniform noise, in points, seed by seed.

    Returns:
        Indexed by data set, network, width, readout and seed; a column for each T.
    """
    at = at_timesteps(table, *NET, "noise")
    return at.xs("gaussian", level="noise") - at.xs("uniform", level="noise")


def _without_noise(spec: Spec) -> dict[str, Any]:
    """All fields of a spec, the seed first and its dynamics' beside them, but of the noise only the range."""
    fields = {"seed": spec.seed, **spec.model_dump(exclude={"dynamics"}), **spec.model_dump()["dynamics"]}
    noise = fields.pop("noise")
    return {**fields, "range of the noise": [noise["low"], noise["high"]]}


def _same(name: str, a: object, b: object) -> None:
    if a != b:
        raise InputError(f"{name} = {a} with {NOISES[0]}, {b} with {NOISES[1]}: must be the same")
