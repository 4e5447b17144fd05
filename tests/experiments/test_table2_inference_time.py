"""Table 2: the paper's rows, and what is computed from measured curves, against hand-made tables and closed forms."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from reproduce.experiments.outputs import Outputs
from reproduce.experiments.paper import TABLE2, TABLE2_OURS
from reproduce.experiments.style import png
from reproduce.experiments.table2_inference_time import plot as picture
from reproduce.experiments.table2_inference_time import speedup as steps
from reproduce.experiments.table2_inference_time import table as table2
from reproduce.experiments.table2_inference_time import text
from reproduce.experiments.table2_inference_time import wall_time as inference_time
from reproduce.experiments.table2_inference_time.names import conversion_title
from reproduce.experiments.table2_inference_time.wall_time import with_times
from reproduce.runs import preset, preset_found
from reproduce.runs import run as runs
from reproduce.runs.evaluations import AnnConversion, AsTrained
from reproduce.runs.preset import Preset
from reproduce.runs.provenance import provenance
from reproduce.runs.results import accuracy
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.baselines.ann_to_snn import to_spiking
from snnlib.checks import InputError
from snnlib.data.sets import Dataset
from snnlib.simulation import CHUNK
from snnlib.training import measure
from snnlib.training.evaluation import accuracy_over_time, calibration_images, predict

# The paper's text, copied.
PAPER = """
(Wu et al., 2019)	Spike-based BP	12	-	-	90.53%
(Rathi & Roy, 2021)	Spike-based BP	10	-	-	93.44%
(Cheng et al.)	Spike-based BP	20	99.50%	92.07%	93.5%
(Severa et al., 2019)	Spike-based BP	1	99.53%	-	84.67%
(Sengupta et al., 2019)	ANN-SNN	2500	-	-	91.46%
(Han et al., 2020)	ANN-SNN	2048	-	-	91.36%
(Diehl et al., 2015)	ANN-SNN	2500	-	-	91.89%
(Lee et al., 2020)	ANN-SNN	50/100	99.59%	-	90.95%
(Stöckl & Maass, 2021)	Hybrid	500	-	-	92.42%
(Rathi et al., 2020)	Hybrid	200	-	-	92.02%
Ours	Hybrid	5	99.61%	93.89%	91.82%
Ours	Hybrid	10	99.64%	94.07%	92.07%
"""

# --- the paper's rows ------------------------------------------------------------------------


def test_the_papers_rows_are_as_printed() -> None:
    assert ["\t".join(row) for row in TABLE2] == PAPER.strip().splitlines()
    assert TABLE2_OURS == {
        "mnist": {5: 99.61, 10: 99.64}, "fashion_mnist": {5: 93.89, 10: 94.07}, "cifar10": {5: 91.82, 10: 92.07}
    }  # fmt: skip


def test_each_printed_accuracy_is_a_row_with_its_own_time() -> None:
    rows = table2.printed_rows()
    assert sorted(rows.accuracy_mean) == sorted(float(c.rstrip("%")) for c in PAPER.split() if c.endswith("%"))
    lee = rows[rows.author.str.contains("Lee")].set_index("dataset")
    assert lee.timesteps.to_dict() == {"mnist": 50, "cifar10": 100}
    assert set(lee.inference_time) == {"50/100"}


# --- measured curves: closed forms -----------------------------------------------------------

LAST = 40


def line(method: str, variant: str, accuracy: Any, last: int = LAST, **fields: Any) -> pd.DataFrame:
    """Two seeds 0.01 around ``accuracy(t)``, each with two noise seeds 0.002 around its own."""
    training = {"ours": "single_step", "direct": "lif10", "qcfs": "qcfs8"}.get(method, "relu")
    rows = [
        {"run": f"{method}{s}", "dataset": "mnist", "network": "cnn", "width": 0.5,
         "augment": "none", "readout": "potential",
         "training": training, "noise": "none", "seed": s, "method": method, "variant": variant, "noise_seed": n,
         "timesteps": t, "accuracy": accuracy(t) + 0.01 * (2 * s - 1) + 0.002 * (2 * n - 1), **fields}
        for s, n, t in product((0, 1), (0, 1), range(1, last + 1))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def dips(t: int) -> float:
    """0.86 from T = 3 on, with one dip at T = 6."""
    return 0.5 if t < 3 or t == 6 else 0.86


@pytest.fixture
def curves() -> pd.DataFrame:
    return pd.concat([
        line("ours", "gaussian noise, alpha 4", lambda t: 0.80 + 0.006 * min(t, 10), last=10),
        line("ann", "ReLU", lambda t: 0.90, last=1),
        line("conversion", "slow", lambda t: 0.90 - 0.4 / t),
        line("conversion", "slower", lambda t: 0.90 - 0.8 / t),
        line("conversion", "poor", lambda t: 0.7),
        line("ann", "QCFS, L = 8", lambda t: 0.87, last=1, training="qcfs8"),
        line("qcfs", "L = 8, V(0) = 1/2", dips),
        line("direct", "at T = 10", lambda t: 0.8, last=10, width=0.25),
    ], ignore_index=True)  # fmt: skip


def test_spread_is_over_training_seeds(curves: pd.DataFrame) -> None:
    found = table2.by_line(curves).query("variant == 'slow' and timesteps == 8").iloc[0]
    assert found.accuracy_mean == pytest.approx(85)
    assert found.accuracy_sd == pytest.approx(math.sqrt(2))
    assert (found.seeds, found.runs) == (2, "conversion0 conversion1")


def test_steps_that_a_conversion_needs(curves: pd.DataFrame) -> None:
    found = steps.speedup(curves).set_index(["our_timesteps", "variant", "seed"])
    # Ours: 83 and 86 %. 90 - 40 / T >= 82.5 from T = 5.33 on, >= 85.5 from 8.89 on; twice that for "slower". A seed is
    # a point below or above on both sides.
    for (ours, variant), needed in {(5, "slow"): 6, (10, "slow"): 9, (5, "slower"): 11, (10, "slower"): 18}.items():
        for seed in (0, 1):
            row = found.loc[(ours, variant, seed)]
            assert (row.steps_needed, row.steps_to_stay, row.reached) == (needed, needed, True)
            assert row.step_factor == pytest.approx(needed / ours)
            assert row.ann_accuracy == pytest.approx(89 + 2 * seed)
            assert row.our_accuracy == pytest.approx({5: 83, 10: 86}[ours] + 2 * seed - 1)
            assert (row.run, row.other_run) == (f"ours{seed}", f"conversion{seed}")
    poor = found.loc[(5, "poor", 0)]
    assert poor[["steps_needed", "steps_to_stay"]].isna().all()
    assert (poor.reached, poor.last_timesteps, poor.step_factor) == (False, LAST, LAST / 5)  # a lower bound
    qcfs = found.loc[(10, "L = 8, V(0) = 1/2", 1)]
    assert (qcfs.steps_needed, qcfs.steps_to_stay) == (3, 7)  # the dip
    assert qcfs.ann_accuracy == pytest.approx(88)


def test_ours_may_be_at_another_t_and_as_near_as_one_likes(curves: pd.DataFrame) -> None:
    """80 + 0.6 T % are 81.8 at T = 3; 90 - 40 / T is at least 5 points less, 76.8, from T = 3.03 on."""
    found = steps.speedup(curves, [3], within=5).set_index(["variant", "seed"])
    assert set(found.our_timesteps) == {3}
    assert set(found.within_points) == {5}
    assert found.loc[("slow", 0)].steps_needed == 4
    kept = steps.thinned(curves, found.reset_index())
    assert steps.speedup(kept, [3], within=5).steps_needed.tolist() == found.steps_needed.tolist()
    assert list(table2.table2(curves, [3]).query("method == 'ours'").timesteps) == [1, 2, 3, 4, 8, 10]


def test_each_seed_has_its_own_steps(curves: pd.DataFrame) -> None:
    """Seed 1 of the conversion a point lower: 90 - 40 / T >= 83.5 from T = 6.2 on."""
    lower = curves.assign(accuracy=curves.accuracy - 0.01 * ((curves.variant == "slow") & (curves.seed == 1)))
    found = steps.speedup(lower).query("variant == 'slow' and our_timesteps == 5").set_index("seed")
    assert found.steps_needed.to_dict() == {0: 6, 1: 7}


def test_whose_conversion_it_is() -> None:
    kinds = {
        ("conversion", "max-norm, V(0) = 0"): ("references", "Diehl et al. 2015"),
        ("conversion", "99.9 %, V(0) = 0"): ("references", "Rueckauer et al. 2017"),
        ("conversion", "max-norm, V(0) = 1/2"): ("half threshold", "Deng & Gu 2021"),
        ("conversion", "99 %, V(0) = 1/2"): ("half threshold", "Deng & Gu 2021"),
        ("qcfs", "L = 4, V(0) = 1/2"): ("qcfs", "Bu et al. 2022"),
    }
    for (method, variant), (kind, whose) in kinds.items():
        assert steps.opponent_kind(method, variant) == kind
        assert conversion_title(method, variant).endswith(f"to IF, {variant} ({whose})")


def test_the_order_of_rows_is_nothing(curves: pd.DataFrame) -> None:
    by = ["our_timesteps", "variant", "seed"]
    found, shuffled = (steps.speedup(c).sort_values(by) for c in (curves, curves.sample(frac=1, random_state=0)))
    columns = ["steps_needed", "steps_to_stay", "step_factor", "reached"]
    assert shuffled[columns].reset_index(drop=True).equals(found[columns].reset_index(drop=True))


@pytest.mark.parametrize("correct", [707, 734, 771, 850])
def test_half_a_point_below_ours_is_reached(correct: int) -> None:
    """Five images of 1,000 fewer are, six are not, whatever binary rounding makes of the difference."""
    one = pd.concat([
        line("ours", "o", lambda t: 0, last=10).assign(accuracy=correct / 1000),
        line("ann", "ReLU", lambda t: 0.9, last=1),
        line("conversion", "c", lambda t: 0).assign(accuracy=lambda c: (correct - 5 - (c.timesteps < 4)) / 1000),
    ])  # fmt: skip
    assert steps.speedup(one).steps_needed.tolist() == [4] * 4


def test_the_table_holds_powers_of_two_and_the_papers_two(curves: pd.DataFrame) -> None:
    found = table2.table2(curves)
    assert list(found.columns) == table2.COLUMNS
    assert list(found[found.variant == "slow"].timesteps) == [1, 2, 4, 5, 8, 10, 16, 32, LAST]
    assert list(found[found.method == "ours"].timesteps) == [1, 2, 4, 5, 8, 10]
    assert (found.source == "paper").sum() == len(table2.printed_rows())
    assert (found.runs.isna() == (found.source == "paper")).all()
    shown = found.query("variant == 'slow' and timesteps == 16").iloc[0]
    assert (shown.accuracy_mean, shown.seeds) == (pytest.approx(87.5), 2)


def test_the_pictures_table_keeps_every_step_that_the_factors_name(curves: pd.DataFrame) -> None:
    found = steps.speedup(curves)
    assert set(steps.thinned(curves, found).timesteps) == {*range(1, 17), 18, 32, LAST}
    assert steps.speedup(steps.thinned(curves, found)).steps_needed.equals(found.steps_needed)


# --- runs: which are needed, what they are called --------------------------------------------

SPEC = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16}
RECIPE = {"epochs": 1, "batch_size": 32, "lr": 3e-3, "schedule": "constant"}
KINDS = {
    "ours": {},
    "relu": {"readout": "potential", "dynamics": {"kind": "relu"}},
    "qcfs": {"readout": "potential", "dynamics": {"kind": "qcfs", "levels": 4}},
    "direct": {"dynamics": {"kind": "lif"}, "timesteps": 2},
    "tuned": {"dynamics": {"kind": "lif"}, "timesteps": 2, "after": {**SPEC, "recipe": RECIPE}},
    "no_noise": {"dynamics": {"kind": "single_step", "noise": {"kind": "gaussian", "high": 0}}},
}


def made(*kinds: str, timesteps: int = 10, more: tuple[str, ...] = ()) -> Preset:
    """A preset of a net with these arms, and of a wider one with ``more``."""
    nets = {"net": (kinds, {}), "wider": (more, {"width": 0.125})}
    return Preset(
        name="made", description="d", evaluation={"timesteps": timesteps, "noise_seeds": (0, 1)}, benchmark={},
        ann_timesteps=70,
        notebooks={table2.NOTEBOOK: {
            net: {arm: [{**SPEC, "recipe": RECIPE, **KINDS[arm], **fields}] for arm in arms}
            for net, (arms, fields) in nets.items() if arms
        }},
    )  # fmt: skip


@pytest.mark.parametrize("name", preset_found.preset_names())
def test_every_preset_has_the_runs(name: str) -> None:
    assert table2.compared(preset.load_preset(name))


@pytest.mark.parametrize(
    ("p", "words"),
    [
        (made("relu", "qcfs"), ["preset made", "net net: has no arm ours; must have ours"]),
        (made("ours", "qcfs", "direct"), ["net net: has no arm relu; must have ours, relu and qcfs"]),
        (made("ours", "relu"), ["net net: has no arm qcfs; must have ours, relu and qcfs"]),
        (made("ours", "direct"), ["net net: has no arm relu and qcfs"]),
        (made("ours", "relu", "qcfs", timesteps=9), ["evaluation.timesteps = 9", "at least 10"]),
        (
            made("ours", "relu", "qcfs", "no_noise"),
            ["net net, arm = 'no_noise'", "must be one of ours, potential"],
        ),
    ],
)
def test_a_preset_that_lacks_a_run_is_refused_before_any_work(p: Preset, words: list[str]) -> None:
    with pytest.raises(InputError) as error:
        table2.accuracy_by_method(p)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("more", [("ours",), ("ours", "direct")])
def test_ours_may_stand_alone_or_beside_direct_training_at_another_width(more: tuple[str, ...]) -> None:
    found = table2.compared(made("ours", "relu", "qcfs", more=more))
    assert {net: tuple(arms) for net, arms in found.items()} == {"net": ("ours", "relu", "qcfs"), "wider": more}
    with pytest.raises(InputError, match="net wider: has no arm qcfs"):
        table2.compared(made("ours", "relu", "qcfs", more=(*more, "relu")))
    with pytest.raises(InputError, match="net wider: has no arm relu and qcfs"):
        table2.compared(made(more=more))  # nothing to compare with at all
    with pytest.raises(InputError, match="net wider: has no arm ours"):
        table2.compared(made("ours", "relu", "qcfs", more=("direct",)))


def test_a_pair_at_another_width_is_in_table_and_picture_but_not_among_the_factors(curves: pd.DataFrame) -> None:
    narrow = line("ours", "gaussian noise, alpha 4", lambda t: 0.7, last=10, width=0.25)
    table = pd.concat([narrow, curves], ignore_index=True)
    assert set(steps.speedup(table).width) == {0.5}
    assert "width 0.25" in text.table2_markdown(table2.table2(table))
    (ax,) = picture.methods_vs_timesteps(table).axes
    assert ax.get_title() == "MNIST\nCNN, width 0.5"
    assert "ours, readout potential, width 0.25" in [artist.get_label() for artist in ax.get_lines()]


def test_bars_that_would_cross_the_panel_are_left_out(curves: pd.DataFrame) -> None:
    wild = curves.assign(accuracy=curves.accuracy.where((curves.variant != "slow") | (curves.seed == 0), 0.3))
    (ax,) = picture.methods_vs_timesteps(wild).axes
    low, high = ax.get_ylim()
    bars = [segment for bars in ax.collections for segment in bars.get_segments() if len(segment) == 2]
    assert bars
    assert max(abs(a[1] - b[1]) for a, b in bars) < (high - low) / 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, small: Dataset) -> Iterator[Preset]:
    """All five kinds of run on the small set, trained for one epoch when they are asked for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNNLIB_RUNS", str(tmp_path_factory.mktemp("runs")))
        patch.setattr(runs, "load_dataset", lambda *_, **__: small)
        yield made(*(arm for arm in KINDS if arm in table2.METHODS))


