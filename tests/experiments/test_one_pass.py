"""Nets trained in one pass: which are compared, in which ways they are run, and what the table says of them."""

from __future__ import annotations

import math
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from tiny_runs import spec

from reproduce.experiments.claims import decide
from reproduce.experiments.one_pass import claims, plot
from reproduce.experiments.one_pass import table as one_pass
from reproduce.experiments.one_pass.table import AT_ONCE, OF_DIRECT, PIPELINED, SHORT, SPIKING, WARM_UP, WARMED
from reproduce.experiments.tables import NOT, PARTLY, REPRODUCED, UNDECIDED, UNTESTED
from reproduce.runs.arms import ARMS
from reproduce.runs.evaluations import Integrated, Phased, Pipelined
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from reproduce.runs.spec import Spec
from snnlib.baselines.ann_neurons import IF
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.rate import Rate, integrated
from snnlib.store.sums import write_summed
from snnlib.training.evaluation import accuracy_over_time, predict

NET = spec().model_dump(mode="json", include={"dataset", "network", "width", "recipe"})
COMPARED = ("potential", "rate1", "rate4", "half4", "qcfs", "direct4_short", "relu")


@pytest.fixture
def preset() -> Preset:
    arms = {arm: [ARMS[arm].spec(arm, NET, 0, {})] for arm in COMPARED}
    return Preset(
        name="p", description="d", benchmark={}, notebooks={one_pass.NOTEBOOK: {"net": arms}},
        evaluation={"timesteps": 4, "noise_seeds": [5, 6], "batch_size": 30},
    )  # fmt: skip


def test_every_net_is_run_as_its_arm_says(small_store: None, small: Dataset, preset: Preset) -> None:
    table = one_pass.accuracies(preset)
    ways = {arm: set(rows.way) for arm, rows in table.groupby("arm")}
    rates = {SPIKING, WARMED, PIPELINED}
    assert ways == {
        "rate1": rates, "rate4": rates, "half4": rates, "potential": {SPIKING}, "qcfs": {SPIKING},
        "direct4_short": {SPIKING}, "relu": {AT_ONCE},
    }  # fmt: skip
    assert set(table[table.way == AT_ONCE].timesteps) == {math.inf}
    assert all(set(rows.timesteps) == {1, 2, 4} for way, rows in table.groupby("way") if way != AT_ONCE)

    def found(arm: str, way: str) -> list[float]:
        return table[(table.arm == arm) & (table.way == way)].accuracy.tolist()

    for arm in ("rate4", "half4"):
        model = Run(ARMS[arm].spec(arm, NET, 0, {})).model("cpu")
        spiking = integrated(model)
        assert {n.dynamics for _, n in spiking.neurons()} == {IF(v_init=0.5, spread=float(arm == "rate4"))}
        at = [0, 1, 3]
        assert found(arm, SPIKING) == accuracy_over_time(spiking, small, 4, (5,), 30).accuracy[at].tolist()
        warmed = predict(spiking, small, 4, (5,), 30, warm_up=WARM_UP).table.accuracy[at]
        assert found(arm, WARMED) == warmed.tolist()
        waiting = [accuracy_over_time(integrated(model, t), small, 1, (5,), 30).accuracy[0] for t in (1, 2, 4)]
        assert found(arm, PIPELINED) == waiting


def test_nets_are_compared_at_any_t_as_far_as_the_preset_goes(small_store: None, preset: Preset) -> None:
    table = one_pass.accuracies(preset, timesteps=(3, 4, 12))
    assert all(set(rows.timesteps) == {3, 4} for way, rows in table.groupby("way") if way != AT_ONCE)
    assert [int(t) for t in plot.levels(table).axes[0].get_xticks()] == [3, 4]


