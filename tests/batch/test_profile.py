"""Profiles: found by name or path; what they say of a cluster decides how runs become jobs, and what these ask for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from filelock import FileLock
from test_workflow import snakefile

from reproduce.batch import process, slurm, workflow
from reproduce.batch import profile as profiles
from reproduce.batch.jobs import Multiplications, jobs
from reproduce.batch.profile import PROFILES, load_profile
from reproduce.batch.resources import MARGIN_MEMORY, MARGIN_TIME, OWN, OWN_GPU, THREAD_RATE, Cluster, memory
from reproduce.batch.roofline import estimates
from reproduce.batch.slurm import name_prefix
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.run import Run
from snnlib.checks import InputError
from snnlib.store.paths import ROOT


@pytest.fixture
def plugins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Snakemake's plugins were installed."""
    monkeypatch.setattr(profiles, "find_spec", lambda name: name)


@pytest.fixture
def smoke() -> Preset:
    return load_preset("smoke")


def test_a_profile_is_found_by_name_or_path(plugins: None, tmp_path: Path) -> None:
    local, cluster = load_profile(), load_profile("slurm")
    assert (local.executor, local.cluster) == ("local", None)
    assert (cluster.executor, cluster.cluster) == ("slurm", Cluster())
    assert load_profile(str(PROFILES / "slurm")) == cluster
    (tmp_path / "mine").mkdir()
    for file in (PROFILES / "slurm").iterdir():
        (tmp_path / "mine" / file.name).write_text(file.read_text().replace("gpu: true", "gpu: false"))
    assert load_profile(str(tmp_path / "mine")).cluster == Cluster(gpu=False)


