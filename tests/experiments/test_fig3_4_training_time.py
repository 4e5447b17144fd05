"""The race of Figs. 3 and 4: that it is fair, and its tables against hand-made runs and a fine grid of times."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from snnlib.checks import InputError
from snnlib.experiments import style as common
from snnlib.experiments.fig3_4_training_time import curves as training_time
from snnlib.experiments.fig3_4_training_time import fig3, fig4
from snnlib.experiments.fig3_4_training_time.curves import (
    learning_curves,
    printed_curves,
    savings,
    time_to_benchmark,
    trained_on_several,
    with_step_costs,
)
from snnlib.experiments.fig3_4_training_time.race import NOTEBOOK, raced
from snnlib.runs.preset import Comparison, Preset, load_preset
from snnlib.runs.run import FILES, Run, Spec
from snnlib.store.files import seal, sha256

RECIPE = {"epochs": 4, "batch_size": 50}
DIRECT = {"dynamics": {"kind": "lif"}, "timesteps": 10}


def spec(**fields: Any) -> Spec:
    """One run of the CNN; ``recipe`` holds what differs from `RECIPE`."""
    recipe = {**RECIPE, **fields.pop("recipe", {})}
    return Spec(**{"dataset": "mnist", "network": "cnn", "width": 0.25, "recipe": recipe, **fields})


def tuned(**fields: Any) -> Spec:
    """A short direct training after the method's run."""
    recipe = {"epochs": 1, **fields.pop("recipe", {})}
    return spec(dynamics={"kind": "lif"}, timesteps=4, recipe=recipe, after=spec(**fields), **fields)


def race(ours: Spec | None, direct: Spec | None, *after: Spec, benchmark: str = "cnn") -> list[Comparison]:
    """What is found in a preset with these runs of one net."""
    arms = {"ours": (ours,), "direct": (direct,), "tuned": after}
    arms = {arm: specs for arm, specs in arms.items() if any(specs)}
    runs = {NOTEBOOK: {"net": arms}}
    return raced(Preset(name="p", description="d", evaluation={}, benchmark={benchmark: 0.8}, notebooks=runs))


def curve(arm: str, seconds: list[float], accuracies: list[float], seed: int = 0, **fields: Any) -> pd.DataFrame:
    """A table of `curves` for one run: an evaluation after each epoch of 100 steps, unless it is said otherwise."""
    first = {
        "run": f"{fields.get('network', 'cnn')}-{arm}-{seed}", "dataset": "fashion_mnist", "network": "cnn",
        "width": 1.0, "readout": "spikes", "training": arm, "noise": "none", "seed": seed, "arm": arm,
        "timesteps": 10, "device": "a machine",
    }  # fmt: skip
    epochs = np.arange(1, len(seconds) + 1)
    columns = {"epoch": epochs, "steps": 100 * epochs, "train_seconds": seconds, "accuracy": accuracies}
    return pd.DataFrame({**dict.fromkeys(first, ""), **columns}).assign(**{**first, **fields})


def costs(ours: float = 0.1, direct: float = 0.5, **fields: Any) -> pd.DataFrame:
    """A table of `training_cost` for one pair, with these seconds of a step."""
    row = {
        "dataset": "fashion_mnist", "network": "cnn", "width": 1.0, "batch_size": 50, "device": "a machine",
        "step_seconds_sd": 0.01, "memory_limit_bytes": 8 * 2**30, **fields,
    }  # fmt: skip
    arms = [
        {"arm": "ours", "timesteps": 1, "step_seconds": ours, "peak_bytes": 20 * 2**20, "largest_batch": 9000},
        {"arm": "direct", "timesteps": 10, "step_seconds": direct, "peak_bytes": 160 * 2**20, "largest_batch": 1000},
    ]
    return pd.DataFrame([{**row, **arm} for arm in arms])


OURS = curve("ours", [1, 2, 3], [0.7, 0.85, 0.8])
DIRECT_RUN = curve("direct", [4, 8, 12, 16], [0.75, 0.79, 0.9, 0.95])


# --- who races -------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["smoke", "cpu", "paper"])
def test_the_races_of_every_preset_are_between_the_papers_networks(preset: str) -> None:
    races = raced(load_preset(preset))
    assert [arms["ours"][0].spec.network for arms in races] == ["cnn", "vgg16", "resnet18"]
    assert [list(arms) for arms in races] == [["ours", "direct", "tuned"], ["ours", "direct"], ["ours", "direct"]]


