"""Which runs of a preset are trained in one process, and in which order: what a workflow engine cannot know of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

from reproduce.batch.estimate import all_of
from reproduce.batch.evaluated import evaluations
from reproduce.experiments.table1_networks import size
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec

SHARE = 1 / 25  # of all work, what a job of cheap nets should have at least
LONG = 1e13  # multiply-accumulates, minutes of a core: more than a job of several should have
LEAST = 4e11  # and likewise: a core takes ten times as long for them as for starting Python


def jobs(preset: Preset, apart: bool = False) -> list[list[Run]]:
    """Lists of runs to train one after another, the costliest job first, so that none is left alone at the end.

    All seeds of a net are one job, and cheap nets share one: at the smallest scale starting Python costs as much as
    training. A run that takes long is a job of its own: a figure that needs one seed does not wait for the others.
    A run that comes after others (`Spec.before`), which may be in the job before, is never put together with others,
    and one of which all is published is in no job.

    Args:
        apart: each run is a job of its own, as on a cluster, where each asks for its own time and memory.
    """
    runs = [run for run in preset.all_runs().values() if computed(run, preset)]
    if apart:
        return [[run] for run in sorted(runs, key=lambda run: work(run, preset), reverse=True)]
    enough = min(max(SHARE * sum(work(run, preset) for run in runs), LEAST), LONG)
    found: list[list[Run]] = []
    for net in sorted(_nets(runs, preset), key=lambda net: sum(work(run, preset) for run in net), reverse=True):
        mergeable = found and not (net[0].spec.before or found[-1][0].spec.before)
        if mergeable and sum(work(run, preset) for run in found[-1]) < enough:
            found[-1] += net
        else:
            found.append(net)
    return found


def computed(run: Run, preset: Preset) -> list[Path]:
    """The files of a run's evaluations that a job writes: all but published ones."""
    files = [evaluation.file(run) for evaluation in evaluations(preset, run)]
    return [file for file in files if file.parent == run.folder]


class Multiplications:
    """Multiply-accumulates per image, about, in place of the seconds that `Throughput` takes a while to measure."""

    def training(self, spec: Spec) -> int:
        passes = 3 * spec.timesteps  # a backward pass counts as two forward ones
        taught = _macs(spec.teacher.network, spec.teacher.width) if spec.teacher else 0
        return passes * _macs(spec.network, spec.width) + taught

    def testing(self, spec: Spec, evaluation: Evaluation) -> int:
        return _macs(spec.network, spec.width) * evaluation.timesteps * evaluation.views


def work(run: Run, preset: Preset) -> float:
    """Multiply-accumulates of training, testing and evaluating a run, of one of its devices."""
    return all_of(run, preset).seconds(Multiplications())


def _nets(runs: Iterable[Run], preset: Preset) -> list[list[Run]]:
    """The runs that differ in nothing but their seeds, together, unless they take long."""
    nets: dict[str, list[Run]] = {}
    for run in runs:
        alone = work(run, preset) > LONG
        nets.setdefault(run.spec.key if alone else _unseeded(run.spec).key, []).append(run)
    return list(nets.values())


def _unseeded(spec: Spec) -> Spec:
    others = {name: (other := getattr(spec, name)) and _unseeded(other) for name in ("after", "teacher")}
    return spec.model_copy(update={"seed": 0, **others})


@cache
def _macs(network: str, width: float) -> int:
    return size(network, width)[1]
