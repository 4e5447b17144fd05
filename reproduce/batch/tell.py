"""What a reader sees of a workflow at work: how many runs and notebooks are done, and how long the rest will take."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path

from tqdm import tqdm

from reproduce.batch.engine import PLAN
from reproduce.batch.estimate import duration
from reproduce.batch.killed import Jobs, training
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.watch import Drawings, Logs, Trainings
from reproduce.runs.preset import Preset
from snnlib.store.files import newer

log = logging.getLogger("snnlib")

SILENCE = 15.0  # seconds, at most


class Teller:
    """Tells a terminal by a bar, which is drawn anew each time; anybody else by a line for all that is done.

    Args:
        preset: at which everything runs.
        jobs: of its trainings, from `reproduce.batch.jobs.jobs`.
        build: the folder of the workflow's plan, which holds that of the jobs' logs.
        since: when it was started, a time of the system's clock.

    Attributes:
        trained: how many runs were trained or evaluated so far.
        planned: the jobs that Snakemake is to run, by name; none until it has said so.
    """

    def __init__(self, preset: Preset, jobs: Jobs, build: Path, since: float) -> None:
        self._preset, self._jobs, self._plan, self._since = preset, jobs, build / PLAN, since
        self._folder = build / preset.name
        self._logs = Logs(self._folder, since)
        self._trainings, self._drawings = Trainings(preset, [], since), Drawings(self._folder, [], since)
        self._bar: tqdm | None = None  # until the plan is there
        self._told = time.monotonic()
        self._done = 0
        self.trained, self.planned = 0, []

    def __enter__(self) -> Teller:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def look(self) -> None:
        """See what has changed, and tell it; to be called every second or so."""
        if self._bar is None and newer(self._plan, self._since):
            self._begin(json.loads(self._plan.read_text()))
        for line in self._logs.look():
            self._say(line)
        trained, drawn = self._trainings.look(), self._drawings.look()
        self.trained += len(trained)
        if self._bar is not None:
            self._show([*trained, *drawn])
        elif time.monotonic() > self._told + SILENCE:
            self._say("still looking for what is to be done")

    def _begin(self, planned: list[str]) -> None:
        self.planned = planned
        runs = [run for job in self._jobs if training(job) in planned for run in job]
        self._trainings = Trainings(self._preset, runs, self._since)
        self._drawings = Drawings(self._folder, [name for name in NOTEBOOK_FILES if name in planned], self._since)
        self._bar = tqdm(
            total=self._trainings.total + self._drawings.total, file=sys.stderr, disable=None, leave=False,
            dynamic_ncols=True, bar_format="{n_fmt}/{total_fmt} |{bar:20}| {elapsed} {desc}",
        )  # fmt: skip

    def _show(self, done: list[str]) -> None:
        pace = self._trainings.seconds_left()
        seconds = 0.0 if pace is None else pace + self._drawings.seconds_left()
        left = [f"about {duration(seconds)} left"] if seconds else []
        at_work = "; ".join([*self._trainings.at_work(), *self._drawings.at_work()]) or "a job starts"
        self._bar.update(len(done))
        self._bar.set_description_str(": ".join([*left, at_work]))  # a narrow terminal cuts the end
        if not self._bar.disable:
            return
        for name in done:
            self._done += 1
            self._say(", ".join([f"{self._done}/{self._bar.total} {name}", *left]))
        if time.monotonic() > self._told + SILENCE:
            self._say(", ".join([f"{self._done}/{self._bar.total} at work: {at_work}", *left]))

    def _say(self, line: str) -> None:
        with tqdm.external_write_mode(sys.stderr):
            log.info(line)
        self._told = time.monotonic()
