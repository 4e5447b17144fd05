"""What a job on a cluster asks for: GPUs, memory and time, estimated from its run's spec."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import Field

from reproduce.batch.estimate import all_of
from reproduce.batch.evaluated import evaluations
from reproduce.batch.jobs import work
from reproduce.batch.roofline import H100, LIKELY, Roofline
from reproduce.experiments.table1_networks import layers_of
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from snnlib.checks import InputError
from snnlib.dynamics import SingleStep
from snnlib.models import INPUT_SHAPES, build
from snnlib.simulation import CHUNK
from snnlib.spelling import Checked

THREAD_RATE = 1e9  # multiply-accumulates a second, at least
START = 60  # seconds until a job trains: Python, PyTorch and Snakemake from a busy file system
MARGIN_TIME, MARGIN_MEMORY = 2, 1.5
OWN, OWN_GPU = 1024, 4096  # MiB of a process that has PyTorch, and of one that has CUDA's libraries too
FLOAT = 4  # bytes

Ask = Callable[..., int]  # of Snakemake, which calls it with wildcards and the number of the attempt


class Cluster(Checked):
    """How jobs go to a cluster: the part ``cluster`` of a profile's ``jobs.yaml``.

    Whether they want a GPU is said here, since the machine that submits them may have none.

    Raises:
        InputError: a field that there is not, or a value that cannot be used.
    """

    gpu: bool = True
    speed: float = Field(default=1, gt=0, allow_inf_nan=False)  # of a GPU, H100s; of a thread, `THREAD_RATE`s
    least_minutes: int = Field(default=10, ge=1)
    most_minutes: int = Field(default=1440, ge=1)
    notebook_minutes: int = Field(default=120, ge=1)
    notebook_mb: int = Field(default=8000, ge=1)

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Cluster | None:
        """What a workflow's configuration says of it; None if jobs stay on this machine."""
        found = config.get("cluster")
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise InputError(f"cluster = {found!r}: must be a table, as in profiles/slurm/jobs.yaml")
        return cls(**found)

    def training(self, run: Run, preset: Preset) -> dict[str, int | Ask]:
        """Resources of the job of a run."""
        gpus = run.spec.recipe.devices if self.gpu else 0
        return self._asked(gpus, lambda: memory(run, preset, self.gpu), lambda: self.minutes(run, preset))

    def drawing(self) -> dict[str, int | Ask]:
        """Resources of the job of a notebook, which evaluates nets on the preset's test sets."""
        return self._asked(int(self.gpu), lambda: self.notebook_mb, lambda: self.notebook_minutes)

    def minutes(self, run: Run, preset: Preset) -> int:
        """That a run takes, with a margin. The node is unknown, since the machine that submits cannot measure it.

        On a GPU by the model of `roofline`, at its worst; on processors, its multiply-accumulates at a rate below what
        is usual. Neither was measured on a cluster.
        """
        recipe = run.spec.recipe
        if self.gpu:
            seconds = all_of(run, preset).seconds(Roofline(H100, LIKELY[0]))
        else:
            seconds = work(run, preset) / THREAD_RATE / recipe.threads
        return math.ceil((START + MARGIN_TIME * seconds / self.speed) / 60)

    def _asked(self, gpus: int, mb: Callable[[], int], minutes: Callable[[], int]) -> dict[str, int | Ask]:
        def runtime(_wildcards: object, attempt: int) -> int:
            return min(max(minutes(), self.least_minutes) * 2 ** (attempt - 1), self.most_minutes)

        def mem_mb(_wildcards: object, attempt: int) -> int:
            return mb() * 2 ** (attempt - 1)

        return {"gpu": gpus, "nodes": 1, "mem_mb": mem_mb, "runtime": runtime}


def memory(run: Run, preset: Preset, gpu: bool) -> int:
    """MiB of the node's memory that a run takes, with a margin.

    PyTorch itself; three copies of the data set (as it is read, as it is shaped, as it is kept); each weight with its
    gradient, two moments of the optimizer and two copies on the way to a checkpoint; and what a training step keeps for
    its backward pass, twice the outputs of every layer for a batch and all of its time steps, or what the widest pass
    of an evaluation does, six times its largest layer's. With a GPU the last of these is the GPU's, not the node's. All
    but the last there is once for each of the run's devices, which have a process each.
    """
    spec, recipe = run.spec, run.spec.recipe
    weights, layers = _sizes(spec.network, spec.width)
    each = 3 * sum(spec.images) * math.prod(INPUT_SHAPES[spec.network])  # of a byte each
    each += 6 * FLOAT * weights
    values = recipe.devices * (each + 2**20 * (OWN_GPU if gpu else OWN))
    if not gpu:
        training = 2 * sum(layers) * recipe.batch_size * spec.timesteps
        passes = [e.views * e.batch_size * min(e.timesteps, CHUNK) for e in evaluations(preset, run)]
        passes.append(recipe.test_batch * min(max(recipe.test_timesteps, spec.timesteps), CHUNK))
        values += FLOAT * max(training, 6 * max(layers) * max(passes))
    return math.ceil(MARGIN_MEMORY * values / 2**20)


@cache
def _sizes(network: str, width: float) -> tuple[int, list[int]]:
    """Weights, and values that each layer puts out for an image at a time step."""
    model = build(network, SingleStep(), width=width)
    return sum(p.numel() for p in model.parameters()), [layer.outputs for layer in layers_of(model)]
