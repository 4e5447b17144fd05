"""`Rate` against the neuron whose rate it is, and nets of them against their layers run one after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import generator
from step_by_step import layer_by_layer, step_by_step
from torch import Tensor, nn

from snnlib.baselines.ann_neurons import IF, QCFS
from snnlib.checks import InputError
from snnlib.dynamics import LIF, SingleStep
from snnlib.fast import Currents, phases
from snnlib.fast.compiled import compiling
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Uniform
from snnlib.rate import Rate, integrated

LEVELS = [1, 2, 3, 4, 8, 100]


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=dtype) * 0.6 + 0.5


def numpy_rate(x: np.ndarray, u: np.ndarray, steps: int) -> np.ndarray:
    """Spikes of an integrate-and-fire neuron, counted, at currents within [0, 1]."""
    v, spikes = u.copy(), np.zeros_like(x)
    for _ in range(steps):
        v += np.clip(x, 0, 1)
        fired = v >= 1
        spikes += fired
        v -= fired
    return spikes / steps


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("levels", LEVELS)
def test_it_is_the_rate_of_a_neuron_that_integrates(levels: int, spread: float) -> None:
    x = drawn(2000)
    u = phases(Currents(x, timesteps=1), spread, generator(7)).double() if spread else torch.full_like(x, 0.5)
    assert float((u - 0.5).abs().max()) == pytest.approx(spread / 2, abs=1e-3)
    expected = numpy_rate(x.numpy(), u.numpy(), levels)
    found, state = Rate(levels, spread).step(x, None, generator(7))
    assert state is None
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)
    assert len(np.unique(expected)) == levels + 1


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("levels", LEVELS)
def test_if_fires_at_that_rate(levels: int, spread: float) -> None:
    x = drawn(2000)
    spikes, _ = step_by_step(IF(v_init=0.5, spread=spread), x.expand(levels, -1), seed=7)
    rate, _ = Rate(levels, spread).step(x, None, generator(7))
    torch.testing.assert_close(spikes.mean(0), rate, atol=1e-12, rtol=0)


def test_at_just_its_threshold_if_waits_as_the_papers_neuron_does() -> None:
    """Eq. 2 has H > V_th; the floor counts H = V_th."""
    x = torch.full((1,), 0.5)
    assert Rate(1, spread=0).step(x, None, generator())[0] == 1
    assert IF(v_init=0.5).step(x, None, generator())[0] == 0


@pytest.mark.parametrize("levels", [1, 4])
def test_its_mean_over_phases_is_the_clipped_current(levels: int) -> None:
    x = torch.linspace(-0.5, 1.5, 21, dtype=torch.float64)
    n = 20_000
    mean = Rate(levels).step(x.repeat(n, 1), None, generator())[0].mean(0)
    within = 5 * 0.5 / levels / n**0.5  # five standard deviations of a mean of n, at most half a level each
    torch.testing.assert_close(mean, x.clamp(0, 1), atol=within, rtol=0)


def test_its_relatives() -> None:
    x = drawn(5000)
    for levels in LEVELS:
        assert torch.equal(
            Rate(levels, spread=0).step(x, None, generator())[0], QCFS(levels).step(x, None, generator())[0]
        )
    often = torch.linspace(-0.2, 1.2, 15).repeat(20_000, 1)
    one_level, ours = (d.step(often, None, generator(3))[0] for d in (Rate(1), SingleStep(Uniform())))
    assert set(one_level.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(one_level.mean(0), ours.mean(0), atol=5 * 0.5 * (2 / 20_000) ** 0.5, rtol=0)
    fine, _ = Rate(10_000).step(x, None, generator())
    torch.testing.assert_close(fine, x.clamp(0, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("dynamics", [Rate(), Rate(3, spread=0.0)], ids=str)
def test_its_gradient_is_that_of_the_clip(dynamics: Rate) -> None:
    x, upstream = drawn(400).requires_grad_(), drawn(400, seed=1)
    (found,) = torch.autograd.grad(dynamics.step(x, None, generator())[0], x, upstream)
    assert torch.equal(found, torch.where((x > 0) & (x < 1), upstream, 0.0))


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_it_is_the_same(dtype: torch.dtype, spread: float) -> None:
    for levels in (4, 1, 8, 3, 4):  # one after another: a kernel must not keep the number it was compiled for
        found = {}
        for on in (False, True):
            x = drawn(6, 3, 8, 8, dtype=torch.float32).to(dtype, memory_format=torch.channels_last).requires_grad_()
            with compiling(on):
                rate, _ = Rate(levels, spread).step(x, None, generator(2))
            found[on] = rate, *torch.autograd.grad(rate, x, drawn(6, 3, 8, 8, seed=1, dtype=torch.float32).to(dtype))
        assert found[True][0].max() == 1
        assert all(torch.equal(eager, fast) for eager, fast in zip(found[False], found[True], strict=True))


def test_in_bfloat16_no_level_is_lost() -> None:
    x = torch.full((4000,), 200 / 256, dtype=torch.bfloat16)
    found, _ = Rate(64).step(x, None, generator())
    assert found.dtype == torch.bfloat16
    assert found.unique().tolist() == [50 / 64]
    s, v = IF(v_init=0.5, spread=1.0).step(x, None, generator())
    assert (s.dtype, v.dtype) == (torch.bfloat16, torch.float32)
    assert s.float().mean() == pytest.approx(200 / 256, abs=0.03)


# --- nets ------------------------------------------------------------------------------------


def net(dynamics: Rate) -> Spiking:
    torch.manual_seed(0)
    layers = [nn.Linear(6, 30), Neuron(dynamics), nn.Linear(30, 20), Neuron(dynamics), nn.Linear(20, 3)]
    return Spiking(nn.Sequential(*layers)).double().eval()


@torch.no_grad()
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_waiting_for_all_steps_of_a_layer_is_the_net_that_was_trained(spread: float) -> None:
    """Each layer runs as IF neurons for T steps on the mean output of the layer before."""
    steps, trained, x = 5, net(Rate(2, spread)), drawn(4, 6) * 2
    found = integrated(trained, steps)(x, generator=generator(5))
    g, h = generator(5), x
    for layer in trained.model:
        if isinstance(layer, Neuron):
            once = nn.Sequential(Neuron(IF(v_init=0.5, spread=spread)))
            h = layer_by_layer(once, [h.clamp(0, 1)] * steps, g).mean(0)
        else:
            h = layer(h)
    torch.testing.assert_close(found, h)
    assert torch.equal(integrated(trained, 2)(x, generator=generator(5)), trained(x, generator=generator(5)))


@torch.no_grad()
def test_it_spikes_as_integrate_and_fire_neurons_from_the_same_phases() -> None:
    trained, x = net(Rate(2, 0.5)), drawn(4, 6) * 2
    spiking = integrated(trained)
    parts = nn.Sequential(*(Neuron(IF(v_init=0.5, spread=0.5)) if isinstance(m, Neuron) else m for m in trained.model))
    expected = layer_by_layer(parts, [x] * 7, generator(5))
    assert torch.equal(spiking(x, timesteps=7, generator=generator(5)), expected)
    assert all(a is b for a, b in zip(spiking.parameters(), trained.parameters(), strict=True))
    with pytest.raises(InputError, match=r"^dynamics = lif: must be rate, to be integrated"):
        integrated(Spiking(nn.Sequential(Neuron(LIF()))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"levels": 0}, "rate levels = 0: must be a whole number of at least 1"),
        ({"levels": 2.5}, "rate levels = 2.5: must be a whole number"),
        ({"spread": 1.5}, "rate spread = 1.5: must be a number between 0 and 1"),
    ],
)
def test_values_that_cannot_be_used_are_refused(change: dict, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        Rate(**change)
