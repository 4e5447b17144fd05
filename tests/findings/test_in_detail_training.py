"""Training in the same time, as docs/findings_in_detail.md tells it: numbers are those of the CSV files beside it."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats
from told import CNN, DEEP, RESNET, VGG, details, ends, half, percent, points, says, table

says = partial(says, page=details)
ALL = (CNN, *DEEP)
OF_DIRECT = {"arm": "ours", "opponent": "direct", "share": 1.0}


def _held_out(net: str, arm: str, epochs: int, factor: str) -> float:
    return 100 * table("tuning/tuning", net=net, arm=arm, epochs=epochs, factor=factor).accuracy.item()


def test_learning_rates_of_direct_training_in_three_epochs() -> None:
    nets = (("race_vgg16", "direct", "1/3"), ("race_vgg16", "direct4", "1/3"), ("race_cnn", "direct2", "3"))
    says(
        "After three epochs a third of it was better for VGG-16 ({:.1f} %, not {:.1f}; at T = 4 {:.1f}, not {:.1f}), "
        "three times it for the CNN at T = 2 ({:.1f}, not {:.1f})",
        *(_held_out(net, arm, 3, factor) for net, arm, better in nets for factor in (better, "1")),
    )


def test_learning_rates_of_direct_training_at_full_length() -> None:
    full = table("tuning/tuning", net=["race_vgg16", "race_resnet18"], arm=["direct", "direct4", "direct2"], epochs=8)
    assert {*full.factor} == {"1", "1/3"}
    assert {*full.arm[full.net == "race_resnet18"]} == {"direct"}
    by_rate = full.set_index(["net", "arm", "factor"]).accuracy.unstack()
    assert (by_rate["1"] >= by_rate["1/3"]).all()


def test_ours_and_direct_training_in_the_same_time() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"])
    ratio = {
        name: [cost[name][net, "direct"] / cost[name][net, "ours"] for net in ALL]
        for name in ("step_seconds", "step_flop", "image_bytes")
    }
    says("| a step of direct training takes, in steps of ours |" + " {:.1f} |" * 3, *ratio["step_seconds"])
    pairs = [x for pair in zip(ratio["step_flop"], ratio["image_bytes"], strict=True) for x in pair]
    says("| multiplications; memory for each image, likewise |" + " {:.1f}; {:.1f} |" * 3, *pairs)
    for words, arm, share in (
        ("points over direct training after as many epochs", "ours", 1.0),
        ("after as long (81, 101 and 102 % of its time)", "equal_time", 1.0),
        ("at half of that time, both in mid-cycle", "equal_time", 0.5),
    ):
        like = {"arm": arm, "opponent": "direct", "share": share}
        cells = [part("fig3_contrasts", network=net, **like) for net in ALL for part in (points, half)]
        says(f"| {words} |" + " {:+.1f} ± {:.1f} |" * 3, *cells)


def _seconds(net: str, arm: str, benchmark: float) -> tuple[np.ndarray, np.ndarray]:
    """Until the test at which a benchmark is reached, and until the one before, by training seed."""
    rows = table("fig4_time_to_accuracy", network=net, arm=arm, reached=True)
    rows = rows[np.isclose(rows.benchmark, benchmark)].sort_values("seed")
    assert len(rows) == 3
    return rows.seconds.to_numpy(), rows.seconds_before.to_numpy()


def _saved(net: str, opponent: str, benchmark: float) -> list[float]:
    """Percent of the opponent's time: by the geometric mean of the ratio, and the ends of its interval.

    A benchmark was reached between two tests: the lower end is of ours at the second, the opponent at the first.
    """
    (ours, ours_before), (other, other_before) = (_seconds(net, arm, benchmark) for arm in ("ours", opponent))
    logs = [np.log(ratio) for ratio in (ours / other, ours / other_before, ours_before / other)]
    n = len(ours)
    wide = [stats.t.ppf(0.975, n - 1) * ratio.std(ddof=1) / np.sqrt(n) for ratio in logs[1:]]
    ends_ = (ratio.mean() + sign * by for ratio, sign, by in zip(logs[1:], (1, -1), wide, strict=True))
    found = [logs[0].mean(), *ends_]
    return [100 * (1 - np.exp(log)) for log in found]


def test_the_benchmarks_are_those_chosen() -> None:
    chosen = table("fig4_time_to_accuracy", chosen=True).groupby("network").benchmark.unique()
    assert {net: found.item() for net, found in chosen.items()} == {CNN: 0.9, VGG: 0.5, RESNET: 0.45}


def test_time_saved() -> None:
    says(
        "| time saved until the benchmark is reached | {:.0f} % [{:.0f}, {:.0f}], to 90 %; {:.0f} % [{:.0f}, {:.0f}], "
        "to 92 % | {:.0f} % [{:.0f}, {:.0f}], to 50 % | {:.0f} % [{:.0f}, {:.0f}], to 45 % |",
        *_saved(CNN, "direct", 0.9), *_saved(CNN, "direct", 0.92), *_saved(VGG, "direct", 0.5),
        *_saved(RESNET, "direct", 0.45),
    )  # fmt: skip


def test_how_long_as_long_is() -> None:
    like = {"arm": "equal_time", "opponent": "direct", "share": 1.0}
    took = [100 * table("fig3_contrasts", network=net, **like).time_share.mean() for net in ALL]
    says("after as long ({:.0f}, {:.0f} and {:.0f} % of its time)", *took)


def _last(net: str, arm: str) -> float:
    """Percent after the last epoch."""
    rows = table("fig3_training_speed", network=net, arm=arm)
    return 100 * rows.sort_values("epoch").groupby("seed").accuracy.last().mean()


def test_accuracy_after_the_last_epoch() -> None:
    for words, arms in (
        ("accuracy of ours in percent after as many epochs; after as long", ("ours", "equal_time")),
        ("of direct training at T = 10; at T = 4", ("direct", "direct4")),
    ):
        says(f"| {words} |" + " {:.1f}; {:.1f} |" * 3, *(_last(net, arm) for net in ALL for arm in arms))
    total = table("fig4_time_to_accuracy").groupby(["network", "arm"]).total_seconds.mean()
    share = ends(100 * total[net, "relu"] / total[net, "direct"] for net in ALL)
    says("| of ReLU, potentials, in {:.0f} to {:.0f} % of the time |" + " {:.1f} |" * 3, *share, *(
        _last(net, "relu") for net in ALL
    ))  # fmt: skip


def test_when_the_benchmark_is_reached() -> None:
    first = table("fig4_time_to_accuracy", chosen=True, arm=["ours", "direct"])
    ours, direct = first[first.arm == "ours"], first[first.arm == "direct"]
    assert (ours.epoch >= ours.total_epochs / 2).all()
    deep = [rows.epoch[rows.network.isin(DEEP)] for rows in (direct, ours)]
    says(
        "direct training reaches the benchmark in epoch {:.0f} or {:.0f} of 8, ours in {:.0f} to {:.0f}.",
        *ends(deep[0]), *ends(deep[1]),
    )  # fmt: skip
    assert {*direct.total_epochs[direct.network.isin(DEEP)]} == {8}


def test_nets_were_tested_once_an_epoch() -> None:
    tested = table("fig3_training_speed", arm=["ours", "direct"]).sort_values("epoch")
    apart = tested.groupby("run").epoch.diff().groupby(tested.network).agg(lambda epochs: {*epochs.dropna()})
    assert dict(apart) == {CNN: {0.5}, VGG: {1}, RESNET: {1}}


def test_the_length_of_the_cycle() -> None:
    direct, ours = _held_out("race_cnn", "direct", 3, "1"), _held_out("race_cnn", "equal_time", 20, "1")
    says("of the CNN had {:.1f} % of held-out images, in twenty, about as long, ours had {:.1f}", direct, ours)
    step = table("fig4_training_cost", network=CNN).set_index("arm").step_seconds
    assert 20 * step["ours"] < 3 * step["direct"]


def test_direct_training_at_four_steps() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct4"]).set_index(["network", "arm"]).step_seconds.unstack()
    says("**Direct training at T = 4** costs {:.1f} to {:.1f} of our steps", *ends(cost.direct4 / cost.ours))
    says(
        "against it the CNN saves {:.0f} % [{:.0f}, {:.0f}] to the benchmark, VGG-16 {:.0f} [{:.0f}, {:.0f}] and "
        "ResNet-18 {:.0f} [{:.0f}, {:.0f}]",
        *_saved(CNN, "direct4", 0.9), *_saved(VGG, "direct4", 0.5), *_saved(RESNET, "direct4", 0.45),
    )  # fmt: skip


def _after_as_many_epochs(opponent: str, sign: int) -> list[float]:
    parts = []
    for net in ALL:
        like = {"network": net, "arm": "ours", "opponent": opponent, "share": 1.0}
        parts += [sign * points("fig3_contrasts", **like), half("fig3_contrasts", **like)]
    return parts


def test_direct_training_at_fewer_steps_after_as_many_epochs() -> None:
    tested = table("fig3_training_speed", network=RESNET, arm="direct4").sort_values("epoch")
    by_seed = 100 * tested.groupby("seed").accuracy.last()
    says(
        "it is, run for four steps, {:.1f} ± {:.1f}, {:.1f} ± {:.1f} and {:.1f} ± {:.1f} points ahead of ours at "
        "T = 10 (ResNet-18's three seeds have {:.1f}, {:.1f} and {:.1f} %); trained and run "
        "at T = 2 it is {:.1f} ± {:.1f}, {:.1f} ± {:.1f} and {:.1f} ± {:.1f} behind",
        *_after_as_many_epochs("direct4", -1), *by_seed, *_after_as_many_epochs("direct2", 1),
    )  # fmt: skip


def test_two_epochs_of_direct_training_on_top() -> None:
    before = percent("fig5_alpha", network=CNN, alpha=4, timesteps=4)
    assert {*table("fig3_training_speed", arm="tuned").timesteps} == {4}
    says("with the CNN: {:.1f} % at T = 4, where ours has {:.1f} before them", _last(CNN, "tuned"), before)


def test_memory() -> None:
    cost = table("fig4_training_cost", arm=["ours", "direct"]).set_index(["network", "arm"])
    batch, peak = (cost[name].unstack() for name in ("largest_batch", "peak_bytes"))
    assert {*cost.memory_limit_bytes} == {8 * 2**30}
    assert {*cost.batch_size} == {100}
    says("ours fits batches {:.1f} to {:.1f} times as large", *ends(batch.ours / batch.direct))
    (tape,) = {*table("fig4_training_cost", arm="ours").tape_bytes}
    says(
        "For batches of 100 direct training takes in all {:.1f} to {:.1f} times the memory: of our {:.0f} to {:.0f} "
        "MiB {:.0f} are the tape", *ends(peak.direct / peak.ours), *ends(peak.ours / 2**20), tape / 2**20,
    )  # fmt: skip
