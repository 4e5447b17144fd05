"""Each library's quick start beside the same task in ours: lines of code, time of a step, accuracy.

All on one CPU thread and the embedded images. Theirs have PyTorch's process settings, as installed, ours its own.
"""

from __future__ import annotations

import ast
import inspect
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from unittest.mock import patch

import pandas as pd
import torch
from torch.utils.data import DataLoader, TensorDataset
from tqdm import tqdm

from reproduce.bench import quick_starts
from reproduce.bench.contest import machine, processes
from reproduce.bench.contestants import INSTALLED, TUNED
from reproduce.bench.peers import version_of
from snnlib.checks import InputError, whole
from snnlib.data.sets import Split, load_dataset
from snnlib.fast.process import cores
from snnlib.store.markdown import lines as markdown_lines

EPOCHS, SEEDS = 5, 3
STEPS = 4  # of training in a round, without the first
TEST_BATCH = 100


@dataclass(frozen=True)
class Pair:
    """A library's quick start and ours.

    Args:
        task: what is trained; their neurons and time steps.
        batch_size: of training; that of their documentation.
        standardised: images have mean 0 and deviation 1, else they lie in [0, 1].
        source: where their documentation has it.
    """

    library: str
    task: str
    theirs: Callable[..., float]
    ours: Callable[..., float]
    batch_size: int
    source: str
    standardised: bool = False

    def side(self, who: str) -> Callable[..., float]:
        return self.ours if who == OURS else self.theirs


OURS = "ours"
PAIRS = (
    Pair(
        "snnTorch", "two layers of `Leaky`, T = 25", quick_starts.snntorch, quick_starts.ours_for_snntorch, 128,
        "https://snntorch.readthedocs.io/en/latest/tutorials/tutorial_5.html",
    ),
    Pair(
        "SpikingJelly", "one layer of `LIFNode`, Poisson input, T = 100", quick_starts.spikingjelly,
        quick_starts.ours_for_spikingjelly, 64,
        "https://github.com/fangwei123456/spikingjelly/blob/master/spikingjelly/activation_based/examples/lif_fc_mnist.py",
    ),
    Pair(
        "Norse", "a recurrent layer of `LIF` and a readout of `LI`, encoded input, T = 32", quick_starts.norse,
        quick_starts.ours_for_norse, 256, "https://norse.github.io/notebooks/mnist_classifiers.html", True,
    ),
    Pair(
        "sinabs", "a ReLU CNN, converted to `IAF`, rate-coded input, T = 100", quick_starts.sinabs,
        quick_starts.ours_for_sinabs, 128, "https://github.com/synsense/sinabs/blob/develop/docs/tutorials/weight_transfer_mnist.ipynb",
    ),
)  # fmt: skip


class Timed:
    """Batches, and the seconds for which their taker worked on each: processor time, without that of loading them."""

    def __init__(self, batches: list | DataLoader) -> None:
        self.batches, self.seconds = batches, []

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator:
        for batch in self.batches:
            began = time.process_time()
            yield batch
            self.seconds.append(time.process_time() - began)


def loaders(pair: Pair) -> tuple[DataLoader, DataLoader]:
    """The embedded images to train on, in an order from PyTorch's generator, and to test on."""
    data = load_dataset("fashion_mnist_mini")

    def tensors(split: Split) -> TensorDataset:
        images = split.images / 255
        return TensorDataset((images - data.mean) / data.std if pair.standardised else images, split.labels)

    return DataLoader(tensors(data.train), pair.batch_size, shuffle=True), DataLoader(tensors(data.test), TEST_BATCH)


def accuracies() -> pd.DataFrame:
    """Test accuracy of each side after `EPOCHS`, for each of `SEEDS`; as many at a time as there are processors."""
    runs = [(i, who, seed) for i, pair in enumerate(PAIRS) for who in (pair.library, OURS) for seed in range(SEEDS)]
    context = multiprocessing.get_context("spawn")
    with _no_bars(), ProcessPoolExecutor(cores(), mp_context=context) as pool:
        found = list(tqdm(pool.map(_accuracy, *zip(*runs, strict=True)), desc="quick starts", total=len(runs)))
    rows = [(PAIRS[i].library, who, seed, accuracy) for (i, who, seed), accuracy in zip(runs, found, strict=True)]
    return pd.DataFrame(rows, columns=["quick_start", "who", "seed", "accuracy"])


def timings(rounds: int) -> pd.DataFrame:
    """Seconds of a step of training, and of testing a batch of `TEST_BATCH`, in rounds in which each side has a turn.

    Raises:
        InputError: fewer than three rounds.
    """
    whole("rounds", rounds, least=3)
    rows = []
    turns = [(i, who) for i, pair in enumerate(PAIRS) for who in (pair.library, OURS)]
    with _no_bars(), processes({INSTALLED, TUNED}) as ask, tqdm(total=rounds * len(turns), desc="their steps") as shown:
        for n in range(rounds):
            for i, who in random.Random(n).sample(turns, len(turns)):
                step, test = ask(TUNED if who == OURS else INSTALLED, _seconds, i, who)
                rows.append((PAIRS[i].library, who, n, step, test))
                shown.update()
    return pd.DataFrame(rows, columns=["quick_start", "who", "round", "step_seconds", "test_seconds"])


