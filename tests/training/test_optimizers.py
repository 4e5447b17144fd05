"""Optimisers and schedules: against PyTorch's own, closed forms and the singular value decomposition."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import generator
from torch import Tensor, nn

from snnlib.training.optimizers import Muon, optimizer_of, orthogonal, scheduler_of, triangle


def stepped(optimizer: torch.optim.Optimizer, weights: list[Tensor], steps: int = 3) -> list[Tensor]:
    """The weights after some steps on gradients that are always the same."""
    g = generator()
    for _ in range(steps):
        for w in weights:
            w.grad = torch.randn(w.shape, generator=g)
        optimizer.step()
    return [w.detach() for w in weights]


def fresh(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator()))


def test_a_convolution_takes_the_step_of_pytorchs_muon_for_its_matrix() -> None:
    shape = (16, 8, 3, 3)
    conv, matrix = fresh(*shape), nn.Parameter(fresh(*shape).detach().flatten(1))
    options = {"lr": 0.02, "momentum": 0.9, "weight_decay": 2.0}  # so large that it shows
    (ours,) = stepped(optimizer_of("muon", [conv], **options), [conv])
    peer = torch.optim.Muon([matrix], adjust_lr_fn="match_rms_adamw", **options)
    g = generator()
    for _ in range(3):
        matrix.grad = torch.randn(shape, generator=g).flatten(1)
        peer.step()
    torch.testing.assert_close(ours.flatten(1), matrix.detach(), rtol=0, atol=2e-3)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last], ids=str)
def test_muon_does_not_mind_how_weights_lie_in_memory(layout: torch.memory_format) -> None:
    weight = nn.Parameter(fresh(8, 4, 3, 3).detach().to(memory_format=layout))
    (found,) = stepped(Muon([weight], lr=0.1), [weight])
    plain = fresh(8, 4, 3, 3)
    torch.testing.assert_close(found, stepped(Muon([plain], lr=0.1), [plain])[0], rtol=1e-2, atol=1e-3)


def test_all_but_convolutions_take_adamws_step_under_muon() -> None:
    shapes = ((5, 7), (6,), (4, 2, 3, 3))
    ours, theirs = ([fresh(*s) for s in shapes] for _ in range(2))
    found = stepped(Muon(ours, lr=0.01, weight_decay=0.1), ours)
    expected = stepped(torch.optim.AdamW(theirs, lr=0.01, weight_decay=0.1), theirs)
    for a, b in zip(found[:2], expected[:2], strict=True):
        torch.testing.assert_close(a, b)
    assert not torch.allclose(found[2], expected[2], atol=1e-3)


@pytest.mark.parametrize("shape", [(12, 40), (40, 12)])
def test_orthogonal_keeps_singular_vectors_and_brings_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=generator())
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    in_its_directions = u.T @ orthogonal(matrix) @ v.T
    assert 0.5 < in_its_directions.diag().min() < in_its_directions.diag().max() < 1.5
    assert (in_its_directions - in_its_directions.diag().diag()).abs().max() < 0.1


def test_sgd_is_nesterovs() -> None:
    weight, lr, mu, decay = fresh(3), 0.1, 0.8, 0.05
    expected, velocity, g = weight.detach().clone(), torch.zeros(3), generator()
    for _ in range(3):
        gradient = torch.randn(3, generator=g) + decay * expected
        velocity = mu * velocity + gradient
        expected = expected - lr * (gradient + mu * velocity)
    (found,) = stepped(optimizer_of("sgd", [weight], lr, decay, mu), [weight])
    torch.testing.assert_close(found, expected)


def test_weight_decay_of_adam_is_decoupled() -> None:
    plain, decayed = fresh(4), fresh(4)
    a, b = (optimizer_of("adam", [w], 0.1, d, 0.9) for w, d in ((plain, 0.0), (decayed, 0.5)))
    torch.testing.assert_close(stepped(b, [decayed], 1)[0], stepped(a, [plain], 1)[0] - 0.1 * 0.5 * fresh(4).detach())


def test_the_triangle_goes_through_airbenchs_three_points() -> None:
    assert [triangle(x) for x in (0, 0.23, 1)] == pytest.approx([0.2, 1.0, 0.07])
    assert triangle(0.115) == pytest.approx(0.6)
    assert triangle(0.615) == pytest.approx((1 + 0.07) / 2)


@pytest.mark.parametrize("optimizer", ["adam", "sgd", "muon"])
@pytest.mark.parametrize("schedule", ["warm_restarts", "cosine", "one_cycle", "triangle", "constant"])
def test_every_optimizer_takes_every_schedule(optimizer: str, schedule: str) -> None:
    weights = [fresh(4, 2, 3, 3), fresh(4)]
    o = optimizer_of(optimizer, weights, 0.1, 0.0, 0.9)
    s = scheduler_of(schedule, o, 0.1, per_epoch=10, epochs=2, restart_every=2)
    rates = []
    for _ in range(20):
        stepped(o, weights, 1)
        rates.append(o.param_groups[0]["lr"])
        s.step()
    assert all(math.isfinite(w.detach().sum()) for w in weights)
    assert max(rates) == pytest.approx(0.1, rel=0.05)
