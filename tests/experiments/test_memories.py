"""Memories side by side: which nets are run in which ways, what is read off them, and what is drawn."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import generator, lively
from matplotlib.axes import Axes
from tiny_runs import spec
from torch import nn

from reproduce.experiments.evidence import NO, UNCLEAR, YES
from reproduce.experiments.memories import ceiling, claims, energy, plot, rates
from reproduce.experiments.memories.rates import chance_of_rates
from reproduce.experiments.memories.table import (
    ENSEMBLE,
    EVEN,
    EXACT,
    HIDDEN,
    OTHERS,
    PAPER,
    PAPER_HIDDEN,
    PAPER_READOUT,
    READOUT,
    SPREADS,
    accuracies,
    exact,
    memories,
    of_papers,
    over_others,
    steps_needed,
    variants,
)
from reproduce.experiments.nets import first_nets, first_seeds
from reproduce.experiments.over_seeds import NET
from reproduce.runs.evaluations import Conversion, Phased, read
from reproduce.runs.results import ensure
from reproduce.runs.run import Run
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError
from snnlib.conversion import convert_exact, ensemble
from snnlib.data.sets import Dataset
from snnlib.deploy import operations
from snnlib.dynamics import Converted, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.neurons import Neuron
from snnlib.noise import Uniform
from snnlib.training.evaluation import accuracy_over_time

EVALUATION = Conversion(timesteps=3, noise_seeds=(0, 4), batch_size=30)


@pytest.fixture
def tiny() -> list[Run]:
    return [Run(spec(seed=seed)) for seed in (0, 1)]


def dynamics(run: Run, memory: str) -> list[Any]:
    ways = memories(EVALUATION) | variants(EVALUATION, run.spec)
    return [n.dynamics for _, n in ways[memory].network(run, "cpu").neurons()]


# --- which nets ------------------------------------------------------------------------------


def test_each_memory_is_what_its_name_says(small_store: None, small: Dataset) -> None:
    run = Run(spec(dynamics={"kind": "single_step", "noise": {"kind": "uniform"}}))
    table = accuracies([run], EVALUATION)
    parts = {HIDDEN, READOUT, PAPER_HIDDEN, PAPER_READOUT}
    assert set(table.memory) == {ENSEMBLE, PAPER, EVEN, EXACT, *parts, *map(exact, SPREADS)}
    single, full, half = SingleStep(Uniform()), ExactMemory(Uniform(), 1.0), ExactMemory(Uniform(), 0.5)
    assert dynamics(run, exact(1.0)) == [full] * 5
    assert dynamics(run, exact(0.5)) == [half] * 5
    assert dynamics(run, EXACT) == [full] * 4 + [half]
    assert dynamics(run, HIDDEN) == [full] * 4 + [single]
    assert dynamics(run, READOUT) == [single] * 4 + [half]
    assert dynamics(run, EVEN) == [LowDiscrepancy(Uniform())] * 5
    remembers, forgets = (Converted(Uniform(), alpha=alpha) for alpha in (EVALUATION.alpha, np.inf))
    assert dynamics(run, PAPER) == [remembers] * 5
    assert dynamics(run, PAPER_HIDDEN) == [remembers] * 4 + [forgets]
    assert dynamics(run, PAPER_READOUT) == [forgets] * 4 + [remembers]
    for memory, net in (
        (ENSEMBLE, ensemble(run.model("cpu"))),
        (EXACT, convert_exact(run.model("cpu"), spread=[1, 1, 1, 1, 0.5])),
    ):
        found = table[table.memory == memory][["noise_seed", "timesteps", "accuracy"]].reset_index(drop=True)
        assert found.equals(accuracy_over_time(net, small, 3, (0, 4), 30))


def test_a_readout_of_potentials_has_no_memory_to_leave_out(small_store: None) -> None:
    potential = spec(readout="potential")
    assert variants(EVALUATION, potential).keys() == {*map(exact, SPREADS)}
    for way in (Phased(layers="readout"), Conversion(layers="readout")):
        with pytest.raises(InputError, match="layers = readout: .* has no spikes there; readout = potential"):
            way.fits(potential)
    hidden = Conversion(layers="hidden").network(ensure(potential), "cpu")
    assert {n.dynamics for _, n in hidden.neurons()} == {Converted(alpha=4)}
    with pytest.raises(InputError, match="layers = hidden: must be all with output = quiet"):
        Conversion(layers="hidden", output="quiet").fits(spec())


def test_some_runs_stand_for_others_that_are_alike() -> None:
    uniform = {"kind": "single_step", "noise": {"kind": "uniform"}}
    nets = [spec(), spec(readout="potential"), spec(dynamics=uniform), spec(dynamics=uniform, readout="potential")]
    runs = [Run(net.model_copy(update={"seed": seed})) for net in nets for seed in (0, 1)]
    assert first_nets(runs, "network", "noise") == [*runs[:2], *runs[4:6]]
    assert first_nets(runs, "network") == runs[:2]
    assert first_seeds(runs) == runs[::2]


def test_phases_take_the_place_of_noise_alone() -> None:
    with pytest.raises(InputError, match="dynamics = lif: only a net trained as single_step has noise to replace"):
        Phased().fits(spec(dynamics={"kind": "lif"}))
    with pytest.raises(InputError, match="noise = max_normalised: must be gaussian or uniform"):
        Phased().fits(spec(dynamics={"kind": "single_step", "noise": {"kind": "max_normalised"}}))
    with pytest.raises(InputError, match=r"spread = 1.1: must be a number between 0 and 1"):
        Phased(readout_spread=1.1)
    assert read(Phased(spread=0.3, memory="none").spelled) == Phased(spread=0.3, memory="none")


# --- what is read off them -------------------------------------------------------------------


OF_A_PANEL = dict(zip([*NET, "noise"], ("mnist", "cnn", 1.0, "none", "spikes", "gaussian"), strict=True))


def made_up(**accuracy: list[float]) -> pd.DataFrame:
    """Accuracies of two training seeds, one a point better, at T = 1, 2, ..., by memory."""
    return pd.DataFrame(
        {
            **OF_A_PANEL,
            "memory": memory,
            "run": f"run-{seed}",
            "seed": seed,
            "noise_seed": 0,
            "timesteps": t,
            "accuracy": a + 0.01 * seed,
        }
        for memory, values in accuracy.items()
        for seed in (0, 1)
        for t, a in enumerate(values, start=1)
    )


def test_steps_needed_are_those_for_the_ensembles_accuracy() -> None:
    table = made_up(**{ENSEMBLE: [0.5, 0.6, 0.7], PAPER: [0.5, 0.7, 0.8], EVEN: [0.5, 0.6, 0.69]})
    table = steps_needed(table, timesteps=3)
    assert set(table.runs) == {"run-0 run-1"}
    found = table.set_index("memory").steps
    assert found[[ENSEMBLE, PAPER]].tolist() == [3, 2]
    assert np.isnan(found[EVEN])


@pytest.mark.parametrize("timesteps", [1, 2, 7])
def test_chance_of_rates_is_that_of_the_closed_form(timesteps: int) -> None:
    """Of T independent draws p (1 - p) / T; of T steps from a uniform phase f (1 - f) / T^2, f the fraction of T p."""
    current = torch.tensor([[0.35, 0.5, 0.62], [0.9, 0.1, 0.45]])
    p = current.double().numpy()
    f = timesteps * p % 1
    variances = {
        SingleStep(Uniform()): p * (1 - p) / timesteps,
        ExactMemory(Uniform(), 1.0): f * (1 - f) / timesteps**2,
    }
    for d, variance in variances.items():
        net = convert_exact(nn.Sequential(nn.Identity(), Neuron(SingleStep())))  # any net of one layer
        for _, neuron in net.neurons():
            neuron.dynamics = d
        (row,) = chance_of_rates(net, current, generator(1), 4000, [timesteps]).itertuples()
        assert row.timesteps == timesteps
        assert row.sd == pytest.approx(np.sqrt(variance.mean()), rel=0.05)


def test_chance_is_counted_on_over_passes() -> None:
    model = ensemble(lively())
    found = chance_of_rates(model, torch.randn(2, 1, 28, 28, dtype=torch.float64), generator(), 8, [1, 40])
    assert len(found) == 2 * 5
    ratio = found[found.timesteps == 1].sd.to_numpy() / found[found.timesteps == 40].sd.to_numpy()
    np.testing.assert_allclose(ratio, np.sqrt(40), rtol=0.35)


def test_chance_is_that_of_a_net_that_is_trained_first(
    small_store: None, tiny: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rates, "chance_of_rates", partial(chance_of_rates, copies=2, timesteps=[2]))
    found = rates.with_each_memory(tiny[0], EVALUATION)
    assert list(found.groupby("memory", sort=False).layer.count().items()) == [(m, 5) for m in (ENSEMBLE, PAPER, EXACT)]
    assert found.sd.between(0, 0.5).all()


def test_the_exact_memory_is_held_against_each_other_one_on_the_same_images(small_store: None, tiny: list[Run]) -> None:
    table = over_others(tiny, EVALUATION)
    assert len(table) == 2 * 3 * len(OTHERS)
    means = accuracies(tiny, EVALUATION).groupby(["seed", "memory", "timesteps"]).accuracy.mean()
    for row in table.itertuples():
        expected = means[row.seed, EXACT, row.timesteps] - means[row.seed, row.other_memory, row.timesteps]
        assert row.points == pytest.approx(100 * expected)


def test_what_each_costs_at_the_steps_that_it_needs(small_store: None, tiny: list[Run], small: Dataset) -> None:
    needed = pd.DataFrame(
        [(memory, steps, " ".join(run.spec.name for run in tiny)) for memory, steps in
         ((ENSEMBLE, 3), (PAPER, np.nan), (EVEN, 1), (EXACT, 2), (exact(1.0), 1))],
        columns=["memory", "steps", "runs"],
    )  # fmt: skip
    columns = tiny[0].spec.columns()
    needed = needed.assign(**{name: columns[name] for name in (*NET, "noise")})
    found = energy.at_equal_accuracy(needed, tiny, EVALUATION).set_index("memory")
    assert found.loc[[PAPER, exact(1.0)], ["energy_nj", "draw_pj", "lookup_pj"]].isna().all(axis=None)
    neurons = found.draws[EXACT]  # once each
    assert found.draws[ENSEMBLE] == 3 * neurons == 3 * found.draws[EVEN]
    assert (found.lookups[EXACT], found.lookups[ENSEMBLE]) == (2 * neurons, 0)
    assert np.isnan(found.draw_pj[ENSEMBLE])
    priced = [
        [proxy(operations.count(memories(EVALUATION)[memory].network(run), small, steps, 0, 30), steps) for run in tiny]
        for memory, steps in ((ENSEMBLE, 3), (EXACT, 2))
    ]
    ensemble, own = np.array(priced)
    assert found.energy_nj[EXACT] == pytest.approx(own.mean() / 1e3)
    assert found.of_ensemble[EXACT] == pytest.approx((own / ensemble).mean())
    of_one = energy.at_equal_accuracy(needed, tiny[1:], EVALUATION).set_index("memory")
    assert of_one.energy_nj[EXACT] == pytest.approx(own[1] / 1e3)
    more = pd.concat([needed, needed.assign(noise="uniform", runs="of-no-run-that-is-given")])
    assert energy.at_equal_accuracy(more, tiny, EVALUATION).energy_nj.count() == 3
    assert energy.at_equal_accuracy(needed, [], EVALUATION).energy_nj.isna().all()
    # With draws, or look-ups, at these prices both cost the same.
    assert (own + found.draw_pj[EXACT] * neurons).mean() == pytest.approx(
        (ensemble + found.draw_pj[EXACT] * 3 * neurons).mean()
    )
    assert (own + found.lookup_pj[EXACT] * 2 * neurons).mean() == pytest.approx(ensemble.mean())


def proxy(table: pd.DataFrame, timesteps: int) -> float:
    by = table[table.timesteps == timesteps].groupby("operation").per_image.sum()
    return 4.6 * by["mac"] + 0.9 * by["accumulate"]


def test_the_ceiling_is_the_ensembles_last_accuracy(
    small_store: None, tiny: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceiling, "AT", (1, 3))
    monkeypatch.setattr(ceiling, "IMAGES", 90)  # all there are
    table = ceiling.accuracies(tiny, EVALUATION)
    known = accuracies(tiny, EVALUATION).groupby(["memory", "timesteps", "seed"]).accuracy.mean()
    assert len(table) == 3 * 2 * 2
    for row in table.itertuples():
        assert row.accuracy == pytest.approx(known[row.memory, row.timesteps, row.seed])
        assert row.points == pytest.approx(100 * (row.accuracy - known[ENSEMBLE, 3, row.seed]))
    last = table[(table.memory == ENSEMBLE) & (table.timesteps == 3)]
    assert (last[["points", "image_error", "changed"]] == 0).all(axis=None)
    assert table.changed.max() > 0


def test_what_is_told_of_the_ceiling() -> None:
    rows = [(EXACT, 10, s, points, 0.5, 100, 3) for s, points in enumerate((-3.0, -4.0, -5.0))]
    rows += [(ENSEMBLE, 10, s, 0.0, 0.0, 100, 0) for s in range(3)]
    names = ["memory", "timesteps", "seed", "points", "image_error", "images", "changed"]
    table = pd.DataFrame(rows, columns=names).assign(**OF_A_PANEL)
    below = f"  {EXACT} at T = 10: -4.0 ± 2.5 ± 1.0, changed 9 times on 100 images; above it: no"
    assert ceiling.told(table).splitlines()[2:] == [below]
    above = table.assign(network="vgg16", points=-table.points)
    assert ceiling.told(pd.concat([table, above])).splitlines() == [
        f"points over the {ENSEMBLE} at T = 10:",
        "MNIST, CNN, width 1, gaussian, spikes:", below,
        "MNIST, VGG-16, width 1, gaussian, spikes:", below.replace("-4.0", "+4.0").replace("no", "yes"),
    ]  # fmt: skip


# --- what is claimed -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exact_memory", "says", "shown"),
    [
        ([0.5] * 3 + [0.8] * 7, YES, "8.0 against 4.0, 2.0"),
        ([0.5] * 9 + [0.8], NO, "8.0 against 10.0, 0.8"),
        ([0.5] * 10, NO, "8.0 against 10.0, ≤ 0.8"),
        ([0.5] * 7 + [0.8] * 3, NO, "8.0 against 8.0, 1.0"),
    ],
)
def test_fewer_steps_are_a_ratio_or_its_bound(exact_memory: list[float], says: str, shown: str) -> None:
    table = made_up(**{ENSEMBLE: [0.5] * 7 + [0.8] * 3, EXACT: exact_memory})
    both = pd.concat([table, table[table.seed == 1].assign(seed=2)])
    (item,) = claims.fewer_steps(Read(both)).items[:1]
    assert item.says == says
    assert item.shown.startswith(shown)


def test_an_upper_bound_never_says_yes() -> None:
    """The ensemble gets there at T = 10 alone, the exact memory in two seeds at T = 1 and never in the third."""
    table = made_up(**{ENSEMBLE: [0.5] * 9 + [0.8], EXACT: [0.8] * 10})
    third = made_up(**{ENSEMBLE: [0.5] * 9 + [0.8], EXACT: [0.5] * 10}).query("seed == 1").assign(seed=2)
    (item,) = claims.fewer_steps(Read(pd.concat([table, third]))).items[:1]
    assert item.says == UNCLEAR
    assert "≤ " in item.shown


def test_the_best_at_every_t_is_held_against_the_best_of_the_others_where_it_is_worst() -> None:
    rows = [
        {**made_up(**{EXACT: [1.0]}).iloc[0].to_dict(), "other_memory": other, "timesteps": t, "seed": s,
         "points": (-1.0 if (other, t) == (EVEN, 7) else 2.0) + 0.1 * s, "image_error": 0.1}
        for other in OTHERS for t in range(1, 11) for s in range(3)
    ]  # fmt: skip
    (item,) = claims.best_everywhere(Read(pd.DataFrame(rows))).items[:1]
    assert (item.says, item.shown) == (NO, f"-0.9 ± 0.2 ± 0.2 at T = 7 ({EVEN})")


class Read:
    """In place of `Tables`: one table, whichever is asked for."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    def read(self, table: object) -> pd.DataFrame:
        return self.table


