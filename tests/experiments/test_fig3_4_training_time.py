"""The race of Figs. 3 and 4: that it is fair, and its tables against hand-made runs and a fine grid of times."""

from __future__ import annotations

import math
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from reproduce.experiments import contrasts as comparisons
from reproduce.experiments import style as common
from reproduce.experiments.fig3_4_training_time import curves as training_time
from reproduce.experiments.fig3_4_training_time import equal_time, fig3, fig4
from reproduce.experiments.fig3_4_training_time.curves import learning_curves, printed_curves, time_to_benchmark
from reproduce.experiments.fig3_4_training_time.paired import seconds_to_benchmark
from reproduce.experiments.fig3_4_training_time.race import NOTEBOOK, SHARES, raced
from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.runs.preset import Comparison, Preset, load_preset
from reproduce.runs.run import FILES, Run
from reproduce.runs.spec import Spec
from snnlib.checks import InputError
from snnlib.store.files import seal, sha256
from snnlib.training.evaluation import Predictions

RECIPE = {"epochs": 4, "batch_size": 50}
DIRECT = {"dynamics": {"kind": "lif"}, "timesteps": 10}
LONGER = {"recipe": {"epochs": 20, "evaluate_every": 5}}


def spec(**fields: Any) -> Spec:
    """One run of the CNN; ``recipe`` holds what differs from `RECIPE`."""
    recipe = {**RECIPE, **fields.pop("recipe", {})}
    return Spec(**{"dataset": "mnist", "network": "cnn", "width": 0.25, "recipe": recipe, **fields})


def tuned(**fields: Any) -> Spec:
    """A short direct training after the method's run."""
    recipe = {"epochs": 1, **fields.pop("recipe", {})}
    return spec(dynamics={"kind": "lif"}, timesteps=4, recipe=recipe, after=spec(**fields), **fields)


def preset(evaluation: dict[str, Any] | None = None, benchmark: str = "cnn", **arms: Spec | tuple | None) -> Preset:
    """One with these runs of one net."""
    specs = {arm: s if isinstance(s, tuple) else (s,) for arm, s in arms.items() if s is not None}
    runs = {NOTEBOOK: {"net": specs}}
    return Preset(
        name="p", description="d", evaluation=evaluation or {}, benchmark={benchmark: 0.8}, notebooks=runs
    )  # fmt: skip


def race(**arms: Spec | tuple | None) -> list[Comparison]:
    return raced(preset(**arms))


def curve(arm: str, seconds: list[float], accuracies: list[float], seed: int = 0, **fields: Any) -> pd.DataFrame:
    """A table of `curves` for one run: an evaluation after each epoch of 100 steps, unless it is said otherwise."""
    first = {
        "run": f"{fields.get('network', 'cnn')}-{arm}-{seed}", "dataset": "fashion_mnist", "network": "cnn",
        "width": 1.0,
        "augment": "none", "readout": "spikes", "training": arm, "noise": "none", "seed": seed, "arm": arm,
        "timesteps": {"direct4": 4, "direct2": 2}.get(arm, 10), "device": "a machine",
    }  # fmt: skip
    epochs = np.arange(1, len(seconds) + 1)
    columns = {
        "epoch": epochs, "steps": 100 * epochs, "seconds": seconds, "flop": 1e12 * epochs, "own_seconds": 1.0,
        "accuracy": accuracies,
    }  # fmt: skip
    return pd.DataFrame({**dict.fromkeys(first, ""), **columns}).assign(**{**first, **fields})


def costs(ours: float = 0.1, direct: float = 0.5, **fields: Any) -> pd.DataFrame:
    """A table of `training_cost` for one net, with these seconds of a step."""
    row = {
        "dataset": "fashion_mnist", "network": "cnn", "width": 1.0,
        "augment": "none", "batch_size": 50, "device": "a machine",
        "step_seconds_sd": 0.01, "memory_limit_bytes": 8 * 2**30, "step_flop": 10**9, **fields,
    }  # fmt: skip
    arms = [
        {"arm": "ours", "timesteps": 1, "step_seconds": ours, "peak_bytes": 20 * 2**20, "largest_batch": 9000},
        {
            "arm": "direct",
            "timesteps": 10,
            "step_seconds": direct,
            "peak_bytes": 160 * 2**20,
            "largest_batch": 1000,
            "step_flop": 9 * 10**9,
        },
        {
            "arm": "tuned",
            "timesteps": 4,
            "step_seconds": 0.2,
            "peak_bytes": 2**20,
            "largest_batch": 1,
            "step_flop": 3 * 10**9,
        },
    ]
    return pd.DataFrame([{**row, **arm} for arm in arms])


