"""How far a workflow is, from the files that its jobs leave: the run store, executed notebooks, logs."""

from __future__ import annotations

import json
import os
import statistics
import time
from contextlib import suppress
from pathlib import Path

from reproduce.batch.estimate import jobs_at_a_time, to_do
from reproduce.batch.jobs import Multiplications
from reproduce.batch.killed import log_file, status_file, why_killed
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.train import failure
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from snnlib.store.files import StoreError, newer
from snnlib.store.paths import from_root

A_NOTEBOOK = 30.0  # seconds, where none was drawn that could tell
TOLD = ("warning: ", "error: ")  # how the lines of a log begin that a reader is to see at once


class Trainings:
    """Those of some runs that are to be trained or evaluated, ``total`` of them."""

    def __init__(self, preset: Preset, runs: list[Run], since: float) -> None:
        self._preset, self._since = preset, since
        self._uses = preset.uses()
        self._left = {run.spec.name: work for run in runs if (work := to_do(run, preset))}
        self._seen = {name: _listing(work.run.folder) for name, work in self._left.items()}
        self._begun: list[str] = []
        self._began: tuple[float, float] | None = None  # when the first epoch was done, and the work left then
        self._at_first = self._work()
        self.total = len(self._left)

    def look(self) -> list[str]:
        """The runs that were done since the last look, by net, arm and seed."""
        done = []
        for name, work in list(self._left.items()):
            seen = _listing(work.run.folder)
            if seen == self._seen[name]:  # then the run is as it was
                continue
            with suppress(StoreError):  # somebody writes there
                self._seen[name], now = seen, to_do(work.run, self._preset)
                if now:
                    self._left[name] = now
                    self._begun += [name] * (name not in self._begun)
                else:
                    del self._left[name]
                    done.append(self._words(work.run))
        if self._began is None and (left := self._work()) < self._at_first:
            self._began = time.monotonic(), left
        return done

    def at_work(self) -> list[str]:
        """What has been begun and is neither done nor failed, and how far it is."""
        begun = [self._left[name] for name in self._begun if name in self._left]
        runs = [(work, work.run.spec.recipe.epochs) for work in begun if failure(work.run, self._since) is None]
        return [
            f"{self._words(work.run)}, {f'epoch {n - work.epochs + 1} of {n}' if work.epochs else 'evaluated'}"
            for work, n in runs
        ]

    def seconds_left(self) -> float | None:
        """By the pace so far; None before there is one."""
        left = self._work()
        if not left:
            return 0.0
        since, then = self._began or (0.0, left)
        return (time.monotonic() - since) * left / (then - left) if then > left else None

    def _work(self) -> float:
        """Multiply-accumulates of what is left and has not failed."""
        left = [work for work in self._left.values() if failure(work.run, self._since) is None]
        return sum(work.seconds(Multiplications()) for work in left)

    def _words(self, run: Run) -> str:
        return f"{self._uses[run.spec.name].split(', ')[0]} s{run.spec.seed}"


class Drawings:
    """Notebooks that are to be drawn, ``total`` of them."""

    def __init__(self, folder: Path, names: list[str], since: float) -> None:
        self._folder, self._since, self._left = folder, since, names
        self._took = {name: seconds for name in NOTEBOOK_FILES if (seconds := _duration(self._copy(name)))}
        self._begun: dict[str, float] = {}
        self.total = len(names)

    def look(self) -> list[str]:
        """The names of those that were drawn since the last look."""
        done = [name for name in self._left if newer(self._copy(name), self._since)]
        self._left = [name for name in self._left if name not in done]
        self._took |= {name: _duration(self._copy(name)) or A_NOTEBOOK for name in done}
        self._begun = {name: self._begun.get(name, time.monotonic()) for name in self.at_work()}
        return done

    def at_work(self) -> list[str]:
        """What has been begun and is neither done nor failed."""
        return [name for name in self._waited_for() if newer(log_file(self._folder, name), self._since)]

    def seconds_left(self) -> float:
        """Each takes as long as it took before, or as the others did; one that is late will be as late again."""
        usual, now = statistics.mean(self._took.values()) if self._took else A_NOTEBOOK, time.monotonic()
        needed = (abs(self._took.get(name, usual) - (now - self._begun.get(name, now))) for name in self._waited_for())
        return sum(needed) / jobs_at_a_time()

    def _waited_for(self) -> list[str]:
        """Those left that have not failed."""
        return [name for name in self._left if not newer(status_file(self._folder, name), self._since)]

    def _copy(self, name: str) -> Path:
        return self._folder / f"{name}.ipynb"


class Logs:
    """What jobs say that a reader is to know at once."""

    def __init__(self, folder: Path, since: float) -> None:
        self._folder, self._since = folder, since
        self._read: dict[Path, int] = {}  # bytes
        self._killed: set[Path] = set()

    def look(self) -> list[str]:
        """The warnings and errors since the last look, each with where it was found; and jobs that a signal ended."""
        found: list[str] = []
        for file in self._new("*.log"):
            content = file.read_bytes()
            read = self._read.get(file, 0)
            said = content[read if read <= len(content) else 0 :]  # a job that is tried again writes its log anew
            said = said[: said.rfind(b"\n") + 1]
            self._read[file] = content.rfind(b"\n") + 1
            lines = said.decode(errors="replace").splitlines()
            found += [f"{line} ({from_root(file)})" for line in lines if line.startswith(TOLD)]
        for file in self._new("*.status"):
            if file not in self._killed and (why := why_killed(self._folder, file.stem, self._since)):
                self._killed.add(file)
                found.append(f"error: {file.stem}: {why}")
        return found

    def _new(self, pattern: str) -> list[Path]:
        return [file for file in sorted(self._folder.glob(pattern)) if newer(file, self._since)]


def _listing(folder: Path) -> tuple[object, ...]:
    """What differs once a file there was made, removed or replaced, also in the same tick of the system's clock."""
    try:
        return folder.stat().st_mtime_ns, *sorted(os.listdir(folder))
    except OSError:
        return ()


def _duration(copy: Path) -> float | None:
    """Seconds that drawing an executed notebook took, as papermill wrote into it."""
    try:
        return float(json.loads(copy.read_bytes())["metadata"]["papermill"]["duration"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
