"""What the notebook on the method's use draws from: tables of stored runs, noisy images, and its figures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.container import ErrorbarContainer

from reproduce.experiments import style as common
from reproduce.experiments.beyond import anytime, energy, robustness
from reproduce.experiments.beyond import pairs as beyond_runs
from reproduce.experiments.beyond import plot as beyond
from reproduce.runs import run as runs
from reproduce.runs import trained
from reproduce.runs.evaluations import AsTrained, Conversion
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.baselines.ann_neurons import ReLU
from snnlib.checks import InputError
from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset
from snnlib.deploy.folding import fold, without_noise
from snnlib.simulation import Simulation

E = Conversion(timesteps=4, noise_seeds=(3, 5), batch_size=30, calibration=40, statistics="frozen")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """A tiny single-step run and a ReLU run, not yet trained, on the small set in a store of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        common = {
            "dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16,
            "recipe": {"epochs": 2, "batch_size": 32, "lr": 3e-3, "schedule": "constant"},
        }  # fmt: skip
        yield Run(Spec(**common)), Run(Spec(**common, dynamics=ReLU(), readout="potential"))


def test_anytime_rows_at_fixed_t_are_the_stored_accuracies(pair: tuple[Run, Run]) -> None:
    table = anytime.tradeoffs([pair[0]], E)
    fixed = table[table.rule == anytime.FIXED]
    expected = accuracy(pair[0], E)
    assert fixed.accuracy.to_numpy() == pytest.approx(expected.accuracy.to_numpy())
    assert fixed.noise_seed.tolist() == expected.noise_seed.tolist()
    assert list(table.columns)[: len(pair[0].spec.columns())] == list(pair[0].spec.columns())


def test_operations_of_both_runs(pair: tuple[Run, Run]) -> None:
    table = energy.operation_counts([pair], E.changed(statistics="layer"))
    assert table.groupby("net").timesteps.max().to_dict() == {energy.CONVERTED: 4, energy.ANN: 1, energy.SKIPPING: 1}
    assert set(table[table.net == energy.ANN].run) == {pair[1].spec.name}
    assert set(table[table.part == "normalisation"].net) == {energy.CONVERTED}
    macs = table[(table.operation == "mac") & (table.part == "synapses")].groupby("net").per_image.sum()
    assert 0 < macs[energy.SKIPPING] < macs[energy.ANN]
    accuracies = energy.accuracy_of_pairs([pair], E.changed(statistics="layer"))
    assert accuracies.groupby("net").timesteps.max().to_dict() == {energy.CONVERTED: 4, energy.ANN: 1}
    stored = accuracy(pair[0], E.changed(statistics="layer")).accuracy
    assert accuracies[accuracies.net == energy.CONVERTED].accuracy.tolist() == stored.tolist()
    single = beyond.operations_per_image(table, accuracies)
    assert bars(single) == 0
    other = table.assign(seed=1, per_image=table.per_image * 1.2)
    figure = beyond.operations_per_image(pd.concat([table, other]), pd.concat([accuracies, accuracies.assign(seed=1)]))
    assert bars(figure) == 6 + 3 + 1  # of operations by part, accuracies of three nets, and firing rates
    t, _ = energy.at_equal_accuracy(accuracies)
    legends = [text.get_text() for ax in figure.axes if ax.get_legend() for text in ax.get_legend().get_texts()]
    assert (
        sum(f"T = {t}: " in text and " %" in text for text in legends) == 2
    )  # with its accuracy wherever its energy is
    assert "mean ± sd of 2 training seeds" in figure.get_suptitle()
    common.png(figure)


def test_noise_on_the_images_has_the_deviation_that_was_asked_for(small: Dataset) -> None:
    clean = standardise(small.test.images, small)
    one, two = (standardise(robustness.noisy(small, d, seed=1).test.images, small) - clean for d in (0.5, 1.0))
    assert one.std().item() == pytest.approx(0.5, rel=0.02)
    assert one.mean().item() == pytest.approx(0, abs=0.01)
    assert torch.allclose(two, 2 * one, atol=1e-5)  # the same pattern at every deviation
    other = standardise(robustness.noisy(small, 0.5, seed=2).test.images, small) - clean
    assert abs(np.corrcoef(one.flatten(), other.flatten())[0, 1]) < 0.02
    assert torch.equal(robustness.noisy(small, 0.0, seed=1).test.images, small.test.images.float())
    for bad in (-1.0, math.inf):
        with pytest.raises(InputError, match=f"input noise = {bad}"):
            robustness.noisy(small, bad, seed=0)