# --- what is drawn ---------------------------------------------------------------------------


def everything() -> pd.DataFrame:
    names = [ENSEMBLE, PAPER, EVEN, EXACT, *map(exact, SPREADS), HIDDEN, READOUT, PAPER_HIDDEN, PAPER_READOUT]
    return made_up(**{name: [0.5 + 0.01 * i, 0.6, 0.7 - 0.01 * i] for i, name in enumerate(names)})


def drawn(ax: Axes) -> dict[str, np.ndarray]:
    return {c.get_label(): c.lines[0].get_ydata().astype(float) for c in ax.containers}


def test_accuracy_is_drawn_in_percent_over_t_and_controls_over_the_ensemble() -> None:
    (levels,), (over,) = plot.accuracy(everything()).axes, plot.over_the_ensemble(everything()).axes
    assert drawn(levels).keys() == plot.LOOKS.keys()
    assert drawn(over).keys() == plot.CONTROLS.keys() == {PAPER, EXACT, HIDDEN, READOUT, EVEN}
    np.testing.assert_allclose(drawn(levels)[PAPER], [51.5, 60.5, 69.5])
    np.testing.assert_allclose(drawn(over)[READOUT], [8, 0, -8], atol=1e-12)
    parts = [HIDDEN, READOUT, PAPER_HIDDEN, PAPER_READOUT]
    potential = everything().assign(readout="potential")
    potential = potential[~potential.memory.isin(parts)]
    assert drawn(plot.over_the_ensemble(potential).axes[0]).keys() == {PAPER, EXACT, EVEN}
    (of_spikes,) = plot.layers(of_papers(pd.concat([everything(), potential]))).axes  # the other was not run in parts
    assert drawn(of_spikes).keys() == {PAPER, PAPER_HIDDEN, PAPER_READOUT}
    np.testing.assert_allclose(drawn(of_spikes)[PAPER_HIDDEN], [9, 0, -9], atol=1e-12)


