"""The runs beyond the paper: single-step nets, each with a ReLU net of the same architecture and seed beside it."""

from __future__ import annotations

from collections.abc import Sequence

from snnlib.checks import InputError, one_of
from snnlib.experiments.evidence import exceeds
from snnlib.runs.preset import Preset
from snnlib.runs.run import Run

NOTEBOOK = "beyond"
CONVERTED, ANN = "converted net", "ReLU net"
SAME = ("dataset", "network", "width")

Pair = tuple[Run, Run]  # single-step, ReLU


def needed(preset: Preset) -> list[Pair]:
    """The preset's pairs of a single-step and a ReLU net, by seed, trained or not.

    Raises:
        InputError: another kind of net, a single-step net without noise, nets that differ in data set, network or
            width, or seeds that are not the same in both kinds, each once.
    """
    runs, where = preset.runs(NOTEBOOK), f"preset {preset.name}, notebook {NOTEBOOK}"
    kinds: dict[str, dict[int, Run]] = {"single_step": {}, "relu": {}}
    seeds: dict[str, list[int]] = {kind: [] for kind in kinds}
    for run in runs:
        spec, first = run.spec, runs[0].spec
        kind = spec.dynamics.kind
        one_of(f"{where}, {spec.name}: dynamics", kind, kinds)
        if kind == "single_step" and spec.noise == "none":
            raise InputError(f"{where}, {spec.name}: noise = none: a single_step net must be trained with noise")
        for name in SAME:
            found, wanted = getattr(spec, name), getattr(first, name)
            if found != wanted:
                raise InputError(f"{where}, {spec.name}: {name} = {found}: must be {wanted}, as in its first run")
        kinds[kind][spec.seed] = run
        seeds[kind].append(spec.seed)
    ours, theirs = (sorted(numbers) for numbers in seeds.values())
    if not ours or ours != theirs or len(set(ours)) < len(ours):
        raise InputError(f"{where}: seeds = {ours} of single_step, {theirs} of relu: must be the same, each once")
    return [(kinds["single_step"][seed], kinds["relu"][seed]) for seed in ours]


def above_zero(values: Sequence[float]) -> str:
    """Whether a difference is above 0 by two standard errors over training seeds: yes, unclear or no, in words."""
    return exceeds("", values, 0).says if len(values) > 1 else "one seed cannot tell"
