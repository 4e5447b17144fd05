"""Figure 5: alpha's sweep against step 2, closed forms and NumPy; its claims and picture against made-up tables."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from claim_tables import FAILS, HOLDS, alpha_effects, decided, losses
from conftest import images, lively
from reference import potential_term

from reproduce.experiments import eq6_terms
from reproduce.experiments.fig5_alpha import cancellation
from reproduce.experiments.fig5_alpha import losses as fig5_losses
from reproduce.experiments.fig5_alpha import plot as fig5
from reproduce.experiments.fig5_alpha import table as alpha
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED
from reproduce.runs import run as runs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.results import predictions
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble
from snnlib.data.sets import Dataset
from snnlib.simulation import Simulation
from snnlib.training.evaluation import accuracy_over_time, calibration_images
from snnlib.training.seeds import stream

# --- which runs -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_both_networks(name: str) -> None:
    nets = alpha.compared(load_preset(name))
    ours = alpha.our_runs(nets)
    assert {run.spec.network for run in ours} >= {"vgg16", "resnet18"}
    assert {(run.spec.readout, run.spec.noise) for run in ours} == {("spikes", "gaussian")}
    firsts = {}
    for arms in nets.values():
        firsts.setdefault(arms["ours"][0].spec.network, arms["ours"])
    assert ours == [run for runs in firsts.values() for run in runs]


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ({"vgg16": ["ours"], "resnet18": ["no_noise"]}, "net resnet18: has no arm ours; must have ours"),
        (
            {"vgg16": ["ours", "direct"], "resnet18": ["ours"]},
            "net vgg16, arm = 'direct': must be one of ours, potential",
        ),
    ],
)
def test_a_preset_that_cannot_draw_it_is_refused(arms: dict[str, list[str]], words: str) -> None:
    nets = {net: {arm: (Spec(dataset="mnist", network=net),) for arm in names} for net, names in arms.items()}
    with pytest.raises(InputError, match=words) as error:
        alpha.compared(load_preset("smoke").model_copy(update={"notebooks": {"fig5_alpha": nets}}))
    assert "\n" not in str(error.value)


# --- what is measured -------------------------------------------------------------------------

E = Conversion(timesteps=3, noise_seeds=(3,), batch_size=45, beta=0.4)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """A tiny finished run on the small set, in a store of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        recipe = {"epochs": 2, "batch_size": 8, "lr": 1e-2, "schedule": "constant"}
        run = ensure(Spec(dataset="fashion_mnist_mini", network="cnn", width=1 / 16, recipe=recipe))
        usual, without = (predictions(run, e).right for e in (E, E.changed(alpha=math.inf)))
        assert not torch.equal(usual, without)  # of a net that is silent they would be
        yield run


def test_accuracies_are_those_of_each_conversion_and_of_step_2_at_infinity(run: Run, small: Dataset) -> None:
    table = alpha.accuracy_by_alpha([run], E)
    assert list(table.columns) == [*run.spec.columns(), "alpha", "noise_seed", "timesteps", "accuracy"]
    assert sorted(table.alpha.unique()) == [2, 2.5, 4, 8, math.inf]
    step_2 = accuracy_over_time(ensemble(run.model()), small, 3, (3,), 45)
    assert list(table[table.alpha == math.inf].accuracy) == list(step_2.accuracy)
    no_noise = accuracy_over_time(convert(run.model(), 2.0, beta=0.4, statistics="layer"), small, 3, (3,), 45)
    assert list(table[table.alpha == 2].accuracy) == list(no_noise.accuracy)


@pytest.fixture(scope="module")
def spreads(run: Run) -> pd.DataFrame:
    return alpha.term_spreads([run], E)


def test_the_noise_terms_have_the_closed_form_spread(run: Run, spreads: pd.DataFrame) -> None:
    assert list(spreads.columns) == [*run.spec.columns(), "alpha", "layer", "term", "mean", "sd"]
    sd = spreads[spreads.layer == "layer 1"].set_index(["alpha", "term"]).sd
    for a in alpha.ALPHAS:
        assert sd[a, eq6_terms.NOISE] == pytest.approx(1 / 8, rel=0.01)
        assert sd[a, eq6_terms.RESIDUAL] == pytest.approx((1 / 2 - 1 / a) / 4, rel=0.01, abs=1e-6)  # k = 4
        together = math.hypot(sd[a, eq6_terms.POTENTIAL], sd[a, eq6_terms.RESIDUAL])  # independent
        assert sd[a, eq6_terms.SUM] == pytest.approx(together, rel=0.01)


