"""Figure 2: its picture, and its claim."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from claim_tables import HOLDS, decided, rising, runs

from snnlib.experiments.fig2_accuracy_vs_timesteps.plot import accuracy_vs_timesteps
from snnlib.experiments.over_seeds import NET, over_seeds, percent
from snnlib.experiments.tables import PARTLY, REPRODUCED


@pytest.fixture
def verdicts(tmp_path: Path) -> Callable[..., dict[str, str]]:
    return partial(decided, tmp_path)


def test_figure_2_shows_ours_and_the_papers_values() -> None:
    axes = accuracy_vs_timesteps(rising()).axes
    lines = {line.get_label(): line for line in axes[0].get_lines()}
    assert list(lines["paper, Table 2"].get_ydata()) == [99.61, 99.64]
    at = over_seeds(percent(rising(), *NET, "timesteps"))
    shown = axes[0].containers[0].lines[0]
    assert np.allclose(shown.get_ydata(), at["mean"])
    assert "MNIST" in axes[0].get_title()
    assert "width 1" in axes[0].get_title()


def test_what_is_measured_is_mean_and_deviation_over_training_seeds(verdicts: Callable) -> None:
    spread = HOLDS["fig2_accuracy_vs_timesteps"].copy()
    at_10 = spread.timesteps == 10
    spread.loc[at_10, "accuracy"] += 0.01 * spread.seed[at_10]  # 3, 4, 5 points from T = 5 to 10
    found = verdicts("measured", fig2_accuracy_vs_timesteps=spread)["rises"]
    assert found.startswith("points from T = 1 to 5 and from 5 to 10: CNN +5.0 ± 0.0 and +4.0 ± 1.0; VGG-16 +5.0")
    assert found.endswith("(3 seeds each)")
    fewer = spread[(spread.network == "cnn") | (spread.seed < 2)]
    assert verdicts("measured", fig2_accuracy_vs_timesteps=fewer)["rises"].endswith("(3, 2, 2 seeds)")


def test_it_rises_in_every_network_or_in_some(verdicts: Callable) -> None:
    table = runs({1: 0.8, 5: 0.85, 10: 0.88})
    assert verdicts(fig2_accuracy_vs_timesteps=table)["rises"] == REPRODUCED
    flat = table.assign(accuracy=table.accuracy.where((table.network != "cnn") | (table.timesteps == 1), 0.8))
    assert verdicts(fig2_accuracy_vs_timesteps=flat)["rises"] == PARTLY