def test_a_conversion_that_is_tested_on_the_first_images_stands_beside_nets_that_are_tested_on_all(
    trained: Preset, small: Dataset
) -> None:
    """The ANN's accuracy on all images, plus what conversion changed on the first ones; by hand from predictions."""
    few = 30
    (run,) = [r for r in trained.runs(table2.NOTEBOOK) if r.spec.dynamics.kind == "relu"]
    whole, part = (AnnConversion(timesteps=8, tested=tested) for tested in (None, few))
    run = ensure(run.spec)
    ann, model = run.model(), part.network(run)
    right = predict(ann, small, 1).right[0, 0].numpy()
    spiking = predict(model, small, 8).right[0].numpy()  # [T, N]
    expected = right.mean() + spiking[:, :few].mean(1) - right[:few].mean()
    np.testing.assert_allclose(table2.on_all_images(run, part).accuracy, expected.clip(0, 1))
    np.testing.assert_allclose(table2.on_all_images(run, whole).accuracy, spiking.mean(1))


def test_curves_are_the_accuracies_of_each_net_under_its_name(trained: Preset, small: Dataset) -> None:
    found = table2.accuracy_by_method(trained)
    lasts = found.groupby(["method", "variant"], sort=False).timesteps.max().to_dict()
    assert {name: last for name, last in lasts.items() if name[0] not in ("conversion", "qcfs")} == {
        ("ours", "gaussian noise, alpha 4"): 10,
        ("ann", "ReLU"): 1,
        ("ann", "QCFS, L = 4"): 1,
        ("direct", "at T = 2"): 10,
        ("tuned", "at T = 2"): 10,
    }
    named = [(m, variant) for m, variant in lasts if m in ("conversion", "qcfs")]
    assert named == [
        *(("conversion", f"{p}, V(0) = {v}") for p in ("max-norm", "99.9 %") for v in ("0", "1/2")),
        ("conversion", "99 %, V(0) = 1/2"), ("qcfs", "L = 4, V(0) = 1/2"),
    ]  # fmt: skip
    assert {lasts[variant] for variant in named} <= {64, 70}
    (run,) = table2.compared(trained)["net"]["relu"]
    snn = to_spiking(run.model(), calibration_images(small, 500), percentile=99.9, v_init=0.5)
    expected = accuracy_over_time(snn, small, lasts["conversion", "99.9 %, V(0) = 1/2"]).accuracy
    shown = found[found.variant == "99.9 %, V(0) = 1/2"]
    assert np.array_equal(shown.accuracy, expected)
    assert set(shown.run) == {run.spec.name}