def test_no_residual_at_2_and_no_potential_at_infinity_in_any_layer(spreads: pd.DataFrame) -> None:
    for a, term, mean in ((2, eq6_terms.RESIDUAL, 0.1), (math.inf, eq6_terms.POTENTIAL, 0.4)):
        gone = spreads[(spreads.alpha == a) & (spreads.term == term)]
        assert len(gone) == 5
        assert np.allclose(gone.sd, 0, atol=1e-6)
        assert np.allclose(gone["mean"], mean)


def test_the_potential_term_is_that_of_the_equations_in_numpy(run: Run, small: Dataset, spreads: pd.DataFrame) -> None:
    model = convert(run.model(), 2.5, beta=0.4, statistics="layer")
    names = {neuron: name for name, neuron in model.neurons()}
    found = defaultdict(list)

    def observe(neuron: Any, t: int, spikes: Any, v: Any) -> None:
        if t < alpha.TIMESTEPS:
            found[names[neuron]].append(potential_term(v.detach().double().numpy(), 0.5, 2.5, 0.4))

    model(
        calibration_images(small, alpha.IMAGES),
        simulation=Simulation(stream(0, "evaluation", device="cpu"), alpha.TIMESTEPS, observe),
    )
    sd = spreads[(spreads.alpha == 2.5) & (spreads.term == eq6_terms.POTENTIAL)].set_index("layer").sd
    assert set(sd.index) == set(found)
    for layer, values in found.items():
        assert sd[layer] == pytest.approx(np.stack(values).std(ddof=1), rel=1e-4)


def test_a_loss_is_step_3_less_step_2_image_by_image(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpha, "LOSSLESS_AT", (1, 3))
    table = alpha.losses({"cnn": {"ours": [run]}}, E)
    named = ["dataset", "network", "width", "augment", "readout", "noise", "timesteps", "seed", "points", "image_error"]
    assert list(table.columns) == [*named, "run", "other_run"]
    assert set(table.run) == set(table.other_run) == {run.spec.name}
    right = [predictions(run, e).right.double().mean(0).numpy() for e in (E, E.changed(alpha=math.inf))]  # [T, N]
    for row in table.itertuples():
        difference = 100 * (right[0] - right[1])[int(row.timesteps) - 1]
        assert row.points == pytest.approx(difference.mean())
        assert row.image_error == pytest.approx(difference.std() / math.sqrt(difference.size))
    assert table.points.iloc[0] == 0  # T = 1 is the trained net either way


def test_effects_are_gains_what_half_a_gain_lacks_and_what_is_off_4(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alpha, "LAST", 3)
    table = alpha.effects({"cnn": {"ours": [run], "potential": [run]}}, E)
    assert list(table.alpha.unique()) == list(alpha.ALPHAS)
    assert len(table) == 3 * len(alpha.ALPHAS)  # of arm ours alone
    right = {a: 100 * predictions(run, E.changed(alpha=a)).right.double().mean(0).numpy() for a in alpha.ALPHAS}
    for row in table.itertuples():
        mine, usual = right[row.alpha], right[4.0]
        values = {
            "gain": mine[2] - mine[0],
            "short of half the gain at 4": (usual[2] - usual[0]) / 2 - (mine[2] - mine[0]),
            "over 4": mine[2] - usual[2],
        }[row.effect]
        assert row.points == pytest.approx(values.mean(), abs=1e-9)
        assert row.image_error == pytest.approx(values.std() / math.sqrt(values.size), abs=1e-9)


def test_other_alphas_and_as_many_steps_as_there_are(run: Run) -> None:
    alphas, nets = [3.0, 2.0], {"cnn": {"ours": [run]}}
    assert list(alpha.accuracy_by_alpha([run], E, alphas).alpha.unique()) == alphas
    assert list(alpha.term_spreads([run], E, alphas).alpha.unique()) == alphas
    assert list(alpha.firing_again([run], E, alphas)) == alphas
    effects = alpha.effects(nets, E, alphas)
    assert list(effects.alpha.unique()) == alphas
    right = 100 * predictions(run, E.changed(alpha=3)).right.double().mean((0, 2))  # [T]
    gain = effects[(effects.alpha == 3) & (effects.effect == "gain")].points.item()
    assert gain == pytest.approx((right[2] - right[0]).item())  # T = 10 is beyond the last
    assert list(alpha.losses(nets, E).timesteps.unique()) == [2, 3]
    assert list(alpha.losses(nets, E.changed(timesteps=11)).timesteps.unique()) == [2, 5, 10, 11]