@pytest.mark.parametrize(
    ("given", "config", "jobs_file", "words"),
    [
        ("nowhere", None, None, "profile = 'nowhere': must be one of local, slurm"),
        ("", None, None, "profile = '': must be a folder with a config.yaml"),
        ("./nowhere", None, None, "profile = './nowhere': must be a folder with a config.yaml"),
        ("~nobody_of_this_name/x", None, None, "profile = '~nobody_of_this_name/x': .* home directory"),
        (f"./{'x' * 300}", None, None, r"profile = '\./x+.*': .*[Nn]ame too long"),
        ("{}", "executor: [", None, "{}/config.yaml: while parsing"),
        ("{}", "- slurm", None, "{}/config.yaml: must be a table of options"),
        ("{}", "configfile: jobs.yaml", None, "jobs.yaml: .*No such file"),
        ("{}", "configfile: jobs.yaml", "cluster: 3", "{}/jobs.yaml: cluster = 3: must be a table"),
        ("{}", "configfile: jobs.yaml", "cluster: {gpus: true}", "{}/jobs.yaml: gpus = True: .*gpu, speed"),
        ("{}", "configfile: jobs.yaml", "cluster: {speed: fast}", "{}/jobs.yaml: .*speed = 'fast': .* number"),
        ("{}", "configfile: jobs.yaml", "cluster: {most_minutes: 0}", "{}/jobs.yaml: .*most_minutes = 0: .*greater"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, given: str, config: str | None, jobs_file: str | None, words: str
) -> None:
    for name, content in (("config.yaml", config), ("jobs.yaml", jobs_file)):
        if content:
            (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words.format(tmp_path)) as error:
        load_profile(given.format(tmp_path))
    assert "\n" not in str(error.value)


def test_a_plugin_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(profiles, "find_spec", lambda _: None)
    load_profile("local")
    with pytest.raises(
        InputError, match=r"needs snakemake-executor-plugin-slurm, .*: pip install --editable '.\[slurm\]'"
    ):
        load_profile("slurm")


def test_snakemake_takes_every_option_of_the_profiles(smoke: Preset) -> None:
    """As it reads them, and not only we; a plugin's own options it knows where that is installed."""
    pytest.importorskip("snakemake_executor_plugin_slurm")
    from snakemake.cli import get_argument_parser

    for name in ("local", "slurm"):
        options = yaml.safe_load((PROFILES / name / "config.yaml").read_text())
        parser = get_argument_parser([str(PROFILES / name)])
        known = {o.lstrip("-") for action in parser._actions for o in action.option_strings}
        assert {*options} <= known


def test_on_a_cluster_each_run_is_a_job_that_asks_for_what_its_spec_needs(smoke: Preset) -> None:
    config = yaml.safe_load((PROFILES / "slurm" / "jobs.yaml").read_text())
    here, there = snakefile("smoke"), snakefile("smoke", **config)
    runs = jobs(smoke, apart=True)
    assert sorted(run.spec.name for (run,) in runs) == sorted(smoke.all_runs())
    assert len(jobs(smoke)) < len(runs)
    (run,) = runs[0]
    asked, drawing = there["asked"]([run]), there["asked"]([])
    assert (asked["gpu"], asked["nodes"], drawing["gpu"]) == (1, 1, 1)  # whatever this machine has
    assert [asked["mem_mb"](None, attempt) for attempt in (1, 2, 3)] == [
        memory(run, smoke, True) * n for n in (1, 2, 4)
    ]
    assert [asked["runtime"](None, attempt) for attempt in (1, 2, 3)] == [10, 20, 40]
    assert here["asked"]([run]) == {"gpu": here["GPU"]}
    assert ("SNNLIB_GPUS" in here["ARMED"], "SNNLIB_GPUS" in there["ARMED"]) == (True, False)


def test_time_is_that_of_the_multiplications_within_what_is_allowed(smoke: Preset) -> None:
    costly = max(smoke.all_runs().values(), key=lambda run: run.spec.timesteps * run.spec.recipe.epochs)
    slow = Cluster(gpu=False, speed=0.1, most_minutes=100, least_minutes=7)
    macs = 28 * 28 * 8 * 9 + 14 * 14 * 8 * 16 * 9 + 7 * 7 * 16 * 16 * 9 + 3 * 3 * 16 * 64 + 64 * 10  # at an eighth
    tests = 4 * costly.spec.recipe.epochs + 1  # a quarter of an epoch apart, and the last weights'
    passes = 3 * 6000 * costly.spec.recipe.epochs * 10 + 1000 * 10 * tests
    assert slow.minutes(costly, smoke) == pytest.approx(1 + 2 * macs * passes / 1e8 / 60, abs=1)
    asked = [slow.training(costly, smoke)["runtime"](None, attempt) for attempt in (1, 2)]
    assert asked == [min(slow.minutes(costly, smoke), 100), 100]
    assert Cluster(gpu=False, least_minutes=500).training(costly, smoke)["runtime"](None, 1) == 500
    assert slow.training(costly, smoke)["gpu"] == 0


def test_on_gpus_time_is_the_models_at_its_worst(smoke: Preset) -> None:
    """The costliest nets of `paper` fit a day, so that what retries double means something."""
    paper = load_preset("paper")
    worst = estimates(paper)[1]
    for run in list(paper.all_runs().values())[::40]:
        minutes = Cluster().minutes(run, paper)
        assert minutes == pytest.approx(1 + 2 * worst[run.spec.name] / 60, abs=1.01)
        assert Cluster(speed=0.5).minutes(run, paper) == pytest.approx(2 * minutes, abs=2)
    assert max(worst.values()) * 2 < 24 * 3600


def test_a_run_over_several_devices_asks_for_each_of_its_processes(smoke: Preset) -> None:
    (one, *_) = smoke.all_runs().values()
    two, eight = (
        Run(one.spec.model_copy(update={"recipe": one.spec.recipe.model_copy(update={"devices": n})})) for n in (2, 8)
    )
    assert Cluster().training(eight, smoke)["gpu"] == 8
    for gpu, own in ((True, OWN_GPU), (False, OWN)):
        first, second, all_eight = (memory(run, smoke, gpu) for run in (one, two, eight))
        assert second - first >= MARGIN_MEMORY * own - 1
        assert all_eight - first == pytest.approx(7 * (second - first), abs=8)
    times = [Cluster(gpu=False, speed=1e-3).minutes(run, smoke) for run in (one, two)]
    training = one.spec.recipe.epochs * one.spec.images[0] * Multiplications().training(one.spec)
    shared = MARGIN_TIME * training / THREAD_RATE / one.spec.recipe.threads / 1e-3 / 60  # tests are not
    assert times[0] - times[1] == pytest.approx(shared / 2, abs=1)


PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", "reproduce", "-q", "train", *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("arm", "training"), [("ours", "single_step"), ("direct", "lif10")])
def test_memory_is_enough_and_not_ten_times_as_much(
    arm: str, training: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a process really had at its peak, trained for an epoch."""
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    changed = ("recipe.epochs=1", f"nets.cnn.arms.{arm}.evaluate_every=1")
    preset = load_preset("smoke", changed)
    run = next(run for run in preset.runs("fig3_4_training_time") if run.spec.training == training)
    words = [run.spec.name, "--preset", "smoke", *(word for change in changed for word in ("--set", change))]
    done = subprocess.run([sys.executable, "-c", PEAK, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert 1 < memory(run, preset, gpu=False) / float(done.stdout) < 10


QUEUE = """12|{prefix}_0a1b
11|{prefix}_0a1b
13|snnlib-other-{clone}_0a1b
14|snnlib-smoke-00000000_0a1b
15|interactive
"""


def squeue(folder: Path, said: str, code: int = 0) -> None:
    """A `squeue` that says this."""
    (folder / "said").write_text(said)
    (folder / "squeue").write_text(f"#!/bin/sh\ncat {folder}/said >&{2 if code else 1}\nexit {code}\n")
    (folder / "squeue").chmod(0o755)


def test_jobs_that_an_earlier_call_left_are_waited_for(
    smoke: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    prefix = name_prefix(smoke)
    squeue(tmp_path, QUEUE.format(prefix=prefix, clone=prefix.rpartition("-")[2]))
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    caplog.set_level("INFO", "snnlib")
    monkeypatch.setattr(slurm, "EVERY", 0.0)
    assert slurm.left_over() == ["11", "12", "13"]
    answers = [["11", "12", "13"], ["12"], []]
    slurm.wait_for_left_over(lambda: answers.pop(0))
    assert answers == []
    assert caplog.messages == [
        "waiting for 3 jobs of an earlier call that are still in the queue; not to wait: scancel 11 12 13"
    ]


def test_a_queue_that_cannot_be_asked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="needs Slurm's commands, and there is no squeue"):
        slurm.left_over()
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    squeue(tmp_path, "first\nslurm_load_jobs error: Unable to contact slurm controller\n", 1)
    with pytest.raises(InputError, match="squeue cannot tell .*: slurm_load_jobs error: Unable to contact"):
        slurm.left_over()


@pytest.mark.parametrize("name", ["smoke", "my preset, 100 % wider than anything else that there is", "ünïcode", "---"])
def test_a_prefix_is_one_that_the_plugin_takes(smoke: Preset, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which wants at most 50 letters, digits, - and _; another store, preset or workflow's folder has another one."""
    prefix = name_prefix(smoke.model_copy(update={"name": name}))
    assert re.fullmatch(r"snnlib-[A-Za-z0-9_-]{1,43}", prefix)
    for variable in ("SNNLIB_RUNS", "SNNLIB_BUILD"):
        with monkeypatch.context() as patch:
            patch.setenv(variable, "elsewhere")
            assert name_prefix(smoke.model_copy(update={"name": name})) != prefix


def test_the_workflow_is_begun_with_the_profile(
    smoke: Preset, plugins: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[str]] = []
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(process, "snakemake", lambda arguments, look: given.append(arguments) or 0)
    monkeypatch.setattr(slurm, "left_over", list)
    monkeypatch.setattr(workflow.slurm, "wait_for_left_over", lambda: given.append(["waited"]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,7,2")
    workflow.figures(smoke, "trained", profile=load_profile("slurm"))
    workflow.figures(smoke, "trained")
    waited, cluster, local = given
    assert waited == ["waited"]
    assert cluster[cluster.index("--profile") + 1] == str(PROFILES / "slurm")
    assert cluster[cluster.index("--slurm-jobname-prefix") + 1] == name_prefix(smoke)
    assert "--resources" not in cluster
    assert local[local.index("--profile") + 1] == str(PROFILES / "local")
    assert local[local.index("--resources") + 1] == "gpu=3"


def test_the_queue_is_not_asked_while_another_one_is_at_work(
    smoke: Preset, plugins: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its jobs are there by right; waiting for them would be a wait without end."""
    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(workflow.slurm, "wait_for_left_over", lambda: pytest.fail("waited"))
    with FileLock(tmp_path / "workflow.lock"), pytest.raises(process.WorkflowError, match="another `make figures`"):
        workflow.figures(smoke, profile=load_profile("slurm"))


def test_a_run_over_more_gpus_than_there_are_is_refused(smoke: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workflow, "default_device", lambda: "cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-b")
    assert workflow._where(smoke, load_profile()) == ["--resources", "gpu=2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(InputError, match="recipe.devices = 1: must be at most 0, the GPUs of this machine"):
        workflow._where(smoke, load_profile())


@pytest.mark.parametrize(("said", "resources"), [("[mem_mb=9]", ["mem_mb=9", "gpu=1"]), ("{gpu: 2, mem_mb: 9}", None)])
def test_what_a_profile_says_of_this_machine_stays(
    smoke: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, resources: list[str] | None
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    (tmp_path / "config.yaml").write_text(f"cores: 1\nresources: {said}\n")
    where = workflow._where(smoke, load_profile(str(tmp_path)))
    assert where == (["--resources", *resources] if resources else [])