def test_bars_of_one_t_stand_apart_and_nearer_to_it_than_to_the_next() -> None:
    names = plot.LOOKS | plot.CONTROLS
    table = made_up(**{name: np.linspace(0.5, 0.6, 10) for name in names})
    for draw in (plot.accuracy, plot.over_the_ensemble):
        (ax,) = draw(table).axes
        places = np.array([c.lines[0].get_xdata() for c in ax.containers], np.float64)  # [memories, T]
        assert (np.diff(places, axis=0) > 0).all()
        np.testing.assert_array_equal(np.rint(places), np.tile(np.arange(1, 11), (len(places), 1)))
        assert list(ax.get_xticks()) == [1, 2, 4, 10]


def test_where_it_ends_is_drawn_with_the_interval_of_the_images() -> None:
    rows = [(m, t, 0, -2.0, 0.5, 100) for m in (ENSEMBLE, PAPER, EXACT) for t in (10, 1000)]
    names = ["memory", "timesteps", "seed", "points", "image_error", "images"]
    (ax,) = plot.ceiling(pd.DataFrame(rows, columns=names).assign(**OF_A_PANEL)).axes
    np.testing.assert_allclose(drawn(ax)[PAPER], [-2, -2])
    bars = next(c for c in ax.containers if c.get_label() == PAPER).lines[2][0].get_segments()
    np.testing.assert_allclose([np.ptp(bar[:, 1]) for bar in bars], 2 * 1.96 * 0.5)


