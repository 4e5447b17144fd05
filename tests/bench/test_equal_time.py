"""Accuracy at equal time: peers' neurons in our net compute what ours do, and who takes longer trains for less."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from conftest import generator

from reproduce.bench import equal_time, peers, report
from reproduce.bench.equal_time import BASE, OURS, Side
from reproduce.bench.peer_neurons import with_peer
from reproduce.runs import run as runs
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.data.sets import Dataset, Split, load_dataset
from snnlib.dynamics import LIF
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.simulation import Simulation, simulate

DIRECT = OURS[-1]


@pytest.fixture(params=peers.PEERS)
def peer(request: pytest.FixtureRequest) -> str:
    if request.param not in peers.installed():
        pytest.skip(f"{request.param} is not installed")
    return request.param


def tiny() -> dict[str, Spec]:
    """Smoke's own, and direct training, which is not there, likewise."""
    found = equal_time.specs("smoke", "resnet8", 2)
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 4}
    return found | {"direct4_short": Spec(**{**found["potential"].model_dump(), **direct})}


def few(*wanted: Any, **how: Any) -> Dataset:
    """A sixth of the training images and of the test images of what is asked for."""
    data = load_dataset(*wanted, **how)
    train, test = (Split(split.images[::6], split.labels[::6]) for split in (data.train, data.test))
    return replace(data, train=train, test=test)


def net() -> Spiking:
    """With shortcuts, which the peers' CNN of the benchmark has not; all its layers fire."""
    torch.manual_seed(0)
    return build("resnet8", LIF(), width=0.0625, readout="potential", norm_start=(1.0, 1.0)).eval()


def test_a_net_with_a_peers_neurons_computes_what_ours_does(peer: str) -> None:
    """In pieces of 16 steps too: the peer's neuron goes on from where it stood. Norse halves a current."""
    mine = net()
    theirs = with_peer(mine, peer)
    if peer == "Norse":
        theirs = with_peer(net(), peer)
        for m in theirs.modules():
            if isinstance(m, torch.nn.BatchNorm2d):
                m.weight.data *= 2
                m.bias.data *= 2
    images = torch.randn(4, 3, 32, 32, generator=generator())
    expected, found = (torch.cat([out for _, out in simulate(n, images, generator(), 20)]) for n in (mine, theirs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert (expected[1:] - expected[:-1]).abs().amax(dim=(1, 2)).min() > 1e-3  # the potential matters at each step


def test_a_pass_of_a_peers_begins_at_rest_and_is_trained(peer: str) -> None:
    model = with_peer(net(), peer).train()
    images = torch.randn(4, 3, 32, 32, generator=generator())
    outputs = []
    for _ in range(2):
        outputs.append(model(images, simulation=Simulation(generator(), 4)))
        model.zero_grad()
        outputs[-1].mean(0).square().sum().backward()
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert torch.equal(*outputs)


def test_an_unknown_or_missing_peer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="must be one of SpikingJelly, snnTorch, Norse"):
        with_peer(net(), "Brian")
    monkeypatch.setattr(peers, "installed", dict)
    with pytest.raises(InputError, match=r"pip install -e '\.\[bench\]'"):
        with_peer(net(), "Norse")


def test_who_takes_longer_is_trained_for_fewer_epochs() -> None:
    rows = [(n, who, n * s) for n in (1, 2, 3) for who, s in ((BASE, 0.1), ("slow", 0.41), ("slowest", 9.0))]
    steps = pd.DataFrame(rows, columns=["round", "who", "seconds"])
    assert equal_time.epochs_of(steps, 8) == {BASE: 8, "slow": 2, "slowest": 1}


def test_all_have_the_same_net_recipe_and_images() -> None:
    specs = equal_time.specs()
    assert {side.arm for side in OURS} <= specs.keys()
    alike = {
        (s.dataset, s.network, s.width, s.readout, s.hold_out, s.recipe.lr, s.recipe.augment)
        for s in (specs[side.arm] for side in OURS)
    }
    assert len(alike) == 1
    assert specs["direct4_short"].timesteps == 4


@pytest.mark.slow
def test_it_is_trained_told_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From end to end with tiny nets: interrupted in the midst, it trains nothing twice."""
    specs = tiny()
    monkeypatch.setattr(report, "figures_dir", lambda: tmp_path)
    monkeypatch.setattr(equal_time, "specs", lambda: specs)
    monkeypatch.setattr(equal_time, "SEEDS", 2)
    monkeypatch.setattr(runs, "load_dataset", few)
    taking_part = [OURS[0], DIRECT]
    monkeypatch.setattr(equal_time, "sides", lambda: taking_part)
    trained, whole = [], equal_time.accuracy

    def interrupted(side: Side, spec: Spec, epochs: int, seed: int) -> pd.DataFrame:
        if len(trained) == 2:
            raise KeyboardInterrupt
        trained.append((side.who, seed))
        return whole(side, spec, 1, seed)

    monkeypatch.setattr(equal_time, "accuracy", interrupted)
    with pytest.raises(KeyboardInterrupt):
        report.bench_equal_time(3)
    monkeypatch.setattr(
        equal_time,
        "accuracy",
        lambda side, spec, epochs, seed: (trained.append((side.who, seed)), whole(side, spec, 1, seed))[1],
    )
    found = report.bench_equal_time(3)
    assert sorted(trained) == sorted((side.who, seed) for side in taking_part for seed in range(2))
    table = pd.read_csv(tmp_path / report.EQUAL_TIME / "equal_time.csv")
    rows = pd.read_csv(tmp_path / report.EQUAL_TIME / "accuracy.csv")
    at = rows[(rows.who == BASE) & (rows.timesteps == 4)].groupby("seed").accuracy.mean()
    mine = table[(table.who == BASE) & (table.timesteps == 4)].iloc[0]
    assert mine.accuracy == pytest.approx(100 * at.mean())
    assert mine.sd == pytest.approx(100 * at.std())
    assert f"{mine.accuracy:.1f} ± {mine.sd:.1f}" in found
    steps = 6000 // specs["potential"].recipe.batch_size
    assert mine.minutes == pytest.approx(mine.step_ms / 1e3 * steps / 60)