OURS = curve("ours", [1, 2, 3], [0.7, 0.85, 0.8])
DIRECT_RUN = curve("direct", [4, 8, 12, 16], [0.75, 0.79, 0.9, 0.95])


# --- who races -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["smoke", "cpu", "paper"])
def test_the_races_of_every_preset_are_between_the_papers_networks(name: str) -> None:
    races = raced(load_preset(name))
    networks = [arms["ours"][0].spec.network for arms in races]
    assert networks == ["cnn", "vgg16", "resnet18"][: len(races)]
    assert len(races) == (1 if name == "smoke" else 3)  # so that smoke takes minutes
    for arms in races:
        assert [arm for arm in arms if arm != "tuned"] == ["ours", "equal_time", "direct", "direct4", "direct2", "relu"]


@pytest.mark.parametrize("name", ["smoke", "cpu", "paper"])
def test_equal_time_has_a_quarter_and_a_half(name: str) -> None:
    for arms in raced(load_preset(name)):
        ours, longer = (arms[arm][0].spec.recipe.epochs for arm in ("ours", "equal_time"))
        assert longer % 4 == 0
        assert longer > ours


def test_the_full_scale_benchmarks_are_the_papers() -> None:
    p = load_preset("paper")
    assert {n: 100 * a for n, a in p.benchmark.items()} == pytest.approx({"cnn": 92, "vgg16": 88, "resnet18": 90})
    assert dict(zip(printed_curves().network, printed_curves().benchmark, strict=True)) == p.benchmark


FAIR = {"ours": spec(), "equal_time": spec(**LONGER), "direct": spec(**DIRECT)}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"direct": None}, "has no arm direct; must have ours and direct"),
        ({"ours": None}, "has no arm ours; must have ours and direct"),
        (
            {"direct": spec(timesteps=5, dynamics={"kind": "lif"})},
            r"tested = \{'ours': 10, .*'direct': 5\}: must be the",
        ),
        (
            {"equal_time": spec(recipe={**LONGER["recipe"], "test_timesteps": 4})},
            r"tested = \{'ours': 10, 'equal_time': 4, 'direct': 10\}",
        ),
        (
            {"direct": spec(**DIRECT, recipe={"epochs": 8})},
            r"recipe.epochs = \{'ours': 4, 'direct': 8\}: must be the same",
        ),
        (
            {"direct": spec(**DIRECT, recipe={"evaluate_every": 2})},
            "arm direct: recipe.evaluate_every = 2: must divide 1, which is 25% of its 4 epochs",
        ),
        (
            {"equal_time": spec(recipe={"epochs": 20, "evaluate_every": 4})},
            "arm equal_time: recipe.evaluate_every = 4: must divide 5, which is 25% of its 20 epochs",
        ),
        ({"equal_time": spec()}, "arm equal_time: recipe.epochs = 4: must be others than ours"),
        (
            {"direct4": spec(**{**DIRECT, "timesteps": 4}, recipe={"evaluate_every": 0})},
            "arm direct4: recipe.evaluate_every = 0: must be above 0",
        ),
        ({"evaluation": {"timesteps": 5}}, "evaluation.timesteps = 5: must be at least 10"),
        ({"uniform": spec(dynamics={"kind": "single_step", "noise": {"kind": "uniform"}})}, "arm = 'uniform': must be"),
    ],
)
def test_an_unfair_race_is_refused_before_training(
    changed: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_time, "with_curves", None)
    with pytest.raises(InputError, match=words) as error:
        race(**{**FAIR, **changed})
    assert str(error.value).startswith(f"preset p, notebook {NOTEBOOK}, net net")
    assert "\n" not in str(error.value)


def test_arms_that_are_not_compared_at_shares_may_be_tested_when_they_like() -> None:
    race(ours=spec(recipe={"evaluate_every": 4}), direct=spec(**DIRECT, recipe={"evaluate_every": 2}), tuned=tuned())
    parts = {"ours": spec(recipe={"epochs": 2}), "direct": spec(**DIRECT, recipe={"epochs": 2, "evaluate_every": 0.25})}
    (arms,) = race(**parts, equal_time=spec(**LONGER))
    assert set(arms) == {"ours", "equal_time", "direct"}


