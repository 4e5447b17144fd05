"""The benchmark: contestants take turns, round after round, so that what else the machine does meets them all.

A process's settings cannot be taken back, so each setting has a process of its own; only one of them works at a time.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import cache
from unittest.mock import patch

import pandas as pd
import torch
from tqdm import tqdm

from reproduce.bench import peers
from reproduce.bench.contestants import BARE, DIRECT, EXACT, INSTALLED, OURS, RELU, TUNED, Contestant, call
from reproduce.runs.provenance import provenance
from reproduce.runs.run import default_device
from snnlib.checks import InputError, whole
from snnlib.fast.compiled import available
from snnlib.training.measure import peak_bytes, seconds

PRECISIONS = ("bfloat16", "float32")
LEAST = 0.15  # seconds of one measurement, as many calls as fill them
LARGE = 2**26  # bytes: too large for a cache
T = 10


def ours() -> list[Contestant]:
    """Our nets and their ReLU twins: the CNN in training and inference, the deep networks in training at T = 1."""
    found = []
    for precision in PRECISIONS:
        for who in (RELU, OURS, BARE):
            found.append(Contestant(who, "cnn", "training", 1, precision))
        found.append(Contestant(DIRECT, "cnn", "training", T, precision))
        for who in (RELU, OURS, EXACT, BARE):
            found.append(Contestant(who, "cnn", "inference", T, precision))
        for network in ("vgg16", "resnet18"):
            found += [Contestant(who, network, "training", 1, precision) for who in (RELU, OURS)]
    return found


def others() -> list[Contestant]:
    """Each peer's CNN at T = 1 and T = 10, tuned in both precisions, and as installed.

    Raises:
        InputError: no peer is installed.
    """
    names = list(peers.installed())
    if not names:
        raise InputError(f"--peers: none of {', '.join(peers.PEERS)} is installed; pip install -e '.[bench]'")
    settings = [*((TUNED, p) for p in PRECISIONS), (INSTALLED, "float32")]
    tasks = (("training", 1), ("training", T), ("inference", T))
    return [Contestant(n, "cnn", task, t, p, s) for n in names for s, p in settings for task, t in tasks]


def timings(contestants: Iterable[Contestant], rounds: int = 7) -> pd.DataFrame:
    """Seconds of a call of each contestant, one after another in each of ``rounds`` rounds, after a warm-up.

    Returns:
        A row for each round and contestant: the contestant's fields, round, seconds.

    Raises:
        InputError: fewer than three rounds.
    """
    whole("rounds", rounds, least=3)
    contestants = list(contestants)
    rows = []
    with (
        processes({c.setting for c in contestants}) as ask,
        tqdm(total=len(contestants) * (rounds + 1), desc="bench") as shown,
    ):
        calls = {}
        for c in contestants:
            calls[c] = ask(c.setting, warm, c)
            shown.update()
        for i in range(rounds):
            # In another order each round: nobody always follows the same one.
            for c in random.Random(i).sample(contestants, len(contestants)):
                taken = ask(c.setting, timed, c, calls[c])
                rows.append({**asdict(c), "batch_size": c.batch, "round": i, "seconds": taken})
                shown.update()
    return pd.DataFrame(rows)


@contextmanager
def processes(settings: Iterable[str]) -> Iterator[Callable]:
    """A process for each setting; what is yielded calls a function in one of them and waits for its result."""
    context = multiprocessing.get_context("spawn")
    with ExitStack() as stack:
        pools = {s: stack.enter_context(ProcessPoolExecutor(1, mp_context=context)) for s in sorted(settings)}
        for setting, pool in pools.items():
            with patch.dict(os.environ, SNNLIB_KEEP_PROCESS="1" if setting == INSTALLED else "0"):
                pool.submit(os.getpid).result()  # it starts here, with this environment
        yield lambda setting, function, *arguments: pools[setting].submit(function, *arguments).result()


def warm(c: Contestant) -> int:
    """Call a contestant until it is at speed; how many of its calls fill `LEAST` seconds."""
    for _ in range(3):  # kernels are compiled, algorithms chosen, memory claimed
        timed(c, 1)
    return math.ceil(LEAST / timed(c, 1))


def timed(c: Contestant, calls: int) -> float:
    """Seconds of one call, the mean of so many."""
    return seconds(_prepared(c), torch.device(default_device()), calls)


@cache
def _prepared(c: Contestant) -> Callable[[], None]:
    return call(c, torch.device(default_device()))


def memory(contestants: Iterable[Contestant]) -> pd.DataFrame:
    """Peak memory of two steps of training from the start, or of an inference (`peak_bytes`).

    Training counts weights, gradients and Adam's moments, as Figure 4's does; inference what it adds to a net that is
    there.

    Returns:
        The contestant's fields, and peak_bytes.
    """
    device = torch.device(default_device())
    rows = []
    for c in contestants:
        there = call(c, device, compile=False)  # a compiler cannot work while tensors are counted
        there()  # what is made once per process, the tape for one, is no part of a step

        def train(c: Contestant = c) -> None:
            step = call(c, device, compile=False)
            step()
            step()

        peak = peak_bytes(train if c.task == "training" else there, device)
        rows.append({**asdict(c), "batch_size": c.batch, "peak_bytes": peak})
    return pd.DataFrame(rows)


def bandwidth(precision: str) -> float:
    """Bytes per second of a sum of two tensors of `LARGE` bytes: the elementwise ceiling."""
    dtype = getattr(torch, precision)
    a, b = torch.randn(2, LARGE // dtype.itemsize, device=default_device()).to(dtype)
    out = torch.empty_like(a)
    return 3 * a.nbytes / min(seconds(lambda: torch.add(a, b, out=out), a.device) for _ in range(20))


def machine(device: str | None = None) -> dict[str, str]:
    """What the benchmark ran on, on the default device if none is given."""
    device = torch.device(device or default_device())
    found = provenance(device)
    compiled = "compiled" if available(device.type) else "not compiled: no compiler"
    return {
        "device": found["device"],
        "threads": str(torch.get_num_threads()),
        "torch": found["packages"]["torch"],
        "python": found["python"],
        "neurons": compiled,
        **peers.installed(),
    }


def quartiles(rounds: pd.DataFrame) -> pd.DataFrame:
    """Median and quartiles over rounds of each contestant of `timings`, in milliseconds, and the machine."""
    by = ["network", "task", "timesteps", "who", "precision", "setting", "batch_size", "width"]
    return in_ms(rounds, by).assign(rounds=rounds["round"].nunique(), **machine())


def in_ms(rounds: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """The columns ``by`` of `timings`, then ms, ms_q25 and ms_q75: median and quartiles of what has them in common."""
    ms = rounds.groupby(list(by), sort=False).seconds.quantile([0.5, 0.25, 0.75]).mul(1e3).unstack()
    return ms.set_axis(["ms", "ms_q25", "ms_q75"], axis=1).reset_index()
