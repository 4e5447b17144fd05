"""How long the missing runs of a preset will take, from a throughput measured on the spot.

What is added up is training and evaluation. The start of each process, a few seconds, and what notebooks evaluate
beyond the preset's evaluations come on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from tqdm import tqdm

from reproduce.batch.evaluated import evaluations
from reproduce.batch.throughput import Throughput
from reproduce.runs import pretrained
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AsTrained, Conversion
from reproduce.runs.preset import Preset
from reproduce.runs.results import known
from reproduce.runs.run import Run, default_device
from reproduce.runs.spec import Spec
from snnlib.fast import process
from snnlib.store.files import DamagedError
from snnlib.training.progress import quiet


class Rates(Protocol):
    """What `Throughput` measures: seconds per image of training, and of an evaluation's pass.

    Where only shares matter, `reproduce.batch.jobs.Multiplications` will do.
    """

    def training(self, spec: Spec) -> float: ...

    def testing(self, spec: Spec, evaluation: Evaluation) -> float: ...


@dataclass(frozen=True)
class ToDo:
    """What is left to do of a run: epochs of training, and passes over the test set, counted by kind."""

    run: Run
    epochs: int
    passes: tuple[tuple[Evaluation, int], ...]

    def seconds(self, rates: Rates) -> float:
        """How long that takes, with the run's threads, or the GPU, to itself."""
        spec = self.run.spec
        training, test = spec.images
        size = min(spec.recipe.batch_size, training)
        images = self.epochs * (training // size) * size  # a smaller last batch is dropped
        total = images * rates.training(spec) / spec.recipe.devices if images else 0.0
        return total + sum(n * e.of(test) * rates.testing(spec, e) for e, n in self.passes if n)


def to_do(run: Run, preset: Preset) -> ToDo | None:
    """What the store does not hold yet, None if it holds all; a begun run goes on after its checkpoint's epoch."""
    spec = run.spec
    trained = (run.done or run.published) and not run.damage()
    missing = [(e, len(e.noise_seeds)) for e in evaluations(preset, run) if not (trained and _holds(run, e))]
    if trained and not missing:
        return None
    if trained and (run.done or pretrained.published(spec.name, pretrained.WEIGHTS)):
        return ToDo(run, 0, tuple(missing))
    return _from_epoch(epochs_done(run.folder), run, preset)


def all_of(run: Run, preset: Preset) -> ToDo:
    """What there is to do of a run, whatever the store holds."""
    return _from_epoch(0, run, preset)


def _from_epoch(done: int, run: Run, preset: Preset) -> ToDo:
    spec, recipe = run.spec, run.spec.recipe
    passes = [(e, len(e.noise_seeds)) for e in evaluations(preset, run)]
    parts = min(recipe.parts, max(spec.images[0] // recipe.batch_size, 1))  # of an epoch, a step at least
    tests = parts * sum(map(recipe.evaluates, range(done + 1, recipe.epochs + 1)))
    test = (Conversion if spec.noisy else AsTrained)(timesteps=spec.tested_at)
    return ToDo(run, recipe.epochs - done, ((test, tests), *passes))


def incomplete(preset: Preset) -> list[Run]:
    """The runs of a preset that are not trained and evaluated, or damaged."""
    return [run for run in preset.all_runs().values() if to_do(run, preset) is not None]


def estimate(preset: Preset, rates: Rates | None = None) -> dict[str, float]:
    """Seconds that each unfinished run of the preset will take, by its name; nothing is measured if there is none."""
    found = {name: to_do(run, preset) for name, run in preset.all_runs().items()}
    left = {name: work for name, work in found.items() if work is not None}
    if rates is not None:
        return {name: work.seconds(rates) for name, work in left.items()}
    rates = Throughput()
    shape = "{desc}: run {n_fmt} of {total_fmt} |{bar:20}|"
    bar = tqdm(left.items(), "measuring", leave=False, disable=not left or quiet() or None, bar_format=shape)
    return {name: work.seconds(rates) for name, work in bar}


def time_left(preset: Preset, left: Mapping[str, float], cores: int | None = None) -> str:
    """How many runs are done, how many are not, and how long those take: on one core, and on this machine.

    On a CPU as many runs go on at a time as there are cores for their threads; on each GPU, one.

    Args:
        left: from `estimate`.
        cores: of the CPU, 0 for a GPU; this machine's if None.
    """
    runs = preset.all_runs()
    counted = f"{len(runs) - len(left)} done, {len(left)} missing"
    if not left:
        return counted
    if cores is None:
        cores = 0 if default_device() == "cuda" else process.cores()
    if not cores:
        gpus = max(torch.cuda.device_count(), 1)
        where = "GPU, one run at a time" if gpus == 1 else f"{gpus} GPUs, one run on each"
        return f"{counted}: about {duration(_through(preset, left, gpus, gpus=True))} on this machine's {where}"
    total = sum(
        seconds * runs[name].spec.recipe.threads * runs[name].spec.recipe.devices for name, seconds in left.items()
    )
    here = f"{duration(_through(preset, left, cores))} on this machine's {cores} core{'s' * (cores > 1)}"
    return f"{counted}: about {duration(total)} of one core, {here}"


def on_gpus(preset: Preset, left: Sequence[Mapping[str, float]], name: str, basis: str) -> str:
    """How long all that is left takes on one GPU of this name, and on eight, one run on each.

    Args:
        left: of `estimate`, the shortest and the longest, or both in one.
        basis: what that rests on.
    """
    one, eight = (span(_through(preset, seconds, n, gpus=True) for seconds in left) for n in (1, 8))
    return f"about {one} on one {name}, {eight} on eight ({basis})"


def _through(preset: Preset, left: Mapping[str, float], processors: int, gpus: bool = False) -> float:
    """Seconds until all is done on so many cores or GPUs, none of which idles before the longest run is left alone."""
    runs = preset.all_runs()
    specs = {name: runs[name].spec for name in left}
    wanted = {name: spec.recipe.devices * (1 if gpus else spec.recipe.threads) for name, spec in specs.items()}

    def through(spec: Spec) -> float:  # until it is done: those that it comes after have to be, before
        return left.get(spec.name, 0.0) + sum(map(through, spec.before))

    total = sum(left[name] * wanted[name] for name in left)
    return max(total / processors, *map(through, specs.values()))


def span(seconds: Iterable[float]) -> str:
    """The least and the most, as 2 min to 3.4 h; or both, where they read the same."""
    return " to ".join(dict.fromkeys(map(duration, seconds)))


def duration(seconds: float) -> str:
    """As 45 s, 12 min, 3.4 h or 16 days."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.0f} days"


def _holds(run: Run, evaluation: Evaluation) -> bool:
    """Whether this evaluation is in the store, intact."""
    try:
        return known(run, evaluation) is not None
    except DamagedError:
        return False


def jobs_at_a_time() -> int:
    """How many the local profile lets run beside each other, each on one thread."""
    return torch.cuda.device_count() if default_device() == "cuda" else process.cores()
