"""The race of Figs. 3 and 4, the method against direct training: which runs compete, and that it is fair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from snnlib.checks import InputError
from snnlib.runs.run import Run, Spec


@dataclass(frozen=True)
class Pair:
    """The runs of one panel, each tuple by seed: the method, direct training, and both, one after the other."""

    ours: tuple[Run, ...]
    direct: tuple[Run, ...]
    tuned: tuple[Run, ...] = ()

    @property
    def arms(self) -> dict[str, tuple[Run, ...]]:
        """Those that have runs, by name."""
        arms = {"ours": self.ours, "direct": self.direct, "tuned": self.tuned}
        return {arm: runs for arm, runs in arms.items() if runs}


def pairs(runs: Iterable[Run], benchmark: Mapping[str, float]) -> list[Pair]:
    """Sort runs into pairs of data set and network, and refuse a race that is not fair. Nothing is trained.

    Args:
        runs: single-step nets ("ours"), LIF nets ("direct") and LIF nets trained `after` one of the first ("tuned").
        benchmark: accuracy to reach (a fraction), by network.

    Raises:
        InputError: a pair lacks an arm or a benchmark; a run belongs to no arm; or the first two arms differ in
            anything but dynamics and timesteps: width, readout, recipe, seeds.
    """
    found: dict[tuple[str, str], dict[str, list[Run]]] = {}
    for run in runs:
        arms = found.setdefault((run.spec.dataset, run.spec.network), {"ours": [], "direct": [], "tuned": []})
        arms[_arm(run.spec)].append(run)
    for (dataset, network), arms in found.items():
        where = f"{dataset}, {network}"
        for runs_of_arm in arms.values():
            runs_of_arm.sort(key=lambda run: run.spec.seed)
        if network not in benchmark:
            raise InputError(f"{where}: benchmark has no accuracy for {network}, only for {', '.join(benchmark)}")
        _check_fair(where, arms)
    return [Pair(**{arm: tuple(members) for arm, members in arms.items()}) for arms in found.values()]


def _arm(spec: Spec) -> str:
    match spec.dynamics.kind:
        case "lif":
            return "tuned" if spec.after else "direct"
        case "single_step" if spec.noise != "none" and spec.after is None:
            return "ours"
    raise InputError(f"{spec.label}: must be a single-step net with noise, a LIF net, or a LIF net after the first")


def tested_at(spec: Spec) -> int:
    """T at which this run's test_accuracy is."""
    return spec.timesteps if spec.dynamics.kind == "lif" else spec.recipe.test_timesteps


def _check_fair(where: str, arms: dict[str, list[Run]]) -> None:
    ours, direct, tuned = ([run.spec for run in arms[arm]] for arm in ("ours", "direct", "tuned"))
    seeds = [[spec.seed for spec in arm] for arm in (ours, direct)]
    for arm, found in zip(("ours (single_step)", "direct (lif)"), seeds, strict=True):
        if not found:
            raise InputError(f"{where}: no run for the arm {arm}; both must be there")
        if len(set(found)) < len(found):
            raise InputError(f"{where}: seeds = {found} for the arm {arm}: each must be there once")
    if seeds[0] != seeds[1]:
        raise InputError(f"{where}: seeds = {seeds[0]} (ours) and {seeds[1]} (direct): must be the same")
    for a, b in zip(ours, direct, strict=True):
        theirs = _fields(b)
        differ = [f"{k} = {v!r} (ours) and {theirs[k]!r} (direct)" for k, v in _fields(a).items() if v != theirs[k]]
        if differ:
            raise InputError(f"{where}: {'; '.join(differ)}: must be the same, as all but dynamics and timesteps")
        if tested_at(a) != tested_at(b):
            found = f"recipe.test_timesteps = {tested_at(a)} (ours) and timesteps = {tested_at(b)} (direct)"
            raise InputError(f"{where}: {found}: must be the same T")
    for spec in tuned:
        if spec.after not in ours:
            raise InputError(f"{where}: {spec.label} is after {spec.after.name}: must be after one of its pair's runs")


def _fields(spec: Spec) -> dict[str, Any]:
    """What both arms must share, by dotted name."""
    fields = spec.model_dump(exclude={"dynamics", "timesteps", "after"})
    return {**fields, **{f"recipe.{k}": v for k, v in fields.pop("recipe").items()}}
