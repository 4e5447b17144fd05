"""The benchmark: what it times is the work it names, and its ratios and verdicts follow from the times."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import pytest
import torch

from reproduce.bench import contest as bench
from reproduce.bench import peers, scaling
from reproduce.bench import plot as plotting
from reproduce.bench.contestants import (
    BARE,
    DIRECT,
    EXACT,
    INSTALLED,
    OURS,
    RELU,
    TUNED,
    Contestant,
    batch,
    call,
    network,
    neurons,
)  # fmt: skip
from reproduce.experiments.table1_networks import size
from snnlib.checks import InputError
from snnlib.deploy.folding import NoisyLIF
from snnlib.dynamics import LIF, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.models import build
from snnlib.simulation import Simulation

CPU = torch.device("cpu")
SMALL = {"batch_size": 4, "width": 0.1}


def contestant(who: str, task: str, timesteps: int, precision: str = "float32", **more: object) -> Contestant:
    return Contestant(who, "cnn", task, timesteps, precision, **{**SMALL, **more})


# --- contestants -----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", bench.PRECISIONS)
@pytest.mark.parametrize(
    ("who", "timesteps"), [(RELU, 1), (OURS, 1), (DIRECT, 3), (BARE, 1), *((p, 2) for p in peers.PEERS)]
)
def test_a_training_call_is_a_step_of_adam(
    who: str, timesteps: int, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if who in peers.PEERS and who not in peers.installed():
        pytest.skip(f"{who} is not installed")
    nets = []
    monkeypatch.setattr("reproduce.bench.contestants.network", lambda *a: nets.append(network(*a)) or nets[0])
    step = call(contestant(who, "training", timesteps, precision), CPU, compile=False)
    before = [p.detach().clone() for p in nets[0][0].parameters()]
    step()
    after = list(nets[0][0].parameters())
    assert all(p.isfinite().all() for p in after)
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed[-1]  # the output's bias; what stands before neurons that are silent at first learns nothing
    assert all(changed) or who not in (RELU, OURS, BARE)


@pytest.mark.parametrize("who", [RELU, OURS, EXACT])
def test_an_inference_call_leaves_the_net_as_it_is(who: str) -> None:
    c = contestant(who, "inference", 5)
    images, _ = batch("cnn", c.batch, CPU)
    net, forward = network(c, images)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())  # folded
    with torch.no_grad():
        assert forward(images).shape == (c.batch, 10)
    call(c, CPU)()


def test_relu_inference_makes_as_many_passes_as_ours_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    c, passes = contestant(RELU, "inference", 5), []
    images, _ = batch("cnn", c.batch, CPU)
    net, _ = network(c, images)
    monkeypatch.setattr("reproduce.bench.contestants.network", lambda *_: (net, lambda x: passes.append(len(x))))
    call(c, CPU)()
    assert passes == [c.batch] * 5


def test_our_inference_is_the_converted_net_folded() -> None:
    c = contestant(OURS, "inference", 5)
    net, _ = network(c, batch("cnn", c.batch, CPU)[0])
    dynamics = [n.dynamics for _, n in net.neurons()]
    assert all(isinstance(d, NoisyLIF) and d.bias == 0 for d in dynamics)
    assert len({d.leak for d in dynamics}) > 1  # each from constants of its layer


def test_the_exact_memory_is_that_of_the_trained_net() -> None:
    net, _ = network(contestant(EXACT, "inference", 5), batch("cnn", 4, CPU)[0])
    assert {n.dynamics for _, n in net.neurons()} == {ExactMemory()}


def test_as_installed_means_contiguous_and_plain_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = {}, torch.optim.Adam

    def adam(parameters: Iterator, **options: object) -> torch.optim.Adam:
        seen.update(options)
        return original(parameters, **options)

    monkeypatch.setattr(torch.optim, "Adam", adam)
    layouts = []
    monkeypatch.setattr(
        "reproduce.bench.contestants.network",
        lambda c, x: layouts.append(x.is_contiguous()) or network(dataclasses.replace(c, who=DIRECT), x),
    )
    call(contestant("Norse", "training", 1, setting=INSTALLED), CPU)
    assert (layouts, seen["fused"]) == ([True], None)
    call(contestant(DIRECT, "training", 1), CPU)
    assert seen["fused"] is True


def test_without_neurons_the_layers_are_the_same_and_nothing_spikes() -> None:
    net, forward = network(contestant(BARE, "training", 1), batch("cnn", 4, CPU)[0])
    twin = build("cnn", SingleStep(), width=0.1, readout="potential")
    assert [p.shape for p in net.parameters()] == [p.shape for p in twin.parameters()]
    images = batch("cnn", 4, CPU)[0]
    x = net.model.encoder(images)
    for layer in net.model.layers:
        x = x if hasattr(layer, "dynamics") else layer(x)
    torch.testing.assert_close(forward(images), x, rtol=1e-4, atol=1e-5)
    assert torch.equal(
        net(images, simulation=Simulation(torch.Generator(), 3))[0],
        net(images, simulation=Simulation(torch.Generator(), 3))[2],
    )


def test_neurons_are_those_of_table_1() -> None:
    assert neurons("cnn") == [64 * 28 * 28, 128 * 14 * 14, 128 * 7 * 7, 512]
    assert size("cnn", 1.0)[1] > sum(neurons("cnn"))


def test_a_direct_net_is_the_peers_neuron() -> None:
    assert network(contestant(DIRECT, "training", 2), batch("cnn", 4, CPU)[0])[0].first.dynamics == LIF(leak=peers.LEAK)


# --- the race --------------------------------------------------------------------------------


@pytest.mark.slow
def test_everybody_takes_a_turn_in_each_round_in_a_process_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_KEEP_PROCESS", "kept")
    cs = [contestant(who, "training", 1) for who in (RELU, OURS)]
    table = bench.timings(cs, rounds=3)
    assert len(table) == 6
    assert (table.groupby("round").who.nunique() == 2).all()
    assert (table.seconds > 0).all()
    assert bench.os.environ["SNNLIB_KEEP_PROCESS"] == "kept"
    with bench.processes({TUNED, INSTALLED}) as ask:
        keep = {s: ask(s, bench.os.getenv, "SNNLIB_KEEP_PROCESS") for s in (TUNED, INSTALLED)}
        assert keep == {TUNED: "0", INSTALLED: "1"}
        assert ask(TUNED, bench.os.getpid) != ask(INSTALLED, bench.os.getpid)
    with pytest.raises(InputError, match="rounds = 2: must be"):
        bench.timings(cs, rounds=2)


def test_others_run_tuned_and_as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "installed", lambda: {"Norse": "1.1"})
    found = bench.others()
    assert {(c.setting, c.precision) for c in found} == {
        (TUNED, "bfloat16"),
        (TUNED, "float32"),
        (INSTALLED, "float32"),
    }
    assert {(c.task, c.timesteps) for c in found} == {("training", 1), ("training", 10), ("inference", 10)}
    monkeypatch.setattr(peers, "installed", dict)
    with pytest.raises(InputError, match=r"--peers: none of SpikingJelly, snnTorch, Norse is installed; pip install"):
        bench.others()


def test_memory_grows_linearly_with_time_and_batch() -> None:
    """Bytes are counted, not timed, so equal steps take equally more, but for the rounding of small tensors."""
    steps = [contestant(DIRECT, "training", t) for t in (2, 4, 6)]
    batches = [contestant(OURS, "training", 1, batch_size=b) for b in (4, 8, 12)]
    for points in (steps, batches):
        peak = bench.memory(points).peak_bytes.to_numpy()
        first, second = np.diff(peak)
        assert first > 0
        assert second == pytest.approx(first, rel=0.05)


# --- scaling ---------------------------------------------------------------------------------


def test_growth_is_the_power_between_the_last_two_points() -> None:
    values = [1, 2, 4, 8]
    table = pd.DataFrame(
        {"axis": "batch_size", "arm": "a", "value": values, "ms": [9, 9, 4, 16], "peak_bytes": [1, 1, 5, 10]}
    )
    assert scaling.growth(table, "ms").exponent.item() == pytest.approx(2)
    assert scaling.growth(table, "peak_bytes").exponent.item() == pytest.approx(1)
    assert "- peak memory, batch size from 4 to 8: a 1.00" in scaling.text(table.assign(axis="batch_size"))


def test_scaling_measures_each_point_of_each_axis(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        scaling, "AXES", {"timesteps": ((1, 2), ("direct training",)), "width": ((0.1, 0.2), ("single-step training",))}
    )
    small = {arm: dataclasses.replace(c, batch_size=4, width=0.1) for arm, c in scaling.SCALED.items()}
    monkeypatch.setattr(scaling, "SCALED", small)

    def race(points: Iterable[Contestant], rounds: int) -> pd.DataFrame:
        turns = [(c, i) for c in points for i in range(rounds)]
        return pd.DataFrame([{**dataclasses.asdict(c), "round": i, "seconds": c.timesteps * c.width} for c, i in turns])

    monkeypatch.setattr(scaling, "timings", race)
    table = scaling.scaling(3)
    assert table[["axis", "arm", "value"]].to_numpy().tolist() == [
        ["timesteps", "direct training", 1], ["timesteps", "direct training", 2],
        ["width", "single-step training", 0.1], ["width", "single-step training", 0.2],
    ]  # fmt: skip
    np.testing.assert_allclose(table.ms, [100, 200, 100, 200])
    drawn = plotting.scaling_plot(table.assign(device="a CPU")).axes  # time, and memory beside it, a row for each axis
    assert [ax.get_lines()[0].get_xdata().tolist() for ax in drawn[:2]] == [[1, 2], [1, 2]]
    assert (table.peak_bytes.groupby(table.axis).diff().dropna() > 0).all()