def test_without_the_papers_training_or_enough_steps_there_are_no_points_over_it(
    small_store: None, preset: Preset
) -> None:
    table = one_pass.accuracies(preset)
    for draw in (plot.levels, plot.others):
        assert len(draw(table).axes) == 3
        assert len(draw(table[table.arm != "potential"]).axes) == 2
        assert len(draw(one_pass.accuracies(preset, timesteps=(1, 2))).axes) == 2


def test_levels_stand_alone_where_nothing_else_was_trained(small_store: None, preset: Preset) -> None:
    table = one_pass.accuracies(preset)
    levels = table[table.arm.isin(["rate1", "rate2", "rate4", "half4", "potential"])]
    assert len(plot.levels(levels).axes) == 3
    assert plot.others(levels) is None
    two = pd.concat([table, levels.assign(network="vgg8")])  # a net that has levels alone has no column of others
    assert [len(draw(two).axes) for draw in (plot.levels, plot.others)] == [2 * 3, 3]


BEGUN_CENTRED = {
    "rate4", "rate8", "half4", "half8", "rate1_start", "potential_start", "qcfs_start", SHORT, "rate4_longer",
}  # fmt: skip
BEGUN_AS_USUAL = {"rate1", "rate2", "half1", "potential", "qcfs", "rate8_start", "direct4_short"}


def made_up(networks: tuple[str, ...] = ("vgg8",)) -> pd.DataFrame:
    """Every arm has its own accuracy, in each way, at T = 4 and 10."""
    arms = sorted(BEGUN_CENTRED | BEGUN_AS_USUAL)
    return pd.DataFrame(
        {"dataset": "cifar10", "network": network, "width": 0.25, "augment": "none", "readout": "potential",
         "seed": 0, "arm": arm, "way": way, "noise_seed": 0, "timesteps": t, "accuracy": 0.3 + 0.01 * i}
        for network in networks for i, arm in enumerate(arms) for way in (SPIKING, PIPELINED) for t in (4, 10)
        if way == SPIKING or arm.startswith(("rate", "half"))
    )  # fmt: skip


def is_open(bars: ErrorbarContainer) -> bool:
    return to_rgb(bars.lines[0].get_markerfacecolor()) == to_rgb("white")


def test_an_open_marker_is_one_start_of_batch_norm_whatever_the_arm() -> None:
    table = made_up()
    level = table[(table.way == SPIKING) & (table.timesteps == 4)].set_index("arm").accuracy
    arms = {round(100 * accuracy, 3): arm for arm, accuracy in level.items()}
    found = {}
    for draw in (plot.levels, plot.others):
        figure = draw(table)
        for ax in figure.axes:
            if not ax.get_title().startswith("over"):  # of accuracies, by which an arm is known
                drawn = {arms[round(bars.lines[0].get_ydata()[0], 3)]: is_open(bars) for bars in ax.containers}
                assert all(found.get(arm, face) == face for arm, face in drawn.items())
                found |= drawn
        (legend,) = figure.legends
        told = {text.get_text() for text in legend.get_texts()}
        assert {"filled: gain 1, bias 0", "open: gain 0.4, bias ¼"} <= told
        assert {"paper's, gain 1, bias 0", "paper's, gain 0.4, bias ¼"} <= told
        assert "gain, bias: how batch norm begins" in figure.get_suptitle()
    assert {arm for arm, face in found.items() if face} == BEGUN_CENTRED
    assert {arm for arm, face in found.items() if not face} == BEGUN_AS_USUAL


def test_the_papers_training_stands_in_every_panel_from_either_start() -> None:
    for draw in (plot.levels, plot.others):
        for ax in draw(made_up()).axes:
            names = ax.get_legend_handles_labels()[1]
            assert {"paper's, gain 1, bias 0", "paper's, gain 0.4, bias ¼"} <= {*names}


