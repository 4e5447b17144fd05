"""What the README promises of the smallest scale, from the runs that `make test` trains first."""

from __future__ import annotations

from snnlib.runs.preset import load_preset
from snnlib.runs.results import accuracy


def test_the_cnn_reaches_82_percent_at_t_10_and_gains_over_t_1() -> None:
    p = load_preset("smoke")
    runs = [run for run in p.runs("fig2_accuracy_vs_timesteps") if run.spec.network == "cnn"]
    assert len(runs) == 3
    for run in runs:
        assert run.spec.readout == "spikes"
        at = accuracy(run, p.evaluation).groupby("timesteps").accuracy.mean()
        assert at[10] >= 0.82
        assert at[10] > at[1]
