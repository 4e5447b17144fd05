"""What is left of a preset, how long that takes, and that what is measured is the net that would be trained."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from toml_text import toml

from reproduce.batch import estimate, throughput
from reproduce.batch.estimate import duration, time_left, to_do
from reproduce.batch.throughput import FEW, Throughput
from reproduce.cli import runs as commands
from reproduce.runs import checkpoints, preset_found, results
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsTrained, Conversion
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.run import FILES, Run, build_for
from reproduce.runs.spec import Spec
from reproduce.runs.untrained import Untrained
from snnlib.data.sets import Dataset
from snnlib.fast import process
from snnlib.network import Spiking
from snnlib.simulation import CHUNK, Simulation
from snnlib.store.files import seal, sha256, write
from snnlib.store.tensors import save_tensors
from snnlib.training import measure
from snnlib.training.loop import initial_state

NET = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16}


def spec(epochs: int = 7, every: float = 2, batch_size: int = 64, **fields: Any) -> Spec:
    recipe = {"epochs": epochs, "evaluate_every": every, "batch_size": batch_size, **fields.pop("recipe", {})}
    return Spec(**{**NET, **fields}, recipe=recipe)


def preset_of(*specs: Spec, **evaluation: Any) -> Preset:
    e = {"timesteps": 10, "noise_seeds": (0, 1, 2), **evaluation}
    return Preset(
        name="p",
        description="d",
        evaluation=e,
        benchmark={},
        ann_timesteps=40,
        notebooks={"n": {"net": {"ours": specs}}},
    )


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


class Fixed:
    """Rates that a test knows: a second per training image, a hundredth per test image and time step."""

    def training(self, spec: Spec) -> float:
        return 1.0

    def testing(self, spec: Spec, evaluation: Evaluation) -> float:
        return 0.01 * evaluation.timesteps


def checkpoint(s: Spec, epoch: int) -> Path:
    """What an interruption after this epoch leaves."""
    untrained = Untrained(s, 4)
    state = initial_state(untrained.model("cpu"), untrained.data("cpu"), s.recipe)
    state.epoch = epoch
    return checkpoints.save_checkpoint(Run(s).folder, state, {"run": s.name})


def trained(run: Run, seconds: float = 0.0) -> None:
    """The least that passes for a finished run."""
    for name in FILES:
        write(run.folder / name, name)
    files = {name: sha256(run.folder / name) for name in FILES}
    about = {"spec": run.spec.model_dump(mode="json"), "files": files, "train_seconds": seconds}
    write(run.folder / "metadata.json", seal(about))


def evaluated(run: Run, p: Preset) -> None:
    for e in p.evaluations(run):
        file = e.file(run)
        bits = file.with_suffix(".safetensors")
        write(file, "timesteps,accuracy,tied,silent\n1,0.5,0,0\n2,0.75,0,0\n")
        save_tensors(bits, *results._packed(torch.ones(1, 2, 9, dtype=torch.bool)))
        write(file.with_suffix(".json"), seal({**results._about(run, e), "files": [sha256(file), sha256(bits)]}))


# --- what is left ----------------------------------------------------------------------------


def test_a_new_run_is_trained_tested_after_epochs_2_4_6_7_and_evaluated() -> None:
    s = spec()
    p = preset_of(s)
    work = to_do(Run(s), p)
    assert work is not None
    assert work.epochs == 7
    assert work.passes == ((Conversion(timesteps=10), 4), (p.evaluation, 3))
    # 6,000 images at 64: 93 whole batches. 1,000 test images, 10 steps each, 4 tests and 3 noise seeds.
    assert work.seconds(Fixed()) == pytest.approx(7 * 93 * 64 * 1.0 + 1_000 * 10 * 0.01 * (4 + 3))


@pytest.mark.parametrize(("epoch", "tests"), [(1, 4), (2, 3), (5, 2), (6, 1), (7, 0)])
def test_a_begun_run_goes_on_after_its_checkpoint(epoch: int, tests: int) -> None:
    checkpoint(spec(), epoch)
    work = to_do(Run(spec()), preset_of(spec()))
    assert work is not None
    assert (work.epochs, work.passes[0][1]) == (7 - epoch, tests)


@pytest.mark.parametrize(
    ("every", "done", "tests"), [(0.25, 0, 28), (0.25, 3, 16), (1 / 3, 6, 3), (0.001, 6, 93), (0, 0, 0)]
)
def test_tests_within_epochs_are_counted(every: float, done: int, tests: int) -> None:
    """Of 93 steps an epoch has no more than 93 parts."""
    s = spec(every=every)
    if done:
        checkpoint(s, done)
    work = to_do(Run(s), preset_of(s))
    assert work is not None
    assert (work.epochs, work.passes[0][1]) == (7 - done, tests)


def test_a_trained_run_lacks_its_evaluation_alone_and_a_done_one_nothing() -> None:
    p, run = preset_of(spec()), Run(spec())
    trained(run)
    work = to_do(run, p)
    assert work is not None
    assert (work.epochs, work.passes) == (0, ((p.evaluation, 3),))
    assert work.seconds(Fixed()) == pytest.approx(3 * 1_000 * 10 * 0.01)
    evaluated(run, p)
    assert to_do(run, p) is None


@pytest.mark.parametrize(
    ("fields", "timesteps"),
    [
        ({"dynamics": {"kind": "lif"}, "timesteps": 6}, 6),
        ({"dynamics": {"kind": "relu"}, "readout": "potential"}, 1),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}}, 1),
        ({"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "low": 0.5, "high": 0.5}}}, 1),
    ],
)
def test_other_nets_are_tested_as_training_tests_them(fields: dict, timesteps: int) -> None:
    p, run = preset_of(spec(**fields)), Run(spec(**fields))
    evaluations = p.evaluations(run)
    work = to_do(run, p)
    assert work is not None
    assert work.passes == ((AsTrained(timesteps=timesteps), 4), *((e, len(e.noise_seeds)) for e in evaluations))


# --- how long that takes ---------------------------------------------------------------------


def test_nothing_is_measured_when_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    p, run = preset_of(spec()), Run(spec())
    trained(run)
    evaluated(run, p)
    monkeypatch.setattr(throughput, "one_epoch", None)  # a measurement would fail
    monkeypatch.setattr(throughput, "accuracy_over_time", None)
    assert estimate.estimate(p) == {}
    assert time_left(p, {}) == "1 done, 0 missing"


def test_the_sum_is_shared_by_the_cores_but_no_shorter_than_the_longest_run() -> None:
    a, b, c = (spec(seed=seed) for seed in range(3))
    p = preset_of(a, b, c)
    hours = {a.name: 3600.0 * 5, b.name: 3600.0 * 4, c.name: 3600.0 * 3}
    assert time_left(p, hours, 2) == "0 done, 3 missing: about 12.0 h of one core, 6.0 h on this machine's 2 cores"
    assert time_left(p, hours, 4).endswith("12.0 h of one core, 5.0 h on this machine's 4 cores")
    assert time_left(p, hours, 0).endswith("about 12.0 h on this machine's GPU, one run at a time")
    assert time_left(p, {b.name: 60.0}, 1) == "2 done, 1 missing: about 60 s of one core, 60 s on this machine's 1 core"


def test_threads_take_cores_and_a_run_after_another_waits_for_it() -> None:
    wide = spec(recipe={"threads": 2})
    assert "4.0 h of one core, 2.0 h on" in time_left(preset_of(wide), {wide.name: 7200.0}, 2)
    first = spec()
    tuned = spec(dynamics={"kind": "lif"}, timesteps=4, after=first)
    again = spec(dynamics={"kind": "lif"}, timesteps=8, after=tuned)
    left = {run.name: 3600.0 for run in (first, tuned, again)}
    assert "3.0 h of one core, 3.0 h on" in time_left(preset_of(first, tuned, again), left, 8)


@pytest.mark.parametrize(
    ("seconds", "words"), [(4, "4 s"), (89, "89 s"), (600, "10 min"), (5400, "1.5 h"), (172_800, "2 days")]
)
def test_a_duration_has_the_unit_that_suits(seconds: float, words: str) -> None:
    assert duration(seconds) == words


# --- what is measured ------------------------------------------------------------------------


class Clock:
    """A processor that needs this many seconds for an image and time step, three times that in training."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, per_image_step: float) -> None:
        self.now, self.seen = 0.0, []
        forward = Spiking.forward

        def counted(net: Spiking, images: torch.Tensor, simulation: Simulation | None = None) -> torch.Tensor:
            simulation = simulation or Simulation()
            self.now += per_image_step * len(images) * simulation.timesteps * (3 if net.training else 1)
            self.seen.append((net, len(images), simulation.timesteps, net.training))
            return forward(net, images, simulation=simulation)

        monkeypatch.setattr(Spiking, "forward", counted)
        for clock in ("process_time", "perf_counter"):
            monkeypatch.setattr(measure.time, clock, lambda: self.now)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"width": 1 / 8, "batch_norm": False, "readout": "potential"},
        {"dynamics": {"kind": "lif", "leak": 0.25}, "timesteps": 5},
        {"dynamics": {"kind": "qcfs"}, "readout": "potential"},
        {"network": "resnet18", "recipe": {"schedule": "one_cycle", "augment": True, "precision": "bfloat16"}},
    ],
)
def test_the_net_that_is_trained_is_the_configured_one(fields: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1e-4)
    s = spec(epochs=1, batch_size=8, **fields)
    assert Throughput("cpu").training(s) == pytest.approx(3 * 1e-4 * s.timesteps)
    for net, images, timesteps, training in clock.seen:
        assert str(net) == str(build_for(s).train())  # layers, widths and each neuron's dynamics
        assert images in (FEW, 8)
        assert (timesteps, training) == (s.timesteps, True)
    assert any(images == 8 for _, images, *_ in clock.seen)


