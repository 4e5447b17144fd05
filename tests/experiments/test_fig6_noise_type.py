"""Figure 6: which pairs are compared, with which noise they are converted, and what is said of the gap."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from claim_tables import decided, gap
from conftest import generator

from reproduce.experiments import eq6_terms
from reproduce.experiments.fig6_noise_type import plot as fig6
from reproduce.experiments.fig6_noise_type import table as noise_type
from reproduce.experiments.over_seeds import gains, percent
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED
from reproduce.runs import run as runs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import load_preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.data.sets import Dataset
from snnlib.dynamics import SingleStep
from snnlib.models import build
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.training.evaluation import accuracy_over_time

# --- which runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pairs"), [("smoke", 3), ("cpu", 4), ("paper", 4)])
def test_every_preset_has_its_pairs(name: str, pairs: int) -> None:
    nets = noise_type.compared(load_preset(name))
    assert len({(run.spec.dataset, run.spec.network) for run in noise_type.noise_runs(nets)}) == pairs
    for net, arms in nets.items():
        toy = name == "smoke" and net != "cnn"  # so that smoke takes minutes
        assert len(arms["uniform"]) >= (1 if toy else 3)  # fewer would decide nothing


def test_first_come_the_runs_with_one_noise_then_as_many_with_the_other() -> None:
    needed = noise_type.noise_runs(noise_type.compared(load_preset("smoke")))
    ours, theirs = needed[: len(needed) // 2], needed[len(needed) // 2 :]
    assert {run.spec.noise for run in ours} == {"gaussian"}
    for a, b in zip(ours, theirs, strict=True):
        recipe = b.spec.recipe  # how often it is tested and the rate that is best for it may differ, and nothing else
        own = {"evaluate_every": recipe.evaluate_every, "lr": recipe.lr}
        assert recipe == a.spec.recipe.model_copy(update=own)
        assert b.spec == a.spec.model_copy(update={"dynamics": SingleStep(Uniform()), "recipe": recipe})


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        ({"ours": SingleStep()}, "has no arm uniform; must have ours and uniform"),
        ({"uniform": SingleStep(Uniform())}, "has no arm ours; must have ours and uniform"),
        (
            {"ours": SingleStep(), "uniform": SingleStep(Uniform()), "max_normalised": SingleStep(MaxNormalised())},
            "arm = 'max_normalised': must be one of ours, uniform",
        ),
    ],
)
def test_a_pair_with_an_arm_too_few_or_too_many_is_refused(arms: dict[str, SingleStep], words: str) -> None:
    specs = {arm: (Spec(dataset="mnist", network="cnn", dynamics=d),) for arm, d in arms.items()}
    preset = load_preset("smoke").model_copy(update={"notebooks": {"fig6_noise_type": {"net": specs}}})
    with pytest.raises(InputError, match=words) as error:
        noise_type.compared(preset)
    assert "\n" not in str(error.value)


# --- what is measured -------------------------------------------------------------------------


RECIPE = {"epochs": 2, "batch_size": 8, "lr": 1e-2, "schedule": "constant"}  # enough that it is not silent
FIELDS = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "recipe": RECIPE}


def test_a_converted_net_keeps_the_kind_of_its_noise() -> None:
    # The notebook says so: N' of a net trained with uniform noise is uniform on -/+ (1/2 - 1/alpha).
    for noise, sd in ((Uniform(), 0.25 / math.sqrt(3)), (Gaussian(), 0.25 / 4)):
        residual = convert(build("cnn", SingleStep(noise), width=1 / 16), alpha=4).first.dynamics.residual
        assert type(residual) is type(noise)
        x = residual.sample((200_000,), generator())
        assert x.std().item() == pytest.approx(sd, rel=0.01)
    flat = Uniform().within(0.0, 0.25).sample((100_000,), generator())
    assert torch.histc(flat, 10, -0.25, 0.25).numpy() == pytest.approx(np.full(10, 10_000), rel=0.05)


def test_accuracies_are_the_first_and_the_last_of_both_arms(
    tmp_path: Any, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    monkeypatch.setattr(runs, "load_dataset", lambda *_, **__: small)
    pair = [ensure(Spec(**FIELDS, dynamics=SingleStep(noise))) for noise in (Gaussian(), Uniform())]
    table = noise_type.accuracy_by_noise(pair, Conversion(timesteps=3, noise_seeds=(0, 4), batch_size=30))
    assert list(table.columns) == [*pair[0].spec.columns(), "noise_seed", "timesteps", "accuracy"]
    assert list(table.noise) == ["gaussian"] * 4 + ["uniform"] * 4
    whole = accuracy_over_time(convert(pair[1].model(), statistics="layer"), small, 3, (0, 4), 30)
    expected = whole[whole.timesteps != 2].reset_index(drop=True)
    assert table[table.noise == "uniform"][list(expected)].reset_index(drop=True).equals(expected)


def test_noises_are_those_of_either_arm_of_which_nothing_needs_to_be_trained() -> None:
    pair = [Run(Spec(**FIELDS, dynamics=SingleStep(noise))) for noise in (Gaussian(), Uniform())]
    found = noise_type.noises(pair, Conversion(alpha=3)).set_index(["trained with", "term"])
    for noise, sd in (("gaussian", 1 / 4), ("uniform", 1 / math.sqrt(3))):  # of a half-width
        assert list(found.kind[noise]) == [noise, noise]
        assert list(found.loc[noise].sd) == pytest.approx([sd / 2, sd / 6], abs=1e-3)
    assert list(found.loc["uniform", eq6_terms.RESIDUAL][["low", "high"]]) == pytest.approx([-1 / 6, 1 / 6])


def test_gaps_are_differences_of_the_accuracies_on_the_same_images(
    tmp_path: Any, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    monkeypatch.setattr(runs, "load_dataset", lambda *_, **__: small)
    arms = {
        arm: [Run(Spec(**FIELDS, seed=s, dynamics=SingleStep(noise))) for s in (0, 1)]
        for arm, noise in (("ours", Gaussian()), ("uniform", Uniform()))
    }
    e = Conversion(timesteps=3, noise_seeds=(0, 4), batch_size=30)
    gaps, table = noise_type.gaps({"net": arms}, e), noise_type.accuracy_by_noise(arms["ours"] + arms["uniform"], e)
    at = percent(table, "noise", "timesteps")
    assert list(gaps[["timesteps", "seed"]].itertuples(index=False, name=None)) == [(1, 0), (1, 1), (3, 0), (3, 1)]
    for row in gaps.itertuples():
        assert row.points == pytest.approx(
            at["gaussian", row.timesteps, row.seed] - at["uniform", row.timesteps, row.seed]
        )
    assert set(gaps.noise) == {"gaussian"}
    assert list(gaps.other_run) == [run.spec.name for run in arms["uniform"]] * 2


# --- what is said and shown -------------------------------------------------------------------

NETS = (("mnist", "cnn"), ("fashion_mnist", "cnn"), ("cifar10", "vgg16"), ("cifar10", "resnet18"))


def made_up(first: float = 3.0, last: float = 0.5) -> pd.DataFrame:
    """Gaussian 70 % at T = 1 and 80 % at T = 10, two points more in each seed; uniform lower by ``first`` and ``last``
    points, in each seed by one more; noise seeds one point apart."""
    rows = [
        {"dataset": d, "network": n, "width": 1.0,
         "augment": "none", "readout": "spikes", "noise": noise, "seed": s, "noise_seed": k,
         "timesteps": t, "accuracy": (height + 2 * s + k - (noise == "uniform") * (gap + s)) / 100}
        for d, n in NETS for noise in ("uniform", "gaussian") for s in (0, 1, 2) for k in (0, 1)
        for t, height, gap in ((1, 70, first), (10, 80, last))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def gaps(first: float = 3.0, last: float = 0.5) -> pd.DataFrame:
    """Of `made_up`, by hand."""
    return pd.DataFrame(
        {"dataset": d, "network": n, "width": 1.0,
         "augment": "none", "readout": "spikes", "noise": "gaussian", "timesteps": t,
         "seed": s, "points": gap + s, "image_error": 0.5, "run": "a", "other_run": "b"}
        for d, n in NETS for t, gap in ((1, first), (10, last)) for s in (0, 1, 2)
    )  # fmt: skip


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def some(good: pd.DataFrame, bad: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([good[good.network == "cnn"], bad[bad.network != "cnn"]])


@pytest.mark.parametrize(
    ("table", "gaussian", "closes"),
    [
        (gap(2, 0.1), REPRODUCED, REPRODUCED),
        (gap(-2, 3), NOT, NOT),
        (gap(0, -3), UNDECIDED, NOT),
        (some(gap(2, 0.1), gap(-2, 3)), PARTLY, PARTLY),
        (gap(0.2, 0.9), UNDECIDED, UNDECIDED),
        (gap(2, 0.1, spread=5), UNDECIDED, UNDECIDED),
        (gap(2, 0.1).query("seed < 2"), UNDECIDED, UNDECIDED),
        (gap(2, 0.1).query("network != 'vgg16'"), UNDECIDED, UNDECIDED),
        (gap(-2, 3).query("network != 'vgg16'"), UNDECIDED, UNDECIDED),
        (gap(2, 0.1).query("timesteps == 1"), REPRODUCED, UNTESTED),
        (gap(2, 0.1).query("timesteps == 10"), UNTESTED, REPRODUCED),
    ],
)
def test_each_verdict_has_its_data(verdicts: Callable, table: pd.DataFrame, gaussian: str, closes: str) -> None:
    found = verdicts(fig6_gaps=table)
    assert (found["gaussian"], found["gap_closes"]) == (gaussian, closes)


def test_what_is_measured_is_the_gap_with_both_parts_of_its_interval(verdicts: Callable) -> None:
    measured = verdicts("measured", fig6_gaps=gaps())
    nets = "CNN, MNIST {0}; VGG-16 {0}; ResNet-18 {0}; CNN, Fashion-MNIST {0} (seeds: 3)"
    for id, points in (("gaussian", "+4.0 ± 2.5 ± 1.0"), ("gap_closes", "+1.5 ± 2.5 ± 1.0")):
        assert sorted(measured[id].partition(": ")[2].removesuffix(" (seeds: 3)").split("; ")) == sorted(
            nets.format(points).removesuffix(" (seeds: 3)").split("; ")
        )


@pytest.mark.parametrize(("first", "last", "points"), [(3.0, -0.5, 13.5), (-3.0, 12.0, -5.0)])
def test_what_uniform_nets_gain(first: float, last: float, points: float) -> None:
    found = gains(made_up(first, last), "noise").xs("uniform", level="noise")
    assert found.gain.to_numpy() == pytest.approx(points)
    assert found.gain_sd.to_numpy() == pytest.approx(0)


def test_the_picture_is_that_of_its_tables() -> None:
    fig = fig6.noise_type(made_up(), gaps())
    above, below = ([ax for ax in fig.axes if bool(ax.get_title()) == first] for first in (True, False))
    titles = {ax.get_title().split(",")[0] for ax in above}
    assert titles == {"MNIST\nCNN", "Fashion-MNIST\nCNN", "CIFAR-10\nVGG-16", "CIFAR-10\nResNet-18"}
    means = [float(c.lines[0].get_ydata()[0]) for c in above[0].containers]
    assert means == pytest.approx([72.5, 82.5, 68.5, 81.0])  # gaussian T = 1, 10, uniform T = 1, 10
    assert [float(c.lines[0].get_ydata()[0]) for c in below[0].containers] == pytest.approx([4.0, 1.5])
    half = math.hypot(4.303 / math.sqrt(3), 1.96 * 0.5)  # of three seeds one point apart, and of the images
    bars = [c.lines[2][0].get_segments()[0][:, 1] for c in below[0].containers]
    assert np.allclose(bars, [[4 - half, 4 + half], [1.5 - half, 1.5 + half]], atol=1e-3)
    dots = [line.get_ydata() for line in below[0].get_lines() if line.get_marker() == "."]
    assert np.allclose(dots, [[3, 4, 5], [0.5, 1.5, 2.5]])
    assert {t.get_text() for t in below[0].texts} == {"+4.0\n± 2.5\n± 1.0", "+1.5\n± 2.5\n± 1.0"}


def test_each_panel_has_an_axis_on_which_its_difference_shows() -> None:
    lower = made_up().assign(accuracy=lambda t: t.accuracy - 0.5 * (t.network == "resnet18"))
    above = [ax for ax in fig6.noise_type(lower, gaps()).axes if ax.get_title()]
    assert above[3].get_ylim()[1] < above[0].get_ylim()[0]


def test_two_seeds_have_no_interval_to_draw() -> None:
    fig = fig6.noise_type(made_up().query("seed < 2"), gaps().query("seed < 2"))
    assert all(not c.has_yerr for ax in fig.axes if not ax.get_title() for c in ax.containers)