@pytest.mark.parametrize("leak", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("divided", [True, False])
def test_the_memory_term_is_that_of_numpy_and_sigma_and_the_leak_cancel(leak: float, divided: bool) -> None:
    v = images(3, (2, 5))
    term = cancellation.memory_term(v, leak, 2.5, 0.4, divided)
    assert np.allclose(term.numpy(), potential_term(v.numpy(), 0.5, 2.5, 0.4))
    table = cancellation.cancellation({"layer 1": v}, 2.5, 0.4, leaks=(0.5, leak))
    assert table.difference.max() < 1e-12
    assert np.allclose(table.sd_of_leak_v, [0.5 * v.numpy().std()] * 2 + [leak * v.numpy().std()] * 2)
    assert np.allclose(table[["mean", "sd"]], [[0.4, term.numpy().std()]] * 4)


def test_the_potentials_are_those_of_the_first_step(run: Run, small: Dataset) -> None:
    batch = calibration_images(small, 7)
    found = cancellation.potentials(convert(run.model(), statistics="layer"), batch)
    assert list(found) == [f"layer {i}" for i in range(1, 6)]
    assert all(len(v) == 7 for v in found.values())
    model, seen = convert(run.model(), statistics="layer"), {}
    with torch.no_grad():
        model(
            batch, simulation=Simulation(stream(0, "evaluation"), 1, lambda neuron, t, s, v: seen.setdefault(neuron, v))
        )
    assert all(torch.equal(v, seen[neuron]) for v, (_, neuron) in zip(found.values(), model.neurons(), strict=True))


def test_again_counts_the_outputs_that_fire_twice(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tiny run's outputs hardly fire, so a livelier net stands in for it.
    monkeypatch.setattr(Conversion, "network", lambda self, run: convert(lively(), self.alpha, statistics="layer"))
    monkeypatch.setattr(alpha, "calibration_images", lambda data, n: images(n))
    table = alpha.firing_again([run], E)
    assert list(table.columns) == list(alpha.ALPHAS)
    for a in (2.0, math.inf):
        with torch.no_grad():
            outputs = convert(lively(), a, statistics="layer")(
                images(alpha.IMAGES), simulation=Simulation(stream(0, "evaluation"), 2)
            )
        first, second = outputs.numpy()
        assert 0 < first.sum() < first.size  # so that the share means something
        assert table.loc["cnn", a] == pytest.approx((first * second).sum() / first.sum())


# --- what is said and shown -------------------------------------------------------------------


def made_up(slow: float = 1.0, step_2: float = 0.0) -> pd.DataFrame:
    """Accuracy 60 % at T = 1; at T = 10 another ``slow`` points at alpha = 2 and 8 points otherwise, 0.2 x alpha more
    at 2.5 to 4, ``step_2`` more at infinity; seed 1 is 2 points above seed 0 at T = 10, noise seeds 1 point apart."""
    rows = []
    for network in ("vgg16", "resnet18"):
        for a in alpha.ALPHAS:
            gain = slow if a == 2 else 8 + (0.2 * a if a <= 4 else 0) + (step_2 if a == math.inf else 0)
            for seed in (0, 1):
                for noise_seed in (0, 1):
                    for t, percent in ((1, 60), (5, 60 + gain / 2), (10, 60 + gain + 2 * seed)):
                        rows.append({
                            "dataset": "cifar10", "network": network, "width": 1.0,
                            "augment": "none", "readout": "spikes",
                            "noise": "gaussian", "seed": seed, "alpha": a, "noise_seed": noise_seed, "timesteps": t,
                            "accuracy": (percent + noise_seed) / 100,
                        })  # fmt: skip
    return pd.DataFrame(rows)


def made_up_spreads() -> pd.DataFrame:
    """N(leak V) has sd 0.2 / alpha in layer 1 and twice that in layer 2, a tenth more in seed 1; the others 0.1."""
    rows = []
    for net in (
        made_up()[["dataset", "network", "width", "augment", "readout", "noise", "seed"]]
        .drop_duplicates()
        .to_dict("records")
    ):
        for a in alpha.ALPHAS:
            for layer in (1, 2):
                for term in (eq6_terms.NOISE, eq6_terms.POTENTIAL, eq6_terms.RESIDUAL, eq6_terms.SUM):
                    sd = 0.2 / a * layer * (1 + 0.1 * net["seed"]) if term == eq6_terms.POTENTIAL else 0.1
                    rows.append({**net, "alpha": a, "layer": f"layer {layer}", "term": term, "mean": 0.5, "sd": sd})
    return pd.DataFrame(rows)


def test_the_pictures_are_those_of_their_tables() -> None:
    axes = fig5.alpha(made_up()).axes
    assert [ax.get_title().split(",")[0] for ax in axes] == ["CIFAR-10\nVGG-16", "CIFAR-10\nResNet-18"]
    shown = {c.get_label(): c.lines[0] for c in axes[0].containers}
    assert len(shown) == 5
    assert np.allclose(shown["α = 4"].get_ydata(), [60.5, 64.9, 70.3])
    assert np.allclose(shown["α = ∞ (step 2)"].get_ydata(), [60.5, 64.5, 69.5])
    assert np.abs(shown["α = 4"].get_xdata() - [1, 5, 10]).max() < 0.2
    lines = {line.get_label(): line for line in axes[0].get_lines()}
    assert np.allclose(lines["single-step net, T = 1"].get_ydata(), 60.5)


def test_any_number_of_alphas_is_drawn_with_or_without_infinity() -> None:
    table, spreads = made_up(), made_up_spreads()
    some = table[table.alpha < 4]
    lines = {line.get_label(): line for line in fig5.alpha(some).axes[0].get_lines()}
    assert np.allclose(lines["single-step net, T = 1"].get_ydata(), 60.5)
    assert alpha.memory_told(spreads[spreads.alpha > 4]).startswith("VGG-16, α = 8: ")  # the nearest to 4
    many = [2 + i / 4 for i in range(12)]
    shown = fig5.alpha(pd.concat([table[table.alpha == 2].assign(alpha=a) for a in many])).axes[0].containers
    assert [c.get_label() for c in shown][1:] == [f"α = {a:g}" for a in many[1:]]
    by_layer = fig5.memory(pd.concat([spreads[spreads.alpha == 2].assign(alpha=a) for a in many])).axes[0].get_lines()
    assert {f"α = {a:g}" for a in many[1:]} <= {line.get_label() for line in by_layer}


def test_the_memory_is_shown_by_layer_and_by_alpha() -> None:
    axes = fig5.memory(made_up_spreads()).axes
    assert [ax.get_title().split(",")[0] for ax in axes] == ["CIFAR-10\nVGG-16", "CIFAR-10\nResNet-18", "", ""]
    by_layer = {line.get_label(): line.get_ydata() for line in axes[0].get_lines()}
    assert np.allclose(by_layer["α = 2.5"], [0.08 * 1.05, 0.16 * 1.05])
    assert "α = ∞ (step 2)" not in by_layer
    by_alpha = {line.get_label(): line for line in axes[2].get_lines()}
    assert np.allclose(by_alpha[eq6_terms.POTENTIAL].get_ydata(), [0.2 / a * 1.5 * 1.05 for a in alpha.ALPHAS])
    assert [label.get_text() for label in axes[2].get_xticklabels()] == ["2", "2.5", "4", "8", "∞"]
    told = alpha.memory_told(made_up_spreads()).splitlines()
    assert told[0] == (
        "VGG-16, α = 4: standard deviation of N(λV) 0.079 (layers 0.053 to 0.105), N' 0.100, N_noise 0.100"
    )
    assert len(told) == 2


def test_losses_are_drawn_with_their_intervals() -> None:
    axes = fig5_losses.lossless(losses({2: -4, 5: -3, 10: -2}, uniform_spikes={2: 1, 5: 1, 10: 1})).axes
    assert [ax.get_title() for ax in axes] == [
        "Fashion-MNIST\nCNN, width 1", "CIFAR-10\nVGG-16, width 1", "CIFAR-10\nResNet-18, width 1",
    ]  # fmt: skip
    shown = {c.get_label(): c for c in axes[1].containers}
    assert np.allclose(shown["Gaussian, potential"].lines[0].get_ydata(), [-4, -3, -2])
    assert np.allclose(shown["uniform, spikes"].lines[0].get_ydata(), 1)
    (bars,) = shown["uniform, spikes"].lines[2]
    half = math.hypot(4.3027 * 0.05 / math.sqrt(3), 1.96 * 0.05)
    for bar in bars.get_segments():
        assert np.allclose(bar[:, 1], [1 - half, 1 + half], atol=1e-3)


def test_the_layers_are_those_of_one_network_and_alpha_on_one_scale() -> None:
    (ax,) = fig5.layers(made_up_spreads(), "resnet18", 2.5).axes
    lines = {line.get_label(): line.get_ydata() for line in ax.get_lines()}
    assert np.allclose(lines[eq6_terms.POTENTIAL], [0.08 * 1.05, 0.16 * 1.05])
    assert np.allclose(lines[eq6_terms.NOISE], 0.1)
    assert ax.get_title() == "CIFAR-10, ResNet-18, α = 2.5"
    (other,) = fig5.layers(made_up_spreads(), "resnet18", 8.0).axes
    assert ax.get_ylim() == other.get_ylim()


# --- the claims ------------------------------------------------------------------------------


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def test_alphas_are_judged_one_by_one(verdicts: Callable) -> None:
    off = alpha_effects(2, 8, {2.5: -2, 8: 0.1, math.inf: 0})  # 2 points off at 2.5 alone
    assert verdicts(fig5_effects=off) == {"alpha_2": REPRODUCED, "alphas_converge": PARTLY}
    shown = verdicts("measured", fig5_effects=off)["alphas_converge"]
    assert "VGG-16 -2.0 ± 0.1 ± 0.1 at α = 2.5; ResNet-18 -2.0 ± 0.1 ± 0.1 at α = 2.5 (seeds: 3)" in shown


@pytest.mark.parametrize(
    ("two", "verdict"), [(3.7, REPRODUCED), (4.3, NOT), (-0.3, NOT), (4.0, UNDECIDED), (0.0, UNDECIDED)]
)
def test_a_gain_is_slight_between_nothing_and_half_of_the_usual(verdicts: Callable, two: float, verdict: str) -> None:
    assert verdicts(fig5_effects=alpha_effects(two, 8, {8: 0}))["alpha_2"] == verdict


def test_the_cnn_has_no_part_in_the_papers_figure(verdicts: Callable) -> None:
    measured = verdicts("measured", fig5_effects=HOLDS["fig5_effects"])
    assert not any("CNN" in text for text in measured.values())


def test_each_readout_noise_and_time_step_is_a_part(verdicts: Callable) -> None:
    for where in ("gaussian_spikes", "gaussian_potential", "uniform_spikes"):
        table = losses({2: 0.1, 5: 0, 10: 0.2}, **{where: {2: -3, 5: 0, 10: 0.2}})
        assert verdicts(fig5_lossless=table)["lossless"] == PARTLY
        shown = verdicts("measured", fig5_lossless=table)["lossless"]
        noise, readout = where.split("_")
        assert f"VGG-16, {readout}, {noise} -3.0 ± 0.1 ± 0.1 at T = 2" in shown
    table = losses({2: 0.1, 5: 0, 10: -0.5})  # across the threshold
    assert verdicts(fig5_lossless=table)["lossless"] == UNDECIDED
    table = losses({2: 0.1, 5: 0, 10: -0.75})  # between it and that of in part
    assert verdicts(fig5_lossless=table)["lossless"] == PARTLY
    assert verdicts(fig5_lossless=losses({2: -1, 5: -1, 10: -1}))["lossless"] == UNDECIDED


@pytest.mark.parametrize("lacks", [{"readout": "potential"}, {"noise": "uniform"}])
def test_a_readout_or_noise_without_runs_leaves_it_undecided(verdicts: Callable, lacks: dict[str, str]) -> None:
    ((column, value),) = lacks.items()
    for table in (HOLDS["fig5_lossless"], FAILS["fig5_lossless"]):
        table = table[(table[column] != value) | (table.network != "vgg16")]
        assert verdicts(fig5_lossless=table)["lossless"] == UNDECIDED
        assert "VGG-16, " in verdicts("measured", fig5_lossless=table)["lossless"].split("no runs")[0]
