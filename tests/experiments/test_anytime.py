"""Anytime inference: the rules against every possible future, hand-made spike trains and the accuracies at fixed T."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import lively
from torch import Tensor

from reproduce.experiments.beyond import anytime
from snnlib.checks import InputError
from snnlib.conversion import convert
from snnlib.data.sets import Dataset
from snnlib.training.evaluation import accuracy_over_time


def spikes(timesteps: int, n: int, classes: int, rate: float = 0.4, seed: int = 0) -> Tensor:
    """Random spike trains [T, N, classes]."""
    return torch.from_numpy(np.random.default_rng(seed).random((timesteps, n, classes)) < rate).float()


def settled_by_enumeration(train: np.ndarray) -> int:
    """The first t at which every possible continuation of a spike train [T, classes] predicts the present leader."""
    timesteps, classes = train.shape
    for t in range(1, timesteps):
        sums = train[:t].sum(0)
        future = np.array(list(product(range(timesteps - t + 1), repeat=classes)))  # spikes still to come, by class
        if (np.argmax(sums + future, axis=1) == np.argmax(sums)).all():
            return t
    return timesteps


@pytest.mark.parametrize("rate", [0.1, 0.4, 0.9])
def test_settled_is_when_every_future_predicts_the_leader(rate: float) -> None:
    outputs = spikes(6, 60, 3, rate)
    expected = [settled_by_enumeration(train) for train in outputs.numpy().swapaxes(0, 1)]
    assert anytime.steps_until_settled(outputs).tolist() == expected
    assert len(set(expected)) > 1  # not all at the last step


def test_the_exact_rule_changes_no_prediction_and_saves_steps() -> None:
    outputs = spikes(10, 500, 10, rate=0.2)
    outputs[:, torch.arange(500), torch.arange(500) % 10] = spikes(10, 500, 1, rate=0.8)[:, :, 0]
    steps = anytime.steps_until_settled(outputs)
    assert torch.equal(anytime.predictions(outputs, steps), outputs.sum(0).argmax(-1))
    assert steps.float().mean() < 10


def test_a_lead_is_that_of_the_running_sums() -> None:
    # class 0 fires at steps 1, 2, 4; class 1 at 2, 3: sums 1:0, 2:1, 2:2, 3:2
    train = torch.tensor([[1, 0], [1, 1], [0, 1], [1, 0]]).float()[:, None]
    for threshold, steps in ((0, 1), (1, 1), (2, 4), (100, 4)):
        assert anytime.steps_until_lead(train, threshold).tolist() == [steps]
    late = train.flip(0)  # sums 1:0, 1:1, 2:2, 3:2
    assert anytime.steps_until_lead(late, 1).tolist() == [1]
    assert anytime.steps_until_lead(late - torch.tensor([1.0, 0.0]), 1).tolist() == [2]  # 0:0, -1:1


def test_the_first_class_wins_a_draw() -> None:
    level = torch.zeros(4, 1, 3)
    assert anytime.predictions(level, torch.tensor([2])).tolist() == [0]
    # One step before the end class 0 is level with the others: it could be overtaken. A lead of one could be met by
    # class 1, which is behind it in order and so would lose the draw.
    assert anytime.steps_until_settled(level).tolist() == [4]
    ahead = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 0, 0]]).float()[:, None]
    assert anytime.steps_until_settled(ahead).tolist() == [2]
    assert anytime.steps_until_settled(ahead.flip(-1)).tolist() == [3]  # now class 0 could draw level, and win


def test_fixed_t_is_the_accuracy_at_t(exact: Dataset) -> None:
    model = convert(lively("cnn"), statistics="layer")
    outputs = anytime.outputs_over_time(model, exact, timesteps=5, noise_seed=3, batch_size=40)
    table = anytime.tradeoff(outputs, exact.test.labels)
    fixed = table[table.rule == anytime.FIXED]
    expected = accuracy_over_time(model, exact, 5, (3,), 40).accuracy
    assert fixed.accuracy.to_numpy() == pytest.approx(expected.to_numpy())
    assert fixed.mean_steps.tolist() == [1, 2, 3, 4, 5]
    full = fixed.accuracy.iloc[-1]
    ends = table[(table.rule == anytime.SETTLED) | ((table.rule == anytime.LEAD) & (table.threshold == 5))]
    assert ends.accuracy.tolist() == [full, full]
    assert ends.agreement.tolist() == [1, 1]
    zero = table[(table.rule == anytime.LEAD) & (table.threshold == 0)].iloc[0]
    assert (zero.mean_steps, zero.accuracy) == (1, fixed.accuracy.iloc[0])


def test_potentials_are_not_bounded() -> None:
    outputs = spikes(4, 5, 3) - 0.5
    with pytest.raises(InputError, match=r"outputs in \[-0.5, 0.5\]: must be in \[0, 1\]"):
        anytime.steps_until_settled(outputs)
    assert anytime.SETTLED not in set(anytime.tradeoff(outputs, torch.zeros(5)).rule)


def test_the_summary_says_what_the_table_says() -> None:
    rows = [(anytime.FIXED, t, t, a, 0.9) for t, a in ((1, 0.7), (2, 0.799), (3, 0.8))]
    rows += [(anytime.LEAD, 1, 1.5, 0.78, 0.9), (anytime.LEAD, 2, 2.25, 0.796, 0.9)]
    rows += [(anytime.SETTLED, np.nan, 2.5, 0.8, 1.0)]
    table = pd.DataFrame(rows, columns=anytime.COLUMNS).assign(seed=0)
    first, second = anytime.steps_saved(table).split("\n")
    assert first == "cannot be overtaken: 2.50 of 3 steps on average, no prediction differs from that of all of them"
    assert "a lead of 2 takes 2.25 steps on average, a fixed T 2 " in second
    assert second.endswith("fewer: fewer than 3 seeds cannot tell")
    # Two noise seeds a run are one value: 1.4, 1.5 and 1.6 steps have mean 1.5, and half an interval of
    # 4.303 * 0.1 / sqrt(3) = 0.25, whatever the noise does.
    earlier = table.mean_steps - 0.85
    several = [table.assign(seed=s, noise_seed=n, mean_steps=earlier + 0.1 * s) for s in range(3) for n in (0, 1)]
    first, second = anytime.steps_saved(pd.concat(several)).split("\n")
    assert first.startswith("cannot be overtaken: 1.75 ± 0.25 of 2 steps")
    assert "a lead of 2 takes 1.50 ± 0.25 steps on average, a fixed T 2 " in second
    assert second.endswith("fewer: yes")
    table.loc[table.rule == anytime.LEAD, "accuracy"] = 0.5
    assert anytime.steps_saved(table).endswith("none of the thresholds")
