"""The memory that changes no law: its steps, its bound, and the law of spikes inside a trained net."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator
from scipy import stats
from step_by_step import fire, step_by_step
from torch import Tensor, nn

from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.checks import InputError
from snnlib.conversion import convert, convert_exact, with_dynamics
from snnlib.data.sets import Dataset
from snnlib.dynamics import Dynamics, SingleStep
from snnlib.exact_memory import ExactMemory
from snnlib.fast import Currents
from snnlib.fast.phase_steps import GRID
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Bounded, Gaussian, MaxNormalised, Uniform
from snnlib.own.fit import fit
from snnlib.own.network_file import load, save
from snnlib.replace_activations import spiking
from snnlib.simulation import CHUNK, Simulation, simulate

NOISES = [Gaussian(), Gaussian(-0.2, 0.7, k=1.0), Uniform(), Uniform(0.1, 0.4)]
JUST_BELOW_ONE = 1 - GRID  # the largest phase


def probability(current: Tensor, noise: Bounded, v_th: float = 1.0) -> np.ndarray:
    width = {"k": noise.k} if isinstance(noise, Gaussian) else {}
    return reference.firing_probability(current.double().numpy(), noise.kind, noise.low, noise.high, v_th=v_th, **width)


def currents(*shape: int, seed: int = 0) -> Tensor:
    """Currents in float64, most of them where a neuron fires now and then."""
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64) * 0.3 + 0.5


# --- one neuron ------------------------------------------------------------------------------


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_it_fires_as_often_as_the_noisy_neuron_and_never_or_always_where_that_does(noise: Bounded) -> None:
    """40 currents with 20,000 draws each: a rate beyond 5 standard deviations is a matter of 1 in 40,000."""
    n, v_th = 20_000, 0.9
    low, high = v_th - noise.high, v_th - noise.low
    x = torch.cat([torch.linspace(low - 0.1, high + 0.1, 38), torch.tensor([low - 1e-3, high + 1e-3])])
    p = noise.survival(v_th - x.double()).numpy()
    np.testing.assert_allclose(p, probability(x, noise, v_th), rtol=0, atol=1e-12)
    fired, _ = SingleStep(noise, v_th=v_th).step(x.expand(n, 40), None, generator(1))
    assert np.all(np.abs(fired.double().mean(0).numpy() - p) <= 5 * np.sqrt(p * (1 - p) / n))
    assert {0.0, 1.0} < {*p}


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_at_the_edges_of_the_noise_it_is_as_strict_as_eq_2(noise: Bounded) -> None:
    """At I = V_th - high even the largest noise only equals the threshold; at V_th - low the smallest still does."""
    noise, v_th = noise.within(0.5, 0.5), 1.0  # edges that float32 has exactly
    x, tail = torch.tensor([0.0, 1e-3, 1.0, 1.001]), stats.norm.sf(noise.k) if isinstance(noise, Gaussian) else 0.0
    p = noise.survival(v_th - x).double()
    assert p[0] == 0 < p[1]
    assert p[2].item() == pytest.approx(1 - tail, abs=1e-7)
    assert p[3] == 1


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_the_density_is_that_of_the_noise_within_its_range(noise: Bounded) -> None:
    x = torch.linspace(noise.low - 0.1, noise.high + 0.1, 200, dtype=torch.float64)
    law = stats.uniform(noise.low, noise.high - noise.low)
    if isinstance(noise, Gaussian):
        law = stats.norm(noise.centre, noise.half_width / noise.k)
    inside = ((x > noise.low) & (x < noise.high)).numpy()
    np.testing.assert_allclose(noise.density(x), law.pdf(x) * inside, rtol=1e-9)
    assert not noise.within(0.5, 0.0).density(x).any()


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_steps_follow_the_transcription(noise: Bounded, spread: float) -> None:
    x = currents(10, 4, 300)
    d = ExactMemory(noise, spread, v_th=0.9)
    s, u = step_by_step(d, x, seed=4)
    # The phase before the first step, from what a neuron that never fires keeps of it.
    _, phase = d.step(torch.full_like(x[0], -9.0), None, generator(4))
    H, S, U = reference.exact_memory(probability(x, noise, 0.9), phase.double().numpy())
    clear = (np.abs(H - 1) > 1e-5).all(0)  # float32 decides the rest
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(s.numpy()[:, clear], S[:, clear])
    np.testing.assert_allclose(u.numpy()[:, clear], U[:, clear], rtol=0, atol=1e-5)
    assert 0.1 < S.mean() < 0.9
    assert ((phase - 0.5).abs() <= spread / 2 + GRID).all()
    assert phase.double().std().item() == pytest.approx(spread / np.sqrt(12), abs=0.03)


def test_the_phase_is_float32_and_never_reaches_1_whatever_the_currents_are_in() -> None:
    never, always = -1.0, 2.0
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        u = torch.tensor([0.0, GRID, 0.5, JUST_BELOW_ONE])
        before = u.clone()
        for current in (always, never) * 50:
            s, u = ExactMemory().step(torch.full((4,), current, dtype=dtype), u, generator())
            assert s.tolist() == [float(current == always)] * 4
            assert s.dtype == dtype
            assert u.dtype == torch.float32
            assert torch.equal(u, before)


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_spikes_are_never_a_whole_one_off_the_sum_of_probabilities(noise: Bounded) -> None:
    """|sum of (S - p)| < 1 at every t, for currents that follow the spikes as the worst of networks might."""
    d, g, u, excess = ExactMemory(noise, spread=1.0), generator(2), None, 0.0
    x, furthest = currents(500), 0.0
    for t in range(1000):
        s, u = d.step(x, u, g)
        excess = excess + s.numpy() - probability(x, noise)
        furthest = max(furthest, np.abs(excess).max())
        x = currents(500, seed=t) - 0.2 * torch.from_numpy(np.sign(excess))
    assert 0.9 < furthest < 1 + 1000 * GRID


@pytest.mark.parametrize("noise", NOISES, ids=str)
def test_phases_stay_uniform_whatever_currents_came_before(noise: Bounded) -> None:
    """Kolmogorov-Smirnov at each of 12 steps: a false alarm is 1 in 10,000."""
    d, u, g = ExactMemory(noise, spread=1.0), None, generator(6)
    for x in currents(12, 50).repeat(1, 400):
        _, u = d.step(x, u, g)
        assert stats.kstest(u.double().numpy(), "uniform").pvalue > 1e-4 / 12


def test_the_gradient_of_a_spike_is_the_noises_density() -> None:
    x, weights = currents(3, 5, 8), currents(3, 5, 8, seed=1)
    for held in (False, True):
        values = (x[0] if held else x.flatten(0, 1)).clone().requires_grad_()
        s, u = ExactMemory(Gaussian(), v_th=0.9).all_steps(Currents(values, 3, held), None, generator())
        (s.unflatten(0, (3, 5)) * weights).sum().backward()
        slope = stats.norm.pdf(0.9 - x.numpy(), 0.5, 0.125) * ((x > -0.1) & (x < 0.9)).numpy()
        expected = slope[0] * weights.numpy().sum(0) if held else (slope * weights.numpy()).reshape(15, 8)
        np.testing.assert_allclose(values.grad, expected, rtol=1e-9, atol=1e-12)
        assert not u.requires_grad


# --- inside a trained net --------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(small: Dataset) -> tuple[Spiking, Tensor]:
    """A net of three layers of neurons, the last one its readout, and the image that leaves most of them undecided."""
    torch.manual_seed(0)
    layers = [part for a, b in pairwise((784, 24, 16, 10)) for part in (nn.Linear(a, b), nn.BatchNorm1d(b), nn.ReLU())]
    net = spiking(nn.Sequential(nn.Flatten(), *layers)).seed(0)
    fit(net, (small.train.images, nn.functional.one_hot(small.train.labels).float()), epochs=20, lr=0.01)
    x = small.test.images / 255
    rates = [spikes(net, one, 1, seed=0, copies=200)[0].mean(0) for one in x.split(1)]
    undecided = torch.stack([((r > 0.05) & (r < 0.95)).sum() for r in rates])
    assert undecided.max() > 15  # of 50 neurons; else there is little to compare
    return net, x[undecided.argmax(), None]


@dataclass(frozen=True)
class Shared(ExactMemory):
    """The control: all neurons of a layer begin at the same phase, uniform over images."""

    def all_steps(self, currents: Currents, state: Tensor | None, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if state is None:
            one = torch.randint(2**23, (len(currents.values) // currents.held, 1), generator=generator)
            state = (one * GRID).float().expand(-1, currents.values.shape[1])
        return super().all_steps(currents, state, generator)


def spikes(net: Spiking, x: Tensor, timesteps: int, seed: int, copies: int = 6_000) -> list[Tensor]:
    """Spikes [copies, all neurons of the net] of each time step, from copies of one image."""
    found: list[list[Tensor]] = [[] for _ in range(timesteps)]
    with torch.no_grad():
        net(
            x.expand(copies, *x.shape[1:]),
            simulation=Simulation(generator(seed), timesteps, lambda _, t, s, __: found[t - 1].append(s)),
        )
    return [torch.cat(layers, 1) for layers in found]


def unlikeliest(a: list[Tensor], b: list[Tensor]) -> float:
    """The least p-value of all comparisons of two samples of spikes [n, neurons], times how many these are.

    Compared are, for each pair in the lists, how often any two neurons fire together (each neuron with itself too) and
    how often each pattern of the ten last neurons comes. Given how often it happened in both samples together, how
    often in the first is hypergeometric if both have the same law. So a law is wrongly rejected with at most the
    probability below which this is taken as evidence (Bonferroni).
    """
    p = []
    for one, other in zip(a, b, strict=True):
        n = len(one)
        above = torch.triu_indices(one.shape[1], one.shape[1])
        together = [(s.T @ s)[above[0], above[1]].long().numpy() for s in (one, other)]
        codes = [(s[:, -10:] @ 2.0 ** torch.arange(10)).long() for s in (one, other)]
        patterns = [torch.bincount(c, minlength=1024).numpy() for c in codes]
        for first, second in (together, patterns):
            law = stats.hypergeom(2 * n, first + second, n)
            p.append(2 * np.minimum(law.cdf(first), law.sf(first - 1)))
    p = np.concatenate(p)
    return p.min() * len(p)


CHANCE = 1e-6  # of a false alarm


STEPS = (1, 2, 7)


def against_the_trained_net(
    trained: tuple[Spiking, Tensor], dynamics: Dynamics, noise: Bounded | None = None, at: tuple[int, ...] = STEPS
) -> float:
    """`unlikeliest` of the net with these dynamics at steps ``at``, and of the single-step net, with its own noise."""
    net, x = trained
    if noise:
        net = with_dynamics(net, lambda neuron: replace(neuron.dynamics, noise=noise))
    found = spikes(with_dynamics(net, lambda _: dynamics), x, max(at), seed=1)
    own = [spikes(net, x, 1, seed)[0] for seed in range(2, 2 + len(at))]
    return unlikeliest([found[t - 1] for t in at], own)


@pytest.mark.parametrize("noise", [Gaussian(), Uniform()], ids=str)
def test_the_joint_law_of_all_spikes_at_a_step_is_that_of_the_trained_net(
    trained: tuple[Spiking, Tensor], noise: Bounded
) -> None:
    assert against_the_trained_net(trained, ExactMemory(noise, spread=1.0), noise) > CHANCE


def test_evenly_spread_noise_has_that_law_too(trained: tuple[Spiking, Tensor]) -> None:
    assert against_the_trained_net(trained, LowDiscrepancy()) > CHANCE


@pytest.mark.parametrize("at", STEPS)
def test_one_phase_for_all_neurons_breaks_it_at_each_of_these_steps(trained: tuple[Spiking, Tensor], at: int) -> None:
    assert against_the_trained_net(trained, Shared(spread=1.0), at=(at,)) < CHANCE / 1e3


def test_narrower_phases_break_it(trained: tuple[Spiking, Tensor]) -> None:
    assert against_the_trained_net(trained, ExactMemory(spread=0.9)) < CHANCE / 1e3


@pytest.mark.parametrize("noise", [Gaussian(), Uniform()], ids=str)
def test_each_layer_of_a_trained_net_follows_the_transcription_within_the_bound(
    trained: tuple[Spiking, Tensor], noise: Bounded
) -> None:
    """Spikes at 200 steps against NumPy, layer by layer, from the spikes of the layer before."""
    net, x = trained
    net, copies, timesteps = copy.deepcopy(convert_exact(net, noise=noise)).double(), 20, 200
    found: dict[Neuron, list[tuple[Tensor, Tensor]]] = {neuron: [] for _, neuron in net.neurons()}
    images = x.double().expand(copies, *x.shape[1:])
    with torch.no_grad():
        for _ in simulate(net, images, generator(3), timesteps, observe=lambda n, _, s, u: found[n].append((s, u))):
            pass
        (flatten, *modules), inputs = net.model, None
        inputs = flatten(images).expand(timesteps, copies, -1)
        while modules:
            linear, norm, neuron, *modules = modules
            current = norm(linear(inputs.flatten(0, 1))).unflatten(0, (timesteps, copies))
            inputs = torch.stack([s for s, _ in found[neuron]])
            p, s = probability(current, noise), inputs.numpy()
            assert np.abs(np.cumsum(s - p, 0)).max() < 1 + 1e-4
            phase = found[neuron][0][1].numpy() - p[0] + s[0]
            H, S, _ = reference.exact_memory(p, phase)
            clear = (np.abs(H - 1) > 1e-4).all(0)
            assert clear.mean() > 0.9
            np.testing.assert_array_equal(s[:, clear], S[:, clear])
            assert len(np.unique(s.sum(0))) > 5  # there is something to compare


def test_nor_does_the_papers_memory(trained: tuple[Spiking, Tensor]) -> None:
    net, x = trained
    second = spikes(convert(net, statistics="sample"), x, 2, seed=1)[1]
    assert unlikeliest([second], spikes(net, x, 1, seed=2)) < CHANCE / 1e3


# --- how it is run ---------------------------------------------------------------------------


def test_each_layer_can_begin_in_its_own_way(trained: tuple[Spiking, Tensor]) -> None:
    net, _ = trained
    spreads = dict(zip((name for name, _ in net.neurons()), (1.0, 0.7, 0.5), strict=True))
    for given in (spreads, [*spreads.values()]):
        found = convert_exact(net, spread=given)
        assert [n.dynamics.spread for _, n in found.neurons()] == [1.0, 0.7, 0.5]


def test_a_long_simulation_in_pieces_is_one_pass(trained: tuple[Spiking, Tensor]) -> None:
    net, x = trained
    exact, x, steps = convert_exact(net), x + torch.linspace(0, 0.3, 5)[:, None, None, None], CHUNK + 5
    pieces = torch.cat([out for _, out in simulate(exact, x, generator(3), steps)])
    with torch.no_grad():
        assert torch.equal(pieces, exact(x, simulation=Simulation(generator(3), steps)))
    assert 0.02 < pieces.mean() < 0.98


def test_in_bfloat16_the_phases_of_a_net_stay_float32(trained: tuple[Spiking, Tensor]) -> None:
    net, x = trained
    exact, states = convert_exact(net).bfloat16(), {}
    try:
        with torch.no_grad():
            out = exact(x.bfloat16(), simulation=Simulation(generator(), 3, states=states))
    finally:
        exact.float()  # it shares the net's weights
    assert out.dtype == torch.bfloat16
    assert {u.dtype for u in states.values()} == {torch.float32}


def test_no_noise_is_drawn_after_the_first_step() -> None:
    neuron, g, states, x = Neuron(ExactMemory()), generator(), {}, currents(3, 4)
    fire(neuron, x, Simulation(g, 1, states=states))
    before = g.get_state()
    fire(neuron, x, Simulation(g, 1, states=states))
    assert torch.equal(g.get_state(), before)


def test_a_quiet_net_is_the_trained_one_with_the_noises_mean(trained: tuple[Spiking, Tensor]) -> None:
    net, x = trained
    assert net.quiet
    with torch.no_grad():
        assert torch.equal(convert_exact(net, spread=1.0)(x), net(x))


@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_a_saved_net_remembers_its_memory(trained: tuple[Spiking, Tensor], spread: float, tmp_path: Any) -> None:
    net, x = trained
    exact = convert_exact(net, spread=spread, noise=Uniform())
    found = load(save(exact, tmp_path / "net.safetensors"), net)
    assert [n.dynamics for _, n in found.neurons()] == [ExactMemory(Uniform(), spread)] * 3
    with torch.no_grad():
        assert torch.equal(*(m(x, timesteps=3, generator=generator()) for m in (found, exact)))


@pytest.mark.parametrize("make", [ExactMemory, LowDiscrepancy])
def test_noise_without_a_distribution_function_is_refused(make: Any) -> None:
    with pytest.raises(InputError, match="^noise = max_normalised: must be gaussian or uniform; it has no"):
        make(MaxNormalised())
    assert make(MaxNormalised(0.5, 0.5)).noise.survival(torch.tensor([0.4, 0.5])).tolist() == [1.0, 0.0]