def test_differences_of_several_nets_have_axes_of_their_own_and_say_so() -> None:
    table = made_up(("vgg8", "vgg16"))
    small = table.accuracy.where(table.network != "vgg8", 0.4 + (table.accuracy - 0.4) / 100)
    figure = plot.levels(table.assign(accuracy=small))
    differences = [ax for ax in figure.axes if ax.get_title().startswith("over the paper's training\nfrom gain 1")]
    assert [ax.get_title().endswith("\n(axes differ)") for ax in differences] == [True, True]
    narrow, wide = (np.ptp(ax.get_ylim()) for ax in differences)
    assert narrow < wide / 10
    (one,) = [ax for ax in plot.levels(made_up()).axes if ax.get_title().startswith("over the paper's")]
    assert "differ" not in one.get_title()


def test_a_preset_needs_the_papers_training(preset: Preset) -> None:
    fewer = {arm: runs for arm, runs in preset.notebooks[one_pass.NOTEBOOK]["net"].items() if arm != "potential"}
    bad = preset.model_copy(update={"notebooks": {one_pass.NOTEBOOK: {"net": fewer}}})
    with pytest.raises(InputError, match=r"has no arm potential; must have potential"):
        one_pass.compared(bad)


def test_costs_are_those_of_whole_trainings_on_a_machine_that_gets_slower(
    small_store: None, preset: Preset, monkeypatch: pytest.MonkeyPatch
) -> None:
    nets = {arm: ARMS[arm].spec(arm, NET, 0, {}) for arm in (*COMPARED, "rate4_then1")}
    each = {arm: 1.0 + i for i, arm in enumerate(nets)}
    of_spec = {spec: each[arm] for arm, spec in nets.items()}
    monkeypatch.setattr(
        one_pass, "step_seconds", lambda specs, *_: [[of_spec[spec] * t for t in (1, 4, 9)] for spec in specs]
    )

    def costs_of(arms: Collection[str]) -> pd.DataFrame:
        found = {"net": {arm: [nets[arm]] for arm in arms}}
        changed = preset.model_copy(update={"notebooks": {one_pass.NOTEBOOK: found}})
        return one_pass.costs(changed).set_index("arm")

    costs = costs_of(nets)
    assert set(costs.index) == {*nets}
    assert costs.step_seconds.to_dict() == {arm: 4 * seconds for arm, seconds in each.items()}
    expected = pd.Series(each) * costs.epochs
    expected["rate4_then1"] += expected["rate4"]  # which comes before, also where it is not compared
    assert costs_of(["potential", "rate4_then1"]).time["rate4_then1"] == costs.time["rate4_then1"]
    np.testing.assert_allclose(costs.time, (expected / expected["potential"])[costs.index])
    for column in OF_DIRECT:
        np.testing.assert_allclose(costs[column], (expected / expected["direct4_short"])[costs.index])


def test_all_are_tested_on_all_images_also_where_table_2_tests_conversions_on_fewer(preset: Preset) -> None:
    fewer = preset.model_copy(update={"ann_images": 10})
    for run in preset.runs(one_pass.NOTEBOOK):
        assert one_pass.evaluations(fewer, run) == one_pass.evaluations(preset, run)


def test_over_others_is_the_difference_of_accuracies_seed_by_seed(small_store: None, preset: Preset) -> None:
    table, found = one_pass.accuracies(preset), one_pass.over_others(preset)
    pairs = {("rate4", other) for other in ("potential", "half4", "direct4_short")} | {("rate1", "potential")}
    assert set(zip(found.arm, found.other_arm, strict=True)) == pairs
    spiking = table[table.way == SPIKING].set_index(["arm", "timesteps"]).accuracy
    for row in found.itertuples():
        expected = 100 * (spiking[row.arm, row.timesteps] - spiking[row.other_arm, row.timesteps])
        assert row.points == pytest.approx(expected)


def test_nothing_is_held_against_arms_that_are_not_there(preset: Preset) -> None:
    alone = {"potential": preset.notebooks[one_pass.NOTEBOOK]["net"]["potential"]}
    found = one_pass.over_others(preset.model_copy(update={"notebooks": {one_pass.NOTEBOOK: {"net": alone}}}))
    assert found.empty
    assert {"arm", "other_arm", "timesteps", "points"} <= {*found}


