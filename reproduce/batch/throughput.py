"""How fast this machine trains and tests a net, measured on random images: nothing is read, downloaded or written."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Hashable

import torch

from reproduce.runs.evaluation import Evaluation
from reproduce.runs.run import build_for, default_device
from reproduce.runs.spec import Spec
from reproduce.runs.untrained import Untrained
from snnlib.data.sets import Dataset
from snnlib.simulation import CHUNK
from snnlib.training.evaluation import accuracy_over_time
from snnlib.training.loop import initial_state, one_epoch
from snnlib.training.measure import seconds

BUDGET = 0.6  # seconds of one measurement, unless FEW images take longer
FEW = 4  # images in the pass that tells how many are affordable


class Throughput:
    """Seconds per image, each measured when it is first asked for and kept for every run of the same cost.

    The code that runs is that of training and evaluation; the images and the weights do not decide how long it takes.
    Time is linear in the images, so where a whole batch would take too long fewer stand for it: large nets on
    a slow device come out somewhat too high.
    """

    def __init__(self, device: torch.device | str | None = None) -> None:
        self.device = torch.device(device or default_device())
        self._known: dict[Hashable, float] = {}

    def training(self, spec: Spec) -> float:
        """Seconds of a training step (forward, backward, update) for each image of its batch."""
        return self._once(_cost(spec), spec, lambda: self._training(spec))

    def testing(self, spec: Spec, evaluation: Evaluation) -> float:
        """Seconds of all time steps of an evaluation's pass, for each image."""
        steps = min(evaluation.timesteps, CHUNK)  # a longer pass is run in pieces of so many
        key = (_cost(spec), type(evaluation), steps)
        each = self._once(key, spec, lambda: self._testing(spec, evaluation, steps))
        return each * evaluation.views * evaluation.timesteps / steps

    def _once(self, key: Hashable, spec: Spec, measure: Callable[[], float]) -> float:
        if key not in self._known:
            with spec.recipe.execution():
                self._known[key] = measure()
        return self._known[key]

    def _training(self, spec: Spec) -> float:
        recipe = spec.recipe.model_copy(update={"schedule": "constant", "evaluate_every": 1})  # others have an end
        teacher = Untrained(spec.teacher, FEW).model(self.device) if spec.teacher else None
        net, data = build_for(spec).to(self.device), Untrained(spec, FEW).data(self.device)
        state = initial_state(net, data, recipe, teacher=teacher)

        def step(data: Dataset) -> None:
            batch = recipe.model_copy(update={"batch_size": len(data.train)})
            list(one_epoch(state, data, batch, spec.timesteps, spec.seed))

        return self._per_image(step, spec, recipe.batch_size)

    def _testing(self, spec: Spec, evaluation: Evaluation, steps: int) -> float:
        net = evaluation.network(Untrained(spec, FEW), self.device)

        def test(data: Dataset) -> None:
            accuracy_over_time(net, data, steps, batch_size=len(data.test), precision=spec.recipe.precision)

        return self._per_image(test, spec, evaluation.batch_size)

    def _per_image(self, work: Callable[[Dataset], None], spec: Spec, most: int) -> float:
        """Median of three passes of at most ``most`` images, as many as are affordable."""

        def timed(images: int) -> float:
            data = Untrained(spec, images).data(self.device)
            return seconds(lambda: work(data), self.device) / images

        timed(FEW)  # warm-up: libraries load, algorithms are chosen
        per_image = timed(FEW)
        affordable = int(BUDGET / 4 / per_image) if per_image else most
        if affordable > FEW:
            images = min(most, affordable)
            timed(images)  # claims the memory
            per_image = statistics.median(timed(images) for _ in range(3))
        return per_image


def _cost(spec: Spec) -> Hashable:
    """What decides how long a step takes; surrogates and the parameters of a noise hardly do."""
    r = spec.recipe
    net = (spec.network, spec.width, spec.readout, spec.batch_norm)
    how = (r.batch_size, r.optimizer, r.precision, r.augment, r.threads, r.compile)
    teacher = spec.teacher and _cost(spec.teacher)
    return (*net, spec.dynamics.kind, spec.noise, spec.timesteps, *how, teacher)