def test_a_network_without_benchmark_is_refused() -> None:
    with pytest.raises(InputError, match="net net: benchmark has no accuracy for cnn, only for vgg16"):
        race(**FAIR, benchmark="vgg16")


# --- Figure 3 --------------------------------------------------------------------------------


def store(s: Spec, pieces: dict[float, tuple[float, float | None]], device: str = "a machine") -> None:
    """A finished run of 1000 images in the run store: by epoch, seconds since the last one, and accuracy."""
    run, epochs = Run(s), list(pieces)
    run.folder.mkdir(parents=True)
    seconds, accuracies = zip(*pieces.values(), strict=True)
    parts = np.diff([0, *epochs])
    timing = pd.DataFrame({"epoch": epochs, "seconds": seconds, "images_per_s": 1000 * parts / seconds})
    history = pd.DataFrame({"epoch": epochs, "test_accuracy_t1": 0.1, "test_accuracy": accuracies})
    timing.to_csv(run.folder / "timing.csv", index=False)
    history.to_csv(run.folder / "history.csv", index=False)
    (run.folder / "weights.safetensors").write_text("not read here")
    files = {name: sha256(run.folder / name) for name in FILES}
    about = {"spec": s.model_dump(mode="json"), "files": files, "sittings": [{"device": device}]}
    (run.folder / "metadata.json").write_text(seal(about))


MNIST = {"dataset": "mnist", "width": 0.25}


def test_a_curve_has_the_steps_of_training_times_the_seconds_of_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    quarters = spec(**DIRECT, recipe={"evaluate_every": 0.5})
    store(spec(), {1: (1.0, None), 2: (2.0, 0.5), 3: (4.0, None), 4: (8.0, 0.8)})
    store(quarters, {0.5: (10.0, 0.3), 1: (10.0, 0.4), 4: (60.0, 0.9)}, "another machine")
    store(spec(**LONGER), {5: (3.0, 0.6), 20: (9.0, 0.95)})
    store(tuned(), {1: (3.0, 0.85)})
    arms = {"ours": spec(), "equal_time": spec(**LONGER), "direct": quarters, "tuned": tuned()}
    table = learning_curves(race(**arms), costs(**MNIST))
    assert list(table.columns[: len(spec().columns())]) == list(spec().columns())
    shown = table[["arm", "timesteps", "device", "epoch", "steps", "seconds", "own_seconds", "accuracy"]]
    for found, expected in zip(
        shown.to_numpy().tolist(),
        [
            ["ours", 10, "a machine", 2, 40, 4.0, 3.0, 0.5],  # 0.1 s a step
            ["ours", 10, "a machine", 4, 80, 8.0, 15.0, 0.8],
            ["equal_time", 10, "a machine", 5, 100, 10.0, 3.0, 0.6],  # steps as ours
            ["equal_time", 10, "a machine", 20, 400, 40.0, 12.0, 0.95],
            ["direct", 10, "another machine", 0.5, 10, 5.0, 10.0, 0.3],  # 0.5 s a step
            ["direct", 10, "another machine", 1, 20, 10.0, 20.0, 0.4],
            ["direct", 10, "another machine", 4, 80, 40.0, 80.0, 0.9],
            ["tuned", 4, "a machine", 1, 20, 12.0, 18.0, 0.85],  # 8 s of the run it comes after, 0.2 s a step
        ],
        strict=True,
    ):
        assert found[:3] == expected[:3]
        assert found[3:] == pytest.approx(expected[3:])
    # 20 steps an epoch, of 1 GFLOP (ours), 9 (directly), 3 (tuned, after ours)
    assert (table.flop / 1e9).tolist() == pytest.approx([40, 80, 100, 400, 90, 180, 720, 80 + 60])


