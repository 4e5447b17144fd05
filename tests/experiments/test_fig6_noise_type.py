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
from claim_tables import decided
from conftest import generator

from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.data.sets import Dataset
from snnlib.experiments import eq6_terms
from snnlib.experiments.fig6_noise_type import plot as fig6
from snnlib.experiments.fig6_noise_type import table as noise_type
from snnlib.experiments.over_seeds import gains
from snnlib.experiments.tables import NOT, REPRODUCED, UNDECIDED
from snnlib.models import build
from snnlib.neurons import SingleStep
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.runs import run as runs
from snnlib.runs.evaluations import Conversion
from snnlib.runs.preset import load_preset
from snnlib.runs.run import Spec, ensure
from snnlib.training.evaluation import accuracy_over_time

# --- which runs -------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "pairs"), [("smoke", 3), ("cpu", 4), ("paper", 4)])
def test_every_preset_has_its_pairs(name: str, pairs: int) -> None:
    needed = noise_type.noise_runs(load_preset(name))
    assert len({(run.spec.dataset, run.spec.network) for run in needed}) == pairs


def test_first_come_the_runs_with_one_noise_then_as_many_with_the_other() -> None:
    needed = noise_type.noise_runs(load_preset("smoke"))
    ours, theirs = needed[: len(needed) // 2], needed[len(needed) // 2 :]
    assert {run.spec.noise for run in ours} == {"gaussian"}
    for a, b in zip(ours, theirs, strict=True):
        assert b.spec == a.spec.model_copy(update={"dynamics": SingleStep(Uniform())})


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
        noise_type.noise_runs(preset)
    assert "\n" not in str(error.value)


# --- what is measured -------------------------------------------------------------------------


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
    fields = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "recipe": {"epochs": 1}}
    pair = [ensure(Spec(**fields, dynamics=SingleStep(noise))) for noise in (Gaussian(), Uniform())]
    table = noise_type.accuracy_by_noise(pair, Conversion(timesteps=3, noise_seeds=(0, 4), batch_size=30))
    assert list(table.columns) == [*pair[0].spec.columns(), "noise_seed", "timesteps", "accuracy"]
    assert list(table.noise) == ["gaussian"] * 4 + ["uniform"] * 4
    whole = accuracy_over_time(convert(pair[1].model()), small, 3, (0, 4), 30)
    expected = whole[whole.timesteps != 2].reset_index(drop=True)
    assert table[table.noise == "uniform"][list(expected)].reset_index(drop=True).equals(expected)
    found = noise_type.noises(pair, Conversion(alpha=3)).set_index(["trained with", "term"])
    for noise, sd in (("gaussian", 1 / 4), ("uniform", 1 / math.sqrt(3))):  # of a half-width
        assert list(found.kind[noise]) == [noise, noise]
        assert list(found.loc[noise].sd) == pytest.approx([sd / 2, sd / 6], abs=1e-3)
    assert list(found.loc["uniform", eq6_terms.RESIDUAL][["low", "high"]]) == pytest.approx([-1 / 6, 1 / 6])


# --- what is said and shown -------------------------------------------------------------------


def made_up(first: float = 3.0, last: float = 0.5) -> pd.DataFrame:
    """Gaussian 70 % at T = 1 and 80 % at T = 10, two points more in seed 1; uniform lower by ``first`` and ``last``
    points, in seed 1 by one more; noise seeds one point apart."""
    rows = [
        {"dataset": d, "network": n, "width": 1.0, "readout": "spikes", "noise": noise, "seed": s, "noise_seed": k,
         "timesteps": t, "accuracy": (height + 2 * s + k - (noise == "uniform") * (gap + s)) / 100}
        for d, n in (("mnist", "cnn"), ("fashion_mnist", "cnn"), ("cifar10", "vgg16"), ("cifar10", "resnet18"))
        for noise in ("uniform", "gaussian") for s in (0, 1) for k in (0, 1)
        for t, height, gap in ((1, 70, first), (10, 80, last))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_gaps_are_paired_by_seed() -> None:
    gap = noise_type.gaps(made_up()).loc["cifar10", "vgg16"]
    assert list(gap[1]) == pytest.approx([3, 4])
    assert list(gap[10]) == pytest.approx([0.5, 1.5])


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


@pytest.mark.parametrize(
    ("first", "last", "shown", "verdict"),
    [
        (3.0, -0.5, ("+3.5 ± 0.7", "+0.0 ± 0.7"), (REPRODUCED, UNDECIDED)),
        (-3.0, 12.0, ("-2.5 ± 0.7", "+12.5 ± 0.7"), (NOT, NOT)),
        (-0.2, 0.5, ("+0.3 ± 0.7", "+1.0 ± 0.7"), (UNDECIDED, UNDECIDED)),
    ],
)
def test_the_claims_are_on_the_gap_in_each_seed(
    verdicts: Callable, first: float, last: float, shown: tuple, verdict: tuple
) -> None:
    table = made_up(first, last)
    found, measured = verdicts(fig6_noise_type=table), verdicts("measured", fig6_noise_type=table)
    assert (found["gaussian"], found["gap_closes"]) == verdict
    for id, points in zip(("gaussian", "gap_closes"), shown, strict=True):
        nets = "CNN, MNIST {0}; CNN, Fashion-MNIST {0}; VGG-16 {0}; ResNet-18 {0} (2 seeds each)"
        assert measured[id].endswith(nets.format(points))


def test_no_gap_after_conversion_is_within(verdicts: Callable) -> None:
    table = made_up()
    table.loc[table.timesteps == 10, "accuracy"] = 0.8
    assert verdicts(fig6_noise_type=table)["gap_closes"] == REPRODUCED


@pytest.mark.parametrize(("first", "last", "points"), [(3.0, -0.5, 13.5), (-3.0, 12.0, -5.0)])
def test_what_uniform_nets_gain(first: float, last: float, points: float) -> None:
    found = gains(made_up(first, last), "noise").xs("uniform", level="noise")
    assert found.gain.to_numpy() == pytest.approx(points)
    assert found.gain_sd.to_numpy() == pytest.approx(0)


def test_the_picture_is_that_of_its_table() -> None:
    fig = fig6.noise_type(made_up())
    above, below = fig.axes[:4], fig.axes[4:]
    assert [ax.get_title().split(",")[0] for ax in above] == [
        "MNIST\nCNN", "Fashion-MNIST\nCNN", "CIFAR-10\nVGG-16", "CIFAR-10\nResNet-18",
    ]  # fmt: skip
    means = [float(c.lines[0].get_ydata()[0]) for c in above[0].containers]
    assert means == pytest.approx([71.5, 81.5, 68.0, 80.5])  # gaussian T = 1, 10, uniform T = 1, 10
    assert [float(c.lines[0].get_ydata()[0]) for c in below[0].containers] == pytest.approx([3.5, 1.0])
    dots = [line.get_ydata() for line in below[0].get_lines() if line.get_marker() == "."]
    assert np.allclose(dots, [[3, 4], [0.5, 1.5]])
    assert above[0].get_ylim() == above[3].get_ylim()  # one scale, so that no panel exaggerates
    assert {t.get_text() for t in below[0].texts} == {"+3.50 ± 0.71", "+1.00 ± 0.71"}