def test_the_spread_is_drawn_for_each_t() -> None:
    other = everything().query("memory in [@ENSEMBLE, @PAPER, @EVEN, @EXACT]").assign(dataset="fashion_mnist")
    (ax,) = plot.spread(pd.concat([everything(), other])).axes  # the other net has no variants
    assert [c.get_label() for c in ax.containers] == ["T = 1", "T = 2"]
    np.testing.assert_allclose(
        ax.containers[0].lines[0].get_ydata().astype(float), 50.5 + np.arange(4, 4 + len(SPREADS))
    )


def test_other_spreads_and_a_later_t_are_drawn(small_store: None, tiny: list[Run]) -> None:
    table = accuracies(tiny, EVALUATION, [0.25, 1])
    assert {name for name in table.memory if name.startswith("exact, spread")} == {exact(0.25), exact(1)}
    (ax,) = plot.spread(pd.concat([table, table.assign(timesteps=table.timesteps + 17)]), [0.25, 1]).axes
    assert [c.get_label() for c in ax.containers] == ["T = 1", "T = 2", "T = 20"]
    assert list(ax.containers[0].lines[0].get_xdata()) == [0.25, 1]


def test_chance_is_drawn_for_each_memory_and_layer() -> None:
    rows = [(m, layer, t, 0.2 / t) for m in (ENSEMBLE, EVEN) for layer in ("layer 1", "layer 2") for t in (1, 10)]
    fig = plot.chance(pd.DataFrame(rows, columns=["memory", "layer", "timesteps", "sd"]).assign(**OF_A_PANEL, seed=0))
    assert [ax.get_title() for ax in fig.axes] == [ENSEMBLE, EVEN]
    assert all(len(ax.lines) == 2 + 2 for ax in fig.axes)
