"""A batch goes on after a failure, stops where nothing can go on, and lists what failed."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from reproduce.batch import process, workflow
from reproduce.batch import train as batch
from reproduce.batch.train import BatchError, failed, failure, train_runs, unfinished
from reproduce.cli import main as command_line
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.data.checksums import DataError
from snnlib.store.files import StoreError, UnwritableError, write
from snnlib.training import ranks
from snnlib.training.failures import DeviceError, TrainingError

FEW = [Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, seed=seed) for seed in range(4)]


@pytest.fixture
def preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Preset:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    return Preset(name="p", description="d", evaluation={}, benchmark={}, notebooks={"method": {"net": {"ours": FEW}}})


@pytest.fixture
def errors(monkeypatch: pytest.MonkeyPatch) -> dict[int, Exception]:
    """The errors that runs end with, by seed."""
    found: dict[int, Exception] = {}

    def accuracy(run: Run, evaluation: object) -> None:
        if run.spec.seed in found:
            raise found[run.spec.seed]
        write(run.folder / "done", "")

    monkeypatch.setattr(batch, "accuracy", accuracy)
    return found


def done(preset: Preset) -> list[int]:
    return [run.spec.seed for run in preset.all_runs().values() if (run.folder / "done").exists()]


@pytest.mark.parametrize("error", [TrainingError("diverged"), DataError("no data"), StoreError("forbidden")])
def test_the_others_are_done(preset: Preset, tmp_path: Path, errors: dict[int, Exception], error: Exception) -> None:
    errors |= {1: error, 3: TrainingError("too large")}
    with pytest.raises(BatchError) as found:
        train_runs(preset.all_runs().values(), preset)
    assert str(found.value).splitlines() == [
        "2 of 4 runs failed; the same command tries them again:",
        f"  {FEW[1].name}: {error}",
        f"  {FEW[3].name}: too large",
    ]
    assert done(preset) == [0, 2]
    assert failure(Run(FEW[1])) == str(error)
    logs = {run.name: tmp_path / f"{run.seed}.log" for run in FEW}
    assert unfinished(preset, 0, logs)[FEW[1].name] == str(error)
    assert failed(preset, 0) == {FEW[1].name: str(error), FEW[3].name: "too large"}
    assert unfinished(preset, 0, {})[FEW[0].name] == "not tried"  # without a job, since all is published
    later = time.time() + 1
    assert unfinished(preset, later, logs)[FEW[1].name] == "not tried"
    write(logs[FEW[2].name], "Traceback")  # a mistake of ours
    assert unfinished(preset, later - 9, logs)[FEW[2].name] == f"not done, see {logs[FEW[2].name]}"
    assert failed(preset, later) == {}

    errors.clear()
    train_runs(preset.all_runs().values(), preset)
    assert done(preset) == [0, 1, 2, 3]
    assert failure(Run(FEW[1])) is None


@pytest.mark.parametrize("error", [DeviceError("dead"), UnwritableError("disk full")])
def test_nothing_more_is_tried_where_nothing_can_go_on(
    preset: Preset, errors: dict[int, Exception], error: Exception
) -> None:
    errors[1] = error
    with pytest.raises(BatchError) as found:
        train_runs(preset.all_runs().values(), preset)
    assert str(found.value).splitlines()[1:] == [
        f"  {FEW[1].name}: {error}",
        f"  {FEW[2].name}: not tried after that",
        f"  {FEW[3].name}: not tried after that",
    ]
    assert done(preset) == [0]


def test_more_gpus_than_there_are_are_refused_before_anything_is_trained(
    preset: Preset, errors: dict[int, Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    two = FEW[3].model_copy(update={"recipe": FEW[3].recipe.model_copy(update={"devices": 2})})
    preset = preset.model_copy(update={"notebooks": {"method": {"net": {"ours": [*FEW[:3], two]}}}})
    monkeypatch.setattr(batch, "default_device", lambda: "cuda")
    monkeypatch.setattr(ranks.torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match="recipe.devices = 2: must be at most 1, the GPUs that PyTorch sees here"):
        train_runs(preset.all_runs().values(), preset)
    assert done(preset) == []
    monkeypatch.setattr(batch, "to_do", lambda *_: None)  # it was trained elsewhere
    train_runs(preset.all_runs().values(), preset)
    assert done(preset) == [0, 1, 2, 3]


def test_an_error_of_ours_is_not_taken_for_a_failed_run(preset: Preset, errors: dict[int, Exception]) -> None:
    errors[1] = KeyError("a bug")
    with pytest.raises(KeyError):
        train_runs(preset.all_runs().values(), preset)


def test_the_workflow_lists_runs_and_notebooks_that_failed(
    preset: Preset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def snakemake(*_: object) -> int:
        write(Run(FEW[1]).folder / "failure.txt", "diverged\n")
        for name, last in (
            ("method", "build/p/method.ipynb"),
            ("beyond", "error: bad: cell 3: KeyError"),
            ("claims", "so far"),
        ):
            write(tmp_path / "p" / f"{name}.log", f"a line\n{last}\n")
        return 1

    monkeypatch.setenv("SNNLIB_BUILD", str(tmp_path))
    monkeypatch.setattr(process, "snakemake", snakemake)
    with pytest.raises(BatchError) as found:
        workflow.figures(preset)
    assert str(found.value).splitlines()[1:] == [
        f"  {FEW[0].name}: not tried",
        f"  {FEW[1].name}: diverged",
        f"  {FEW[2].name}: not tried",
        f"  {FEW[3].name}: not tried",
        "  beyond: bad: cell 3: KeyError",
        f"  claims: not done, see {tmp_path / 'p' / 'claims.log'}",
    ]
    with pytest.raises(BatchError) as found:  # runs that nobody asked for are not missed
        workflow.figures(preset, "method")
    assert [line.split(":")[0].strip() for line in str(found.value).splitlines()[1:]] == [
        FEW[1].name,
        "beyond",
        "claims",
    ]


def test_the_exit_code_of_a_batch_that_failed_in_part_is_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*_: object) -> None:
        raise BatchError({"a": "diverged"}, "2 runs")

    monkeypatch.setattr("reproduce.cli.training.train_runs", fails)
    monkeypatch.setattr("sys.argv", ["snnlib", "train"])
    with pytest.raises(SystemExit) as stop:
        command_line.main()
    assert stop.value.code == 1
    assert capsys.readouterr().err == "1 of 2 runs failed; the same command tries them again:\n  a: diverged\n"