def test_a_slow_net_is_measured_on_few_images(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 5.0)
    assert Throughput("cpu").training(spec(batch_size=1024)) == pytest.approx(15.0)
    assert [images for _, images, *_ in clock.seen] == [FEW, FEW]


def test_a_tests_net_is_converted_and_a_long_one_is_measured_on_a_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1e-4)
    rates = Throughput("cpu")
    single, relu = spec(), spec(dynamics={"kind": "relu"}, readout="potential")
    assert rates.testing(single, Conversion(timesteps=10)) == pytest.approx(10 * 1e-4)
    seen = {(net.first.dynamics.kind, t, training) for net, _, t, training in clock.seen}
    assert seen == {("single_step", 1, True), ("converted", 10, False)}  # one pass for batch norm's statistics
    clock.seen.clear()
    assert rates.testing(relu, AnnConversion(timesteps=200, percentile=99.9)) == pytest.approx(200 * 1e-4)
    kinds = {(net.first.dynamics.kind, t) for net, _, t, _ in clock.seen}
    assert kinds == {("relu", 1), ("if", CHUNK)}  # thresholds are measured on the ReLU net


def test_runs_of_the_same_cost_are_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1e-4)
    rates = Throughput("cpu")
    first = rates.training(spec())
    passes = len(clock.seen)
    assert rates.training(spec(seed=3, epochs=90, dataset="mnist", recipe={"lr": 1e-3})) == first
    assert len(clock.seen) == passes
    rates.training(spec(width=1 / 8))
    assert len(clock.seen) == 2 * passes
    rates.training(spec(recipe={"optimizer": "muon"}))
    assert len(clock.seen) == 3 * passes


