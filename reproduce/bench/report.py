"""The benchmark from beginning to end: measured, written to figures/mine/bench/, and published."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pandas as pd

from reproduce.bench import contest as bench
from reproduce.bench import equal_time, scaling, side_by_side, targets
from reproduce.bench import plot as plotting
from reproduce.bench.contestants import OURS, TUNED, neurons
from reproduce.experiments.outputs import Outputs
from snnlib.checks import InputError, whole
from snnlib.store.markdown import put
from snnlib.store.paths import DOCS, figures_dir, from_root
from snnlib.store.published import copy

FOLDER, QUICK = "bench", "bench/quick"  # without the peers it does not take the place of what is to be published
MEASURED = {
    "--peers": [
        "bench.csv", "bench.svg", "bench.png", "bench_rounds.csv", "bench_floors.csv",
        "bench_targets.csv", "bench_targets.md",
    ],
    "--scaling": ["scaling.csv", "scaling.svg", "scaling.png", "scaling.md"],
}  # fmt: skip
EQUAL_TIME, EQUAL_TIME_FILES = "bench/equal_time", ["equal_time.csv", "equal_time.md", "accuracy.csv", "steps.csv"]
QUICK_STARTS = "bench/quick_starts"  # published by itself: sinabs asks for an environment of its own


def bench_steps(*, peers: bool = False, rounds: int = 7) -> str:
    """Time ours and the ReLU nets, and the peers if they are asked for; returns the table of targets.

    Raises:
        InputError: fewer than three rounds; peers are asked for and none is installed.
    """
    contestants = bench.ours() + (bench.others() if peers else [])
    found = bench.timings(contestants, rounds)
    out = Outputs(figures_dir() / (FOLDER if peers else QUICK))
    out.write_csv(found, "bench_rounds")  # safe before anything is drawn
    steps = [c for c in contestants if (c.network, c.task, c.setting) == ("cnn", "training", TUNED)]
    memory = bench.memory(c for c in steps if c.timesteps == (1 if c.who == OURS else bench.T))
    table = targets.judge(found, memory)
    bandwidth = {p: bench.bandwidth(p) for p in bench.PRECISIONS}
    floors = targets.floors(found, bandwidth, neurons("cnn"), contestants[0].batch)
    summary = bench.quartiles(found)
    out.write_figure(plotting.times(summary), summary, "bench")
    out.write_csv(floors, "bench_floors")
    text = targets.targets_text(table, bench.machine()) + "\n" + targets.floors_text(floors)
    out.write_table(table, "bench_targets", text)
    return text


def bench_scaling(rounds: int = 7) -> str:
    """Measure how time and memory grow; returns by which powers, at the end of each axis."""
    table = scaling.scaling(rounds)
    out = Outputs(figures_dir() / FOLDER)
    text = scaling.text(table)
    out.write_table(table, "scaling", text)  # safe before anything is drawn
    out.write_figure(plotting.scaling_plot(table), table, "scaling")
    return text


def bench_quick_starts(rounds: int = 7) -> str:
    """Train each library's quick start and ours, and time their steps; returns the table.

    Raises:
        InputError: fewer than three rounds; a library is missing.
    """
    whole("--rounds", rounds, 3)
    side_by_side.check_installed()
    out = Outputs(figures_dir() / QUICK_STARTS)
    accuracy = side_by_side.accuracies()
    out.write_csv(accuracy, "accuracy")  # safe before anything is timed
    found = side_by_side.timings(rounds)
    out.write_csv(found, "rounds")
    table = side_by_side.summary(accuracy, found)
    text = side_by_side.text(table)
    out.write_table(table, "quick_starts", text)
    return text


def bench_equal_time(rounds: int = 7) -> str:
    """Time a step of all who train the same net, then train each for as long; returns the table.

    Hours: what was interrupted goes on, with the steps that were timed then, and trains nothing twice.

    Raises:
        InputError: fewer than three rounds.
    """
    folder = figures_dir() / EQUAL_TIME
    out, specs, taking_part = Outputs(folder), equal_time.specs(), equal_time.sides()
    if (folder / "equal_time.csv").exists() or not _timed(folder / "steps.csv", taking_part):
        for name in EQUAL_TIME_FILES:
            (folder / name).unlink(missing_ok=True)
        out.write_csv(equal_time.step_seconds(taking_part, specs, rounds), "steps")
    steps = pd.read_csv(folder / "steps.csv")
    there = [pd.read_csv(folder / "accuracy.csv")] if (folder / "accuracy.csv").exists() else []
    done = {pair for table in there for pair in zip(table.who, table.seed, strict=True)}
    epochs = equal_time.epochs_of(steps)
    for seed, side in product(range(equal_time.SEEDS), taking_part):
        if (side.who, seed) not in done:
            there.append(equal_time.accuracy(side, specs[side.arm], epochs[side.who], seed))
            out.write_csv(pd.concat(there), "accuracy")
    spec = specs[taking_part[0].arm]
    table = equal_time.summary(steps, pd.concat(there), spec.images[0], spec.recipe.batch_size)
    text = equal_time.text(table)
    out.write_table(table, "equal_time", text)
    return text


def _timed(file: Path, taking_part: Sequence[equal_time.Side]) -> bool:
    """Whether the steps of all were timed, in turns: another library may have been installed since."""
    return file.exists() and {side.who for side in taking_part} <= {*pd.read_csv(file).who}


def publish_equal_time() -> str:
    """Copy what was last measured to the published figures and into docs/benchmarks.md; returns what stands there now.

    Raises:
        InputError: it has not been measured; nothing has changed then.
    """
    folder = copy(EQUAL_TIME, EQUAL_TIME_FILES)
    found = (folder / "equal_time.md").read_text(encoding="utf-8")
    put(DOCS / "benchmarks.md", "equal_time", found)
    return found


def publish_quick_starts() -> str:
    """Copy what was last measured to the published figures and, with the code, into docs/coming_from.md; returns it.

    Raises:
        InputError: it has not been measured; nothing has changed then.
    """
    folder = copy(QUICK_STARTS, ["quick_starts.csv", "quick_starts.md", "accuracy.csv", "rounds.csv"])
    found = (folder / "quick_starts.md").read_text(encoding="utf-8")
    put(DOCS / "coming_from.md", "quick_starts", found)
    put(DOCS / "coming_from.md", "quick_start_code", side_by_side.code_text())
    return found


def publish_bench() -> str:
    """Copy what was last measured to the published figures and into docs/benchmarks.md; returns what stands there now.

    Raises:
        InputError: one of both has not been measured; nothing has changed then.
    """
    for option, files in MEASURED.items():
        for file in files:
            if not (figures_dir() / FOLDER / file).exists():
                where = from_root(figures_dir() / FOLDER / file)
                raise InputError(f"{where} is missing: `python -m reproduce bench {option}` writes it")
    folder = copy(FOLDER, [file for files in MEASURED.values() for file in files])
    found = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("bench_targets.md", "scaling.md"))
    put(DOCS / "benchmarks.md", "benchmarks", found)
    return found
