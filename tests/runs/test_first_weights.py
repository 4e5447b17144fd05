"""What a run's training begins from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import weights
from tiny_runs import InterruptError, spec
from torch import nn

from reproduce.runs import trained
from reproduce.runs.run import build_for
from reproduce.runs.spec import Spec
from reproduce.runs.trained import ensure
from snnlib.data.sets import Dataset
from snnlib.training.whitening import whiten_first


def begun(spec: Spec, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The weights with which the first epoch begins."""
    found: list[dict[str, bytes]] = []

    def stop(state: Any, *_: Any, **__: Any) -> None:
        found.append(weights(state.model))
        raise InterruptError

    monkeypatch.setattr(trained, "train_epochs", stop)
    with pytest.raises(InterruptError):
        ensure(spec)
    return found[0]


def test_it_is_the_specs_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert begun(spec(), monkeypatch) == weights(build_for(spec()))


def test_batch_norm_begins_where_the_spec_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = spec(norm_start=(0.4, 0.25))
    net = build_for(other)
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == 3
    for norm in norms:
        assert torch.equal(norm.weight, torch.full_like(norm.weight, 0.4))
        assert torch.equal(norm.bias, torch.full_like(norm.bias, 0.25))
    assert begun(other, monkeypatch) == weights(net)


def test_a_whitened_net_begins_with_the_filters_of_its_training_images(
    folder: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = build_for(spec())
    plain = weights(net)
    whiten_first(net, small)
    assert begun(spec(whitened=True), monkeypatch) == weights(net) != plain
