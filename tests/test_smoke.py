"""What is published of the smallest scale holds on this machine too: from the runs that `make test` trains first."""

from __future__ import annotations

import pandas as pd

from reproduce.experiments.compare import deviation
from reproduce.runs.preset import load_preset
from reproduce.runs.results import accuracy
from snnlib.data.sets import SIZES
from snnlib.store.paths import published_dir


def test_the_cnn_is_as_accurate_at_t_10_as_published_and_gains_over_t_1() -> None:
    p = load_preset("smoke")
    table = pd.read_csv(published_dir() / "smoke" / "fig2_accuracy_vs_timesteps.csv")
    cnn = table[(table.network == "cnn") & (table.timesteps == 10) & (table.readout == "spikes")]
    cnn = cnn[(cnn.ties == p.evaluation.ties) & (cnn.inference == "noise")]
    published = 100 * cnn.groupby("seed").accuracy.mean()
    least = published.mean() - 4 * deviation([published], SIZES["fashion_mnist_mini"][1])
    assert least > 70  # so that it tells a net that has learnt from one that has not
    found = p.runs("fig2_accuracy_vs_timesteps")
    runs = [run for run in found if (run.spec.network, run.spec.readout) == ("cnn", "spikes")]
    assert len(runs) == len(published) == 3
    for run in runs:
        at = 100 * accuracy(run, p.evaluation).groupby("timesteps").accuracy.mean()
        assert at[10] >= least
        assert at[10] > at[1]
