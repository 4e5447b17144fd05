"""Own beside published: made-up tables whose comparison is known, and the rule against its closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from reproduce.cli.commands import app
from reproduce.experiments import compare
from reproduce.experiments.compare import AGREES, DIFFERS, IDENTICAL, ONLY_OWN, ONLY_PUBLISHED, UNDECIDED
from snnlib.store import paths
from snnlib.store.sums import write_summed

NET = {
    "dataset": "mnist",
    "width": 1.0,
    "augment": "none",
    "readout": "spikes",
    "noise": "gaussian",
}  # 10,000 test images


def fig2(percent: dict[str, Sequence[float]], noise_seeds: int = 1) -> pd.DataFrame:
    """Figure 2's CSV: accuracies of each network's seeds at T = 10, a point less at T = 5, and what does not count."""
    rows = []
    for network, values in percent.items():
        for seed, value in enumerate(values):
            for t, less in ((5, 1), (7, 50), (10, 0)):
                for n in range(noise_seeds):
                    off = n - (noise_seeds - 1) / 2  # the mean of the noise seeds is the seed's accuracy
                    rows.append((network, seed, n, t, (value - less + off) / 100))
    columns = ["network", "seed", "noise_seed", "timesteps", "accuracy"]
    return pd.DataFrame(rows, columns=columns).assign(**NET, ties="first", inference="noise")


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Own and published."""
    monkeypatch.delenv("SNNLIB_FIGURES", raising=False)
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    own, published = paths.figures_dir() / "smoke", paths.published_dir() / "smoke"
    own.mkdir(parents=True)
    published.mkdir()
    return own, published


def put(folder: Path, table: pd.DataFrame, name: str = "fig2_accuracy_vs_timesteps") -> None:
    write_summed({folder / f"{name}.csv": table.to_csv(index=False)})


def outcomes(own: Path, published: Path) -> dict[tuple[str, str], str]:
    table, _, _ = compare.compare(own, published)
    return {(row.net.removeprefix("MNIST, ").split(",")[0], row.what): row.outcome for row in table.itertuples()}


# --- the rule --------------------------------------------------------------------------------


def test_the_deviation_is_pooled_and_never_below_that_of_one_test_set() -> None:
    # Variances 4 (of 3 seeds) and 8 (of 2 seeds): (2 * 4 + 1 * 8) / 3.
    groups = [[78, 80, 82], [78, 82]]
    assert compare.deviation(groups, 10**9) == pytest.approx(math.sqrt(16 / 3))
    assert compare.deviation([[80, 80], [80]], 1000) == pytest.approx(100 * math.sqrt(0.8 * 0.2 / 1000))
    assert compare.deviation([[80], [90]], 1000) == pytest.approx(100 * math.sqrt(0.85 * 0.15 / 1000))  # one seed each
    assert compare.deviation([[100], [100]], 1000) == 0


def test_means_may_be_three_standard_errors_apart() -> None:
    assert compare.tolerance([78, 80, 82], [78, 82], 10**9) == pytest.approx(3 * math.sqrt(16 / 3 * (1 / 3 + 1 / 2)))
    assert compare.tolerance([80], [80], 1000) == pytest.approx(3 * math.sqrt(2 * 1600 / 1000))


# --- verdicts --------------------------------------------------------------------------------


def test_numbers_agree_or_differ_by_their_spread(folders: tuple[Path, Path]) -> None:
    """Seeds 2 points apart have sd √2, so means of two may be 3 √2 apart: 4 is near, 5 is not."""
    own, published = folders
    put(own, fig2({"cnn": [83, 85], "vgg16": [84, 86], "resnet18": [80.4]}))
    put(published, fig2({"cnn": [79, 81], "vgg16": [79, 81], "resnet18": [80]}))
    assert outcomes(own, published) == {
        ("CNN", "first, noise, T = 5"): AGREES, ("CNN", "first, noise, T = 10"): AGREES,
        ("VGG-16", "first, noise, T = 5"): DIFFERS, ("VGG-16", "first, noise, T = 10"): DIFFERS,
        ("ResNet-18", "first, noise, T = 5"): AGREES, ("ResNet-18", "first, noise, T = 10"): AGREES,
    }  # fmt: skip