def test_accuracy_under_no_noise_is_the_stored_one_and_drops_with_noise(pair: tuple[Run, Run]) -> None:
    table = robustness.accuracy_under_noise(pair[0], E, (0, 50))
    clean = table[table.input_noise == 0]
    assert clean.accuracy.to_numpy() == pytest.approx(accuracy(pair[0], E).accuracy.to_numpy())
    assert len(table) == 2 * 2 * 4
    ann = robustness.accuracy_under_noise(pair[1], AsTrained(timesteps=1, noise_seeds=(3, 5)), (0, 50))
    lost = ann.groupby("input_noise").accuracy.mean()
    assert lost[50] < lost[0]
    assert lost[50] == pytest.approx(0.1, abs=0.1)  # chance


def test_accuracy_without_noise_is_that_of_the_plain_lif_net(pair: tuple[Run, Run], small: Dataset) -> None:
    table = robustness.accuracy_without_noise([pair[0]], E.changed(statistics="layer"))
    silent = table[table.net == "without noise"].accuracy
    model = without_noise(fold(E.network(pair[0])))
    x = standardise(small.test.images, small)
    with torch.no_grad():
        outputs = model(x, simulation=Simulation(torch.Generator(), 4))
    for t in (1, 4):
        predicted = outputs[:t].sum(0).argmax(-1)
        assert silent.iloc[t - 1] == pytest.approx((predicted == small.test.labels).float().mean().item())
    expected = accuracy(pair[0], E).accuracy
    assert table[table.net == "with noise"].accuracy.to_numpy() == pytest.approx(expected.to_numpy())


def test_the_nets_side_by_side_under_noise(pair: tuple[Run, Run]) -> None:
    table = robustness.accuracies_under_noise([pair], E.changed(statistics="layer"), (0, 50))
    clean = table[table.input_noise == 0]
    expected = {
        robustness.CONVERTED: accuracy(pair[0], E),  # with frozen statistics
        robustness.ENSEMBLE: accuracy(pair[0], E.changed(statistics="layer", alpha=math.inf)),
        robustness.ANN: accuracy(pair[1], AsTrained(timesteps=1, noise_seeds=E.noise_seeds)),
    }
    for net, rows in expected.items():
        assert clean[clean.net == net].accuracy.to_numpy() == pytest.approx(rows.accuracy.to_numpy())
    assert set(table.net) == set(expected)


def noisy_table(seeds: int = 3) -> pd.DataFrame:
    """The converted net falls from 80 by 10 points a unit and by 2 more a seed, the ReLU net from 90 by 20."""
    rows = []
    for s in range(seeds):
        for d in (0.0, 1.0, 2.0):
            rows += [("converted net", 10, d, s, n, 0.8 - (0.1 + 0.02 * s) * d + 0.01 * n) for n in (0, 1)]
            rows += [("converted net", 1, d, s, n, 0.7 - 0.1 * d) for n in (0, 1)]
            rows += [("ReLU net", 1, d, s, n, 0.9 - 0.2 * d) for n in (0, 1)]
    table = pd.DataFrame(rows, columns=["net", "timesteps", "input_noise", "seed", "noise_seed", "accuracy"])
    return table.assign(
        dataset="cifar10", network="vgg16", width=1.0, augment="none", readout="spikes", noise="gaussian"
    )


def test_the_summary_of_noise_has_accuracies_and_pairs_points_lost_by_seed() -> None:
    """Half an interval is t(0.975, 2) = 4.303 times 2 d / sqrt(3): 4.97 points at d = 1."""
    text = robustness.points_lost(noisy_table())
    zero, of = "± 0.00", "converted net"
    assert text.split("\n") == [
        "accuracy in %, and points lost to input noise (3 training seeds):",
        f"  at 0: {of} 80.50 {zero}, ReLU net 90.00 {zero}; {of} above: no",
        f"  at 1: {of} 68.50 ± 4.97 (12.00 ± 4.97 lost), ReLU net 70.00 {zero} (20.00 {zero} lost); {of} above: "
        "undecided, loses fewer: yes",
        f"  at 2: {of} 56.50 ± 9.94 (24.00 ± 9.94 lost), ReLU net 50.00 {zero} (40.00 {zero} lost); {of} above: "
        "undecided, loses fewer: yes",
    ]
    for seeds in (1, 2):
        assert robustness.points_lost(noisy_table(seeds)).count("fewer than 3 seeds cannot tell") == 5
    names = {robustness.CONVERTED: robustness.ANN, robustness.ANN: robustness.CONVERTED}
    last = noisy_table().query("net != 'converted net' or timesteps == 10")
    assert robustness.points_lost(last.assign(net=last.net.map(names))).count("fewer: no") == 2


