"""The memory in two compiled passes is that of PyTorch's operations, up to the order of a sum; or it steps aside."""

from __future__ import annotations

import math

import pytest
import torch
from conftest import generator
from torch import Tensor

from snnlib.dynamics import Converted
from snnlib.fast import compiled as jit
from snnlib.noise import Gaussian, Uniform
from snnlib.statistics import Frozen, Sample

T = 4
pytestmark = pytest.mark.skipif(not jit.available("cpu"), reason="PyTorch finds no compiler here")
DYNAMICS = [
    Converted(),
    Converted(statistics=Sample()),
    Converted(statistics=Frozen(0.15, 0.4)),
    Converted(alpha=2.0, leak=0.83, v_th=0.9, v_reset=0.2),
    Converted(alpha=2.5, beta=0.4, first_step="rest"),
    Converted(alpha=math.inf),
    Converted(Uniform(), alpha=7.0, statistics=Sample(), first_step="rest"),
    Converted(statistics=Frozen(0.15, 0.4), first_step="rest"),
]


def currents(dtype: torch.dtype = torch.float32, channels_last: bool = True) -> Tensor:
    """[T, B, C, H, W]; the second image of three never gets a current of any size."""
    x = torch.randn(T, 3, 8, 12, 12, generator=generator(1)) * 0.7 + 0.4
    x[:, 1] *= 1e-3
    layout = torch.channels_last if channels_last else torch.contiguous_format
    return x.to(dtype).flatten(0, 1).contiguous(memory_format=layout).unflatten(0, (T, 3))


def walk(d: Converted, x: Tensor, *, compiled: bool) -> tuple[Tensor, Tensor]:
    """Spikes and potentials of each step."""
    state, g, found = None, generator(3), []
    with jit.compiling(compiled):
        for current in x:
            s, state = d.step(current, state, g)
            found.append((s, state))
    s, v = zip(*found, strict=True)
    return torch.stack(s), torch.stack(v)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that ran compiled."""
    jit.available("cpu")  # tries one itself
    names: list[str] = []
    original = jit.run
    monkeypatch.setattr(jit, "run", lambda kernel, *a: (names.append(kernel.__name__), original(kernel, *a)))
    return names


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("d", DYNAMICS, ids=str)
def test_a_walk_is_that_of_pytorchs_operations(d: Converted, channels_last: bool, kernels: list[str]) -> None:
    x = currents(torch.float64, channels_last)
    (s, v), (expected, expected_v) = (walk(d, x, compiled=c) for c in (True, False))
    assert torch.equal(s, expected)
    assert s.stride() == expected.stride()
    torch.testing.assert_close(v, expected_v, rtol=1e-12, atol=1e-12)
    first = [] if d.first_step == "rest" else ["forward"]
    remembers = ["measure"] * (d.statistics.kind != "frozen") + ["remember"]
    later = (first or ["remember"]) + remembers * (T - 1)  # at rest there is nothing to measure
    assert kernels == (["forward"] * T if math.isinf(d.alpha) else later)


@pytest.mark.parametrize("d", DYNAMICS, ids=str)
def test_in_float32_it_differs_by_a_millionth(d: Converted) -> None:
    x = currents()
    (s, v), (expected, expected_v) = (walk(d, x, compiled=c) for c in (True, False))
    assert (s != expected).double().mean() < 1e-4
    torch.testing.assert_close(v[s == expected], expected_v[s == expected], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("d", DYNAMICS[:2], ids=str)
def test_bfloat16_is_computed_in_float32(d: Converted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step from a state is that of float32 arithmetic on the same numbers; V is rounded once, to be kept."""
    original = Gaussian.numbers
    monkeypatch.setattr(Gaussian, "numbers", lambda self, n, _, g: original(self, n, torch.bfloat16, g))
    x = currents(torch.bfloat16)
    with jit.compiling(True):
        s, v = d.step(x[1], x[0], generator())
    exact, exact_v = d.step(x[1].float(), x[0].float(), generator())
    assert s.dtype == v.dtype == torch.bfloat16
    assert (s.float() != exact).double().mean() < 1e-4
    torch.testing.assert_close(v[s == exact].float(), exact_v[s == exact], rtol=2**-8, atol=1e-5)
    rounded, _ = d.step(x[1], x[0], generator())
    assert (rounded.float() != exact).double().mean() > 1e-4  # what rounding at each operation costs


def test_equal_potentials_are_beta(kernels: list[str]) -> None:
    """Whatever rounding did to their mean."""
    d, v = Converted(Uniform()), torch.full((2, 1000), 0.1)
    with jit.compiling(True):
        s, after = d.step(torch.zeros_like(v), v, generator())
    assert kernels == ["measure", "remember"]
    low, high = d.residual.low + d.beta, d.residual.high + d.beta
    assert not s.any()
    assert low <= after.min() < low + 0.01
    assert high - 0.01 < after.max() <= high


def test_gradients_run_through_pytorchs_operations(kernels: list[str]) -> None:
    x, gradients = currents(torch.float64), []
    for on in (True, False):
        leaf = x.clone(memory_format=torch.preserve_format).requires_grad_()
        walk(Converted(), leaf, compiled=on)[0].sum().backward()
        gradients.append(leaf.grad)
    assert torch.equal(*gradients)
    assert gradients[0].any()
    assert not kernels


def test_tensors_of_another_layout_step_aside(kernels: list[str]) -> None:
    x = currents().transpose(-1, -2)[..., ::2]
    assert torch.equal(walk(Converted(), x, compiled=True)[0], walk(Converted(), x, compiled=False)[0])
    assert not kernels
