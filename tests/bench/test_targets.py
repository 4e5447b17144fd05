"""The benchmark's ratios and verdicts follow from the times, and what is committed from what was measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from reproduce.bench import contest as bench
from reproduce.bench import peers, targets
from reproduce.bench import report as bench_report
from reproduce.bench.contestants import BARE, DIRECT, EXACT, INSTALLED, OURS, RELU, TUNED
from reproduce.cli.commands import app
from snnlib.checks import InputError
from snnlib.store import paths
from snnlib.store.markdown import markers, part
from snnlib.store.paths import DOCS, ROOT, published_dir
from snnlib.store.sums import ENDING, write_summed

# --- ratios ----------------------------------------------------------------------------------


@pytest.fixture
def rounds() -> pd.DataFrame:
    """Three rounds in which everything takes its milliseconds times 1, 2 and 3."""
    ms = {
        (RELU, "cnn", "training", 1): 30, (OURS, "cnn", "training", 1): 33, (BARE, "cnn", "training", 1): 27,
        (DIRECT, "cnn", "training", 10): 240, (RELU, "cnn", "inference", 10): 70, (OURS, "cnn", "inference", 10): 63,
        (BARE, "cnn", "inference", 10): 60, (EXACT, "cnn", "inference", 10): 71,
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
    # Inference: ten steps of three tensors of ten neurons; the first layer's six currents are read once, and the net
    # without neurons writes as much as their spikes.
    inference, exact = (table[table.what == f"inference at T = 10{memory}"] for memory in ("", ", exact memory"))
    np.testing.assert_allclose(inference.bytes, [(300 - 54 - 60) * 200, (300 - 54 - 60) * 400])
    # No noise; ten phases of four bytes are moved three times.
    np.testing.assert_allclose(exact.bytes, [(200 - 54 - 60) * 200 + 12_000, (200 - 54 - 60) * 400 + 12_000])
    np.testing.assert_allclose(exact.floor, (np.array([0.12 + 0.0292, 0.12 + 0.0232])) / 0.14)
    np.testing.assert_allclose(exact.goal, exact.floor + 0.03)
    np.testing.assert_allclose(exact.measured, 71 / 70)
    assert table[table.what != exact.what.iloc[0]].goal.isna().all()
    *_, bfloat16, _ = targets.floors_text(table).splitlines()
    assert bfloat16.endswith("Together 1.07 times the ReLU net; measured 1.01. Goal: at most 1.10.")
    slower = targets.floors_text(exact.assign(measured=1.2))
    assert slower.count("Goal: at most 1.10, missed.\n") == 1
    without = targets.floors(rounds[rounds.who != EXACT], {"bfloat16": 1e6, "float32": 2e6}, [6, 4], 100)
    assert len(without) == len(table) - 2
    assert "1.13 times the ReLU net; measured 1.10" in targets.floors_text(table)


def test_the_text_has_a_line_for_each_target_and_says_what_was_missed(
    rounds: pd.DataFrame, memory: pd.DataFrame
) -> None:
    text = targets.targets_text(
        targets.judge(rounds, memory), {"device": "a CPU", "threads": "2", "neurons": "compiled"}
    )
    lines = text.splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + 14
    assert lines[2].endswith("| the same net with ReLU | at most 1.05 | **1.1**, missed | **1.1**, missed |")
    assert "| at least 1.3 | **2** Norse | **2** Norse |" in text
    assert lines[-1] == "*a CPU; threads 2; our neurons compiled.*"


def test_summary_has_medians_quartiles_and_the_machine(rounds: pd.DataFrame) -> None:
    table = bench.quartiles(rounds)
    row = table[(table.who == OURS) & (table.task == "training") & (table.network == "cnn")].iloc[0]
    assert [row.ms, row.ms_q25, row.ms_q75] == pytest.approx([66, 49.5, 82.5])
    assert row.rounds == 3
    assert {"device", "threads", "torch", "python"} <= set(table)
    assert len(table) == len(rounds) / 3


# --- what is committed -----------------------------------------------------------------------


def test_docs_have_what_was_last_measured() -> None:
    text = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    start, end = part(text, "benchmarks")
    folder = published_dir() / "bench"
    measured = "\n".join((folder / name).read_text(encoding="utf-8") for name in ("bench_targets.md", "scaling.md"))
    assert text[start:end].strip() == measured.strip(), "put it there with `python -m reproduce bench --publish`"


def test_the_committed_table_follows_from_the_committed_rounds() -> None:
    folder = published_dir() / "bench"
    table = pd.read_csv(folder / "bench_targets.csv", keep_default_na=False)
    times = table[~table.what.str.startswith("peak memory")]
    again = targets.judge(pd.read_csv(folder / "bench_rounds.csv"), pd.DataFrame({"precision": []}))
    np.testing.assert_allclose(times.ratio, again.ratio)
    assert times.met.tolist() == again.met.tolist()
    assert {"SpikingJelly", "snnTorch", "Norse"} <= set(pd.read_csv(folder / "bench.csv").who)


def test_the_command_measures_draws_and_prints(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rounds: pd.DataFrame, memory: pd.DataFrame
) -> None:
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(bench, "timings", lambda *_: rounds)
    monkeypatch.setattr(bench, "memory", lambda _: memory)
    monkeypatch.setattr(peers, "installed", lambda: {"Norse": "1.1"})
    for options in (["--peers"], []):
        result = CliRunner().invoke(app, ["bench", *options], catch_exceptions=False)
        assert result.stdout.startswith("| what | against | target | bfloat16 | float32 |")
    names = {f"bench.{e}" for e in ("csv", "svg", "png")} | {f"bench_{n}.csv" for n in ("rounds", "targets", "floors")}
    own, published = tmp_path / "figures" / "mine" / "bench", tmp_path / "figures" / "bench"
    for folder in (own, own / "quick"):
        assert {f.name for f in folder.iterdir() if f.is_file() and f.suffix != ENDING} == names | {"bench_targets.md"}
    with pytest.raises(InputError, match=r"scaling.csv is missing: `python -m reproduce bench --scaling` writes it"):
        bench_report.publish_bench()
    assert not published.exists()


def test_what_was_measured_is_published_as_it_stands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    monkeypatch.setattr(bench_report, "DOCS", tmp_path)
    (tmp_path / "benchmarks.md").write_text("\n".join(markers("benchmarks")))
    own, published = tmp_path / "figures" / "mine" / "bench", tmp_path / "figures" / "bench"
    names = {path.name for path in (ROOT / "figures" / "bench").iterdir() if path.is_file() and path.suffix != ENDING}
    own.mkdir(parents=True)
    for name in names:
        write_summed({own / name: f"{name}\n"})
    published.mkdir()
    (published / "no_longer_measured.csv").write_text("")
    assert CliRunner().invoke(app, ["bench", "--publish"], catch_exceptions=False).stdout.startswith("bench_targets.md")
    found = {path.name: path.read_text() for path in published.iterdir() if path.is_file() and path.suffix != ENDING}
    assert found == {name: f"{name}\n" for name in names}
    assert "bench_targets.md\n\nscaling.md" in (tmp_path / "benchmarks.md").read_text()
