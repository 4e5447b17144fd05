"""A copy of the repository, its profiles set for tests, its commands, and what they leave."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil
import yaml

from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.preset import load_preset
from reproduce.runs.run import Run
from slurm.cluster import Cluster, until
from snnlib.store.paths import ROOT

TINY = Path(__file__).parent / "tiny.toml"
PRESET = load_preset(str(TINY))
OURS, POTENTIAL, TUNED = PRESET.all_runs().values()
MORE = "method"  # the notebook that alone needs the last one
FIGURE = "fig2_accuracy_vs_timesteps"
TABLES = [f"{FIGURE}.csv", "fig2_gains.csv", "fig2_levels.csv"]
PATIENCE = 400.0  # seconds, on a machine that is busy with other things


class Clone:
    """The copy; ``jobs`` is what its profile `test`, else that for Slurm, says of jobs in place of the usual."""

    def __init__(self, folder: Path, cluster: Cluster, jobs: Mapping[str, object]) -> None:
        self.folder, self.cluster = folder, cluster
        for name in ("snnlib", "reproduce", "notebooks", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Snakefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        profile = folder / "profiles" / "test"
        shutil.copytree(folder / "profiles" / "slurm", profile)
        options = yaml.safe_load((profile / "config.yaml").read_text())
        options |= {"slurm-init-seconds-before-status-checks": 2, "latency-wait": 10}
        options["default-resources"] = {"slurm_partition": "main", "slurm_extra": "'--nice=7'"}  # as the file says
        (profile / "config.yaml").write_text(yaml.safe_dump(options))
        said = yaml.safe_load((profile / "jobs.yaml").read_text())
        said["cluster"] |= jobs
        (profile / "jobs.yaml").write_text(yaml.safe_dump(said))
        self._begun: list[subprocess.Popen[str]] = []

    def figures(self, *words: str, profile: str = "test", preset: Path = TINY) -> subprocess.Popen[str]:
        """`python -m reproduce figures` at the tiny preset, begun."""
        inherited = {k: v for k, v in self.cluster.environment.items() if not k.startswith("SNNLIB_")}
        process = subprocess.Popen(
            [sys.executable, "-m", "reproduce", "figures", *words, "--preset", str(preset), "--profile", profile],
            cwd=self.folder, env={**inherited, "PYTHONPATH": str(self.folder), "SNNLIB_PRETRAINED": "no folder"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self._begun.append(process)
        return process

    def train(self) -> subprocess.Popen[str]:
        """Likewise, for the first two runs alone."""
        fewer = self.folder / "two.toml"
        lines = TINY.read_text().splitlines(keepends=True)
        fewer.write_text("".join(line for line in lines if not line.startswith(MORE)))
        return self.figures("trained", preset=fewer)

    def finish(self, process: subprocess.Popen[str]) -> str:
        """What it said, once it has ended well."""
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, f"{said}\n{self.log()}"
        return said

    def log(self) -> str:
        """The end of Snakemake's own words."""
        file = self.folder / "build" / "snakemake.log"
        return file.read_text()[-5000:] if file.exists() else ""

    def submitted(self) -> list[str]:
        """The numbers of the jobs that Snakemake has put into the queue since it was last begun."""
        return re.findall(r"submitted with SLURM jobid (\d+)", (self.folder / "build" / "snakemake.log").read_text())

    def at_work(self, run: Run) -> psutil.Process | None:
        """The process that trains a run; none if there is none."""
        words = ["-m", "reproduce", "train", run.spec.name]
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = process.cmdline()
                if any(line[i : i + 4] == words for i in range(len(line))) and process.cwd() == str(self.folder):
                    return process
        return None

    def hang(self, run: Run, epochs: int = 1) -> psutil.Process:
        """Have the process that trains a run stand still once so many epochs are done, so that a fault meets it."""
        until(lambda: epochs_done(run.folder) >= epochs, PATIENCE, f"epoch {epochs}", self.log)
        process = self.at_work(run)
        assert process is not None
        process.suspend()
        assert not run.done, "it was too fast to be stopped"
        return process

    def job(self, process: psutil.Process) -> str:
        """The number of the job that it belongs to."""
        return process.environ()["SLURM_JOB_ID"]

    def results(self) -> dict[str, bytes]:
        """What there is of each run's weights, history and accuracies, and of the figure's tables, by name."""
        files = [self.folder / "figures" / "mine" / PRESET.name / name for name in TABLES]
        for run in PRESET.all_runs().values():
            files += [run.folder / "weights.safetensors", run.folder / "history.csv"]
            files += [evaluation.file(run) for evaluation in PRESET.evaluations(run)]
        return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in files if path.exists()}

    def end(self) -> None:
        """End what was begun, and the jobs that it left."""
        for process in self._begun:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for process in psutil.process_iter():  # Snakemake is a process group of its own
            with suppress(psutil.Error):
                if process.cwd() == str(self.folder):
                    process.kill()
        if left := self.cluster.queue():
            self.cluster("scancel", *left, check=False)
            until(lambda: not self.cluster.queue(), 60, "jobs that end")


def sittings(run: Run) -> list[list[int]]:
    """First and last epoch of each stretch of training."""
    return [sitting["epochs"] for sitting in run.metadata["sittings"]]


def once(run: Run) -> bool:
    """Whether every epoch was trained once, each stretch from where the one before ended."""
    epochs = [epoch for first, last in sittings(run) for epoch in range(first, last + 1)]
    return epochs == list(range(1, run.spec.recipe.epochs + 1))