def test_one_seed_each_is_held_against_one_test_set_and_differs_never(folders: tuple[Path, Path]) -> None:
    """At 80 % of 10,000 images the sd is 0.4 points, so 3 √2 0.4 = 1.7 are allowed; seeds may lie further apart."""
    own, published = folders
    put(own, fig2({"cnn": [81.6], "vgg16": [82.0]}))
    put(published, fig2({"cnn": [80], "vgg16": [80]}))
    found = outcomes(own, published)
    assert (found["CNN", "first, noise, T = 10"], found["VGG-16", "first, noise, T = 10"]) == (AGREES, UNDECIDED)


def test_two_seeds_of_one_side_tell_of_the_spread(folders: tuple[Path, Path]) -> None:
    """Sd √2 of the two, so a third may be 3 √2 √(1/2 + 1) = 5.2 from their mean."""
    own, published = folders
    put(own, fig2({"cnn": [80], "vgg16": [80]}))
    put(published, fig2({"cnn": [84, 86], "vgg16": [85, 87]}))
    found = outcomes(own, published)
    assert (found["CNN", "first, noise, T = 10"], found["VGG-16", "first, noise, T = 10"]) == (AGREES, DIFFERS)


def test_noise_seeds_are_averaged_first(folders: tuple[Path, Path]) -> None:
    own, published = folders
    put(own, fig2({"cnn": [79, 81]}, noise_seeds=3))
    put(published, fig2({"cnn": [79, 81]}))
    table, _, _ = compare.compare(own, published)
    assert list(table.own) == list(table.published) == ["79.0 ± 1.4 (2)", "80.0 ± 1.4 (2)"]
    assert set(table.outcome) == {AGREES}  # the files are not the same
    assert set(table.difference) == {"+0.0"}
    assert set(table.allowed) == {f"{3 * math.sqrt(2):.1f}"}


def test_the_same_bytes_are_identical(folders: tuple[Path, Path]) -> None:
    for folder in folders:
        put(folder, fig2({"cnn": [79, 81]}))
        put(folder, pd.DataFrame({"claim": ["it rises"], "verdict": ["partly"]}), "claims")
    assert set(outcomes(*folders).values()) == {IDENTICAL}


def test_what_one_side_alone_has_is_said(folders: tuple[Path, Path]) -> None:
    own, published = folders
    put(own, fig2({"cnn": [80]}))
    put(published, fig2({"vgg16": [80]}))
    found = outcomes(own, published)
    assert found["CNN", "first, noise, T = 10"] == ONLY_OWN
    assert found["VGG-16", "first, noise, T = 10"] == ONLY_PUBLISHED


def test_claims_agree_if_their_verdicts_do(folders: tuple[Path, Path]) -> None:
    own, published = folders
    put(own, pd.DataFrame({"claim": ["a", "b", "c"], "verdict": ["partly", "reproduced", "partly"]}), "claims")
    put(published, pd.DataFrame({"claim": ["a", "b", "d"], "verdict": ["partly", "partly", "partly"]}), "claims")
    table, _, _ = compare.compare(own, published)
    assert list(table.what) == ["a", "b", "c", "d"]
    assert list(table.outcome) == [AGREES, DIFFERS, ONLY_OWN, ONLY_PUBLISHED]


