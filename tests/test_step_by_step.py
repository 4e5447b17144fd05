"""Code that would take time steps for images runs step by step: each against a loop with states handed on by hand."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator
from torch import Tensor, nn

import snnlib as sn
from snnlib.conversion import convert
from snnlib.dynamics import LIF
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.replace_activations import spiking
from snnlib.simulation import simulate

T, B, N = 5, 4, 6


class Between(nn.Module):
    """Two layers of neurons, and somebody's code between them."""

    def __init__(self, code: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        self.a, self.first, self.b, self.second = nn.Linear(3, N), Neuron(LIF()), nn.Linear(N, N), Neuron(LIF(0.8))
        self.code = code

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.b(self.code(self.first(self.a(x)), x)))

    def loop(self, x: Tensor) -> Tensor:
        v1, v2, outputs = None, None, []
        for t in range(T):
            s, v1 = LIF().step(self.a(x[t] if x.ndim == 3 else x), v1, generator())
            s, v2 = LIF(0.8).step(self.b(self.code(s, x[t] if x.ndim == 3 else x)), v2, generator())
            outputs.append(s)
        return torch.stack(outputs)


def net(code: Callable[[Tensor, Tensor], Tensor], **options: Any) -> Spiking:
    torch.manual_seed(1)
    model = Between(code).double()
    with torch.no_grad():
        for linear in (model.a, model.b):
            linear.weight.mul_(3)
            linear.bias.fill_(0.4)
    return Spiking(model, **options)


X = torch.randn(B, 3, generator=generator(2), dtype=torch.float64)

MIXING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "the first image": lambda h, x: h - 2 * h[0],
    "the last": lambda h, x: h + h[-1],
    "half of them": lambda h, x: h.chunk(2)[1].repeat(2, 1),
    "flipped": lambda h, x: torch.flipud(h),
    "gathered": lambda h, x: h.gather(0, h.argsort(dim=0, stable=True)),
    "running maximum": lambda h, x: torch.cummax(h, 0)[0],
    "normalised": lambda h, x: 2 * F.normalize(h, dim=0),
    "softmax": lambda h, x: 4 * h.softmax(0),
    "repeated": lambda h, x: h.repeat(2, 1)[: len(x)].roll(1, 0),
    "every image with every other": lambda h, x: (h @ h.T).softmax(1) @ h,
    "sums": lambda h, x: 8 * h / (1 + h.sum()),
    "edges of a graph": lambda h, x: torch.zeros_like(h).index_add(0, torch.tensor([0, 2]), h[[1, 3]]) + h,
    "pairs": lambda h, x: (h.view(2, -1, N)[0] - h.view(2, -1, N)[1]).repeat(2, 1),
    "what is the same at every step, written into": lambda h, x: x.repeat(1, 2).add_(h),
    "a size that was read before": lambda h, x: h.view(x.shape[0], 2, -1).flip(2).flatten(1),
    "a tensor filled": lambda h, x: torch.zeros(len(x), N, dtype=h.dtype).copy_(h),
}
FOLDING: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "nothing": lambda h, x: h,
    "a skip": lambda h, x: h + x.repeat(1, 2),
    "attention's parts": lambda h, x: sum(h.reshape(-1, 1, 3, 2).permute(2, 0, 1, 3).unbind(0)).repeat(1, 1, 3)[:, 0],
    "axes": lambda h, x: h.view(h.size(0), 2, -1).transpose(0, 1).flip(0).transpose(0, 1).flatten(1),
}  # fmt: skip


@pytest.mark.parametrize("code", MIXING.values(), ids=MIXING.keys())
def test_code_that_mixes_what_is_folded_runs_step_by_step(code: Callable[[Tensor, Tensor], Tensor]) -> None:
    mixing, state = net(code), torch.get_rng_state()
    with pytest.warns(UserWarning, match=r"^Between: its code cannot take several time steps at once .*the same$"):
        found = mixing(X, timesteps=T)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(found, mixing.model.loop(X))
    assert 0.02 < found.mean() < 0.98
    with warnings.catch_warnings(action="error"):  # it is known now
        torch.testing.assert_close(mixing(X[:2].repeat(2, 1), timesteps=T), mixing.model.loop(X[:2].repeat(2, 1)))


@pytest.mark.parametrize("code", FOLDING.values(), ids=FOLDING.keys())
def test_code_that_does_not_is_one_pass(code: Callable[[Tensor, Tensor], Tensor]) -> None:
    folding, calls = net(code), []
    folding.model.b.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    with warnings.catch_warnings(action="error"):
        torch.testing.assert_close(folding(X, timesteps=T), folding.model.loop(X))
    assert calls[0] == T * B


def test_gradients_through_time_are_the_loops() -> None:
    for code in (MIXING["the first image"], FOLDING["a skip"]):
        mixing = net(code)
        with warnings.catch_warnings(action="ignore"):
            found = torch.autograd.grad(mixing(X, timesteps=T).square().sum(), [*mixing.parameters()])
        expected = torch.autograd.grad(mixing.model.loop(X).square().sum(), [*mixing.parameters()])
        for a, b in zip(found, expected, strict=True):
            torch.testing.assert_close(a, b)
            assert b.any()


@pytest.mark.filterwarnings("ignore:Between. its code cannot")
def test_frames_over_time_and_pieces_of_a_long_simulation() -> None:
    mixing, frames = net(MIXING["flipped"], over_time=True), torch.stack([X * (t % 3) for t in range(T)])
    torch.testing.assert_close(mixing(frames), mixing.model.loop(frames))
    longer, steps = net(MIXING["flipped"]), []
    with torch.no_grad():
        seen = list(simulate(longer, X, generator(), 40, observe=lambda neuron, t, s, v: steps.append(t)))
        once = longer(X, timesteps=40)
    torch.testing.assert_close(torch.cat([outputs for _, outputs in seen]), once.float())
    assert steps == [t for t in range(1, 41) for _ in range(2)]


@pytest.mark.filterwarnings("ignore:Sequential. its code cannot")
def test_the_table_is_the_same_whichever_way_it_runs() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 12), nn.ReLU(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 2))
    snn = convert(spiking(model), alpha=2, first_step="rest")  # draws no noise, whose order depends on the way
    data = (X.float(), torch.tensor([0, 1, 1, 0]))
    folded = sn.evaluate(snn, data, timesteps=20)
    snn._folds = False
    pd_equal = folded.astype(float).sub(sn.evaluate(snn, data, timesteps=20).astype(float)).abs().max().max()
    assert pd_equal < 1e-9
    assert folded.operations.iloc[-1] > 0
