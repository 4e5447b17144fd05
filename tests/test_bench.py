"""The benchmark: what it times is the work it names, and its ratios and verdicts follow from the times."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from snnlib import bench, bench_report, peers, readme, scaling, targets
from snnlib.__main__ import app
from snnlib.checks import InputError
from snnlib.contestants import (
    BARE,
    DIRECT,
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
from snnlib.folding import NoisyLIF
from snnlib.models import build
from snnlib.neurons import LIF, Simulation, SingleStep
from snnlib.paths import ROOT
from snnlib.table1 import size

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
    if who in peers.PEERS and who not in peers.available():
        pytest.skip(f"{who} is not installed")
    nets = []
    monkeypatch.setattr("snnlib.contestants.network", lambda *a: nets.append(network(*a)) or nets[0])
    step = call(contestant(who, "training", timesteps, precision), CPU, compile=False)
    before = [p.detach().clone() for p in nets[0][0].parameters()]
    step()
    after = list(nets[0][0].parameters())
    assert all(p.isfinite().all() for p in after)
    changed = [not torch.equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed[-1]  # the output's bias; what stands before neurons that are silent at first learns nothing
    assert all(changed) or who not in (RELU, OURS, BARE)


@pytest.mark.parametrize("who", [RELU, OURS])
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
    monkeypatch.setattr("snnlib.contestants.network", lambda *_: (net, lambda x: passes.append(len(x))))
    call(c, CPU)()
    assert passes == [c.batch] * 5


def test_our_inference_is_the_converted_net_folded() -> None:
    c = contestant(OURS, "inference", 5)
    net, _ = network(c, batch("cnn", c.batch, CPU)[0])
    dynamics = [n.dynamics for _, n in net.neurons()]
    assert all(isinstance(d, NoisyLIF) and d.bias == 0 for d in dynamics)
    assert len({d.leak for d in dynamics}) > 1  # each from constants of its layer


def test_as_installed_means_contiguous_and_plain_adam(monkeypatch: pytest.MonkeyPatch) -> None:
    seen, original = {}, torch.optim.Adam

    def adam(parameters: Iterator, **options: object) -> torch.optim.Adam:
        seen.update(options)
        return original(parameters, **options)

    monkeypatch.setattr(torch.optim, "Adam", adam)
    layouts = []
    monkeypatch.setattr(
        "snnlib.contestants.network",
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
    x = net.encoder(images)
    for layer in net.layers:
        x = x if hasattr(layer, "dynamics") else layer(x)
    torch.testing.assert_close(forward(images), x, rtol=1e-4, atol=1e-5)
    assert torch.equal(
        net(images, Simulation(torch.Generator(), 3))[0], net(images, Simulation(torch.Generator(), 3))[2]
    )


def test_neurons_are_those_of_table_1() -> None:
    assert neurons("cnn") == [64 * 28 * 28, 128 * 14 * 14, 128 * 7 * 7, 512]
    assert size("cnn", 1.0)[1] > sum(neurons("cnn"))


# --- the race --------------------------------------------------------------------------------


def test_everybody_takes_a_turn_in_each_round_in_a_process_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_KEEP_PROCESS", "kept")
    cs = [contestant(who, "training", 1) for who in (RELU, OURS)]
    table = bench.race(cs, rounds=3)
    assert len(table) == 6
    assert (table.groupby("round").who.nunique() == 2).all()
    assert table.groupby("round").who.first().nunique() == 2  # not always the same one first
    assert (table.seconds > 0).all()
    assert bench.os.environ["SNNLIB_KEEP_PROCESS"] == "kept"
    with bench.processes({TUNED, INSTALLED}) as ask:
        keep = {s: ask(s, bench.os.getenv, "SNNLIB_KEEP_PROCESS") for s in (TUNED, INSTALLED)}
        assert keep == {TUNED: "0", INSTALLED: "1"}
        assert ask(TUNED, bench.os.getpid) != ask(INSTALLED, bench.os.getpid)
    with pytest.raises(InputError, match="rounds = 2: must be"):
        bench.race(cs, rounds=2)


def test_others_run_tuned_and_as_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "available", lambda: {"Norse": "1.1"})
    found = bench.others()
    assert {(c.setting, c.precision) for c in found} == {
        (TUNED, "bfloat16"),
        (TUNED, "float32"),
        (INSTALLED, "float32"),
    }
    assert {(c.task, c.timesteps) for c in found} == {("training", 1), ("training", 10), ("inference", 10)}
    monkeypatch.setattr(peers, "available", dict)
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


# --- ratios ----------------------------------------------------------------------------------


@pytest.fixture
def rounds() -> pd.DataFrame:
    """Three rounds in which everything takes its milliseconds times 1, 2 and 3."""
    ms = {
        (RELU, "cnn", "training", 1): 30, (OURS, "cnn", "training", 1): 33, (BARE, "cnn", "training", 1): 27,
        (DIRECT, "cnn", "training", 10): 240, (RELU, "cnn", "inference", 10): 70, (OURS, "cnn", "inference", 10): 63,
        (BARE, "cnn", "inference", 10): 60,
        **{(who, net, "training", 1): v for net in ("vgg16", "resnet18") for who, v in ((RELU, 100), (OURS, 104))},
    }  # fmt: skip
    rows = [(*key, p, TUNED, v) for key, v in ms.items() for p in bench.PRECISIONS]
    for name, factor in (("Norse", 1.0), ("snnTorch", 1.5)):
        for setting, p, slower in ((TUNED, "bfloat16", 1), (TUNED, "float32", 1), (INSTALLED, "float32", 4)):
            for task, t, v in (("training", 1, 66), ("training", 10, 480), ("inference", 10, 126)):
                rows.append((name, "cnn", task, t, p, setting, v * factor * slower))
    table = pd.DataFrame(rows, columns=["who", "network", "task", "timesteps", "precision", "setting", "ms"])
    table = table.assign(batch_size=100, width=1.0)
    return pd.concat([table.assign(round=i, seconds=table.ms * (i + 1) / 1e3) for i in range(3)]).drop(columns="ms")


@pytest.fixture
def memory() -> pd.DataFrame:
    peak = {OURS: 50, DIRECT: 410, "Norse": 390, "snnTorch": 800}
    return pd.DataFrame(
        [(w, p, b) for w, b in peak.items() for p in bench.PRECISIONS], columns=["who", "precision", "peak_bytes"]
    )


def test_ratios_and_verdicts_follow_from_the_times(rounds: pd.DataFrame, memory: pd.DataFrame) -> None:
    table = targets.judge(rounds, memory)
    bf16 = table[table.precision == "bfloat16"].reset_index()
    found = [(round(r.ratio, 3), r.peer, r.setting, bool(r.met)) for r in bf16.itertuples()]
    assert found == [
        (1.1, "", "", False),
        (1.04, "", "", True),
        (1.04, "", "", True),
        (0.9, "", "", True),
        (2.0, "Norse", TUNED, True),
        (8.0, "Norse", INSTALLED, True),
        (14.545, "Norse", TUNED, True),
        (58.182, "Norse", INSTALLED, True),
        (2.0, "Norse", TUNED, True),
        (8.0, "Norse", INSTALLED, True),
        (2.0, "Norse", TUNED, False),
        (8.0, "Norse", INSTALLED, True),
        (8.2, "", "", True),
        (7.8, "Norse", TUNED, False),
    ]
    # Time of a round cancels: no spread.
    np.testing.assert_allclose(table.ratio_q25, table.ratio_q75)
    assert len(table) == 2 * len(bf16)


def test_without_peers_their_rows_are_left_out(rounds: pd.DataFrame, memory: pd.DataFrame) -> None:
    alone = targets.judge(rounds[~rounds.who.isin(peers.PEERS)], memory[~memory.who.isin(peers.PEERS)])
    assert (alone.peer == "").all()
    assert len(alone) == 2 * 5


def test_a_floor_is_the_net_without_neurons_and_their_bytes(rounds: pd.DataFrame) -> None:
    """Training: seven tensors of 100 * 10 neurons in two bytes, at 1 MB/s 14 ms beside the 27 ms * 2 (median round)."""
    table = targets.floors(rounds, {"bfloat16": 1e6, "float32": 2e6}, [6, 4], 100)
    training = table[table.what == "training step"]
    np.testing.assert_allclose(training.bytes, [14_000, 28_000])
    np.testing.assert_allclose(training.floor, (54 + 14) / 60)
    np.testing.assert_allclose(training.measured, 1.1)
    # Inference: ten steps of three tensors of ten neurons, but the first layer's six currents are read once.
    np.testing.assert_allclose(table[table.what != "training step"].bytes, [(300 - 54) * 200, (300 - 54) * 400])
    assert "1.13 times the ReLU net; measured 1.10" in targets.floors_text(table)


def test_the_text_has_a_line_for_each_target_and_says_what_was_missed(
    rounds: pd.DataFrame, memory: pd.DataFrame
) -> None:
    text = targets.markdown(targets.judge(rounds, memory), {"device": "a CPU", "threads": "2", "neurons": "compiled"})
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + 14
    assert lines[2].endswith("| the same net with ReLU | at most 1.05 | **1.1**, missed | **1.1**, missed |")
    assert "| at least 1.3 | **2** Norse | **2** Norse |" in text
    assert lines[-1] == "*a CPU; threads 2; our neurons compiled.*"


def test_summary_has_medians_quartiles_and_the_machine(rounds: pd.DataFrame) -> None:
    table = bench.summary(rounds)
    row = table[(table.who == OURS) & (table.task == "training") & (table.network == "cnn")].iloc[0]
    assert [row.ms, row.ms_q25, row.ms_q75] == pytest.approx([66, 49.5, 82.5])
    assert row.rounds == 3
    assert {"device", "threads", "torch", "python"} <= set(table)
    assert len(table) == len(rounds) / 3


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
    small = {arm: dataclasses.replace(c, batch_size=4, width=0.1) for arm, c in scaling.ARMS.items()}
    monkeypatch.setattr(scaling, "ARMS", small)

    def race(points: Iterable[Contestant], rounds: int) -> pd.DataFrame:
        turns = [(c, i) for c in points for i in range(rounds)]
        return pd.DataFrame([{**dataclasses.asdict(c), "round": i, "seconds": c.timesteps * c.width} for c, i in turns])

    monkeypatch.setattr(scaling, "race", race)
    table = scaling.scaling(3)
    assert table[["axis", "arm", "value"]].to_numpy().tolist() == [
        ["timesteps", "direct training", 1], ["timesteps", "direct training", 2],
        ["width", "single-step training", 0.1], ["width", "single-step training", 0.2],
    ]  # fmt: skip
    np.testing.assert_allclose(table.ms, [100, 200, 100, 200])
    assert (table.peak_bytes.groupby(table.axis).diff().dropna() > 0).all()


# --- what is committed -----------------------------------------------------------------------


def test_the_readme_has_what_was_last_measured() -> None:
    text = readme.README.read_text(encoding="utf-8")
    start, end = readme.between(text, "benchmarks")
    folder = ROOT / "figures" / "bench"
    measured = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("bench_targets.md", "scaling.md"))
    assert text[start:end].strip() == measured.strip(), "run `python -m snnlib bench --peers --scaling --readme`"


def test_the_committed_table_follows_from_the_committed_rounds() -> None:
    folder = ROOT / "figures" / "bench"
    table = pd.read_csv(folder / "bench_targets.csv", keep_default_na=False)
    times = table[~table.what.str.startswith("peak memory")]
    again = targets.judge(pd.read_csv(folder / "bench_rounds.csv"), pd.DataFrame({"precision": []}))
    np.testing.assert_allclose(times.ratio, again.ratio)
    assert times.met.tolist() == again.met.tolist()
    assert {"SpikingJelly", "snnTorch", "Norse"} <= set(pd.read_csv(folder / "bench.csv").who)


def test_the_command_measures_draws_and_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rounds: pd.DataFrame, memory: pd.DataFrame
) -> None:
    monkeypatch.setenv("SNNLIB_FIGURES", str(tmp_path))
    monkeypatch.setattr(bench, "race", lambda *_: rounds)
    monkeypatch.setattr(bench, "memory", lambda _: memory)
    monkeypatch.setattr(peers, "available", lambda: {"Norse": "1.1"})
    result = CliRunner().invoke(app, ["bench", "--peers"], catch_exceptions=False)
    assert result.stdout.startswith("| what | against | target | bfloat16 | float32 |")
    names = {f"bench.{e}" for e in ("csv", "svg", "png")} | {f"bench_{n}.csv" for n in ("rounds", "targets", "floors")}
    assert {f.name for f in (tmp_path / "bench").iterdir()} == names | {"bench_targets.md"}
    with pytest.raises(InputError, match=r"scaling.md is missing: `python -m snnlib bench --scaling` writes it"):
        bench_report.to_readme()


def test_a_direct_net_is_the_peers_neuron() -> None:
    assert network(contestant(DIRECT, "training", 2), batch("cnn", 4, CPU)[0])[0].first.dynamics == LIF(leak=peers.LEAK)