def test_every_figure_counts_at_its_key_numbers(folders: tuple[Path, Path]) -> None:
    own, _ = folders
    rows = fig2({"cnn": [80, 82]})
    put(own, pd.concat([rows.assign(alpha=alpha) for alpha in (2.0, math.inf)]), "fig5_alpha")
    put(own, pd.concat([rows.assign(noise=noise) for noise in ("gaussian", "uniform")]), "fig6_noise_type")
    silent = rows.assign(net="cnn", choice="readout", value="spikes", default=True, hold_out=0)
    held_out = silent.assign(net="chosen", hold_out=5000, accuracy=0.1)  # tested on other images
    put(own, pd.concat([silent, silent.assign(net="other"), held_out]), "silent_choices")
    put(own, rows.assign(inference="step 3"), "what_noise_does")
    ann = rows[rows.timesteps == 10].assign(timesteps=1, method="ann", variant="ReLU")
    put(own, pd.concat([rows.assign(method="ours", variant="x"), ann]), "table2_accuracy_vs_timesteps")
    epochs = [rows[rows.timesteps == 10].assign(arm="ours", epoch=e, train_seconds=1.0) for e in (1, 2)]
    epochs[0].accuracy = 0.1
    put(own, pd.concat(epochs), "fig3_training_speed")
    table, _, _ = compare.compare(own, own)
    assert list(zip(table["where"], table.what, table.own, strict=True)) == [
        ("Figs. 3, 4, at the end", "ours, T = 10", "81.0 ± 1.4 (2)"),
        ("Fig. 5", "gaussian, alpha 2, T = 10", "81.0 ± 1.4 (2)"),
        ("Fig. 5", "gaussian, alpha inf, T = 10", "81.0 ± 1.4 (2)"),
        ("Fig. 6", "gaussian, T = 10", "81.0 ± 1.4 (2)"),
        ("Fig. 6", "uniform, T = 10", "81.0 ± 1.4 (2)"),
        ("what noise does", "gaussian, step 3, T = 10", "81.0 ± 1.4 (2)"),
        ("silent choices", "cnn, readout, spikes, T = 10", "81.0 ± 1.4 (2)"),
        ("silent choices", "other, readout, spikes, T = 10", "81.0 ± 1.4 (2)"),
        ("Table 2", "ours, x, T = 5", "80.0 ± 1.4 (2)"),
        ("Table 2", "ours, x, T = 10", "81.0 ± 1.4 (2)"),
        ("Table 2", "ann, ReLU, T = 1", "81.0 ± 1.4 (2)"),
    ]


@pytest.mark.parametrize("preset", ["smoke", "cpu"])
def test_no_two_published_numbers_are_told_as_the_same(preset: str) -> None:
    published = paths.published_dir() / preset
    table, _, _ = compare.compare(published, published)
    assert len(table) > 100
    assert not table.duplicated(["where", "net", "what"]).any()


# --- for readers -----------------------------------------------------------------------------


def test_what_is_missing_is_a_line_with_the_command_that_makes_it(folders: tuple[Path, Path]) -> None:
    own, published = folders
    put(own, fig2({"cnn": [80]}))
    write_summed({published / "claims.csv": b"\xff\xfe\x00"})
    mine, theirs = compare.report("smoke").split("\n\n")
    assert mine.startswith("figures/mine/smoke: no fig3_training_speed.csv, no fig5_alpha.csv")
    assert mine.endswith("no claims.csv: `make figures PRESET=smoke` makes them")
    assert theirs.startswith("figures/smoke: no fig2_accuracy_vs_timesteps.csv")
    assert theirs.endswith("claims.csv cannot be read: nothing published to compare with")


def test_the_command_prints_the_table_the_rule_and_the_count(folders: tuple[Path, Path]) -> None:
    own, published = folders
    put(own, fig2({"cnn": [84, 86], "vgg16": [80, 82]}))
    put(published, fig2({"cnn": [79, 81], "vgg16": [79, 81]}))
    done = CliRunner().invoke(app, ["compare", "--preset", "smoke"], catch_exceptions=False)
    lines = done.stdout.splitlines()
    row = "| Fig. 2 | MNIST, CNN, width 1, spikes | first, noise, T = 10 | 85.0 ± 1.4 (2) | 80.0 ± 1.4 (2) |"
    assert f"{row} +5.0 | 4.2 | differs |" in lines
    assert f"*{compare.RULE}*" in lines
    assert "3 standard errors" in compare.RULE
    assert lines[-1] == "own beside published, at preset smoke: 2 agree, 2 differ"


def test_what_is_published_is_not_compared_with_itself(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, published = folders
    put(published, fig2({"cnn": [79, 81]}))
    monkeypatch.setenv("SNNLIB_FIGURES", str(published.parent))
    assert compare.report("smoke").startswith("figures/smoke is the folder of what is published")
