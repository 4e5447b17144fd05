"""Run as a program in a mount namespace of its own: works on a file system that is made to refuse, then mended.

``python disk.py FAULT FOLDER``; prints how many tries there were, how many survived, and what the others lost.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faults import job
from reproduce.batch import train as batch
from reproduce.runs import checkpoints
from reproduce.runs import run as runs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from snnlib.data.sets import Dataset, Split, load_dataset
from snnlib.store.files import StoreError
from snnlib.training.loop import State

WORDS = {
    "disk full": "No space left on device: make room",
    "no more files": "No space left on device: make room",
    "read-only file system": "Read-only file system: SNNLIB_RUNS",
}


def mount(folder: Path, *options: str) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(folder)], check=True)


@contextmanager
def refusing(fault: str, folder: Path, room: int) -> Iterator[None]:
    """The file system takes so many more pages of 4 KiB, or files, and no more."""
    filler = folder / "filler"
    if fault == "disk full":
        with open(filler, "wb", buffering=0) as f, suppress(OSError):
            for _ in range(1 << 20):
                f.write(bytes(4096))
        left = filler.stat().st_size // 4096 * 4096 - 4096 * room
        os.truncate(filler, max(left, 0))
        yield
        filler.unlink()
    elif fault == "no more files":
        filler.mkdir()
        made = []
        with suppress(OSError):
            for i in range(1 << 20):
                (filler / str(i)).touch()
                made.append(filler / str(i))
        for path in made[len(made) - room :] if room else []:
            path.unlink()
        yield
        for path in filler.iterdir():
            path.unlink()
        filler.rmdir()
    else:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", str(folder)], check=True)


def small() -> Dataset:
    mini = load_dataset("fashion_mnist_mini")

    def part(split: Split) -> Split:
        return Split(split.images[::20], split.labels[::20])

    return Dataset(mini.name, part(mini.train), part(mini.test), mini.mean, mini.std, mini.classes)


class _Preset:
    """One evaluation for every run."""

    def evaluations(self, run: Run) -> list[Conversion]:
        return [job.EVALUATION]


def _begin(epochs: int) -> None:
    """Stop after so many epochs."""
    with suppress(KeyboardInterrupt):
        if epochs:
            save = checkpoints.save_checkpoint

            def save_then_stop(place: Path, state: State, about: dict[str, object]) -> None:
                save(place, state, about)
                if state.epoch == epochs:
                    checkpoints.save_checkpoint = save
                    raise KeyboardInterrupt

            checkpoints.save_checkpoint = save_then_stop
            job.work()


def main(fault: str, folder: Path) -> None:
    data = small()
    runs.load_dataset = lambda *_, **__: data

    def stores(place: Path) -> None:
        os.environ |= {"SNNLIB_RUNS": str(place / "runs"), "SNNLIB_FIGURES": str(place / "figures")}

    stores(folder / "undisturbed")
    job.work()
    whole = job.results()

    saved: list[int] = []
    save = checkpoints.save_checkpoint
    checkpoints.save_checkpoint = lambda place, state, about: (save(place, state, about), saved.append(state.epoch))

    lost, survived, tries, rooms = [], 0, 0, range(0, 70, 2) if fault != "read-only file system" else range(4)
    for room in rooms:
        disk = folder / f"{room}"
        disk.mkdir()
        mount(disk, "size=1m", "nr_inodes=64")
        stores(disk)
        run = Run(job.SPEC)
        saved.clear()
        try:
            if fault == "read-only file system":
                _begin(room)
            with refusing(fault, disk, room):
                try:
                    job.work()
                    refused = None
                except StoreError as error:
                    refused = str(error)
                job.sound(whole)
                assert run.done or checkpoints.epochs_done(run.folder) == max(saved, default=0)
            if refused is not None:
                tries += 1
                assert re.search(re.escape(WORDS[fault]) + ".*the same command goes on from there$", refused), refused
                assert "\n" not in refused
            job.work()
            assert job.results() == whole
            assert not list(run.folder.rglob("damaged"))
            survived += refused is not None
        except (AssertionError, OSError) as error:
            lost.append(f"room for {room}: {error!r}")
        finally:
            subprocess.run(["umount", str(disk)], check=True)
    if fault == "read-only file system":  # reading it needs no writing
        disk = folder / "finished"
        disk.mkdir()
        mount(disk, "size=1m")
        stores(disk)
        job.work()
        with refusing(fault, disk, 0):
            tries += 1
            survived += accuracy(Run(job.SPEC), job.EVALUATION).equals(accuracy(Run(job.SPEC), job.EVALUATION))
            batch.train_runs([Run(job.SPEC)], _Preset())
        subprocess.run(["umount", str(disk)], check=True)
    print(json.dumps({"tries": tries, "survived": survived, "lost": lost}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
