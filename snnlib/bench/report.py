"""The benchmark from beginning to end: measured, written to figures/bench/, and put into the README."""

from __future__ import annotations

from snnlib.bench import contest as bench
from snnlib.bench import plot as plotting
from snnlib.bench import scaling, targets
from snnlib.bench.contestants import OURS, TUNED, neurons
from snnlib.checks import InputError
from snnlib.experiments.style import save
from snnlib.store.files import write
from snnlib.store.markdown import put
from snnlib.store.paths import ROOT, figures_dir

README = ROOT / "README.md"
FOLDER, QUICK = "bench", "bench/quick"  # without the peers it does not take the place of what the README shows


def run(*, peers: bool = False, rounds: int = 7) -> str:
    """Time ours and the ReLU nets, and the peers if they are asked for; returns the table of targets.

    Raises:
        InputError: fewer than three rounds; peers are asked for and none is installed.
    """
    contestants = bench.ours() + (bench.others() if peers else [])
    found = bench.race(contestants, rounds)
    folder = figures_dir() / (FOLDER if peers else QUICK)
    write(folder / "bench_rounds.csv", found.to_csv(index=False))  # safe before anything is drawn
    steps = [c for c in contestants if (c.network, c.task, c.setting) == ("cnn", "training", TUNED)]
    memory = bench.memory(c for c in steps if c.timesteps == (1 if c.who == OURS else bench.T))
    table = targets.judge(found, memory)
    bandwidth = {p: bench.bandwidth(p) for p in bench.PRECISIONS}
    floors = targets.floors(found, bandwidth, neurons("cnn"), contestants[0].batch)
    summary = bench.summary(found)
    save(plotting.times(summary), summary, "bench", FOLDER if peers else QUICK)
    write(folder / "bench_targets.csv", table.to_csv(index=False))
    write(folder / "bench_floors.csv", floors.to_csv(index=False))
    text = targets.markdown(table, bench.machine()) + "\n" + targets.floors_text(floors)
    write(folder / "bench_targets.md", text)
    return text


def scale(rounds: int = 7) -> str:
    """Measure how time and memory grow; returns by which powers, at the end of each axis."""
    table = scaling.scaling(rounds)
    write(figures_dir() / FOLDER / "scaling.csv", table.to_csv(index=False))  # safe before anything is drawn
    folder = save(plotting.scaling(table), table, "scaling", FOLDER)
    text = scaling.text(table)
    write(folder / "scaling.md", text)
    return text


def to_readme() -> str:
    """Put what was last measured into the README; returns it.

    Raises:
        InputError: one of both has not been measured.
    """
    files = [figures_dir() / FOLDER / name for name in ("bench_targets.md", "scaling.md")]
    for file, option in zip(files, ("--peers", "--scaling"), strict=True):
        if not file.exists():
            raise InputError(f"{file} is missing: `python -m snnlib bench {option}` writes it")
    found = "\n".join(file.read_text(encoding="utf-8") for file in files)
    put(README, "benchmarks", found)
    return found
