"""Compiled kernels give the spikes of PyTorch's own operations bit for bit, and their gradients; or they step aside."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import generator
from scipy import stats
from step_by_step import fire
from torch import Tensor

from snnlib.deploy.folding import NoisyLIF
from snnlib.dynamics import LIF, Dynamics, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.fast import compiled as jit
from snnlib.fast.phase_steps import integrate
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, Uniform
from snnlib.simulation import Simulation
from snnlib.surrogate import Arctan, Density, Rectangle, Sigmoid, Surrogate, Triangle
from snnlib.training.recipe import Recipe

T = 3
needs_compiler = pytest.mark.skipif(not jit.available("cpu"), reason="PyTorch finds no compiler here")


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the kernels that ran compiled."""
    names: list[str] = []
    original = jit.run

    def spy(kernel: Callable[..., None], *arguments: object) -> None:
        names.append(kernel.__name__)
        original(kernel, *arguments)

    monkeypatch.setattr(jit, "run", spy)
    return names


def run(d: Dynamics, x: Tensor, steps: int, *, compiled: bool, constant: bool = False) -> tuple[Tensor, Tensor]:
    """Spikes and the gradient of their weighted sum, in float32."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    neuron, sim = Neuron(d), Simulation(generator(5), steps)
    with jit.compiling(compiled):
        s = fire(neuron, x, sim, held=constant)
        s.backward(torch.randn(s.shape, generator=generator(2)).to(s.dtype))
    return s.detach().float(), x.grad.float()


def currents(batch: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Enough neurons for their noise to come from the tape."""
    x = torch.randn(batch, 16, 12, 12, generator=generator(1)) * 0.7 + 0.4
    return x.to(dtype).contiguous(memory_format=torch.channels_last)


@needs_compiler
@pytest.mark.parametrize("surrogate", [Triangle(0.7), Arctan(), Rectangle(), Sigmoid(), Density()], ids=str)
def test_a_single_step_in_float32_is_the_same_bit_for_bit(surrogate: Surrogate, kernels: list[str]) -> None:
    x = currents(4)
    d = SingleStep(surrogate=surrogate, v_th=0.9)
    (s, gradient), (expected, expected_gradient) = (run(d, x, 1, compiled=c) for c in (True, False))
    assert torch.equal(s, expected)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-6)
    assert kernels == ["fire"]


@needs_compiler
@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    ("d", "ran"),
    [
        (LIF(leak=0.83, v_th=0.9, v_reset=0.2), ["forward", "backward"]),
        (NoisyLIF(0.3, 0.1, Gaussian(-0.25, 0.25)), ["forward", "backward"]),
        (ExactMemory(Uniform()), ["integrate"]),
    ],
    ids=["lif", "noisy lif", "exact memory"],
)
def test_a_walk_in_float32_is_the_same_bit_for_bit(
    d: Dynamics, ran: list[str], constant: bool, kernels: list[str]
) -> None:
    x = currents(2 if constant else 2 * T)
    (s, gradient), (expected, expected_gradient) = (run(d, x, T, compiled=c, constant=constant) for c in (True, False))
    assert torch.equal(s, expected)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-6)
    assert kernels == ran


@needs_compiler
@pytest.mark.parametrize("constant", [False, True])
def test_a_long_walk_is_made_of_spans(constant: bool, kernels: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jit, "STEPS", 2)
    d = NoisyLIF(0.6, 0.1, Gaussian(-0.25, 0.25))
    x = currents(2 if constant else 10)
    (s, gradient), (expected, expected_gradient) = (run(d, x, 5, compiled=c, constant=constant) for c in (True, False))
    assert torch.equal(s, expected)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-5, atol=1e-6)
    assert kernels == ["forward"] * 3 + ["backward"] * 3


@needs_compiler
def test_ten_steps_of_a_constant_current_are_compiled_in_time(kernels: list[str]) -> None:
    """In one span they would take the compiler many minutes: its work on them doubles with each step."""
    s, expected = (run(ExactMemory(Uniform()), currents(2), 10, compiled=c, constant=True)[0] for c in (True, False))
    assert torch.equal(s, expected)
    assert kernels == ["integrate"] * 2


@needs_compiler
@pytest.mark.parametrize("k", [1.0, 4.0, 9.0])
def test_a_compiled_firing_probability_is_the_normal_law(k: float) -> None:
    """After a step from rest, p is the phase that is left and the spike that was taken from it."""
    i, v_th, noise = torch.linspace(-0.2, 1.2, 100_001), 1.0, Gaussian(k=k)
    s, u = torch.empty_like(i), torch.zeros_like(i)
    with jit.compiling(True):
        jit.run(integrate, [i], [s], u, v_th, noise)
    x = (v_th - i).numpy()
    law = np.where(x < noise.low, 1.0, np.where(x < noise.high, stats.norm.sf(x, 0.5, 0.5 / k), 0.0))
    assert np.abs((u + s).numpy() - law).max() < 1e-6


