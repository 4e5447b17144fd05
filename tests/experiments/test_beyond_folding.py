"""What folding changes: outputs and predictions that are equal, against accuracies and tables by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from conftest import images, lively

from reproduce.experiments.beyond.folding import agreement, kept
from snnlib.conversion import convert
from snnlib.data.sets import Dataset
from snnlib.deploy.folding import fold, without_noise
from snnlib.training.evaluation import accuracy_over_time

T = 6


def test_agreement_counts_equal_outputs_and_predictions(exact: Dataset) -> None:
    model = convert(lively(), statistics="frozen", calibration=images(8, seed=3), timesteps=T)
    x = ((exact.test.images / 255 - exact.mean) / exact.std)[:60]
    nets = {"one": model, "again": model, "other": without_noise(fold(model))}
    table = agreement(nets, x, exact.test.labels[:60], T, (1, 2), batch_size=30)
    table = table.set_index(["net", "noise_seed", "timesteps"]).sort_index()
    assert len(table) == 3 * 2 * T
    assert (table.loc["again"][["same_outputs", "same_predictions"]] == 1).all().all()
    assert table.loc["again"].accuracy.equals(table.loc["one"].accuracy)
    subset = replace(exact, test=replace(exact.test, images=exact.test.images[:60], labels=exact.test.labels[:60]))
    expected = accuracy_over_time(model, subset, T, (2,), 30).accuracy
    assert table.loc["one", 2].accuracy.to_numpy() == pytest.approx(expected.to_numpy())
    assert 0 < table.loc["other", 1].same_outputs[T] < 1


def test_the_summary_is_that_of_the_last_net_and_step() -> None:
    rows = [("a", 0, 1, 0.5, 1, 1), ("a", 0, 2, 0.5, 1, 1), ("b", 0, 1, 0.5, 0.1, 0.1), ("b", 0, 2, 0.5, 0.75, 0.9995)]
    columns = ["net", "noise_seed", "timesteps", "accuracy", "same_outputs", "same_predictions"]
    text = kept(pd.DataFrame(rows, columns=columns))
    assert text == "a and b, up to T = 2: 75.00% of outputs and 99.95% of predictions are equal"
