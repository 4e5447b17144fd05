"""The same Snakefile on Slurm: the same results as here, and whatever ends a job, it goes on where it was."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import psutil
import pytest

from reproduce.batch.resources import memory
from reproduce.runs.checkpoints import epochs_done
from slurm.clone import FIGURE, OURS, PATIENCE, POTENTIAL, PRESET, TABLES, TUNED, Clone, once, sittings
from slurm.cluster import Cluster, until

pytestmark = pytest.mark.slurm

RUNS = (OURS, POTENTIAL, TUNED)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> dict[str, bytes]:
    """What the local profile gives, on this machine."""
    here = Clone(tmp_path_factory.mktemp("local") / "clone", cluster, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(here.folder / "runs"))
        here.finish(here.figures("trained", FIGURE, profile="local"))
        found = here.results()
    assert len(found) == len(TABLES) + 3 * len(RUNS)
    return found


def as_here(found: dict[str, bytes], local: dict[str, bytes]) -> bool:
    """Whether the first two runs have the local profile's weights, history and accuracies."""
    names = {run.spec.name for run in (OURS, POTENTIAL)}
    return found == {name: content for name, content in local.items() if name.split("/")[0] in names}


def test_the_same_results_and_each_job_has_what_it_asks_for(
    cluster: Cluster, clone: Callable[..., Clone], local: dict[str, bytes]
) -> None:
    """Each of two jobs at a time sees a GPU of its own."""
    here = clone(gpu=True)
    process = here.figures("trained", FIGURE)
    at_work = {run: here.hang(run) for run in (OURS, POTENTIAL)}
    seen = [p.environ()["CUDA_VISIBLE_DEVICES"] for p in at_work.values()]
    shown = {run: cluster.show(here.job(p)) for run, p in at_work.items()}
    assert here.at_work(TUNED) is None  # it waits for the one that it goes on from
    for stopped in at_work.values():
        stopped.resume()
    here.finish(process)
    assert sorted(seen) == ["0", "1"]
    for run, job in shown.items():
        assert (job["TimeLimit"], job["Requeue"], job["NumNodes"]) == ("00:10:00", "1", "1")
        assert (job["Partition"], job["Nice"]) == ("main", "7")
        assert job["MinMemoryNode"] == f"{memory(run, PRESET, gpu=True)}M"
        assert job["CPUs/Task"] == str(run.spec.recipe.threads)
    assert here.results() == local
    assert all(sittings(run) == [[1, run.spec.recipe.epochs]] for run in RUNS)
    here.finish(here.figures("trained", FIGURE))
    assert here.submitted() == []  # all is up to date


def test_what_ends_with_an_error_is_tried_again_with_twice_the_time(
    cluster: Cluster, clone: Callable[..., Clone], local: dict[str, bytes]
) -> None:
    """One job is cancelled, the other one reaches its time limit."""
    here = clone(gpu=False)
    process = here.train()
    cancelled, late = here.job(here.hang(OURS)), here.job(here.hang(POTENTIAL))
    done = {run: epochs_done(run.folder) for run in (OURS, POTENTIAL)}
    cluster("scancel", cancelled)
    cluster("scontrol", "update", f"JobId={late}", "TimeLimit=1")
    here.finish(process)
    again = [cluster.show(job) for job in here.submitted() if job not in (cancelled, late)]
    assert (cluster.show(cancelled)["JobState"], cluster.show(late)["JobState"]) == ("CANCELLED", "TIMEOUT")
    assert [job["TimeLimit"] for job in again] == ["00:20:00"] * 2
    assert as_here(here.results(), local)
    assert all(sittings(run)[0] == [1, done[run]] and once(run) for run in (OURS, POTENTIAL))


def test_slurm_begins_jobs_again_whose_node_failed_or_that_gave_way_to_others(
    cluster: Cluster, clone: Callable[..., Clone], local: dict[str, bytes]
) -> None:
    here = clone(gpu=False)
    process = here.train()
    at_work = [here.hang(run) for run in (OURS, POTENTIAL)]
    jobs = {here.job(p) for p in at_work}
    cluster("scontrol", "update", f"NodeName={cluster.host}", "State=DOWN", "Reason=test")
    psutil.wait_procs(at_work, timeout=60)
    cluster("scontrol", "update", f"NodeName={cluster.host}", "State=RESUME")
    stopped = here.hang(OURS, epochs_done(OURS.folder) + 1)
    urgent = cluster(
        "sbatch", "--parsable", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 3"
    )
    psutil.wait_procs([stopped], timeout=60)
    here.finish(process)
    assert cluster.show(urgent)["JobState"] == "COMPLETED"
    assert set(here.submitted()) == jobs  # none was put into the queue a second time
    assert as_here(here.results(), local)
    assert len(sittings(OURS)) == 3
    assert all(once(run) for run in (OURS, POTENTIAL))


def test_jobs_outlive_snakemake_and_the_same_command_waits_for_them(
    cluster: Cluster, clone: Callable[..., Clone], local: dict[str, bytes]
) -> None:
    """One GPU for two jobs: they take turns, so that one is at work and the other one waits in the queue."""
    here = clone(gpu=True)
    other = cluster("sbatch", "--parsable", "--gpus=1", "--mem=100", "--output=/dev/null", "--wrap=sleep 600")
    process = here.train()
    stopped = here.hang(OURS)
    jobs = here.submitted()
    assert (len(jobs), here.at_work(POTENTIAL)) == (2, None)
    root = psutil.Process(process.pid)
    for one in (*root.children(recursive=True), root):
        one.kill()
    process.wait()
    again = here.train()
    stopped.resume()
    said = here.finish(again)
    cluster("scancel", other)
    assert here.submitted() == []  # there was nothing left to do
    assert (
        f"waiting for 2 jobs of an earlier call that are still in the queue; not to wait: scancel {' '.join(jobs)}"
        in said
    )
    assert {cluster.show(job)["JobState"] for job in jobs} == {"COMPLETED"}
    assert as_here(here.results(), local)
    assert all(sittings(run) == [[1, run.spec.recipe.epochs]] for run in (OURS, POTENTIAL))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_what_ends_figures_takes_its_jobs_out_of_the_queue(
    how: signal.Signals, cluster: Cluster, clone: Callable[..., Clone]
) -> None:
    here = clone(gpu=False)
    process = here.train()
    here.hang(OURS)
    os.kill(process.pid, how)
    said, _ = process.communicate(timeout=PATIENCE)
    if how == signal.SIGINT:
        assert (process.returncode, "goes on from the last finished epoch" in said) == (130, True)
    until(lambda: not cluster.queue(), 60, "jobs that end")
    assert (OURS.done, epochs_done(OURS.folder) >= 1) == (False, True)
