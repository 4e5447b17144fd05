"""Where the paper is silent: which settings a preset has, what each does to accuracy, and how that is drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from typer.testing import CliRunner

from snnlib import __main__
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.experiments.silent_choices import plot as plotting
from snnlib.experiments.silent_choices import table as choices
from snnlib.experiments.silent_choices.table import (
    Setting,
    ablation,
    default,
    differences,
    effects,
    measure,
    settings,
    what_matters,
)
from snnlib.experiments.style import VERMILION
from snnlib.runs import run as runs
from snnlib.runs.evaluations import AsLIF, AsTrained, Conversion
from snnlib.runs.preset import Preset, load_preset
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run

# --- settings --------------------------------------------------------------------------------

TRAINED: dict[str, dict[str, Any]] = {
    "ours": {},
    "potential": {"readout": "potential"},
    "rectangle": {"dynamics": {"kind": "single_step", "surrogate": {"kind": "rectangle", "width": 0.5}}},
    "gaussian_k2": {"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "k": 2}}},
    "max_normalised": {"dynamics": {"kind": "single_step", "noise": {"kind": "max_normalised"}}},
    "no_noise": {"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}},
    "no_batch_norm": {"batch_norm": False},
}


def preset(seeds: tuple[int, ...] = (0, 1), arms: dict[str, dict[str, Any]] = TRAINED) -> Preset:
    common = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "recipe": {"epochs": 2}}
    net = {arm: [{**common, **fields, "seed": seed} for seed in seeds] for arm, fields in arms.items()}
    return Preset(
        name="made_up", description="", evaluation=Conversion(timesteps=4, noise_seeds=(0,)), benchmark={},
        notebooks={"silent_choices": {"net": net}},
    )  # fmt: skip


def test_every_setting_is_named_by_what_differs() -> None:
    found = [(s.choice, s.value, s.default, s.run.spec.seed) for s in settings(preset())]
    expected = [
        ("readout", "spikes", True), ("readout", "potential", False),
        ("surrogate gradient", "triangle, width 1", True), ("surrogate gradient", "rectangle, width 0.5", False),
        ("Gaussian in [0, 1]", "k = 4", True), ("Gaussian in [0, 1]", "k = 2", False),
        ("Gaussian in [0, 1]", "max_normalised", False),
        ("batch norm", "after every convolution", True), ("batch norm", "none", False),
        ("ablation: noise in training", "gaussian", True), ("ablation: noise in training", "none, run as LIF", False),
        ("statistics of Eqs. 8-9", "layer", True), ("statistics of Eqs. 8-9", "sample", False),
        ("statistics of Eqs. 8-9", "frozen", False),
        ("first step", "noise", True), ("first step", "rest", False),
    ]  # fmt: skip
    assert found == [(*row, seed) for row in expected for seed in (0, 1)]


def test_a_setting_of_the_conversion_changes_the_conversion_of_the_default_alone() -> None:
    p = preset()
    found = {(s.choice, s.value): s for s in settings(p)}
    usual = found["readout", "spikes"]
    for value, field in (("sample", "statistics"), ("frozen", "statistics"), ("rest", "first_step")):
        s = next(s for (_, v), s in found.items() if v == value)
        assert s.run.spec == usual.run.spec
        assert s.evaluation == p.evaluation.changed(**{field: value})
    assert isinstance(found["ablation: noise in training", "none, run as LIF"].evaluation, AsLIF)
    assert all(s.evaluation == p.evaluation for s in found.values() if s.default)


@pytest.mark.parametrize("name", ["smoke", "cpu", "paper"])
def test_every_preset_measures_every_choice(name: str) -> None:
    found = settings(load_preset(name))
    values = pd.DataFrame([(s.choice, s.value, s.default) for s in found], columns=["choice", "value", "default"])
    assert values[~values.default].groupby("choice").value.nunique().to_dict() == {
        "readout": 1, "surrogate gradient": 2 if name == "smoke" else 3, "Gaussian in [0, 1]": 3, "batch norm": 1,
        "first step": 1, "statistics of Eqs. 8-9": 2, "ablation: noise in training": 1,
    }  # fmt: skip


def test_how_often_a_run_is_tested_is_no_difference() -> None:
    arms = {a: f | {"recipe": {"epochs": 2, "evaluate_every": 2}} if f else f for a, f in TRAINED.items()}
    assert len(settings(preset(arms=arms))) == len(settings(preset()))


def test_an_arm_of_no_choice_is_refused() -> None:
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 10}
    with pytest.raises(InputError, match="arm = 'direct': must be one of ours, potential, rectangle") as error:
        settings(preset(arms={**TRAINED, "direct": direct}))
    assert str(error.value).startswith("preset made_up, notebook silent_choices, net net")
    assert "\n" not in str(error.value)


def test_a_preset_of_two_nets_is_refused() -> None:
    arms = preset().notebooks["silent_choices"]["net"]
    two = preset().model_copy(update={"notebooks": {"silent_choices": {"a": arms, "b": arms}}})
    with pytest.raises(InputError, match="notebook silent_choices: nets = a, b: must be one"):
        settings(two)


@pytest.mark.parametrize(
    ("arm", "words"),
    [
        ("ours", "has no arm ours; must have ours"),
        ("potential", "has no arm for readout; must have one of potential"),
        ("rectangle", "has no arm for surrogate gradient; must have one of rectangle, arctan, sigmoid"),
        ("no_batch_norm", "has no arm for batch norm"),
    ],
)
def test_a_preset_without_a_choices_run_is_refused(arm: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        settings(preset(arms={a: fields for a, fields in TRAINED.items() if a != arm}))


def test_the_command_line_gives_each_settings_accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(run: Run, evaluation: Any) -> pd.DataFrame:
        asked.append((run, evaluation))
        return pd.DataFrame({"timesteps": [1], "accuracy": [0.5]})

    monkeypatch.setattr(__main__, "accuracy", note)
    found = [s for s in settings(load_preset("smoke")) if s.run.spec.seed == 0]
    for s in found:
        call = ["evaluate", s.run.spec.name, "--preset", "smoke", *s.options.split()]
        assert CliRunner().invoke(__main__.app, call).exit_code == 0
    assert asked == [(s.run, s.evaluation) for s in found]


# --- accuracies ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """Settings of two tiny nets on the small set, one trained without noise, in a store of their own."""
    recipe = {"epochs": 8, "batch_size": 16, "lr": 1e-2, "schedule": "constant", "evaluate_every": 8}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        # Without spikes at the output, a net learns in so few epochs.
        usual = {"recipe": recipe, "readout": "potential"}
        found = settings(
            preset(
                (0,), {arm: usual | f | ({"readout": "spikes"} if "readout" in f else {}) for arm, f in TRAINED.items()}
            )
        )
        yield [s for s in found if s.choice in (choices.ABLATION, *choices.CONVERSION_CHOICES)]


def test_measured_are_the_first_and_the_last_t(tiny: list[Setting]) -> None:
    table = measure(tiny)
    assert list(table.columns[:4]) == ["choice", "value", "default", "options"]
    assert len(table) == 2 * len(tiny)
    for s, (_, rows) in zip(tiny, table.groupby(["choice", "value"], sort=False), strict=True):
        whole = accuracy(s.run, s.evaluation).set_index("timesteps").accuracy
        assert list(rows.timesteps) == [1, 4]
        assert list(rows.accuracy) == [whole[1], whole[4]]
        assert set(rows.run) == {s.run.spec.name}


def test_at_t_1_statistics_change_nothing_and_an_lif_net_is_the_net_trained_without_noise(tiny: list[Setting]) -> None:
    table = measure(tiny)
    first = table[table.timesteps == 1].set_index(["choice", "value"]).accuracy
    usual = first["statistics of Eqs. 8-9", "layer"]
    assert first["statistics of Eqs. 8-9", "sample"] == first["statistics of Eqs. 8-9", "frozen"] == usual
    without = next(s for s in tiny if s.run.spec.noise == "none")
    alone = accuracy(without.run, AsTrained(timesteps=1, noise_seeds=(0,))).accuracy.item()
    assert first["ablation: noise in training", "none, run as LIF"] == alone
    assert alone > 0.3  # it has learned something, so that equality says something


# --- differences -----------------------------------------------------------------------------

DEFAULT = [0.80, 0.82, 0.81]
# Differences in points at T = 5, one for each seed; at T = 1 a tenth of them.
POINTS = {
    ("readout", "potential"): [3.0, 3.2, 3.1],
    ("surrogate gradient", "arctan, slope 2"): [-4.0, -1.0, -2.0],
    ("batch norm", "none"): [-6.0, -5.0, -7.0],
    ("batch norm", "half"): [0.5, 0.5, 0.5],
    ("ablation: noise in training", "none, run as LIF"): [-50.0, -40.0, -30.0],
    ("statistics of Eqs. 8-9", "sample"): [0.2, 0.2, 0.2],
    ("first step", "rest"): [1.5, 1.6, 1.4],
}


def made_up(seeds: int = 3) -> pd.DataFrame:
    """A table as `measure` gives it; two noise seeds, 0.2 points apart."""
    rows = []
    for choice in dict.fromkeys(choice for choice, _ in POINTS):
        settings = {("spikes", True): [0.0] * 3, **{(v, False): p for (c, v), p in POINTS.items() if c == choice}}
        for (value, is_default), points in settings.items():
            rows += [
                {"choice": choice, "value": value, "default": is_default, "options": "", "run": "r",
                 "dataset": "mnist", "network": "cnn", "width": 1.0, "readout": "spikes", "training": "single_step",
                 "noise": "gaussian", "seed": seed, "noise_seed": n, "timesteps": t,
                 "accuracy": DEFAULT[seed] + share * points[seed] / 100 + (n - 0.5) * 0.002}
                for seed in range(seeds) for n in (0, 1) for t, share in ((1, 0.1), (5, 1))
            ]  # fmt: skip
    return pd.DataFrame(rows)


def test_differences_are_paired_by_seed() -> None:
    found = differences(made_up()).set_index(["choice", "value", "timesteps", "seed"]).points.sort_index()
    assert len(found) == len(POINTS) * 2 * 3
    for (choice, value), points in POINTS.items():
        assert list(found[choice, value, 5]) == pytest.approx(points)
        assert list(found[choice, value, 1]) == pytest.approx(np.divide(points, 10))


def test_the_default_counts_once() -> None:
    at = default(made_up()).loc[5]
    assert at["mean"] == pytest.approx(81)
    assert at.sd == pytest.approx(1)  # of 80, 82, 81
    assert at.seeds == 3


def test_an_effect_needs_three_standard_errors_and_more_than_the_defaults_spread() -> None:
    found = effects(made_up()).set_index(["choice", "value", "timesteps"])
    assert found["mean"]["batch norm", "none", 5] == pytest.approx(-6)
    assert found.sd["batch norm", "none", 5] == pytest.approx(1)
    # sd 0.1, 1.53, 1 and 0 of the four settings trained another way: pooled 0.9147; the others have their own pools.
    pooled = np.sqrt((0.01 + 7 / 3 + 1 + 0) / 4)
    assert found.error["readout", "potential", 5] == pytest.approx(pooled / 3**0.5)
    assert found.error["batch norm", "none", 5] == pytest.approx(1 / 3**0.5)  # its own is larger
    assert found.error["statistics of Eqs. 8-9", "sample", 5] == pytest.approx(np.sqrt(0.01 / 2) / 3**0.5)
    assert found.error["ablation: noise in training", "none, run as LIF", 5] == pytest.approx(10 / 3**0.5)
    assert found.matters.xs(5, level="timesteps").to_dict() == {
        ("readout", "potential"): True,  # 3.1 > 3 * 0.53
        ("surrogate gradient", "arctan, slope 2"): False,  # 2.33 < 3 * 0.88
        ("batch norm", "none"): True,
        ("batch norm", "half"): False,
        ("ablation: noise in training", "none, run as LIF"): True,
        ("statistics of Eqs. 8-9", "sample"): False,  # 0.2 > 3 * 0.04, but another seed changes 1
        ("first step", "rest"): True,
    }
    assert not found.matters.xs(1, level="timesteps")[["readout", "first step"]].any()


def test_the_summary_names_each_setting_by_size() -> None:
    lines = what_matters(made_up()).splitlines()
    assert lines[0] == "T = 5: default 81.0 ± 1.0 %, mean and sd of 3 seeds"
    assert lines[1] == "ablation: noise in training = none, run as LIF: -40.0 ± 10.0 points, matters"
    assert lines[2] == "batch norm = none: -6.0 ± 1.0 points, matters"
    assert lines[3] == "readout = potential: +3.1 ± 0.1 points, matters"
    assert "statistics of Eqs. 8-9 = sample: +0.2 ± 0.0 points, no clear effect" in lines
    assert len(lines) == 1 + len(POINTS)


def test_one_seed_cannot_tell() -> None:
    table = made_up(seeds=1)
    assert not effects(table).matters.any()
    assert "batch norm = none: -6.0 points, one seed cannot tell" in what_matters(table)
    assert "nan" not in what_matters(table) + ablation(table)


def test_the_ablation_says_what_time_adds() -> None:
    usual, without = ablation(made_up()).splitlines()
    tail = "81.0 % at T = 1, 81.0 % at T = 5; time adds +0.0 ± 0.0 points (3 seeds)"
    assert usual == f"noise in training = spikes: {tail}"
    tail = "77.0 % at T = 1, 41.0 % at T = 5; time adds -36.0 ± 9.0 points (3 seeds)"
    assert without == f"noise in training = none, run as LIF: {tail}"


# --- picture ---------------------------------------------------------------------------------


def filled(table: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Row -> (x of the filled point, its colour), read off the picture."""
    ax = plotting.silent_choices(table).axes[0]
    names = [label.get_text() for label in ax.get_yticklabels()]
    points = (c.lines[0] for c in ax.containers)
    return {
        names[round(p.get_ydata()[0] + 0.1)]: (p.get_xdata()[0], to_hex(p.get_markerfacecolor()).upper())
        for p in points
        if p.get_markerfacecolor() != "white"
    }