def test_figure_3_draws_the_mean_of_each_arm_its_seeds_and_the_benchmark() -> None:
    second = curve("ours", [1, 2, 3], [0.6, 0.75, 0.9], seed=1)
    table = pd.concat([OURS, second, DIRECT_RUN], ignore_index=True)
    (ax,) = fig3.training_speed(table, {"cnn": 0.8}).axes
    (flop,) = fig3.training_speed(table, {"cnn": 0.8}, "flop").axes
    lines = [np.array(line.get_xydata()) for line in ax.get_lines()]
    assert lines[0] == pytest.approx(np.array([(1, 65), (2, 80), (3, 85)]))
    assert [lines[i][-1].tolist() for i in (1, 2)] == [[3, 80], [3, 90]]
    assert lines[3][-1] == pytest.approx((16, 95))
    assert list(ax.get_lines()[4].get_ydata()) == [80, 80]
    assert len(lines) == 5 + 2  # and two markers at the last accuracies: nothing was trained for direct training's time
    for panel in (ax, flop):
        assert panel.get_title().endswith("\nbenchmark 80 % (paper: 92 %)")
        assert [t.get_text() for t in panel.texts] == ["95.0", "85.0±7.1"]
    assert flop.get_lines()[0].get_xdata().tolist() == [1, 2, 3]  # epochs of 10¹² FLOP
    assert "FLOP" in flop.get_xlabel()


def test_a_network_that_the_paper_does_not_race_is_drawn_without_its_words() -> None:
    table = pd.concat([curve(arm, [4, 8], [0.7, 0.9], network="vgg8") for arm in ("ours", "direct")])
    (ax,) = fig3.training_speed(table, {"vgg8": 0.8}).axes
    assert ax.get_title().endswith("\nbenchmark 80 %")
    times = time_to_benchmark(table, {"vgg8": 0.8})
    fig = fig4.time_to_accuracy(times, costs(network="vgg8"))
    assert not any("paper" in text.get_text() for ax in fig.axes for text in ax.texts)


def test_figure_3_marks_where_arms_are_compared_at_equal_time() -> None:
    longer = curve("equal_time", [4, 8, 12, 15], [0.7, 0.8, 0.9, 0.96])
    (ax,) = fig3.training_speed(pd.concat([OURS, longer, DIRECT_RUN], ignore_index=True), {"cnn": 0.8}).axes
    lines = [tuple(line.get_xdata()) for line in ax.get_lines()]
    upright = [x[0] for x in lines if len(x) == 2 and x[0] == x[1]]
    assert upright == [4, 8, 16]
    assert len({tuple(look) for look in fig3.ARM_LOOKS.values()}) == len(fig3.ARM_LOOKS)


# --- contrasts -------------------------------------------------------------------------------