def test_the_full_scale_benchmarks_are_the_papers() -> None:
    p = load_preset("paper")
    assert {n: 100 * a for n, a in p.benchmark.items()} == pytest.approx({"cnn": 92, "vgg16": 88, "resnet18": 90})
    assert dict(zip(printed_curves().network, printed_curves().benchmark, strict=True)) == p.benchmark


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ((spec(), None), "has no arm direct; must have ours and direct"),
        ((None, spec(**DIRECT)), "has no arm ours; must have ours and direct"),
        ((spec(), spec(timesteps=5, dynamics={"kind": "lif"})), "test_timesteps = 10 and timesteps of direct = 5"),
        ((spec(), spec(**DIRECT, recipe={"evaluate_every": 2})), r"evaluate_every = \{'ours': 1, 'direct': 2\}"),
        ((spec(), spec(**DIRECT), tuned(recipe={"evaluate_every": 2})), "'direct': 1, 'tuned': 2"),
    ],
)
def test_an_unfair_race_is_refused_before_training(
    specs: tuple[Spec, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_time, "ensure", None)
    with pytest.raises(InputError, match=words) as error:
        learning_curves(race(*specs))
    assert str(error.value).startswith(f"preset p, notebook {NOTEBOOK}, net net: ")
    assert "\n" not in str(error.value)


def test_a_network_without_benchmark_is_refused() -> None:
    with pytest.raises(InputError, match="net net: benchmark has no accuracy for cnn, only for vgg16"):
        race(spec(), spec(**DIRECT), benchmark="vgg16")


# --- Figure 3 --------------------------------------------------------------------------------


def store(s: Spec, seconds: list[float], accuracies: list[float | None], device: str = "a machine") -> None:
    """A finished run of 1000 images in the run store."""
    run, epochs = Run(s), range(1, len(seconds) + 1)
    run.folder.mkdir(parents=True)
    rates = [1000 / t for t in seconds]
    timing = pd.DataFrame({"epoch": epochs, "seconds": seconds, "images_per_s": rates})
    history = pd.DataFrame({"epoch": epochs, "test_accuracy_t1": 0.1, "test_accuracy": accuracies})
    timing.to_csv(run.folder / "timing.csv", index=False)
    history.to_csv(run.folder / "history.csv", index=False)
    (run.folder / "weights.safetensors").write_text("not read here")
    files = {name: sha256(run.folder / name) for name in FILES}
    about = {"spec": s.model_dump(mode="json"), "files": files, "sittings": [{"device": device}]}
    (run.folder / "metadata.json").write_text(seal(about))


def test_a_curve_has_the_seconds_of_training_up_to_each_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    store(spec(), [1.0, 2.0, 4.0, 8.0], [None, 0.5, None, 0.8])
    store(spec(**DIRECT), [10.0] * 4, [None, 0.6, None, 0.9], "another machine")
    store(tuned(), [3.0], [0.85])
    table = learning_curves(race(spec(), spec(**DIRECT), tuned()))
    assert list(table.columns[:8]) == list(spec().columns())
    shown = table[["arm", "timesteps", "device", "epoch", "steps", "train_seconds", "accuracy"]]
    assert shown.to_numpy().tolist() == [
        ["ours", 10, "a machine", 2, 40, 3.0, 0.5],
        ["ours", 10, "a machine", 4, 80, 15.0, 0.8],
        ["direct", 10, "another machine", 2, 40, 20.0, 0.6],
        ["direct", 10, "another machine", 4, 80, 40.0, 0.9],
        ["tuned", 4, "a machine", 1, 20, 18.0, 0.85],  # 15 s of the run it comes after
    ]


def test_figure_3_draws_a_line_for_each_run_and_the_benchmark() -> None:
    table = pd.concat([OURS, curve("ours", [1, 2], [0.6, 0.7], seed=1), DIRECT_RUN], ignore_index=True)
    (ax,) = fig3.training_speed(table, {"cnn": 0.8}).axes
    lines = [[*map(tuple, line.get_xydata())] for line in ax.get_lines()]
    assert lines[0] == [(1, 70), (2, 85), (3, 80)]
    assert lines[1] == [(1, 60), (2, 70)]
    assert lines[2][-1] == (16, 95)
    assert list(ax.get_lines()[3].get_ydata()) == [80, 80]
    assert [t.get_text() for t in ax.texts] == ["80 %", "75.0±7.1", "95.0"]


# --- Figure 4 --------------------------------------------------------------------------------


def test_the_benchmark_is_reached_at_the_first_evaluation_at_or_above_it() -> None:
    table = pd.concat([OURS, DIRECT_RUN], ignore_index=True)
    times = time_to_benchmark(table, {"cnn": 0.9}).set_index("arm")
    assert list(times.reached) == [False, True]
    assert times.seconds.isna().tolist() == times.epoch.isna().tolist() == [True, False]
    assert times.loc["direct", ["seconds", "epoch", "steps", "benchmark"]].tolist() == [12, 3, 300, 0.9]
    assert times.loc["ours", ["total_seconds", "total_epochs", "final_accuracy"]].tolist() == [3, 3, 0.8]
    # ours is at 0.85 before it falls to 0.8: reached is reached
    assert time_to_benchmark(table, {"cnn": 0.85}).set_index("arm").seconds["ours"] == 2


def test_the_other_clock_is_steps_times_the_cost_of_a_step() -> None:
    runs = [OURS, DIRECT_RUN, curve("tuned", [5], [0.9])]
    times = with_step_costs(time_to_benchmark(pd.concat(runs), {"cnn": 0.9}), costs()).set_index("arm")
    assert times.seconds_by_steps["direct"] == pytest.approx(300 * 0.5)
    assert np.isnan(times.seconds_by_steps["ours"])
    assert times.total_seconds_by_steps["ours"] == pytest.approx(300 * 0.1)
    assert np.isnan(times.total_seconds_by_steps["tuned"])


# Ours reaches 0.7, 0.85 or 0.9 after 1, 2 or never in 3 s, direct training after 4, 12 or 12 of 16 s.
@pytest.mark.parametrize(
    ("goals", "bound", "saving"),
    [
        ((0.7, 0.7), "exact", 1 - 1 / 4),
        ((0.7, 0.85), "exact", 1 - (1 / 4 + 2 / 12) / 2),
        ((0.85, 0.9), "at most", 1 - (2 / 12 + 3 / 12) / 2),
        ((0.9, 0.96), "undecided", None),
    ],
)
def test_a_saving_is_exact_only_where_both_arms_get_there(
    goals: tuple[float, float], bound: str, saving: float | None
) -> None:
    seeds = []
    for seed, goal in enumerate(goals):
        runs = [OURS, DIRECT_RUN, curve("tuned", [1], [0.99])]
        seeds.append(time_to_benchmark(pd.concat(runs), {"cnn": goal}).assign(seed=seed))
    row = savings(pd.concat(seeds, ignore_index=True)).iloc[0]
    assert row.bound == bound
    assert row.seeds == 2
    if saving is not None:
        assert row.saving == pytest.approx(saving)
    assert row.epoch_ratio == pytest.approx(4)  # 4 s an epoch against 1


def test_direct_training_that_never_gets_there_bounds_the_saving_from_below() -> None:
    runs = [OURS, curve("direct", [4, 8], [0.5, 0.6])]
    row = savings(time_to_benchmark(pd.concat(runs), {"cnn": 0.85})).iloc[0]
    assert (row.bound, row.ours_reached, row.direct_reached) == ("at least", 1, 0)
    assert row.saving == pytest.approx(1 - 2 / 8)
    both = [*runs, OURS.assign(seed=1, run="a"), DIRECT_RUN.assign(seed=1, run="b")]
    assert savings(time_to_benchmark(pd.concat(both), {"cnn": 0.85})).bound[0] == "at least"
    opposite = [*runs, curve("ours", [1], [0.1], seed=1), DIRECT_RUN.assign(seed=1, run="b")]
    assert savings(time_to_benchmark(pd.concat(opposite), {"cnn": 0.85})).bound[0] == "undecided"


def test_the_papers_own_seconds_give_its_savings_but_not_its_factors() -> None:
    table = printed_curves().set_index("network")
    assert table.saving_computed["cnn"] == pytest.approx(393 / 528)
    assert (table.saving_computed - table.saving_printed).abs().max() < 0.02
    assert (table.times_faster >= 3).tolist() == [True, True, False]  # "3-5 times faster"


# --- what is shown ---------------------------------------------------------------------------


def shown(*runs: pd.DataFrame, goal: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    table = pd.concat(runs, ignore_index=True)
    return table, with_step_costs(time_to_benchmark(table, {"cnn": goal}), costs())


def test_figure_4_shows_the_papers_bars_and_ours_with_direct_training_as_100() -> None:
    _, times = shown(OURS, DIRECT_RUN, goal=0.85)
    above, below = fig4.time_to_accuracy(times, costs()).axes
    bars = [(bar.get_width(), bar.get_hatch()) for bar in above.patches]
    assert [w for w, _ in bars] == pytest.approx([100, 100 * 135 / 528, 100, 100 * 2 / 12])
    assert [h for _, h in bars] == [None] * 4
    texts = [t.get_text() for t in above.texts]
    assert texts == ["528 s", "135 s, saves\nabout 75 % (printed)", "12 s", "2 s, saves 83 %"]
    (diamond,) = (line for line in above.get_lines() if line.get_marker() == "D")
    assert diamond.get_xdata()[0] == pytest.approx(100 * (200 * 0.1) / (300 * 0.5))
    assert [bar.get_width() for bar in below.patches] == pytest.approx([4, 5, 8, 9])


def test_figure_4_outlines_what_was_never_reached() -> None:
    _, times = shown(OURS, curve("direct", [4, 8], [0.5, 0.6]), goal=0.85)
    above = fig4.time_to_accuracy(times, costs()).axes[0]
    assert [bar.get_hatch() for bar in above.patches] == [None, None, "////", None]
    assert [t.get_text() for t in above.texts][2:] == ["not reached in 8 s", "2 s, saves ≥ 75 %"]
    _, times = shown(OURS, DIRECT_RUN, goal=0.96)
    above = fig4.time_to_accuracy(times, costs()).axes[0]
    assert [t.get_text() for t in above.texts][2:] == ["not reached in 16 s", "not reached in 3 s"]
    assert not [line for line in above.get_lines() if line.get_marker() == "D"]


def test_figures_of_the_full_scale_are_drawn() -> None:
    """Three networks, five seeds, hundreds of evaluations, a tuned arm in one of them."""
    rng = np.random.default_rng(0)
    runs, goals = [], {"cnn": 0.92, "vgg16": 0.88, "resnet18": 0.9}
    for network, seed in ((n, s) for n in goals for s in range(5)):
        fields = {"network": network, "dataset": "fashion_mnist" if network == "cnn" else "cifar10", "seed": seed}
        for arm, speed in (("ours", 1), ("direct", 70)):
            accuracy = 0.95 - 0.5 / np.arange(1, 201) ** 0.7 + 0.005 * rng.standard_normal(200)
            runs.append(curve(arm, list(speed * np.arange(1.0, 201)), list(accuracy), **fields))
        if network == "cnn":
            runs.append(curve("tuned", [210.0], [0.94], **fields))
    table = pd.concat(runs, ignore_index=True)
    nets = table[["dataset", "network"]].drop_duplicates().itertuples(index=False)
    step = pd.concat([costs(dataset=d, network=n) for d, n in nets], ignore_index=True)
    times = with_step_costs(time_to_benchmark(table, goals), step)
    for fig in (fig3.training_speed(table, goals), fig4.time_to_accuracy(times, step)):
        assert len(common.png(fig)) > 10_000
    assert len(fig3.training_speed(table, goals).axes) == 3
    texts = [t.get_text() for ax in fig4.time_to_accuracy(times, step).axes for t in ax.texts]
    assert not [t for t in texts if "e+" in t]
    assert "7,290 s, saves\napproximately 65 % (printed)" in texts
    above = fig4.time_to_accuracy(times, step).axes[:3]
    assert [len(ax.get_yticks()) for ax in above] == [5, 4, 4]  # only the CNN has a tuned arm


def test_no_label_touches_another_or_leaves_the_axis() -> None:
    ends = {"ours": 0.835, "tuned": 0.83, "direct": 0.84}
    table = pd.concat([curve(arm, [1, 2], [0.6, end]) for arm, end in ends.items()], ignore_index=True)
    fig = fig3.training_speed(table, {"cnn": 0.8})
    fig.draw_without_rendering()
    labels = [t for t in fig.axes[0].texts if t.get_text() in ("83.5", "83.0", "84.0")]
    boxes = sorted((t.get_window_extent() for t in labels), key=lambda box: box.y0)
    assert len(boxes) == 3
    assert all(below.y1 <= above.y0 for below, above in pairwise(boxes))
    _, times = shown(OURS, DIRECT_RUN, goal=0.85)
    fig = fig4.time_to_accuracy(times, costs())
    fig.draw_without_rendering()
    ax = fig.axes[0]
    ends = max(t.get_window_extent().x1 for t in ax.texts) - ax.get_window_extent().x0
    assert 0.85 < ends / ax.get_window_extent().width <= 1.0


def test_seconds_of_different_machines_do_not_compare() -> None:
    assert trained_on_several(pd.concat([OURS, DIRECT_RUN])) == ""
    table = pd.concat([OURS, DIRECT_RUN.assign(device="another machine")])
    assert trained_on_several(table) == (
        "Fashion-MNIST, CNN: seconds do not compare, trained on a machine, another machine"
    )