def test_a_conversion_goes_on_until_it_is_as_accurate_as_ours(trained: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stage that comes within half a point in each seed and in their mean, at T = 5 and 10; else the last."""
    asked: list[int] = []
    ends = {64: [0.70, 0.80], 256: [0.755, 0.795], 1001: [0.80, 0.80]}  # accuracy at the end of each, by seed

    def stored(seed: int, evaluation: Any) -> pd.DataFrame:
        asked.append(evaluation.timesteps)
        return pd.DataFrame({"timesteps": [1, 2], "accuracy": [0.1, ends[evaluation.timesteps][seed]]})

    monkeypatch.setattr(table2, "accuracy", stored)
    first, stages = AnnConversion(timesteps=64), (64, 256, 1001)
    for ours, last in (([0.705, 0.805], 64), ([0.76, 0.80], 256), ([0.761, 0.80], 1001), ([0.9, 0.9], 1001)):
        asked.clear()
        target = np.append(ours, np.mean(ours)) - 0.005 - 1e-9
        assert table2._long_enough([0, 1], first, stages, target) == first.changed(timesteps=last)
        assert set(asked) == set(stages[: stages.index(last) + 1])
    # In the mean alone it is not enough, nor in each seed at a T of its own.
    assert table2._long_enough([0, 1], first, (64, 256), np.array([0.70, 0.82, 0.75])).timesteps == 256
    assert table2._long_enough([0, 1], first, (64, 256), np.array([0.70, 0.80, 0.76])).timesteps == 256


def test_what_a_conversion_is_to_come_to_is_ours_at_its_best(trained: Preset) -> None:
    arms = table2.compared(trained)["net"]
    (run,) = arms["ours"]
    at = accuracy(run, trained.evaluation).groupby("timesteps").accuracy.mean()
    expected = max(at[5], at[10]) - 0.005
    assert table2._target(trained, arms, [5, 10], within=0.5) == pytest.approx([expected, expected])
    assert table2._target(trained, arms, [3], within=2) == pytest.approx([at[3] - 0.02] * 2)


def test_contrasts_are_those_of_the_stored_accuracies(trained: Preset) -> None:
    arms = table2.compared(trained)["net"]
    (ours,), (relu,) = arms["ours"], arms["relu"]
    at = accuracy(ours, trained.evaluation).groupby("timesteps").accuracy.mean() * 100
    ann = 100 * accuracy(relu, AsTrained(timesteps=1, noise_seeds=(0,))).accuracy.iloc[0]
    over = table2.over_relu(trained).set_index("timesteps")
    for t in (5, 10):
        assert over.points[t] == pytest.approx(at[t] - ann)
        assert (over.run[t], over.other_run[t]) == (ours.spec.name, relu.spec.name)


# --- wall time, on a clock that the nets themselves advance -----------------------------------


def test_wall_time_is_that_of_both_sides(trained: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of ours takes 3 s and one of an opponent 1 s, whatever the batch; each call 2 s more. No net is done."""
    clock = {"now": 0.0}
    asked = []

    def simulate(net: Any, images: torch.Tensor, generator: Any, t: int, precision: str) -> list:
        assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())  # on both sides
        kind = net.first.dynamics.kind
        asked.append((kind, t))
        clock["now"] += 2 + t * (3 if kind == "converted" else 1)
        return [(0, torch.zeros(t, len(images), 10))]

    monkeypatch.setattr(inference_time, "simulate", simulate)
    monkeypatch.setattr(measure.time, "process_time", lambda: clock["now"])
    arms = table2.compared(trained)["net"]
    ours, relu, qcfs = (arms[arm][0].spec.name for arm in ("ours", "relu", "qcfs"))
    net = {"dataset": "fashion_mnist_mini", "network": "cnn", "width": 1 / 16, "augment": "none"}
    common = {**net, "seed": 0, "run": ours}
    monkeypatch.setattr(Run, "done", False)
    found = pd.DataFrame([
        {**common, "our_timesteps": 5, "other_run": relu, "steps_needed": 12, "last_timesteps": 64},
        {**common, "our_timesteps": 10, "other_run": relu, "steps_needed": 40, "last_timesteps": 64},
        {**common, "our_timesteps": 10, "other_run": qcfs, "steps_needed": None, "last_timesteps": 1001},
    ]).astype({"steps_needed": "Int64"})  # fmt: skip
    timed = with_times(found, trained)
    assert set(timed.device) == {provenance(torch.device("cpu"))["device"]}
    piece = (2 + CHUNK) / CHUNK / 32
    assert list(timed.time_factor) == pytest.approx([14 / 17, 40 * piece, 1001 * piece])  # the last one at least
    assert list(timed.our_seconds) == pytest.approx([0.17, 0.32, 0.32])  # 100 images
    assert timed.opponent_seconds[2] == pytest.approx((2 + CHUNK) * 1001 / CHUNK / 100)
    assert set(asked) == {("converted", 5), ("converted", 10), ("if", 12), ("if", CHUNK)}
    order = asked[: len(set(asked)) + 1]  # pieces of both opponents
    assert asked == order * (inference_time.ROUNDS + 1)  # side by side in every round


