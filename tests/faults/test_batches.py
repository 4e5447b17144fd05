"""Batches: what fails is listed at the end with exit code 1, the rest is done; a killed workflow goes on."""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from toml_text import toml

from faults import job
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.train import failure
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.results import known
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.store.paths import ROOT

pytestmark = pytest.mark.faults

RECIPE = {"epochs": 3, "batch_size": 100, "lr": 1e-2}
GOOD = {**job.SPEC.model_dump(include={"dataset", "network", "width"}), "recipe": RECIPE}
# A net, an arm and its changes; without batch norm, it is an arm that the copy of the repository has for itself.
RELU = {"dynamics": {"kind": "relu"}, "readout": "potential"}
UNSTABLE = {**RELU, "batch_norm": False}
EXPLODES = ({**GOOD, "recipe": {**RECIPE, "lr": 10.0, "schedule": "constant"}}, "unstable", UNSTABLE)
HUGE = ({**GOOD, "width": 8, "recipe": {**RECIPE, "batch_size": 6000}}, "relu", RELU)
NOTEBOOK = "method"
LEFT = [f"{NOTEBOOK}.{ending}" for ending in ("csv", "svg", "png")]

Record = Callable[[str, object], None]


class Copy:
    """A copy of the repository whose smallest preset is smaller still, and its commands."""

    def __init__(self, folder: Path, more: tuple[dict, str] | None) -> None:
        self.folder = folder
        for name in ("snnlib", "reproduce", "notebooks", "profiles"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("Snakefile", "pyproject.toml"):
            shutil.copy(ROOT / name, folder)
        with open(folder / "reproduce" / "runs" / "arms.py", "a") as arms:
            arms.write(f'ARMS["unstable"] = Arm("fails", {UNSTABLE})\n')
        self.preset(more)

    def preset(self, more: tuple[dict, str] | None) -> None:
        nets, runs = {"good": GOOD}, {NOTEBOOK: [{"nets": ["good"], "arms": ["ours"], "seeds": [0, 1, 2]}]}
        if more:
            nets["bad"], arm = more
            runs["explorer"] = [{"nets": ["bad"], "arms": [arm], "seeds": [0]}]
        content = {
            "description": "d", "evaluation": {"timesteps": 4, "noise_seeds": [0]}, "ann_timesteps": 8, "benchmark": {},
            "nets": nets, "notebooks": runs,
        }  # fmt: skip
        (self.folder / "reproduce" / "runs" / "presets" / "smoke.toml").write_text(toml(content))

    def begin(self, *words: str, memory: int | None = None) -> subprocess.Popen[str]:
        def limit() -> None:
            if memory:
                resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

        environment = {k: v for k, v in os.environ.items() if not k.startswith("SNNLIB_")}
        return subprocess.Popen(
            [sys.executable, "-m", "reproduce", *words], cwd=self.folder, preexec_fn=limit, start_new_session=True,
            env={**environment, "PYTHONPATH": str(self.folder), "TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def call(self, *words: str, memory: int | None = None) -> tuple[int, str]:
        """Exit code, and what it said as an error."""
        process = self.begin(*words, memory=memory)
        _, errors = process.communicate(timeout=300)
        return process.returncode, errors


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Copy]:
    """Makes a copy, and has this process see its run store."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "my copy" / "runs"))
    return lambda more=None: Copy(tmp_path / "my copy", more)


def good_runs() -> list[Run]:
    return [Run(Spec(**GOOD, seed=seed)) for seed in range(3)]


@pytest.mark.parametrize("command", ["train", "figures"])
@pytest.mark.parametrize(
    ("fault", "bad", "words"),
    [
        (
            "a loss that is not finite",
            EXPLODES,
            "epoch 1, step 2 of 60: .* no longer finite .*: try a smaller lr",
        ),
        ("out of memory", HUGE, r"out of memory at recipe.batch_size = 6000: try 3000 \(RuntimeError: .*\)"),
    ],
)
def test_a_failed_run_does_not_stop_the_others(
    copy: Callable[..., Copy],
    command: str,
    fault: str,
    bad: tuple[dict, str, dict],
    words: str,
    record_property: Record,
) -> None:
    survived = False
    net, arm, changes = bad
    try:
        repository, run = copy((net, arm)), Run(Spec(**net, **changes, seed=0))
        memory = 6 * 2**30 if bad is HUGE else None
        targets = ["trained"] if command == "figures" else []
        code, errors = repository.call(command, *targets, memory=memory)
        assert code == 1, errors
        *_, head, line = errors.strip().splitlines()
        of = f"4 runs and {len(NOTEBOOK_FILES)} notebooks" if command == "figures" else "4 runs"
        assert head == f"1 of {of} failed; the same command tries them again:"
        assert line.startswith(f"  {run.spec.name}: {run.spec.label}: ")
        assert re.search(words, line), line
        assert "Traceback" not in errors
        evaluation = job.EVALUATION.changed(noise_seeds=(0,))
        assert all(known(good, evaluation) is not None for good in good_runs())
        assert failure(run)
        assert not run.done

        before = [(good.folder / "weights.safetensors").stat().st_mtime_ns for good in good_runs()]
        repository.preset((GOOD, "relu"))  # what it was told to try
        code, errors = repository.call(command, *targets, memory=memory)
        assert code == 0, errors
        assert before == [(good.folder / "weights.safetensors").stat().st_mtime_ns for good in good_runs()]
        survived = True
    finally:
        record_property("fault", [f"{fault}, in a batch", 1, int(survived)])


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What an undisturbed workflow draws."""
    repository = Copy(tmp_path_factory.mktemp("undisturbed") / "my copy", None)
    code, errors = repository.call("figures", NOTEBOOK)
    assert code == 0, errors
    return {name: (repository.folder / "figures" / "mine" / "smoke" / name).read_bytes() for name in LEFT}


@pytest.mark.parametrize("how", ["SIGTERM", "SIGHUP", "SIGINT", "SIGKILL", "SIGKILL alone"])
def test_a_killed_workflow_goes_on(
    copy: Callable[..., Copy], drawn: dict[str, bytes], how: str, record_property: Record
) -> None:
    """SIGKILL hits every process of it, as when a machine goes down; the others, and "alone", the command itself."""
    repository, rng = copy(), random.Random(how)
    kills, survived = 3, False
    try:
        for _ in range(kills):
            done = [epochs_done(run.folder) for run in good_runs()]
            process = repository.begin("figures", NOTEBOOK)
            time.sleep(rng.uniform(4, 14))
            family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
            for victim in reversed(family) if how == "SIGKILL" else family[:1]:
                with suppress(psutil.NoSuchProcess):  # a job may end by itself just then
                    victim.send_signal(signal.Signals[how.split()[0]])
            answer, errors = process.communicate(timeout=180)
            too_late = f"{NOTEBOOK}: done (" in answer  # Python gives signals back as it ends
            if "SIGKILL" not in how and process.returncode and not too_late:
                assert process.returncode == 130, errors
                assert errors.endswith("interrupted; the same command goes on from the last finished epoch\n"), errors
            _, alive = psutil.wait_procs(family, timeout=10)
            assert not alive, alive
            assert all(run.done or epochs_done(run.folder) >= n for run, n in zip(good_runs(), done, strict=True))
        code, errors = repository.call("figures", NOTEBOOK)
        assert code == 0, errors
        assert {name: (repository.folder / "figures" / "mine" / "smoke" / name).read_bytes() for name in LEFT} == drawn
        survived = True
    finally:
        record_property("fault", [f"{how} to `python -m reproduce figures`", kills, kills * survived])


def test_what_looks_done_and_is_not_is_made_anew(
    copy: Callable[..., Copy], drawn: dict[str, bytes], record_property: Record
) -> None:
    """The workflow goes by times; a damaged file keeps its."""
    repository, tries, survived = copy(), 3, 0
    try:
        assert repository.call("figures", NOTEBOOK)[0] == 0
        evaluation = job.EVALUATION.changed(noise_seeds=(0,))
        for path in (
            evaluation.file(good_runs()[0]),
            good_runs()[1].folder / "weights.safetensors",
            good_runs()[2].folder / "metadata.json",
        ):
            when, content = path.stat(), bytearray(path.read_bytes())
            content[len(content) // 2] ^= 1
            path.write_bytes(content)
            os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
            code, errors = repository.call("figures", "trained")
            assert code == 0, errors
            assert str(path) in errors
            assert all(run.damage() is None and known(run, evaluation) is not None for run in good_runs())
            assert repository.call("figures", NOTEBOOK)[0] == 0
            assert {
                name: (repository.folder / "figures" / "mine" / "smoke" / name).read_bytes() for name in LEFT
            } == drawn
            survived += 1
    finally:
        record_property("fault", ["a damaged file that the workflow takes for done", tries, survived])


DRAWN_DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    f"figures/mine/smoke/{NOTEBOOK}.png": lambda content: b"",
    f"figures/mine/smoke/{NOTEBOOK}.svg": lambda content: content[: len(content) // 2],
    f"figures/mine/smoke/{NOTEBOOK}.csv": lambda content: content.replace(b"0.", b"0.9", 40),
    f"figures/mine/smoke/{NOTEBOOK}.sha256": lambda content: b"",
    f"build/smoke/{NOTEBOOK}.ipynb": lambda content: b"{}",
}


def test_figures_that_were_damaged_or_edited_are_drawn_again(
    copy: Callable[..., Copy], drawn: dict[str, bytes], record_property: Record
) -> None:
    repository, survived = copy(), 0
    try:
        assert repository.call("figures", NOTEBOOK)[0] == 0
        for name, damage in DRAWN_DAMAGES.items():
            path = repository.folder / name
            when, before = path.stat(), path.read_bytes()
            path.write_bytes(damage(before))
            assert path.read_bytes() != before
            os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))
            code, errors = repository.call("figures", NOTEBOOK)
            assert code == 0, errors
            found = {file: (repository.folder / "figures" / "mine" / "smoke" / file).read_bytes() for file in LEFT}
            assert found == drawn, name
            assert path.read_bytes() == before or name.endswith(".ipynb"), name
            survived += 1
    finally:
        record_property("fault", ["a damaged or edited figure, table or notebook", len(DRAWN_DAMAGES), survived])


@pytest.mark.parametrize("how", ["SIGKILL", "SIGSEGV"])
def test_a_run_that_a_signal_ends_is_named(copy: Callable[..., Copy], how: str, record_property: Record) -> None:
    """As when memory is full, or a library is wrong; Snakemake knows only that a job failed."""
    repository, survived = copy(), False
    try:
        process = repository.begin("figures", "trained")
        for _ in range(600):
            time.sleep(0.1)
            family = psutil.Process(process.pid).children(recursive=True)
            at_work = [p for p in family if p.name() != "bash" and {"-m", "train"} <= set(p.cmdline())]
            if at_work and any(epochs_done(run.folder) for run in good_runs()):
                break
        at_work[-1].send_signal(signal.Signals[how])
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 1, errors
        told = [line for line in errors.splitlines() if f"killed by {how}" in line]  # at once, and at the end
        assert len(told) == 2, errors
        assert re.match(rf"error: train_[0-9a-f]{{12}}: killed by {how}, see .*\.log: ", told[0]), told
        where = rf"  {good_runs()[0].spec.label}-\w+: after epoch \d of 3"
        assert re.match(rf"{where}, killed by {how}, see .*\.log: ", told[1]), told
        code, errors = repository.call("figures", "trained")
        assert code == 0, errors
        survived = True
    finally:
        record_property("fault", ["a run that a signal ends, in a batch", 1, int(survived)])


@pytest.mark.parametrize("name", ["2024", "1e5", "True"])
def test_a_preset_may_have_any_name(copy: Callable[..., Copy], name: str, record_property: Record) -> None:
    repository, survived = copy(), False
    try:
        presets = repository.folder / "reproduce" / "runs" / "presets"
        shutil.copy(presets / "smoke.toml", presets / f"{name}.toml")
        code, errors = repository.call("figures", "trained", "--preset", name)
        assert code == 0, errors
        survived = True
    finally:
        record_property("fault", ["a preset whose name looks like something else", 1, int(survived)])


def test_a_log_on_a_full_disk_stops_nothing(copy: Callable[..., Copy], record_property: Record) -> None:
    repository, survived = copy(), False
    try:
        with open("/dev/full", "w") as full:
            environment = {**os.environ, "PYTHONPATH": str(repository.folder)}
            environment.pop("TQDM_DISABLE", None)
            command = [sys.executable, "-m", "reproduce", "train"]
            subprocess.run(command, cwd=repository.folder, env=environment, stdout=full, stderr=full, timeout=120)
        evaluation = job.EVALUATION.changed(noise_seeds=(0,))
        assert all(known(run, evaluation) is not None for run in good_runs())
        survived = True
    finally:
        record_property("fault", ["a log on a full disk", 1, int(survived)])