def test_rows_stand_by_size_of_effect_the_ablation_last() -> None:
    labels = plotting.silent_choices(made_up()).axes[0].get_yticklabels()
    assert [label.get_text().split(" (default")[0] for label in labels] == [
        "batch norm", "none", "half",
        "readout", "no spikes, output = mean current",
        "surrogate gradient", "arctan, slope 2",
        "first step", "potential at rest, and N'",
        "statistics of Eqs. 8-9", "each image alone",
        "ablation: noise in training", "none, run as LIF",
    ]  # fmt: skip
    assert labels[0].get_text() == "batch norm (default: the output layer spikes)"
    assert [label.get_fontweight() for label in labels[:3]] == ["bold", "normal", "normal"]


def test_points_are_the_effects_and_those_that_matter_are_red() -> None:
    shown = filled(made_up())
    assert shown["no spikes, output = mean current"] == (pytest.approx(3.1), VERMILION)
    assert shown["each image alone"] == (pytest.approx(0.2), plotting.GREY)
    assert "none, run as LIF" not in shown  # an arrow, far outside
    ax = plotting.silent_choices(made_up()).axes[0]
    assert [line.get_marker() for line in ax.get_lines()].count("<") == 1
    texts = [t.get_text() for t in ax.texts]
    assert "-40.0 ± 10.0" in texts
    low, high = ax.get_xlim()
    assert low < -7 < 3.2 < high < 20  # every silent choice's seeds are inside


@pytest.mark.parametrize("table", [made_up, lambda: made_up(seeds=1)])
def test_the_picture_is_that_of_the_csv(table: Callable[[], pd.DataFrame]) -> None:
    again = pd.read_csv(io.StringIO(table().to_csv(index=False)))
    assert filled(again) == filled(table())