# --- what a reader sees ----------------------------------------------------------------------


@pytest.fixture
def timed(curves: pd.DataFrame) -> pd.DataFrame:
    found = steps.speedup(curves)
    return found.assign(time_factor=found.step_factor / 2)


def test_markdown_has_the_papers_rows_as_printed_and_ours_as_measured(curves: pd.DataFrame) -> None:
    shown = text.table2_markdown(table2.table2(curves))
    cells = [[c.strip() for c in row.split("|")[1:-1]] for row in shown.splitlines() if row.startswith("|")]
    assert [tuple(row) for row in cells[2 : 2 + len(TABLE2)]] == list(TABLE2)
    head = next(row for row in cells if "T = 32" in row)
    slow = dict(zip(head, next(row for row in cells if "slow" in row), strict=True))
    assert (slow["T = 8"], slow["T = 10"], slow["ANN"]) == ("85.00 ± 1.41", "86.00 ± 1.41", "90.00 ± 1.41")
    ours = dict(zip(head, next(row for row in cells if "gaussian noise, alpha 4" in row), strict=True))
    assert (ours["T = 5"], ours["T = 16"], ours["ANN"]) == ("83.00 ± 1.41", "", "")


def test_factors_for_readers(timed: pd.DataFrame) -> None:
    rows = [[c.strip() for c in r.split("|")[1:-1]] for r in text.speedup_markdown(timed).splitlines() if "T = 5" in r]
    slow, slower, poor, qcfs = rows
    assert slow[2:] == ["**ReLU to IF, slow**", "90.00", "2", "6 to 6", "6", "1.2×", "0.6×"]
    assert slower[2] == "ReLU to IF, slower"
    assert poor[5:] == [f"> {LAST} to > {LAST}", f"> {LAST}", "> 8×", "> 4×"]
    assert qcfs[2] == "**QCFS to IF, L = 8, V(0) = 1/2 (Bu et al. 2022)**"
    assert qcfs[5:7] == ["3 to 3", "7"]


