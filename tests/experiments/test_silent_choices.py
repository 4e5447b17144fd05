"""Where the paper is silent: which settings a preset has, what each does to accuracy, and how that is drawn."""

from __future__ import annotations

import io
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from typer.testing import CliRunner

from reproduce.cli import training
from reproduce.cli.commands import app
from reproduce.experiments.over_seeds import percent
from reproduce.experiments.silent_choices import plot as plotting
from reproduce.experiments.silent_choices import table as choices
from reproduce.experiments.silent_choices.table import (
    Setting,
    default,
    differences,
    effects,
    measure,
    settings,
    what_matters,
)
from reproduce.experiments.style import VERMILION
from reproduce.runs import run as runs
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.results import accuracy, predictions
from reproduce.runs.run import Run
from snnlib.checks import InputError
from snnlib.data.sets import Dataset

# --- settings --------------------------------------------------------------------------------

TRAINED: dict[str, dict[str, Any]] = {
    "ours": {},
    "potential": {"readout": "potential"},
    "rectangle": {"dynamics": {"kind": "single_step", "surrogate": {"kind": "rectangle", "width": 0.5}}},
    "gaussian_k2": {"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "k": 2}}},
    "max_normalised": {"dynamics": {"kind": "single_step", "noise": {"kind": "max_normalised"}}},
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
        ("statistics of Eqs. 8-9", "layer", True), ("statistics of Eqs. 8-9", "sample", False),
        ("statistics of Eqs. 8-9", "frozen", False),
        ("first step", "noise", True), ("first step", "rest", False),
        # the arm potential, run the same ways
        ("statistics of Eqs. 8-9", "layer", True), ("statistics of Eqs. 8-9", "sample", False),
        ("statistics of Eqs. 8-9", "frozen", False),
    ]  # fmt: skip
    assert found == [(*row, seed) for row in expected for seed in (0, 1)]


def test_how_nets_read_by_potentials_are_run_is_asked_of_them_alone() -> None:
    arms = {arm: TRAINED[arm] for arm in ("ours", "potential")}
    found = [s for s in settings(preset(arms=arms)) if s.net == f"net{choices.READ}"]
    assert {s.run.spec.readout for s in found} == {"potential"}
    assert {s.evaluation.statistics for s in found} == {"layer", "sample", "frozen"}
    held_out = {arm: {**fields, "hold_out": 30} for arm, fields in arms.items()}
    assert {s.net for s in settings(preset(arms=held_out))} == {"net"}


def test_a_setting_of_the_conversion_changes_the_conversion_of_the_default_alone() -> None:
    p = preset()
    found = {(s.choice, s.value): s for s in settings(p) if s.net == "net"}
    usual = found["readout", "spikes"]
    for value, field in (("sample", "statistics"), ("frozen", "statistics"), ("rest", "first_step")):
        s = next(s for (_, v), s in found.items() if v == value)
        assert s.run.spec == usual.run.spec
        assert s.evaluation == p.evaluation.changed(**{field: value})
    trained = [s for s in found.values() if s.choice not in choices.CONVERSION_CHOICES]
    assert all(s.evaluation == p.evaluation for s in trained)


@pytest.mark.parametrize("name", ["smoke", "cpu", "paper"])
def test_every_preset_measures_every_choice(name: str) -> None:
    found = settings(load_preset(name))
    values = pd.DataFrame([(s.choice, s.value, s.default) for s in found], columns=["choice", "value", "default"])
    expected = {
        "readout": 1, "batch norm": 1, "first step": 1, "statistics of Eqs. 8-9": 2,
        "surrogate gradient": 1 if name == "smoke" else 5, "Gaussian in [0, 1]": 2 if name == "smoke" else 3,
    }  # fmt: skip
    if name == "cpu":
        expected |= {"augmentation": 2, "length of training": 1, "readout and length of training": 2, "recipe": 2}
    assert values[~values.default].groupby("choice").value.nunique().to_dict() == expected
    assert len({s.run.spec.seed for s in found}) >= 3  # fewer would tell nothing


def test_what_is_chosen_for_the_test_set_is_chosen_without_it() -> None:
    nets = {s.net: s for s in settings(load_preset("cpu"))}
    found = {net: s.run.spec.hold_out for net, s in nets.items() if net.endswith("_chosen")}
    full = ("mnist", "mnist_varied", "fashion_mnist", "fashion_mnist_varied")  # of fig2
    assert found == {f"{net}_chosen": 5000 for net in full}


def test_how_often_a_run_is_tested_is_no_difference() -> None:
    arms = {a: f | {"recipe": {"epochs": 2, "evaluate_every": 2}} if f else f for a, f in TRAINED.items()}
    assert len(settings(preset(arms=arms))) == len(settings(preset()))


def test_an_arm_of_no_choice_is_refused() -> None:
    direct = {"dynamics": {"kind": "lif"}, "timesteps": 10}
    with pytest.raises(InputError, match="arm = 'direct': must be one of ours, potential, rectangle") as error:
        settings(preset(arms={**TRAINED, "direct": direct}))
    assert str(error.value).startswith("preset made_up, notebook silent_choices, net net")
    assert "\n" not in str(error.value)


def test_each_net_has_settings_of_its_own() -> None:
    arms = preset().notebooks["silent_choices"]["net"]
    two = preset().model_copy(update={"notebooks": {"silent_choices": {"a": arms, "b": arms}}})
    found = settings(two)
    assert [net for net, _ in groupby(s.net for s in found)] == ["a", f"a{choices.READ}", "b", f"b{choices.READ}"]
    halves = found[: len(found) // 2], found[len(found) // 2 :]
    assert len({tuple((s.choice, s.value, s.run) for s in half) for half in halves}) == 1


def test_a_preset_without_the_default_is_refused() -> None:
    with pytest.raises(InputError, match="has no arm ours; must have ours"):
        settings(preset(arms={arm: fields for arm, fields in TRAINED.items() if arm != "ours"}))


def test_held_out_images_with_nothing_to_compare_are_refused() -> None:
    held_out = {**TRAINED["ours"], "hold_out": 30}
    with pytest.raises(InputError, match="nets = net: have no arm but ours, and images held out; must have another"):
        settings(preset(arms={"ours": held_out}))


def test_choices_without_an_arm_are_left_out() -> None:
    found = settings(preset(arms={arm: TRAINED[arm] for arm in ("ours", "rectangle")}))
    trained = {(s.choice, s.default) for s in found if s.choice not in choices.CONVERSION_CHOICES}
    assert trained == {("surrogate gradient", True), ("surrogate gradient", False)}


def test_the_command_line_gives_each_settings_accuracies(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def note(run: Run, evaluation: Any) -> pd.DataFrame:
        asked.append((run, evaluation))
        return pd.DataFrame({"timesteps": [1], "accuracy": [0.5]})

    monkeypatch.setattr(training, "accuracy", note)
    found = [s for s in settings(load_preset("smoke")) if s.run.spec.seed == 0]
    for s in found:
        call = ["evaluate", s.run.spec.name, "--preset", "smoke", *s.options.split()]
        assert CliRunner().invoke(app, call).exit_code == 0
    assert asked == [(s.run, s.evaluation) for s in found]


# --- accuracies ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Any:
    """Settings of two tiny nets on the small set, one with a wider noise, in a store of their own."""
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
        kept = (choices.GAUSSIAN, *choices.CONVERSION_CHOICES)
        yield [s for s in found if s.net == "net" and s.choice in kept]


def test_measured_are_the_first_and_the_last_t(tiny: list[Setting]) -> None:
    table = measure(tiny)
    assert list(table.columns[:6]) == ["net", "hold_out", "choice", "value", "default", "options"]
    assert len(table) == 2 * len(tiny)
    for s, (_, rows) in zip(tiny, table.groupby(["choice", "value"], sort=False), strict=True):
        whole = accuracy(s.run, s.evaluation).set_index("timesteps").accuracy
        assert list(rows.timesteps) == [1, 4]
        assert list(rows.accuracy) == [whole[1], whole[4]]
        assert set(rows.run) == {s.run.spec.name}


def test_at_t_1_statistics_change_nothing(tiny: list[Setting]) -> None:
    table = measure(tiny)
    first = table[table.timesteps == 1].set_index(["choice", "value"]).accuracy
    usual = first["statistics of Eqs. 8-9", "layer"]
    assert first["statistics of Eqs. 8-9", "sample"] == first["statistics of Eqs. 8-9", "frozen"] == usual
    assert usual > 0.3  # it has learned something, so that equality says something


def test_differences_are_those_of_the_accuracies_on_the_same_images(tiny: list[Setting]) -> None:
    table, found = measure(tiny), differences(tiny)
    at = percent(table, "choice", "value", "default", "timesteps")
    keys = [(s.choice, s.value, t) for s in tiny if not s.default for t in (1, 4)]
    assert list(found[["choice", "value", "timesteps"]].itertuples(index=False, name=None)) == keys
    usual = {choice: value for choice, value, is_default, *_ in at.index if is_default}
    for row in found.itertuples():
        ours = at[row.choice, usual[row.choice], True, row.timesteps, row.seed]
        assert row.points == pytest.approx(at[row.choice, row.value, False, row.timesteps, row.seed] - ours)
    same = found[(found.choice == "statistics of Eqs. 8-9") & (found.timesteps == 1)]
    assert (same.points == 0).all()
    assert (same.image_error == 0).all()
    assert found.image_error.max() > 0


def test_with_statistics_of_its_own_a_prediction_does_not_depend_on_the_other_images(tiny: list[Setting]) -> None:
    """What the notebook says of the batch: with the layer's statistics it does. Nothing is drawn at alpha = 2."""
    found = {s.value: s for s in tiny if s.choice == "statistics of Eqs. 8-9"}
    changed = {}
    for value, s in found.items():
        e = s.evaluation.changed(alpha=2.0, first_step="rest", timesteps=4)
        apart, together = (predictions(s.run, e.changed(batch_size=n)).right for n in (1, 90))
        changed[value] = int((apart != together).sum())
    assert changed["sample"] == changed["frozen"] == 0
    assert changed["layer"] > 0


# --- differences -----------------------------------------------------------------------------

DEFAULT = [0.80, 0.82, 0.81]
# Differences in points at T = 5, one for each seed; at T = 1 a tenth of them.
POINTS = {
    ("readout", "potential"): [3.0, 3.2, 3.1],
    ("surrogate gradient", "arctan, slope 2"): [-4.0, -1.0, -2.0],
    ("batch norm", "none"): [-6.0, -5.0, -7.0],
    ("batch norm", "half"): [0.5, 0.5, 0.5],
    ("statistics of Eqs. 8-9", "sample"): [0.2, 0.2, 0.2],
    ("first step", "rest"): [1.5, 1.6, 1.4],
}


def made_up(seeds: int = 3, net: str = "net") -> pd.DataFrame:
    """A table as `measure` gives it; two noise seeds, 0.2 points apart."""
    rows = []
    for choice in dict.fromkeys(choice for choice, _ in POINTS):
        settings = {("spikes", True): [0.0] * 3, **{(v, False): p for (c, v), p in POINTS.items() if c == choice}}
        for (value, is_default), points in settings.items():
            rows += [
                {"net": net, "hold_out": 0, "choice": choice, "value": value, "default": is_default, "options": "",
                 "run": "r",
                 "dataset": "mnist", "network": "cnn", "width": 1.0,
                 "augment": "none", "readout": "spikes", "training": "single_step",
                 "noise": "gaussian", "seed": seed, "noise_seed": n, "timesteps": t,
                 "accuracy": DEFAULT[seed] + share * points[seed] / 100 + (n - 0.5) * 0.002}
                for seed in range(seeds) for n in (0, 1) for t, share in ((1, 0.1), (5, 1))
            ]  # fmt: skip
    return pd.DataFrame(rows)


def paired(seeds: int = 3, image_error: float = 0.1, net: str = "net") -> pd.DataFrame:
    """Of `made_up`, by hand."""
    return pd.DataFrame(
        {"net": net, "choice": choice, "value": value, "timesteps": t, "seed": seed, "points": share * points[seed],
         "image_error": 0.0 if points[seed] == 0 else image_error, "run": "r", "other_run": "d"}
        for (choice, value), points in POINTS.items() for t, share in ((1, 0.1), (5, 1)) for seed in range(seeds)
    )  # fmt: skip


def test_the_default_counts_once() -> None:
    at = default(made_up()).loc["net", 5]
    assert at["mean"] == pytest.approx(81)
    assert at.sd == pytest.approx(1)  # of 80, 82, 81
    assert at.seeds == 3


T_2 = 4.3027  # t(0.975) with two degrees of freedom


def test_an_effect_needs_its_interval_three_pooled_standard_errors_and_more_than_the_defaults_spread() -> None:
    found = effects(paired(), made_up()).set_index(["choice", "value", "timesteps"])
    assert found["mean"]["batch norm", "none", 5] == pytest.approx(-6)
    assert found.sd["batch norm", "none", 5] == pytest.approx(1)
    # Its own interval is the wider one where its sd is large, that of the pooled sd where it is small; sd 0.1, 1.53, 1
    # and 0 of the four settings trained another way, 0 and 0.1 of those converted another way.
    images = 1.959964 * 0.1
    assert found.half["batch norm", "none", 5] == pytest.approx(np.hypot(T_2 / 3**0.5, images), rel=1e-4)
    pooled = np.sqrt((0.01 + 7 / 3 + 1 + 0) / 4 / 3 + 0.01)
    assert found.half["readout", "potential", 5] == pytest.approx(3 * pooled)
    assert found.half["statistics of Eqs. 8-9", "sample", 5] == pytest.approx(3 * np.sqrt(0.01 / 2 / 3 + 0.01))
    assert found.matters.xs(5, level="timesteps").to_dict() == {
        ("readout", "potential"): True,  # 3.1 > 1.6
        ("surrogate gradient", "arctan, slope 2"): False,  # 2.3 < 3.8
        ("batch norm", "none"): True,
        ("batch norm", "half"): False,
        ("statistics of Eqs. 8-9", "sample"): False,
        ("first step", "rest"): True,
    }
    assert not found.matters.xs(1, level="timesteps")[["readout", "first step"]].any()


def test_what_another_seed_changes_as_much_does_not_matter() -> None:
    small = paired(image_error=0.0)
    small.loc[small.choice == "first step", "points"] = 0.9  # every seed alike
    found = effects(small, made_up()).set_index(["choice", "value", "timesteps"]).loc["first step", "rest", 5]
    assert found["mean"] == pytest.approx(0.9)
    assert found.half < 0.9
    assert not found.matters  # the default's sd is 1


def test_a_net_is_judged_by_its_own_spread() -> None:
    """The other one is of one seed: neither moves what is said of the first."""
    table, points = pd.concat([made_up(1, "a"), made_up()]), pd.concat([paired(1, net="a"), paired()])
    found = effects(points, table)
    pd.testing.assert_frame_equal(found[found.net == "net"].reset_index(drop=True), effects(paired(), made_up()))
    assert what_matters(points, table).endswith(what_matters(paired(), made_up()))
    assert what_matters(points, table).startswith("a, T = 5: default 80.0 %, one seed\n")


def test_few_images_are_a_reason_to_doubt() -> None:
    found = effects(paired(image_error=4.0), made_up()).set_index(["choice", "value", "timesteps"])
    assert not found.matters.any()


def test_the_summary_names_each_setting_by_size() -> None:
    lines = what_matters(paired(), made_up()).splitlines()
    assert lines[0] == "net, T = 5: default 81.0 ± 1.0 %, mean and sd of 3 seeds"
    assert lines[1] == "batch norm = none: -6.0 ± 2.5 points, matters"
    assert lines[2] == "readout = potential: +3.1 ± 1.6 points, matters"
    assert "statistics of Eqs. 8-9 = sample: +0.2 ± 0.3 points, no clear effect" in lines
    assert len(lines) == 1 + len(POINTS)


@pytest.mark.parametrize("seeds", [1, 2])
def test_fewer_than_three_seeds_cannot_tell(seeds: int) -> None:
    table, points = made_up(seeds), paired(seeds)
    assert not effects(points, table).matters.any()
    mean = np.mean(POINTS["batch norm", "none"][:seeds])
    assert f"batch norm = none: {mean:+.1f} points, too few seeds to tell" in what_matters(points, table)
    assert "nan" not in what_matters(points, table)
    assert "inf" not in what_matters(points, table)


# --- picture ---------------------------------------------------------------------------------


def test_each_net_has_a_panel_and_held_out_images_are_told() -> None:
    table = pd.concat([made_up(), made_up(1, "b").assign(hold_out=5000)])
    drawn = plotting.pictures(table, pd.concat([paired(), paired(1, net="b")]))
    assert [len(fig.axes) for fig in drawn.values()] == [2, 1]  # of a conversion one seed tells nothing
    above, below = drawn["silent_choices"].axes
    assert (
        above.get_title()
        == "MNIST, CNN, width 1\ndefault: 81.0 ± 1.0 % at T = 5, 81.0 ± 1.0 % at T = 1\n(mean ± sd of 3 training seeds)"
    )
    assert below.get_title().splitlines()[1:] == [
        "default: 80.0 % at T = 5, 80.0 % at T = 1", "(1 training seed, 5,000 held-out images)",
    ]  # fmt: skip
    assert "no spikes, output = mean current" in [label.get_text() for label in below.get_yticklabels()]


def filled(table: pd.DataFrame, points: pd.DataFrame) -> dict[str, tuple[float, str]]:
    """Row -> (x of the filled point, its colour), read off the picture."""
    found = {}
    for fig in plotting.pictures(table, points).values():
        ax = fig.axes[0]
        found |= {
            above(ax, p): (p.get_xdata()[0], to_hex(p.get_markerfacecolor()).upper())
            for p in (c.lines[0] for c in ax.containers)
            if p.get_markerfacecolor() != "white"
        }
    return found


def above(ax: Axes, point: Line2D) -> str:
    """The name under which a point stands."""
    labels = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    return [label.get_text() for y, label in labels if y < point.get_ydata()[0]][-1]


def test_every_point_is_plainly_nearer_to_its_own_name_than_to_the_next() -> None:
    for fig in plotting.pictures(made_up(), paired()).values():
        ax = fig.axes[0]
        for y in (c.lines[0].get_ydata()[0] for c in ax.containers):
            before, after = max(t for t in ax.get_yticks() if t < y), [t for t in ax.get_yticks() if t > y]
            assert not after or y - before < 0.75 * (min(after) - y)


def test_numbers_lie_on_no_data() -> None:
    """Not on points, intervals, zero or the band, of the default's sd, which may be the widest of all."""
    wider = made_up(net="b")
    wider["accuracy"] = 0.5 + 3 * (wider.accuracy - 0.8)
    small = paired(net="b")
    small["points"] /= 20
    table, points = pd.concat([made_up(), wider], ignore_index=True), pd.concat([paired(), small], ignore_index=True)
    for fig in plotting.pictures(table, points).values():
        FigureCanvasAgg(fig).draw()
        for ax in fig.axes:
            left = min(text.get_window_extent().x0 for text in ax.texts)
            drawn = [*ax.patches, *ax.lines, *(artist for c in ax.containers for artist in c.lines[2])]
            assert len(drawn) > 5
            assert max(artist.get_window_extent().x1 for artist in drawn) < left
            assert ax.get_xticks().max() < ax.spines["bottom"].get_bounds()[1]


def test_rows_stand_by_size_of_effect() -> None:
    labels, below = (fig.axes[0].get_yticklabels() for fig in plotting.pictures(made_up(), paired()).values())
    assert [[label.get_text().split(" (default")[0] for label in each] for each in (labels, below)] == [
        [
            "batch norm", "none", "half",
            "readout", "no spikes, output = mean current",
            "surrogate gradient", "arctan, slope 2",
        ],
        ["first step", "potential at rest, and N'", "statistics of Eqs. 8-9", "each image alone"],
    ]  # fmt: skip
    assert labels[0].get_text() == "batch norm (default: the output layer spikes)"
    assert [label.get_fontweight() for label in labels[:3]] == ["bold", "normal", "normal"]


def test_a_recipe_is_named_by_optimiser_rate_and_epochs_and_that_it_is_the_papers() -> None:
    values = {"spikes": "15 epochs, muon, batches of 100, one cycle, 0.01",
              "potential": "9 epochs, adam, batches of 128, warm restarts, 0.0001"}  # fmt: skip
    table, points = (
        each[each.choice == choices.READOUT].replace({"choice": {choices.READOUT: choices.RECIPE}, "value": values})
        for each in (made_up(), paired())
    )
    (ax,) = plotting.pictures(table, points)["silent_choices"].axes
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["recipe (default: Muon, 0.01, 15 epochs)", "paper: Adam, 0.0001, 9 epochs"]


def test_points_are_the_effects_with_their_intervals_and_those_that_matter_are_red() -> None:
    shown = filled(made_up(), paired())
    assert shown["no spikes, output = mean current"] == (pytest.approx(3.1), VERMILION)
    assert shown["each image alone"] == (pytest.approx(0.2), plotting.GREY)
    ax = plotting.pictures(made_up(), paired())["silent_choices"].axes[0]
    assert "-6.0 ± 2.5" in [t.get_text() for t in ax.texts]
    low, high = ax.get_xlim()
    assert low < -6 - 2.5 < 3.1 + 1.6 < high < 20


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_the_picture_is_that_of_the_csv(seeds: int) -> None:
    tables = made_up(seeds), paired(seeds)
    again = [pd.read_csv(io.StringIO(table.to_csv(index=False))) for table in tables]
    assert filled(*again) == filled(*tables)


@pytest.mark.parametrize("sd", [0.0, np.nan])
def test_what_changes_no_answer_is_the_same_of_one_seed_too(sd: float) -> None:
    half = 0.1 if sd == 0 else np.inf
    assert plotting._number(pd.Series({"mean": 0.0, "sd": sd, "half": half})) == "same"
    assert plotting._number(pd.Series({"mean": 0.2, "sd": sd, "half": half})) != "same"