def test_points_are_paired_at_the_end_and_unpaired_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against NumPy: 10 images, two training seeds."""
    two_steps = {**DIRECT, "timesteps": 2}
    arms = {
        arm: tuple(spec(**fields, seed=seed) for seed in (0, 1))
        for arm, fields in (("ours", {}), ("equal_time", LONGER), ("direct", DIRECT), ("direct2", two_steps))
    }
    p = preset(evaluation={"timesteps": 12, "noise_seeds": [0, 1]}, **arms)
    races = raced(p)
    rng = np.random.default_rng(0)
    right = {s.name: rng.random((2 if s.dynamics.kind != "lif" else 1, 12, 10)) < 0.7 for a in arms.values() for s in a}
    asked = []

    def predictions(run: Run, evaluation: Any) -> Predictions:
        asked.append((run.spec.dynamics.kind, type(evaluation).__name__))
        return Predictions(pd.DataFrame(), torch.from_numpy(right[run.spec.name]))

    monkeypatch.setattr(comparisons, "predictions", predictions)
    rows = []
    for arm, specs in arms.items():
        for s in specs:
            step = {"direct": 0.5, "direct2": 0.2}.get(arm, 0.1)
            epochs = np.arange(1, s.recipe.epochs + 1)
            table = pd.DataFrame({**s.columns(), "arm": arm, "epoch": epochs, "seconds": 20 * step * epochs})
            rows.append(table.assign(accuracy=0.5 + 0.01 * epochs + 0.02 * s.seed * (arm == "direct")))
    found = equal_time.contrasts(races, pd.concat(rows, ignore_index=True), p)
    assert set(asked) == {("single_step", "Conversion"), ("lif", "AsTrained")}
    key = found[["arm", "opponent", "share", "seed"]].to_numpy().tolist()
    assert key == [
        *(["ours", opponent, 1, seed] for opponent in ("direct", "direct2") for seed in (0, 1)),
        *(["equal_time", "direct", share, seed] for share in SHARES for seed in (0, 1)),
    ]
    names = {(arm, s.seed): s.name for arm, specs in arms.items() for s in specs}
    assert [(row.run, row.other_run) for row in found.itertuples()] == [
        (names[row.arm, row.seed], names[row.opponent, row.seed]) for row in found.itertuples()
    ]
    for row in found[found.share == 1].itertuples():
        one, other = (
            np.array([right[names[arm, s]][:, {"direct2": 1}.get(arm, 9)].mean(0) for s in (0, 1)])
            for arm in (row.arm, row.opponent)
        )  # at T = 10, or the T that it was trained for
        difference = 100 * (one - other)
        assert row.points == pytest.approx(difference[row.seed].mean())
        assert row.image_error == pytest.approx(difference.mean(0).std() / math.sqrt(10))
    # After 5 of 20 epochs, 0.55, and after 1 of 4, 0.51 and 0.53; of MNIST's 10,000 test images.
    quarter = found[found.share == 0.25]
    assert quarter.points.tolist() == pytest.approx([4, 2])
    assert quarter.image_error.iloc[0] == pytest.approx(100 * math.sqrt((0.55 * 0.45 + 0.52 * 0.48) / 10_000))
    half = found[found.share == 0.5]
    assert half.points.tolist() == pytest.approx([60 - 52, 60 - 54])
    assert found[found.arm == "equal_time"].time_share.tolist() == pytest.approx([1.0] * 6)  # 20 · 0.1 s, 4 · 0.5 s
    assert found[found.arm == "ours"].time_share.tolist() == pytest.approx([0.2] * 2 + [0.5] * 2)


@pytest.mark.parametrize(("step", "epochs"), [(0.5, 20), (0.59, 20), (0.6, 24), (0.1, 4), (0.05, 0)])
def test_epochs_at_equal_time_are_rounded_down_to_four(step: float, epochs: int) -> None:
    table = equal_time.epochs_by_ratio(race(**FAIR), costs(direct=step + 1e-9, **MNIST))
    row = table.iloc[0]
    assert list(table.columns) == [*ARCHITECTURE, "epochs", "ratio", "equal_time", "preset"]
    assert (row.epochs, row.equal_time, row.preset) == (4, epochs, 20)
    assert row.ratio == pytest.approx(step / 0.1)


# --- Figure 4 --------------------------------------------------------------------------------


def test_a_benchmark_is_reached_at_the_first_evaluation_at_or_above_it() -> None:
    table = pd.concat([OURS, DIRECT_RUN, curve("tuned", [20], [0.99])], ignore_index=True)
    times = time_to_benchmark(table, {"cnn": 0.905})
    goals = [*range(70, 91), 90.5, *range(91, 96)]  # from the first accuracy to the best of those that race
    for _, run in times.groupby("arm"):
        assert (100 * run.benchmark).tolist() == pytest.approx(goals)
        assert run.chosen.tolist() == [goal == 90.5 for goal in goals]
    at = times[times.benchmark == 0.9].set_index("arm")
    assert at.reached.to_dict() == {"ours": False, "direct": True, "tuned": True}
    assert at.seconds.isna().to_dict() == at.epoch.isna().to_dict() == {"ours": True, "direct": False, "tuned": False}
    assert at.loc["direct", ["seconds", "epoch", "total_seconds", "total_epochs"]].tolist() == [12, 3, 16, 4]
    assert (at.loc["direct", "seconds_before"], at.loc["tuned", "seconds_before"]) == (8, 0)
    assert at.loc["ours", ["total_seconds", "total_epochs"]].tolist() == [3, 3]
    # ours is at 0.85 before it falls to 0.8: reached is reached
    assert times[(times.benchmark == 0.85) & (times.arm == "ours")].seconds.tolist() == [2]


def saved(*runs: pd.DataFrame, goal: float) -> pd.Series:
    pairs = seconds_to_benchmark(time_to_benchmark(pd.concat(runs, ignore_index=True), {"cnn": goal}))
    (row,) = (row for _, row in pairs[pairs.chosen].iterrows())
    return row


# Ours reaches 0.7, 0.85 or 0.9 after 1, 2 or never in 3 s, direct training after 4, 12 or 12 of 16 s.
@pytest.mark.parametrize(
    ("goal", "ours", "direct", "reached"),
    [
        (0.7, 1, 4, (True, True)),
        (0.85, 2, 12, (True, True)),
        (0.9, 3, 12, (False, True)),
        (0.96, 3, 16, (False, False)),
    ],
)
def test_what_never_gets_there_counts_with_its_whole_time(
    goal: float, ours: float, direct: float, reached: tuple[bool, bool]
) -> None:
    row = saved(OURS, DIRECT_RUN, curve("tuned", [1], [0.99]), goal=goal)
    assert (row.ours, row.other) == (ours, direct)
    assert (row.ours_reached, row.other_reached) == reached
    assert row.saved == pytest.approx(100 * (1 - ours / direct))


def test_direct_training_that_never_gets_there_counts_with_its_whole_time() -> None:
    row = saved(OURS, curve("direct", [4, 8], [0.5, 0.6]), goal=0.85)
    assert (row.ours_reached, row.other_reached, row.ours, row.other) == (True, False, 2, 8)


def test_what_is_saved_is_that_of_a_search_in_the_curves() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        runs = [
            curve(arm, list(step * np.arange(1.0, 9)), list(rng.choice(np.arange(40, 90), 8) / 100), seed)
            for arm, step in (("ours", 1), ("direct", 4)) for seed in (0, 1)
        ]  # fmt: skip
        table = pd.concat(runs, ignore_index=True)
        for row in seconds_to_benchmark(time_to_benchmark(table, {"cnn": 0.5})).itertuples():
            for arm, seconds, reached in (
                ("ours", row.ours, row.ours_reached),
                ("direct", row.other, row.other_reached),
            ):
                run = table[(table.arm == arm) & (table.seed == row.seed)]
                there = [s for s, a in zip(run.seconds, run.accuracy, strict=True) if a >= row.benchmark]
                assert (seconds, reached) == ((there[0], True) if there else (max(run.seconds), False))
                step = run.seconds.min()
                before = row.ours_before if arm == "ours" else row.other_before
                assert before == (there[0] - step if there else max(run.seconds))


def test_the_papers_own_seconds_give_its_savings_but_not_its_factors() -> None:
    table = printed_curves().set_index("network")
    assert table.saving_computed["cnn"] == pytest.approx(393 / 528)
    assert (table.saving_computed - table.saving_printed).abs().max() < 0.02
    assert (table.times_faster >= 3).tolist() == [True, True, False]  # "3-5 times faster"


# --- what is shown ---------------------------------------------------------------------------


def shown(*runs: pd.DataFrame, goal: float) -> list[Any]:
    times = time_to_benchmark(pd.concat(runs, ignore_index=True), {"cnn": goal})
    return fig4.time_to_accuracy(times, costs()).axes


def test_figure_4_shows_what_is_saved_up_to_what_both_reach() -> None:
    ours, direct = ("ours", [1, 2, 3], [0.7, 0.7, 0.78]), ("direct", [4, 8], [0.7, 0.8])
    others = [curve(*arm, seed=seed) for seed in (1, 2) for arm in (ours, direct)]
    above, below = shown(OURS, DIRECT_RUN, *others, goal=0.75)
    mean, *seeds = [line for line in above.get_lines() if len(line.get_xdata()) > 2]
    assert mean.get_xdata().tolist() == pytest.approx(range(70, 79))
    # At 75 %: seed 0 after 1 to 2 s in place of 4 or less, seeds 1 and 2 after 2 to 3 in place of 4 to 8.
    assert mean.get_ydata()[5] == pytest.approx(100 * (1 - (2 / 4 * 3 / 8 * 3 / 8) ** (1 / 3)))
    assert [line.get_xdata()[-1] for line in seeds] == pytest.approx([85, 78, 78])
    texts = [t.get_text() for t in above.texts]
    assert texts[0] == "ours, to 75 %: saves 59 [-inf, 75] %"  # at most 1 in place of 4, 2 of 8 and 2 of 8
    (bar,) = above.collections
    assert bar.get_segments()[0][:, 1] == pytest.approx([fig4.FARTHEST, 75])
    assert texts[1:] == ["paper\n74 %", "paper, to 92 %: 135 in place of 528 s\nsaves 74 %, “about 75%”"]
    dashed = next(line for line in above.get_lines() if line.get_label() == "the paper's printed seconds")
    assert dashed.get_ydata()[0] == pytest.approx(100 * 393 / 528)
    assert [bar.get_width() for bar in below.patches] == pytest.approx([5, 9, 8, 9])
    assert [t.get_text() for t in below.texts] == [
        "5.0×   500 / 100 ms", "9.0×   9 / 1 GFLOP", "8.0×   160 / 20 MiB", "9.0×   9,000 / 1,000 images",
    ]  # fmt: skip


def test_figure_4_shows_direct_training_at_smaller_t_too() -> None:
    above, _ = shown(OURS, DIRECT_RUN, curve("direct4", [2, 4], [0.8, 0.9]), goal=0.75)
    labels = [line.get_label() for line in above.get_lines()]
    assert "against direct training at T = 10" in labels
    assert "against direct training at T = 4" in labels


def test_figure_4_says_where_a_benchmark_was_never_reached() -> None:
    above, _ = shown(OURS, curve("direct", [4, 8], [0.72, 0.76]), goal=0.85)
    assert above.texts[0].get_text() == "ours, to 85 %: saves ≥ 75 %"
    above, _ = shown(OURS, DIRECT_RUN, goal=0.9)
    assert above.texts[0].get_text() == "ours, to 90 %: saves ≤ 75 %"
    above, _ = shown(OURS, DIRECT_RUN, goal=0.96)
    assert above.texts[0].get_text() == "ours, to 96 %: no arm gets there"


def test_what_is_saved_stays_below_all_of_it_however_far_the_seeds_are_apart() -> None:
    runs = [curve("ours", [x / 2, x], [0.7, 0.8], seed) for seed, x in enumerate((0.1, 1, 9))]
    runs += [curve("direct", [5, 10], [0.7, 0.8], seed) for seed in range(3)]
    above, _ = shown(*runs, goal=0.75)
    (bar,) = above.collections
    low, high = bar.get_segments()[0][:, 1]
    assert low < -100 < above.get_ylim()[0] + 100
    assert 90 < high < 100
    assert above.get_yticks().min() == fig4.LOWEST


def test_figures_of_the_full_scale_are_drawn() -> None:
    """Three networks, five seeds, hundreds of evaluations, a tuned arm in one of them."""
    rng = np.random.default_rng(0)
    runs, goals = [], {"cnn": 0.92, "vgg16": 0.88, "resnet18": 0.9}
    for network, seed in ((n, s) for n in goals for s in range(5)):
        fields = {"network": network, "dataset": "fashion_mnist" if network == "cnn" else "cifar10", "seed": seed}
        for arm, speed in (("ours", 1), ("equal_time", 7), ("direct", 70), ("direct4", 30), ("direct2", 20)):
            accuracy = 0.95 - 0.5 / np.arange(1, 201) ** 0.7 + 0.005 * rng.standard_normal(200)
            runs.append(curve(arm, list(speed * np.arange(1.0, 201)), list(accuracy), **fields))
        if network == "cnn":
            runs.append(curve("tuned", [210.0], [0.94], **fields))
    table = pd.concat(runs, ignore_index=True)
    nets = table[["dataset", "network"]].drop_duplicates().itertuples(index=False)
    step = pd.concat([costs(dataset=d, network=n) for d, n in nets], ignore_index=True)
    times = time_to_benchmark(table, goals)
    spent = [fig3.training_speed(table, goals, each) for each in fig3.SPENT]
    for fig in (*spent, fig4.time_to_accuracy(times, step)):
        assert len(common.png(fig)) > 10_000
    assert [len(fig.axes) for fig in spent] == [3, 3]
    texts = [t.get_text() for ax in fig4.time_to_accuracy(times, step).axes for t in ax.texts]
    assert not [t for t in texts if "e+" in t]
    assert "paper, to 90 %: 7,290 in place of 19,998 s\nsaves 64 %, “approximately 65%”" in texts


def test_no_label_touches_another() -> None:
    ends = {"ours": 0.835, "tuned": 0.83, "direct": 0.84}
    table = pd.concat([curve(arm, [1, 2], [0.6, end]) for arm, end in ends.items()], ignore_index=True)
    fig = fig3.training_speed(table, {"cnn": 0.8})
    fig.draw_without_rendering()
    labels = [t for t in fig.axes[0].texts if t.get_text() in ("83.5", "83.0", "84.0")]
    boxes = sorted((t.get_window_extent() for t in labels), key=lambda box: box.y0)
    assert len(boxes) == 3
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    above, below = shown(OURS, DIRECT_RUN, goal=0.85)
    above.figure.draw_without_rendering()
    for ax in (above, below):
        boxes = {t.get_text(): t.get_window_extent() for t in ax.texts}
        pairs = combinations(boxes.values(), 2)
        assert not any(one.overlaps(other) for one, other in pairs)
        boxes.pop("paper\n74 %", None)  # stands beside its line, right of the axes
        assert all(box.x1 <= ax.get_window_extent().x1 + 1 for box in boxes.values())