def test_the_summary_of_the_neurons_own_noise() -> None:
    rows = [("with noise", s, 10, 0.79 + 0.01 * s) for s in range(3)] + [
        ("without noise", s, 10, 0.7) for s in range(3)
    ]
    rows += [(net, s, 1, 0.1) for net in ("with noise", "without noise") for s in range(3)]
    table = pd.DataFrame(rows, columns=["net", "seed", "timesteps", "accuracy"])
    assert robustness.points_of_noise(table) == (
        "at T = 10 80.00 ± 2.48 % with noise, 70.00 ± 0.00 % without noise: noise adds +10.00 ± 2.48 points "
        "(3 training seeds); above 0: yes"
    )
    assert robustness.points_of_noise(table[table.seed == 0]) == (
        "at T = 10 79.00 % with noise, 70.00 % without noise: noise adds +9.00 points (1 training seed); "
        "above 0: fewer than 3 seeds cannot tell"
    )


def bars(figure: Any) -> int:
    """How many error bars the axes of a figure have."""
    return sum(c.has_yerr for ax in figure.axes for c in ax.containers if isinstance(c, ErrorbarContainer))


def test_error_bars_are_over_training_seeds(pair: tuple[Run, Run]) -> None:
    figure = beyond.robustness(noisy_table(2))
    (ax,) = figure.axes
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["converted net, T = 1", "converted net, T = 10", "ReLU net"]
    assert "mean ± sd of 2 training seeds" in figure.get_suptitle()
    (_, last, _), height = ax.containers[:3], ax.containers[1][2][0].get_segments()
    assert last.has_yerr
    assert height[1][1, 1] - height[1][0, 1] == pytest.approx(2 * 2**0.5, abs=1e-6)  # 89.5 - 10 d - 2 s d, at d = 1
    assert bars(figure) == 3
    common.png(figure)
    single = beyond.robustness(noisy_table(1))
    assert bars(single) == 0
    assert "(1 training seed)" in single.get_suptitle()

    table = anytime.tradeoffs([pair[0]], E)  # two noise seeds of one training seed: no bar
    figure = beyond.anytime(table)
    assert bars(figure) == 0
    assert len(figure.legends[0].get_texts()) == 3
    potentials = beyond.anytime(table[table.rule != anytime.SETTLED])
    assert len(potentials.legends[0].get_texts()) == 2
    two = beyond.anytime(pd.concat([table, table.assign(seed=1, accuracy=table.accuracy / 2)]))
    assert bars(two) == 3
    common.png(two)


def chosen(**arms: list[dict[str, Any]]) -> Any:
    """A preset whose notebook has these arms of one net."""
    net = {"dataset": "cifar10", "network": "vgg16"}
    specs = {arm: tuple(Spec(**net | s) for s in found) for arm, found in arms.items()}
    return load_preset("smoke").model_copy(update={"notebooks": {"beyond": {"net": specs}}})


RELU = {"dynamics": {"kind": "relu"}, "readout": "potential"}


def several(*nets: str) -> Any:
    """A preset whose notebook has this net under each of these names."""
    pair = chosen(ours=[{}], relu=[RELU]).notebooks["beyond"]["net"]
    return load_preset("smoke").model_copy(update={"notebooks": {"beyond": dict.fromkeys(nets, pair)}})


def test_needed_pairs_runs_by_seed() -> None:
    found = beyond_runs.snn_ann_pairs(
        chosen(ours=[{"seed": 4}, {"seed": 1}], relu=[RELU | {"seed": 4}, RELU | {"seed": 1}])
    )
    assert [(a.spec.dynamics.kind, b.spec.dynamics.kind) for a, b in found] == [("single_step", "relu")] * 2
    assert [(a.spec.seed, b.spec.seed) for a, b in found] == [(4, 4), (1, 1)]


@pytest.mark.parametrize(
    ("p", "message"),
    [
        (chosen(ours=[{}]), "net net: has no arm relu; must have ours and relu"),
        (chosen(relu=[RELU]), "net net: has no arm ours; must have ours and relu"),
        (chosen(ours=[{}], relu=[RELU], direct=[{"dynamics": {"kind": "lif"}}]), "arm = 'direct': must be one of ours"),
        (several(), "notebook beyond: nets = : must be one"),
        (several("a", "b"), "notebook beyond: nets = a, b: must be one"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_refused_before_any_training(p: Any, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trained, "train_epochs", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(InputError, match=message) as refused:
        beyond_runs.snn_ann_pairs(p)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_what_the_notebook_needs(name: str) -> None:
    assert beyond_runs.snn_ann_pairs(load_preset(name))