def test_a_measurement_uses_the_runs_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch, 1e-4)
    seen: list[int] = []
    original = throughput.one_epoch
    monkeypatch.setattr(throughput, "one_epoch", lambda *a: seen.append(torch.get_num_threads()) or original(*a))
    assert Throughput("cpu").training(spec(recipe={"threads": 2})) == pytest.approx(3 * 1e-4)
    assert set(seen) == {2}
    assert clock.seen
    assert torch.get_num_threads() == 1


def test_a_stand_in_has_random_images_of_the_right_shape_and_touches_no_store(folder: Path) -> None:
    run = Untrained(spec(network="vgg16"), 6)
    data: Dataset = run.data("cpu")
    assert data.train.images.shape == (6, 3, 32, 32)
    assert data.train.images.dtype == torch.uint8
    assert data.train.images.float().std() > 60  # uniform on 0 ... 255: 73.9
    Throughput("cpu").testing(run.spec, Conversion(timesteps=2))
    assert not folder.exists()


@pytest.mark.parametrize("network", ["vgg16", "resnet18"])
def test_a_stand_in_has_currents_in_every_layer(network: str) -> None:
    """Else conversion has no threshold: with batch norm as it begins they shrink from layer to layer."""
    run = Untrained(spec(network=network, dynamics={"kind": "relu"}, readout="potential"), 20)
    net = AnnConversion(percentile=99).network(run, "cpu")
    assert all(neuron.dynamics.v_th > 0.1 for _, neuron in net.neurons())


# --- the command -----------------------------------------------------------------------------


def test_the_command_lists_states_and_seconds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setattr(preset_found, "FOLDER", tmp_path)
    monkeypatch.setattr(estimate, "Throughput", Fixed)
    monkeypatch.setattr(process, "cores", lambda: 2)
    for module in (estimate, commands):
        monkeypatch.setattr(module, "default_device", lambda: "cpu")
    net = {**NET, "recipe": {"epochs": 1, "batch_size": 50}}
    content = {
        "description": "d",
        "evaluation": {"noise_seeds": [0]},
        "benchmark": {},
        "nets": {"cnn": net},
        "notebooks": {"method": [{"nets": ["cnn"], "arms": ["ours"], "seeds": [0, 1, 2, 3]}]},
    }
    (tmp_path / "tiny.toml").write_text(toml(content))
    p = load_preset("tiny")
    done, only_trained, begun, missing = p.runs("method")
    for run in (done, only_trained):
        trained(run, 12.3)
    evaluated(done, p)
    begun.folder.mkdir(parents=True)

    commands.list_runs("tiny")
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:-2]]
    assert {f"{label}-{key}": cells for label, key, *cells, _ in rows} == {
        done.spec.name: ["cnn ours", "done", "50.00", "75.00", "12"],
        only_trained.spec.name: ["cnn ours", "trained", "", "", "~100"],
        begun.spec.name: ["cnn ours", "begun", "", "", "~6200"],  # 6,000 images, then two passes of 1,000 at T = 10
        missing.spec.name: ["cnn ours", "missing", "", "", "~6200"],
    }
    on_gpu = {row[2] + row[3]: row[-1] for row in rows}
    assert on_gpu["cnn oursdone"] == ""
    assert re.fullmatch(r"\d s( to \d s)?", on_gpu["cnn oursmissing"])
    assert lines[-2] == "1 done, 3 missing: about 3.5 h of one core, 1.7 h on this machine's 2 cores"
    assert re.fullmatch(
        r"about \d s( to \d s)? on one H100, \d s( to \d s)? on eight \(a model: .*; not run on a GPU\)", lines[-1]
    )
