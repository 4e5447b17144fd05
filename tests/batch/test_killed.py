"""Jobs that a signal ended are told by run or notebook, signal, log and what to try."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tiny_runs import TINY

from reproduce.batch.jobs import jobs
from reproduce.batch.killed import killed, log_file, status_file, training
from reproduce.batch.train import FAILURE
from reproduce.cli import choose
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.store.files import write


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preset:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    runs = tuple(Spec(**{**TINY, "seed": seed}) for seed in range(3))
    return Preset(name="p", description="d", evaluation={}, benchmark={}, notebooks={"method": {"net": {"ours": runs}}})


def test_the_run_that_was_at_work_is_named_and_those_behind_it(preset: Preset, tmp_path: Path) -> None:
    (runs,) = jobs(preset)
    first, *others = [run.spec.name for run in runs]
    checkpoint = Run(runs[0].spec).folder / f"checkpoint-000002-{'0' * 64}.safetensors"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    status_file(tmp_path, training(runs)).write_text("137\n")
    found = killed(preset, jobs(preset), tmp_path, 0.0)
    epochs = runs[0].spec.recipe.epochs
    start = (
        f"after epoch 2 of {epochs}, killed by SIGKILL, see {log_file(tmp_path, training(runs))}: memory may be full"
    )
    assert found.pop(first).startswith(start)
    assert found == dict.fromkeys(others, "not tried after that")


def test_of_a_job_of_several_nets_the_run_after_those_that_failed_by_themselves_was_at_work(
    preset: Preset, tmp_path: Path
) -> None:
    """The order is the job's, the costliest net first, whichever the preset names first."""
    small, large = ([Spec(**{**TINY, "width": width, "seed": seed}) for seed in (0, 1)] for width in (1 / 16, 1 / 8))
    nets = {"small": {"ours": small}, "large": {"ours": large}}
    preset = preset.model_copy(update={"notebooks": {"method": nets}})
    (runs,) = jobs(preset)
    names = [run.spec.name for run in runs]
    assert names == [spec.name for spec in (*large, *small)]
    assert choose.several(names, preset) == runs  # as the job's command has them
    write(Run(large[0]).folder / FAILURE, "diverged")
    status_file(tmp_path, training(runs)).write_text("137\n")
    found = killed(preset, [runs], tmp_path, 0.0)
    assert found.pop(large[1].name).startswith("after epoch 0 of ")
    assert found == dict.fromkeys([spec.name for spec in small], "not tried after that")


def test_so_is_a_notebook(preset: Preset, tmp_path: Path) -> None:
    status_file(tmp_path, "method").write_text("139\n")
    (why,) = killed(preset, jobs(preset), tmp_path, 0.0).values()
    assert (
        why
        == f"killed by SIGSEGV, see {tmp_path / 'method.log'}: a fault in a compiled library: its traceback is there"
    )


@pytest.mark.parametrize("code", ["1", "0", "", "damaged"])
def test_what_no_signal_ended_or_was_before_is_not(preset: Preset, tmp_path: Path, code: str) -> None:
    status_file(tmp_path, "method").write_text(code)
    assert killed(preset, jobs(preset), tmp_path, 0.0) == {}
    status_file(tmp_path, "method").write_text("137")
    os.utime(status_file(tmp_path, "method"), (1, 1))
    assert killed(preset, jobs(preset), tmp_path, 2.0) == {}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_shell_tells_the_signal_as_is_assumed(how: signal.Signals) -> None:
    command = (
        f"set -euo pipefail; python -c 'import os; os.kill(os.getpid(), {how})' 2>&1 | {{ tee -i /dev/full || true; }}"
    )
    done = subprocess.run(["bash", "-c", f"{command} || echo ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert done.stdout.strip().splitlines()[-1] == str(128 + how)