def test_a_seed_that_never_gets_there_is_told(curves: pd.DataFrame) -> None:
    lower = curves.assign(accuracy=curves.accuracy - 0.1 * ((curves.variant == "slow") & (curves.seed == 1)))
    found = steps.speedup(lower).assign(time_factor=1.0)
    row = next(r for r in text.speedup_markdown(found).splitlines() if "slow" in r and "T = 5" in r)
    assert f"6 to > {LAST}" in row
    assert "1.2 and > 8×" in row  # 6 / 5 and 40 / 5


def test_the_papers_own_factors() -> None:
    # 50 / 10, 2500 / 5; over 100: 2500, 2500 and 2048 against 5 and 10.
    assert "5 to 500 times the steps of ours, over 100 times in 6 of 10 pairs" in text.printed_factors()


def test_files_keep_what_is_written(curves: pd.DataFrame, timed: pd.DataFrame, tmp_path: Path) -> None:
    rows = table2.table2(curves)
    out = Outputs(tmp_path)
    out.write_table(rows, "table2_inference_time", text.table2_markdown(rows))
    out.write_table(timed, "table2_speedup", text.speedup_markdown(timed))
    assert pd.read_csv(tmp_path / "table2_inference_time.csv").accuracy_mean.tolist() == rows.accuracy_mean.tolist()
    assert (tmp_path / "table2_inference_time.md").read_text() == text.table2_markdown(rows)
    back = pd.read_csv(tmp_path / "table2_speedup.csv")
    assert back.steps_needed.isna().sum() == 4
    assert (tmp_path / "table2_speedup.md").read_text() == text.speedup_markdown(timed)