@needs_compiler
@pytest.mark.parametrize("d", [SingleStep(), LIF()], ids=["single step", "lif"])
def test_a_bfloat16_potential_is_computed_in_float32(d: SingleStep | LIF, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spikes are those of float32 arithmetic on the same currents and the same noise."""
    original = Gaussian.numbers
    monkeypatch.setattr(Gaussian, "numbers", lambda self, n, _, g: original(self, n, torch.bfloat16, g))
    steps = T if d.kind == "lif" else 1
    x = currents(2 * steps, torch.bfloat16)
    s, gradient = run(d, x, steps, compiled=True)
    expected, expected_gradient = run(d, x.float(), steps, compiled=False)
    assert torch.equal(s, expected)
    # H is kept for the backward pass, the derivative for the next operation: each rounded once, to eight bits.
    assert (gradient - expected_gradient).norm() < 0.02 * expected_gradient.norm()
    rounded, _ = run(d, x, steps, compiled=False)
    assert 0 < (rounded != expected).double().mean() < 0.02  # what rounding H at each operation costs


@needs_compiler
def test_potentials_in_float32_are_the_same_bit_for_bit() -> None:
    """Spikes alone would hide a last bit."""
    x, final = currents(2 * T), []
    for compiled in (True, False):
        states, neuron = {}, Neuron(LIF(leak=0.83, v_th=0.9, v_reset=0.2))
        with torch.no_grad(), jit.compiling(compiled):
            fire(neuron, x, Simulation(generator(), T, states=states))
        final.append(states[neuron])
    assert torch.equal(*final)


@needs_compiler
def test_a_walk_goes_on_from_its_state() -> None:
    x, states, neuron, g = currents(2 * T), {}, Neuron(LIF()), generator()
    with torch.no_grad(), jit.compiling(True):
        parts = [fire(neuron, part, Simulation(g, len(part) // 2, states=states)) for part in x.split([2, 4])]
    assert torch.equal(torch.cat(parts), run(LIF(), x, T, compiled=False)[0])


def test_nothing_is_compiled_unless_asked_for(kernels: list[str]) -> None:
    run(LIF(), currents(T), T, compiled=False)
    with Recipe().execution():
        assert not jit.active(torch.ones(3))
    assert not kernels


@needs_compiler
def test_a_recipe_asks_for_it_while_it_runs() -> None:
    with Recipe(compile=True).execution():
        assert jit.active(torch.ones(3))
    assert not jit.active(torch.ones(3))


@pytest.mark.slow
def test_without_a_compiler_there_is_one_line_and_the_same_result(tmp_path: str) -> None:
    code = f"""
import sys; sys.path[:0] = {[os.path.dirname(__file__), os.path.dirname(os.path.dirname(__file__))]!r}
import torch, test_compiled as t
x = t.currents(2)
for _ in range(2):
    s, g = t.run(t.LIF(), x, 2, compiled=True)
expected = t.run(t.LIF(), x, 2, compiled=False)
assert torch.equal(s, expected[0]) and torch.equal(g, expected[1])
"""
    nothing = {"CXX": "no-such-compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path), "PATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **nothing}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("not compiled, PyTorch's own operations are used instead") == 1


def test_a_broken_compiler_is_one_warning(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no C++ here\nand more")

    monkeypatch.setattr(jit, "run", broken)
    jit.available.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="snnlib"), jit.compiling(True):
            assert not jit.active(torch.ones(3))
            assert not jit.active(torch.ones(3))
    finally:
        jit.available.cache_clear()
    assert [r.getMessage() for r in caplog.records] == [
        "not compiled, PyTorch's own operations are used instead (RuntimeError: no C++ here)"
    ]


EQUAL = """
import torch
from snnlib.exact_memory import ExactMemory
from snnlib.fast.compiled import compiling
from snnlib.neurons import Neuron
from snnlib.noise import Uniform

x, found = torch.rand(4, 16, 12, 12), []
for on in (False, True):
    with compiling(on):
        found.append(Neuron(ExactMemory(Uniform(), spread=0))(x))
assert 0 < found[0].mean() < 1 and torch.equal(*found)
"""


@needs_compiler
@pytest.mark.slow
def test_kernels_kept_for_other_instructions_are_not_run(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    env.pop("TORCHINDUCTOR_CACHE_DIR", None)
    for capability in ({}, {"ATEN_CPU_CAPABILITY": "avx2"}, {}):
        subprocess.run([sys.executable, "-c", EQUAL], env=env | capability, check=True)