CONTRASTED = {
    "dataset": "cifar10",
    "network": "vgg8",
    "width": 0.25,
    "augment": "none",
    "readout": "potential",
    "image_error": 0.1,
}


@pytest.mark.parametrize(("at_ten", "verdict"), [(1.0, REPRODUCED), (-1.0, PARTLY), (None, UNDECIDED)])
def test_a_gain_over_the_papers_training_is_asked_at_both_t(tmp_path: Path, at_ten: float | None, verdict: str) -> None:
    points = {4: 2.0, 6: -5.0} | ({} if at_ten is None else {10: at_ten})
    rows = [
        {**CONTRASTED, "arm": arm, "other_arm": "potential", "timesteps": t, "seed": s, "points": sign * p + 0.01 * s}
        for arm, sign in (("rate4", 1), ("rate8", -1)) for t, p in points.items() for s in range(3)
    ]  # fmt: skip
    write_summed({tmp_path / "one_pass_contrasts.csv": pd.DataFrame(rows).to_csv(index=False)})
    found = decide(tmp_path, claims.BEYOND).set_index("id")
    assert found.verdict["one_pass_paper"] == verdict
    assert found.verdict["one_pass_phases"] == UNTESTED


@pytest.mark.parametrize(
    ("points", "quartiles", "verdict"),
    [
        (-0.5, (0.97, 1.04), REPRODUCED), (-1.5, (0.97, 1.04), NOT), (-0.5, (0.97, 1.1), UNDECIDED),
        (-1.5, (0.97, 1.1), NOT), (-0.5, (0.7, 1.0), REPRODUCED), (-1.5, (0.7, 1.0), UNDECIDED),
        (-0.5, (0.7, 1.1), UNDECIDED), (-1.5, (0.7, 1.1), UNDECIDED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("arm", ["rate4", SHORT])
def test_as_accurate_as_direct_training_is_within_a_point_and_at_its_time(
    tmp_path: Path, points: float, quartiles: tuple[float, float], verdict: str, arm: str
) -> None:
    rows = [
        {**CONTRASTED, "arm": arm, "other_arm": "direct4_short", "timesteps": t, "seed": s,
         "points": points + 0.01 * s if t == 4 else 9}
        for t in (4, 10) for s in range(3)
    ]  # fmt: skip
    if arm == SHORT:  # the longer one does not count beside it
        rows += [{**row, "arm": "rate4", "points": -row["points"]} for row in rows]
    costs = pd.DataFrame(
        {**CONTRASTED, "network": network, "arm": a, **dict(zip(OF_DIRECT, shares, strict=True))}
        for (network, a), shares in {
            ("cnn", arm): (9,) * 3,
            ("vgg8", SHORT): (9,) * 3,
            ("vgg8", arm): (1.0, *quartiles),
        }.items()
    )
    write_summed({tmp_path / "one_pass_contrasts.csv": pd.DataFrame(rows).to_csv(index=False)})
    write_summed({tmp_path / "one_pass_costs.csv": costs.to_csv(index=False)})
    assert decide(tmp_path, claims.BEYOND).set_index("id").verdict["one_pass_direct"] == verdict


@pytest.mark.parametrize("evaluation", [Integrated(), Pipelined()], ids=["integrated", "pipelined"])
def test_only_a_net_trained_on_rates_is_integrated(evaluation: Integrated | Pipelined) -> None:
    evaluation.fits(Spec(dataset="mnist", network="cnn", readout="potential", dynamics=Rate()))
    with pytest.raises(InputError, match=r"^dynamics = single_step: only a net trained as rate can be integrated"):
        evaluation.fits(Spec(dataset="mnist", network="cnn"))
    with pytest.raises(InputError, match=r"^dynamics = rate: only a net trained as single_step"):
        Phased().fits(Spec(dataset="mnist", network="cnn", readout="potential", dynamics=Rate()))