def test_the_picture_shows_every_line_on_a_log_axis(curves: pd.DataFrame) -> None:
    fig = picture.methods_vs_timesteps(curves)
    (ax,) = fig.axes
    assert ax.get_xscale() == "log"
    lines = {artist.get_label(): artist for artist in ax.get_lines()}
    slow = lines["ReLU to IF, slow"]
    assert np.allclose(slow.get_ydata(), 90 - 40 / np.arange(1, LAST + 1))
    assert list(lines["paper, Table 2: ours"].get_ydata()) == [99.61, 99.64]
    assert list(lines["paper, Table 2: ANN-SNN"].get_xdata()) == [50]
    assert lines["QCFS net before conversion"].get_ydata()[0] == pytest.approx(87)
    assert "direct at T = 10, readout potential, width 0.25" in lines
    assert ax.get_ylim()[0] < 80.6  # ours at T = 1
    assert {t.get_text() for t in fig.legends[0].get_texts()} == {n for n in lines if not n.startswith("_")}


def test_the_picture_has_a_panel_for_each_net(curves: pd.DataFrame) -> None:
    sets = [("mnist", "cnn"), ("fashion_mnist", "cnn"), ("cifar10", "resnet18")]
    table = pd.concat([curves.assign(dataset=d, network=n) for d, n in sets])
    fig = picture.methods_vs_timesteps(table)
    assert [ax.get_title() for ax in fig.axes] == [
        "MNIST\nCNN, width 0.5", "Fashion-MNIST\nCNN, width 0.5", "CIFAR-10\nResNet-18, width 0.5"
    ]  # fmt: skip
    assert png(fig)
