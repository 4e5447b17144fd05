"""Controls of noise: which nets are run in which ways, what is compared, drawn and claimed."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from claim_tables import PAIRS, controls, decided

from reproduce.experiments.claims import CLAIMS
from reproduce.experiments.over_seeds import percent
from reproduce.experiments.style import BLUE, VERMILION
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED
from reproduce.experiments.what_noise_does import table as noise
from reproduce.experiments.what_noise_does.claims import BEYOND
from reproduce.experiments.what_noise_does.plot import what_noise_does
from reproduce.experiments.what_noise_does.table import between
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.run import Run
from snnlib.checks import InputError
from snnlib.conversion import convert, ensemble, with_dynamics
from snnlib.data.sets import Dataset
from snnlib.dynamics import LIF
from snnlib.noise import Gaussian
from snnlib.training.evaluation import accuracy_over_time

CONSTANT = {"kind": "single_step", "noise": {"kind": "gaussian", "low": 0.5, "high": 0.5}}
ARMS: dict[str, dict[str, Any]] = {
    "ours": {},
    "potential": {"readout": "potential"},
    "constant": {"dynamics": CONSTANT},
    "constant_potential": {"readout": "potential", "dynamics": CONSTANT},
    "no_noise": {"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}},
}


def preset(arms: dict[str, dict[str, Any]] = ARMS, seeds: tuple[int, ...] = (0, 1)) -> Preset:
    recipe = {"epochs": 4, "batch_size": 16, "lr": 1e-2, "schedule": "constant", "evaluate_every": 4}
    net = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "recipe": recipe}
    found = {arm: [{**net, "seed": seed, **fields} for seed in seeds] for arm, fields in arms.items()}
    return Preset(
        name="made_up", description="", evaluation={"timesteps": 4, "noise_seeds": (0, 3), "batch_size": 30},
        benchmark={}, notebooks={noise.NOTEBOOK: {"net": found}},
    )  # fmt: skip


# --- which nets ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_has_the_controls_of_every_network_with_seeds_enough_to_decide(name: str) -> None:
    nets = noise.compared(load_preset(name))
    networks = {"cnn", "vgg16"} if name == "smoke" else {"cnn", "vgg16", "resnet18"}  # so that smoke takes minutes
    assert {arms["ours"][0].spec.network for arms in nets.values()} == networks
    for net, arms in nets.items():
        enough = 1 if (net, name) == ("vgg16", "smoke") else 3
        assert all(len(found) >= enough for found in arms.values())
    assert any("no_noise" in arms for arms in nets.values())


@pytest.mark.parametrize("name", preset_names())
def test_a_control_differs_from_ours_in_its_noise_and_the_rate_that_is_best_for_it(name: str) -> None:
    for arms in noise.compared(load_preset(name)).values():
        for ours, control in (("ours", "constant"), ("potential", "constant_potential")):
            for a, b in zip(arms[ours], arms[control], strict=True):
                own = {"evaluate_every": b.spec.recipe.evaluate_every, "lr": b.spec.recipe.lr}
                recipe = a.spec.recipe.model_copy(update=own)
                assert b.spec == a.spec.model_copy(update={"dynamics": b.spec.dynamics, "recipe": recipe})
                assert b.spec.dynamics.noise == Gaussian(low=0.5, high=0.5)


@pytest.mark.parametrize("arm", ["potential", "constant", "constant_potential"])
def test_a_net_without_a_control_is_refused(arm: str) -> None:
    with pytest.raises(InputError, match=f"has no arm {arm}; must have ours and potential and constant and"):
        noise.compared(preset({name: fields for name, fields in ARMS.items() if name != arm}))


def test_what_the_workflow_prepares_is_all_that_the_controls_need() -> None:
    """Else the notebook would compute it, in one process."""
    p = preset()
    for arms in noise.compared(p).values():
        for arm in ("constant", "constant_potential", "no_noise"):
            for run in arms[arm]:
                assert list(noise.evaluations(p, run).values()) == p.evaluations(run)
    assert p.evaluation in noise.evaluations(p, arms["ours"][0]).values()


# --- what is measured ------------------------------------------------------------------------


def test_each_way_is_what_its_name_says(small_store: None, small: Dataset) -> None:
    p = preset()
    table = noise.accuracies(p)
    arms = noise.compared(p)["net"]

    def rows(run: Run, inference: str) -> pd.DataFrame:
        found = table[(table.run == run.spec.name) & (table.inference == inference)]
        return found[["noise_seed", "timesteps", "accuracy"]].reset_index(drop=True)

    def tested(model: Any, timesteps: int, seeds: tuple[int, ...]) -> pd.DataFrame:
        return accuracy_over_time(model, small, timesteps, seeds, 30)

    ours, constant, none = (arms[arm][1] for arm in ("ours", "constant", "no_noise"))
    half = LIF(v_th=0.5)  # current + 1/2 above 1, from rest
    assert rows(ours, "step 2").equals(tested(ensemble(ours.model()), 4, (0, 3)))
    assert rows(ours, "step 3").equals(tested(convert(ours.model(), statistics="layer"), 4, (0, 3)))
    assert rows(ours, "constant 1/2").equals(tested(with_dynamics(ours.model(), lambda _: half), 1, (0,)))
    assert rows(constant, "constant 1/2").equals(tested(with_dynamics(constant.model(), lambda _: half), 1, (0,)))
    assert rows(constant, "step 2").equals(
        tested(convert(constant.model(), math.inf, noise=Gaussian(), statistics="layer"), 4, (0, 3))
    )
    assert rows(constant, "step 3").equals(
        tested(convert(constant.model(), noise=Gaussian(), statistics="layer"), 4, (0, 3))
    )
    assert rows(constant, "LIF").equals(tested(with_dynamics(constant.model(), lambda _: LIF()), 4, (0,)))
    assert rows(none, "Eq. 4").equals(tested(none.model(), 1, (0,)))
    assert rows(none, "LIF").equals(tested(with_dynamics(none.model(), lambda _: LIF()), 4, (0,)))
    assert set(table[table.readout == "potential"].noise) == {"gaussian", "constant"}


def test_contrasts_are_differences_of_the_accuracies(small_store: None) -> None:
    p = preset()
    at = percent(noise.accuracies(p), "readout", "noise", "inference", "timesteps")
    found = noise.contrasts(p)
    ways = noise.pairs(4)
    assert len(found) == 2 * (len(ways) + len(ways) - 2)  # seeds; the potential readout has no net trained by Eq. 4
    for row in found.itertuples():
        one = at[row.readout, row.noise, row.inference, row.timesteps, row.seed]
        other = at[row.readout, row.other_noise, row.other_inference, row.other_timesteps, row.seed]
        assert row.points == pytest.approx(one - other)
    for one, other in ways.values():
        rows = between(found, one, other)
        assert set(rows.seed) == {0, 1}
        assert len(between(found, other, one)) == 0
    assert found.points.abs().max() > 0


def test_without_a_net_trained_by_eq_4_there_is_no_such_row(small_store: None) -> None:
    four = preset({name: fields for name, fields in ARMS.items() if name != "no_noise"})
    assert set(noise.contrasts(four).other_noise) == {"gaussian", "constant"}


def test_the_words_are_those_of_the_table() -> None:
    text = noise.in_words(controls(8, 6)).splitlines()
    assert text[1] == "Fashion-MNIST, CNN, width 1, readout spikes:"
    assert "  T = 10 over T = 1, with noise: +8.0 ± 0.2 ± 0.2" in text
    assert "  T = 10 over T = 1 without noise at inference: +3.0 ± 0.2 ± 0.2" in text
    assert "  ours at T = 10 over a net trained by Eq. 4, as it is: -9.0 ± 0.2 ± 0.2" in text
    assert len(text) == 1 + 2 * len(PAIRS) * (1 + 7)


# --- picture ---------------------------------------------------------------------------------

HEIGHTS = {
    ("gaussian", "constant 1/2", 1): 0.80, ("gaussian", "step 2", 1): 0.70, ("gaussian", "step 2", 10): 0.84,
    ("gaussian", "step 3", 10): 0.85, ("constant", "constant 1/2", 1): 0.76, ("constant", "step 2", 1): 0.50,
    ("constant", "step 2", 10): 0.66, ("constant", "step 3", 10): 0.78, ("constant", "LIF", 10): 0.40,
    ("none", "Eq. 4", 1): 0.60, ("none", "LIF", 10): 0.30,
}  # fmt: skip


def made_up() -> pd.DataFrame:
    return pd.DataFrame(
        {"dataset": "mnist", "network": "cnn", "width": 0.5,
         "augment": "none", "readout": readout, "noise": trained, "seed": s,
         "inference": inference, "noise_seed": n, "timesteps": t, "accuracy": height + 0.01 * s + 0.002 * n}
        for (trained, inference, t), height in HEIGHTS.items() for s in (0, 1, 2) for n in (0, 1)
        for readout in ("spikes", "potential") if trained != "none" or readout == "spikes"
    )  # fmt: skip


def test_the_picture_goes_from_no_noise_to_noise_to_time() -> None:
    fig = what_noise_does(made_up())
    above, below = fig.axes
    assert [label.get_text().replace("\n", ", ") for label in below.get_xticklabels()] == [
        "no noise, T = 1", "noise, T = 1", "step 2, T = 10", "step 3, T = 10", "LIF, T = 10",
    ]  # fmt: skip
    lines = {
        line.get_color(): line
        for line in above.get_lines()
        if line.get_linestyle() == "-" and len(line.get_xdata()) > 2
    }
    assert lines[BLUE].get_ydata() == pytest.approx([81.1, 71.1, 85.1, 86.1])  # means of seeds and noise seeds
    assert lines[VERMILION].get_ydata() == pytest.approx([77.1, 51.1, 67.1, 79.1])
    assert np.round(lines[BLUE].get_xdata()).tolist() == [0, 1, 2, 3]
    texts = {text.get_text() for text in above.texts}
    assert {"81.1", "77.1", "61.1", "↓ 41.1", "↓ 31.1"} <= texts  # as LIF neurons, far below all others
    assert "61.1" not in {text.get_text() for text in below.texts}
    assert "3 training seeds" in fig.get_suptitle()


# --- claims ----------------------------------------------------------------------------------


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def mixed(**columns: str) -> pd.DataFrame:
    """It holds where these columns have these values, and fails elsewhere."""
    good, bad = controls(8, 6), controls(-1, -6, trains=-3)
    (name, value), = columns.items()  # fmt: skip
    return pd.concat([good[good[name] == value], bad[bad[name] != value]])


@pytest.mark.parametrize(
    ("table", "verdict"),
    [
        (controls(8, 6), REPRODUCED),
        (controls(-1, -6), NOT),
        (controls(8, -6), PARTLY),  # it rises, but a net trained without noise is as good
        (controls(8, 6, step_3=-2), PARTLY),  # run by step 3, that is
        (controls(8, 6, lif=-2), PARTLY),
        (controls(-1, 6), PARTLY),
        (mixed(readout="potential"), PARTLY),
        (mixed(network="cnn"), PARTLY),
        (controls(8, 0.1), UNDECIDED),
        (controls(8, 6, spread=30), UNDECIDED),
        (controls(8, 6).query("seed < 2"), UNDECIDED),
        (controls(8, 6).query("network != 'resnet18'"), UNDECIDED),
        (
            controls(8, 6).query("other_inference != 'LIF'"),
            UNDECIDED,
        ),  # the best opponent may be the one that is missing
        (controls(8, 6).query("timesteps == 1"), UNTESTED),
    ],
)
def test_each_verdict_has_its_data(verdicts: Callable, table: pd.DataFrame, verdict: str) -> None:
    assert verdicts(what_noise_does_contrasts=table)["noise_gains"] == verdict


def test_the_opponent_is_the_best_way_on_average_of_each_net_apart(verdicts: Callable) -> None:
    table = pd.concat([controls(8, 6, step_3=2, pairs=PAIRS[:1]), controls(8, 6, lif=1, pairs=PAIRS[1:])])
    found = verdicts("measured", what_noise_does_contrasts=table)["noise_gains"]
    assert "CNN, spikes +8.0 ± 0.2 ± 0.2 and +2.0 ± 0.2 ± 0.2" in found
    assert "VGG-16, potential +8.0 ± 0.2 ± 0.2 and +1.0 ± 0.2 ± 0.2" in found


def test_beyond_the_paper_each_verdict_has_its_data(verdicts: Callable) -> None:
    def of(table: pd.DataFrame) -> str:
        return verdicts(among=BEYOND, what_noise_does_contrasts=table)["noise_trains"]

    assert of(controls(8, 6, trains=3)) == REPRODUCED
    assert of(controls(8, 6, trains=-3)) == of(controls(8, 6, trains=-0.5)) == NOT
    assert of(mixed(readout="spikes")) == PARTLY
    assert of(controls(8, 6, trains=0.1)) == UNDECIDED
    assert of(controls(8, 6).query("network != 'cnn'")) == UNDECIDED
    assert of(controls(8, 6).query("seed == 0")) == UNDECIDED
    assert of(controls(8, 6).query("other_inference == 'step 3'")) == UNTESTED


def test_no_claim_beyond_the_paper_is_in_the_papers_ledger() -> None:
    assert not {claim.id for claim in BEYOND} & {claim.id for claim in CLAIMS}
