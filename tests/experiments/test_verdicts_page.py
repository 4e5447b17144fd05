"""docs/verdicts.md promises thresholds: they are those of the code."""

from __future__ import annotations

import re

import pytest

from reproduce.experiments import at_equal_time
from reproduce.experiments.evidence import CLOSE, HALF
from reproduce.experiments.fig2_accuracy_vs_timesteps import claims as fig2
from reproduce.experiments.fig3_4_training_time import claims as training
from reproduce.experiments.fig5_alpha import claims as alpha
from reproduce.experiments.fig7_potential_dynamics import claims as potential
from reproduce.experiments.record import claims as record
from reproduce.experiments.table2_inference_time import claims as inference
from snnlib.store.paths import DOCS

SAVINGS = [training.printed_saving(network) for network in ("cnn", "vgg16", "resnet18")]
PROMISED = {
    "conversion is lossless": [alpha.LOSSLESS, alpha.IN_PART],
    "75, 70, 65 % less training time": [round(saving, 1) for saving in SAVINGS],
    "3-5 times faster": [training.FASTER, HALF * training.FASTER],
    "ahead at equal time": [100 * at_equal_time.MOST_SHARE, 100 * at_equal_time.LEAST_SHARE],
    "accuracy stays high": [-training.STILL_HIGH],
    "over 100 times faster inference, in time and in steps": [
        inference.WITHIN, inference.CLAIMED, HALF * inference.CLAIMED,
    ],
    "as accurate as conversion": [-CLOSE],
    "fewer steps than direct training": [inference.WITHIN],
    "accuracies of Table 2": [fig2.NEAR_PAPER],
    "other α end close together": [CLOSE],
    "that gap closes by T = 10": [CLOSE],
    "the potential oscillates": [potential.SWING],
    "what spikes gain with T is there at T = 1": [-CLOSE],
    "one pass is as accurate as direct training in the same time": [
        -CLOSE, 100 * at_equal_time.MOST_SHARE, 100 * at_equal_time.LEAST_SHARE,
    ],
    "single passes reach the paper's CIFAR-10 accuracy": [record.PAPERS],
    "they reach 94 %, airbench's goal": [record.NEXT],
}  # fmt: skip


def rows() -> dict[str, str]:
    """The table of thresholds: what each row says after its claim."""
    page = (DOCS / "verdicts.md").read_text(encoding="utf-8").partition("## The thresholds")[2].partition("\n## ")[0]
    return {claim.strip(): text for claim, text in re.findall(r"^\| ([^|]+) \|(.+)\|$", page, re.M)}


@pytest.mark.parametrize("claim", PROMISED)
def test_a_row_has_the_thresholds_of_the_code(claim: str) -> None:
    numbers = [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", rows()[claim])]
    for threshold in PROMISED[claim]:
        assert pytest.approx(threshold) in numbers, rows()[claim]


def test_savings_are_those_of_the_printed_seconds() -> None:
    assert SAVINGS == pytest.approx([100 * (1 - 135 / 528), 100 * (1 - 3132 / 9900), 100 * (1 - 7290 / 19998)])