def _no_bars() -> AbstractContextManager:
    """Processes that are started inside show no bars of their own."""
    return patch.dict(os.environ, TQDM_DISABLE="1")


def _accuracy(i: int, who: str, seed: int) -> float:
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return PAIRS[i].side(who)(*loaders(PAIRS[i]), EPOCHS)


def _seconds(i: int, who: str) -> tuple[float, float]:
    torch.set_num_threads(1)
    train, test = loaders(PAIRS[i])
    train, test = Timed(list(islice(train, STEPS + 1))), Timed(list(islice(test, 2)))
    PAIRS[i].side(who)(train, test, 1)
    return statistics.median(train.seconds[1:]), test.seconds[-1]  # the first of both finds kernels and memory


def code(function: Callable) -> str:
    """A quick start as a reader would write it: its source, without types."""
    tree = ast.parse(inspect.getsource(function))
    head = ast.unparse(tree.body[0].args)  # type: ignore[attr-defined]
    names = ", ".join(argument.partition(":")[0] for argument in head.split(", "))
    body = inspect.getsource(function).split(":\n", 1)[1]
    return f"def {function.__name__}({names}):\n{body.rstrip()}\n"


def lines(function: Callable) -> int:
    """How many lines of code its body has, blank ones left out."""
    return sum(bool(line.strip()) for line in code(function).splitlines()[1:])


def summary(accuracy: pd.DataFrame, rounds: pd.DataFrame) -> pd.DataFrame:
    """A row for each side.

    Returns:
        Columns quick_start, who, lines, step_ms and test_ms (medians over rounds), step_ratio and test_ratio (theirs
        over ours within a round: median, and quartiles in _q25 and _q75), accuracy (mean over seeds, a fraction),
        accuracy_sd, seeds, rounds, and the machine.
    """
    found = []
    for pair in PAIRS:
        mine = rounds[rounds.quick_start == pair.library].set_index(["round", "who"]).sort_index()
        for who in (pair.library, OURS):
            row: dict[str, object] = {"quick_start": pair.library, "who": who, "lines": lines(pair.side(who))}
            for what in ("step", "test"):
                seconds = mine[f"{what}_seconds"].unstack("who")
                row[f"{what}_ms"] = seconds[who].median() * 1e3
                ratio = (seconds[pair.library] / seconds[OURS]).quantile([0.5, 0.25, 0.75])
                row |= dict(zip((f"{what}_ratio", f"{what}_ratio_q25", f"{what}_ratio_q75"), ratio, strict=True))
            by_seed = accuracy[(accuracy.quick_start == pair.library) & (accuracy.who == who)].accuracy
            row |= {"accuracy": by_seed.mean(), "accuracy_sd": by_seed.std(), "seeds": len(by_seed)}
            found.append(row)
    hardware = machine("cpu") | {"threads": "1", **{pair.library: version_of(pair.library) or "" for pair in PAIRS}}
    return pd.DataFrame(found).assign(rounds=rounds["round"].nunique(), **hardware)


def text(table: pd.DataFrame) -> str:
    """The summary for readers."""
    rows = []
    for pair in PAIRS:
        theirs, ours = (
            table[(table.quick_start == pair.library) & (table.who == w)].iloc[0] for w in (pair.library, OURS)
        )
        rows.append(
            (
                f"[{pair.library}]({pair.source}): {pair.task}",
                f"{theirs.lines} / **{ours.lines}**",
                *(
                    f"{_ms(theirs[f'{what}_ms'])} / **{_ms(ours[f'{what}_ms'])}** ({ours[f'{what}_ratio']:.2g}×)"
                    for what in ("step", "test")
                ),
                *(f"{100 * side.accuracy:.1f} ± {100 * side.accuracy_sd:.1f}" for side in (theirs, ours)),
            )
        )
    head = (
        "quick start", "lines, theirs / ours", "training step, ms", f"testing {TEST_BATCH} images, ms",
        "accuracy, theirs, %", "ours, T = 10, %",
    )  # fmt: skip
    one = table.iloc[0]
    versions = ", ".join(f"{name} {one[name]}" for name in ("torch", "python", *(p.library for p in PAIRS)))
    told = (
        f"*Theirs / ours, and how many times ours theirs takes. {one.device}, one thread, processor time; {versions}. "
        f"Medians of {one.rounds} rounds in which each has a turn; accuracy after {EPOCHS} epochs of 6,000 images, "
        f"mean ± standard deviation of {one.seeds} training seeds.*"
    )
    return f"{markdown_lines(head, rows)}\n\n{told}\n"


def _ms(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def code_text() -> str:
    """All quick starts in code, theirs and ours, for readers."""
    parts = []
    for pair in PAIRS:
        parts.append(f"### {pair.library}\n\nTheirs, after [their documentation]({pair.source}):")
        parts.append(f"```python\n{code(pair.theirs)}```\n\nOurs:\n\n```python\n{code(pair.ours)}```")
    return "\n\n".join(parts) + "\n"


def check_installed() -> None:
    """Raise an `InputError` where one of the libraries is missing."""
    missing = [pair.library for pair in PAIRS if version_of(pair.library) is None]
    if missing:
        raise InputError(
            f"--quick-starts: {', '.join(missing)} not installed; in an environment of its own, since sinabs needs an "
            "older nir than the export: pip install -e '.[bench,quick-starts]'"
        )
