"""Several devices: with the noise given, their steps are those of one device that holds the whole batch."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from rank_step import network, steps
from safetensors.torch import load_file
from torch import Tensor
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from snnlib.checks import InputError
from snnlib.training.ranks import ALONE, Rank, enough_devices
from snnlib.training.recipe import Recipe
from snnlib.training.seeds import stream


def test_ranks_share_a_batch_without_a_rest() -> None:
    batch = torch.arange(12)
    assert [Rank(i, 3).part(batch).tolist() for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert torch.equal(ALONE.part(batch), batch)


def test_each_rank_has_noise_of_its_own_and_the_first_that_of_one_device() -> None:
    alone, first, second = (torch.rand(3, generator=stream(5, "noise", 2, "cpu", rank)) for rank in (0, 0, 1))
    assert torch.equal(alone, first)
    assert torch.equal(alone, torch.rand(3, generator=stream(5, "noise", 2)))
    assert not torch.equal(alone, second)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"batch_size": 100, "devices": 3}, "batch_size = 100: must be divisible by devices = 3"),
        ({"synchronised": False}, "synchronised = False: must be true with devices = 1"),
        ({"devices": 0}, "devices"),
    ],
    ids=["no part", "one device", "none"],
)
def test_bad_values_are_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Recipe(**fields)


def test_more_gpus_than_there_are_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    enough_devices(2, torch.device("cuda"))
    enough_devices(4, torch.device("cpu"))
    with pytest.raises(InputError, match=r"recipe.devices = 3: must be at most 2, the GPUs"):
        enough_devices(3, torch.device("cuda"))


def on_two_ranks(file: Path, synchronised: bool) -> dict[str, Tensor]:
    config = LaunchConfig(1, 1, 2, max_restarts=0, rdzv_backend="c10d", rdzv_endpoint="localhost:0", run_id="steps")
    script = str(Path(__file__).with_name("rank_step.py"))
    elastic_launch(config, sys.executable)(script, str(file), str(synchronised))
    return load_file(file)


def differ(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """The largest difference in any tensor, relative to its largest number."""
    assert ours.keys() == theirs.keys()
    pairs = [(ours[name].double(), theirs[name].double()) for name in ours]
    return max(float((a - b).abs().max() / a.abs().max().clamp_min(1e-12)) for a, b in pairs)


@pytest.mark.torchrun
def test_synchronised_two_ranks_are_one_device(tmp_path: Path) -> None:
    two = on_two_ranks(tmp_path / "two.safetensors", synchronised=True)
    assert differ(steps(ALONE, synchronised=True), two) < 1e-4


@pytest.mark.torchrun
def test_without_that_each_rank_norms_its_own_part_and_gradients_are_averaged(tmp_path: Path) -> None:
    two = on_two_ranks(tmp_path / "two.safetensors", synchronised=False)
    assert differ(steps(ALONE, synchronised=True), two) > 0.01  # so the other test could fail

    nets = [network(Rank(i, 2)).train() for i in range(2)]
    noise = [torch.Generator().manual_seed(1) for _ in nets]
    data = torch.Generator().manual_seed(2)
    for step in (1, 2):
        images, target = torch.rand(8, 1, 28, 28, generator=data), torch.rand(8, 10, generator=data)
        losses = [
            (net(images[4 * i : 4 * i + 4], generator=noise[i]) - target[4 * i : 4 * i + 4]).square().mean()
            for i, net in enumerate(nets)
        ]
        assert sum(loss.item() for loss in losses) / 2 == pytest.approx(two["losses"][step - 1].item(), rel=1e-5)
        gradients = [torch.autograd.grad(loss, list(net.parameters())) for loss, net in zip(losses, nets, strict=True)]
        for (name, a), b, g, h in zip(nets[0].named_parameters(), nets[1].parameters(), *gradients, strict=True):
            mean = (g + h) / 2
            torch.testing.assert_close(two[f"gradient {step} {name}"], mean, rtol=1e-3, atol=1e-6)
            a.data -= 0.1 * mean
            b.data -= 0.1 * mean
