"""Steps 2 and 3: other dynamics, the very same weights."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import reference
import torch
from conftest import generator, images, lively, weights
from step_by_step import layer_by_layer
from torch import Tensor, nn

from snnlib import conversion
from snnlib.checks import InputError
from snnlib.conversion import convert, convert_exact, ensemble, freeze
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.fast.all_steps import Currents
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.noise import Gaussian, MaxNormalised, Uniform
from snnlib.simulation import Simulation
from snnlib.statistics import Frozen, Layer, Sample
from snnlib.surrogate import Arctan

NETWORKS = ("cnn", "vgg16", "resnet18")
NOISES = (Gaussian(), MaxNormalised(), Uniform())
T = 6


@torch.no_grad()
def outputs(model: Spiking, x: Tensor, timesteps: int = T, seed: int = 3) -> Tensor:
    return model(x, simulation=Simulation(generator(seed), timesteps))


def dynamics(model: Spiking) -> list[Any]:
    return [neuron.dynamics for _, neuron in model.neurons()]


CONVERSIONS = [
    ("ensemble", ensemble),
    ("layer", lambda m: convert(m, statistics="layer")),
    ("sample", convert),
    ("frozen", lambda m: convert(m, statistics="frozen", calibration=images(8, m.input_shape))),
    ("exact", convert_exact),
]


@pytest.mark.parametrize(("name", "conversion"), CONVERSIONS, ids=[c[0] for c in CONVERSIONS])
@pytest.mark.parametrize("network", NETWORKS)
def test_conversion_shares_every_weight_and_leaves_it_bit_identical(network: str, name: str, conversion: Any) -> None:
    model = lively(network)
    before, old = weights(model), dynamics(model)
    converted = conversion(model)
    outputs(converted, images(2, model.input_shape))
    assert weights(model) == before == weights(converted)
    assert dynamics(model) == old == [SingleStep()] * len(old)
    mine, twins = ({**dict(m.named_parameters()), **dict(m.named_buffers())} for m in (model, converted))
    assert mine.keys() == twins.keys()
    assert all(mine[k] is twins[k] for k in mine)


def test_conversion_leaves_the_originals_mode_and_outputs_and_evaluates_itself() -> None:
    model, x = lively(), images(4)
    before = outputs(model, x)
    model.train()
    converted = convert(model)
    assert model.training
    assert not converted.training
    assert not any(m.training for m in converted.modules())
    assert torch.equal(outputs(model.eval(), x), before)
    assert not ({id(n) for _, n in model.neurons()} & {id(n) for _, n in converted.neurons()})


@pytest.mark.parametrize("options", [{}, {"statistics": "layer", "alpha": 2.0}, {"alpha": math.inf}, {"beta": 0.2}])
@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_one_step_of_the_converted_net_is_the_trained_net(network: str, noise: Any, options: dict[str, Any]) -> None:
    model = lively(network, SingleStep(noise))
    x = images(4, model.input_shape)
    trained = outputs(model, x, timesteps=1)
    assert torch.equal(outputs(convert(model, **options), x, timesteps=1), trained)
    assert torch.equal(outputs(ensemble(model), x, timesteps=1), trained)
    assert 0 < trained.mean() < 1


@pytest.mark.parametrize("noise", NOISES, ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_alpha_of_infinity_is_step_2(network: str, noise: Any) -> None:
    model = lively(network, SingleStep(noise), "potential")
    x = images(4, model.input_shape)
    step_2 = outputs(ensemble(model), x)
    assert torch.equal(outputs(convert(model, alpha=math.inf), x), step_2)
    assert not torch.equal(outputs(convert(model, alpha=4.0), x), step_2)
    assert not torch.equal(step_2[0], step_2[1])  # each step draws other noise


def test_parameters_reach_every_neuron() -> None:
    model = lively(dynamics=SingleStep(Uniform(), Arctan(), v_th=0.9))
    assert dynamics(convert(model, 5.0, 0.4, 0.3, "sample")) == [
        Converted(Uniform(), 5.0, 0.4, 0.3, Sample(), Arctan(), v_th=0.9)
    ] * len(dynamics(model))
    assert dynamics(ensemble(model)) == dynamics(model)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_converted_network_follows_the_transcription_layer_by_layer(dtype: torch.dtype) -> None:
    """Each layer's spikes over ten steps, from the transcription, given its currents and the noise it drew."""
    model = convert(lively("cnn", readout="potential").to(dtype))
    drawn: dict[str, list[Tensor]] = {}
    seen: dict[str, list[Tensor]] = {}
    names = {n: name for name, n in model.neurons()}

    class Tape(Gaussian):
        """Noise that remembers what it gave."""

        def like(self, x: Tensor, g: torch.Generator) -> Tensor:
            out = super().like(x, g)
            drawn.setdefault(current[0], []).append(out.clone())
            return out

    current = [""]
    currents: dict[str, Tensor] = {}
    for neuron, name in names.items():
        neuron.dynamics = Converted(noise=Tape())
        spikes = neuron._spikes

        def spy(x: Currents, sim: Simulation, spikes: Any = spikes, name: str = name) -> Tensor:
            current[0], currents[name] = name, x.steps()
            return spikes(x, sim)

        neuron._spikes = spy

    def observe(neuron: Neuron, t: int, s: Tensor, v: Tensor) -> None:
        seen.setdefault(names[neuron], []).append(s)

    with torch.no_grad():
        model(images(5).to(dtype), simulation=Simulation(generator(), 10, observe))
    for name in names.values():
        first, *rest = (n.double().numpy() for n in drawn[name])
        S = reference.converted(currents[name].double().numpy(), first, rest)["S"]
        differ = (torch.stack(seen[name]).double().numpy() != S).mean()
        assert differ <= (0 if dtype == torch.float64 else 1e-4)
        assert 0.02 < S.mean() < 0.98


def small(*dynamics: Dynamics) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = [part for d in dynamics for part in (nn.Linear(12, 12), Neuron(d))]
        net = nn.Sequential(*parts, nn.Linear(12, 3))
        for parameter in net.parameters():
            nn.init.normal_(parameter, 0.1, 0.5)
    return net.double().eval()


def test_each_layer_can_have_an_alpha_of_its_own() -> None:
    model, x, alphas = small(*[SingleStep()] * 3), images(4, (12,)) + 0.5, (2.5, 4.0, math.inf)
    expected = layer_by_layer(small(*(Converted(alpha=a, statistics=Sample()) for a in alphas)), [x] * T, generator(3))
    named = {f"layer {i}": a for i, a in enumerate(alphas, start=1)}
    for alpha in (list(alphas), alphas, named):
        torch.testing.assert_close(outputs(convert(model, alpha), x), expected)
    for alpha in (list(alphas[::-1]), 4.0):
        assert not torch.allclose(outputs(convert(model, alpha), x), expected)


def test_any_module_of_neurons_is_a_network() -> None:
    model, x = small(SingleStep(), SingleStep()), images(4, (12,)) + 0.5
    assert torch.equal(outputs(convert(model), x), outputs(convert(Spiking(model)), x))
    assert torch.equal(outputs(ensemble(model), x), outputs(Spiking(model), x))


# --- frozen statistics -----------------------------------------------------------------------


def together(model: Spiking, mine: Tensor, others: Tensor) -> Tensor:
    """The outputs of ``mine`` in a batch with ``others``."""
    return outputs(model, torch.cat([mine, others]), timesteps=10)[:, : len(mine)]


@pytest.mark.parametrize("network", NETWORKS)
def test_frozen_statistics_make_a_prediction_independent_of_its_batch(network: str) -> None:
    model = lively(network, readout="potential")
    shape = model.input_shape
    mine, others = images(3, shape), [scale * images(5, shape, seed=9) for scale in (0.1, 1, 10)]
    frozen = convert(model, statistics="frozen", calibration=images(32, shape, seed=4))
    alone, *rest = (together(frozen, mine, o) for o in others)
    for one in rest:
        torch.testing.assert_close(one, alone, rtol=1e-9, atol=1e-9)
    layer = convert(model, statistics="layer")
    assert not torch.allclose(together(layer, mine, others[0]), together(layer, mine, others[2]))


def test_by_default_a_prediction_is_independent_of_its_batch() -> None:
    model = convert(lively(readout="potential"))
    mine = images(3)
    one, other = (together(model, mine, scale * images(5, seed=9)) for scale in (0.1, 10))
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def measured(model: Spiking, x: torch.Tensor, leak: float) -> list[tuple[float, float]]:
    """Mean and largest distance from it of each layer's leaked potentials, means over steps 1 ... T - 1."""
    potentials: dict[Neuron, list[np.ndarray]] = {}
    with torch.no_grad():
        model(
            x,
            simulation=Simulation(
                generator(5), T, lambda n, t, s, v: potentials.setdefault(n, []).append(v.numpy().copy())
            ),
        )
    leaked = [[leak * v for v in potentials[neuron][:-1]] for _, neuron in model.neurons()]
    return [(np.mean([a.mean() for a in A]), np.mean([np.abs(a - a.mean()).max() for a in A])) for A in leaked]


def test_frozen_constants_are_those_of_the_net_that_runs_with_them() -> None:
    """The mean over the steps whose potential is used, of the frozen net itself: measuring it gives them again."""
    model, x = lively(), images(8)
    frozen = convert(model, leak=0.7, statistics="frozen", calibration=x, timesteps=T, seed=5)
    constants = [(d.statistics.mean, d.statistics.peak) for d in dynamics(frozen)]
    for (mean, peak), (own_mean, own_peak) in zip(measured(frozen, x, 0.7), constants, strict=True):
        assert own_peak == pytest.approx(peak, rel=1e-3)
        assert own_mean == pytest.approx(mean, abs=1e-3 * peak)
    before = measured(
        convert(model, leak=0.7, statistics="layer"), x, 0.7
    )  # of the net with layer statistics: not the same
    assert max(abs(own[1] - then[1]) for own, then in zip(constants, before, strict=True)) > 1e-3


def test_frozen_constants_are_found_in_rounds(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each round measures the net of the round before; the first one that with layer statistics."""
    model, x = lively(), images(8)
    convert(model, leak=0.7, statistics="frozen", calibration=x, timesteps=T, seed=5)
    assert not caplog.records
    monkeypatch.setattr(conversion, "MOST_ROUNDS", 1)
    once = convert(model, leak=0.7, statistics="frozen", calibration=x, timesteps=T, seed=5)
    assert "frozen constants still move after 1 rounds of measuring" in caplog.text
    monkeypatch.setattr(conversion, "MOST_ROUNDS", 2)
    twice = convert(model, leak=0.7, statistics="frozen", calibration=x, timesteps=T, seed=5)
    for net, source in ((once, convert(model, leak=0.7, statistics="layer")), (twice, once)):
        for d, (mean, peak) in zip(dynamics(net), measured(source, x, 0.7), strict=True):
            assert d.statistics.mean == pytest.approx(mean, rel=1e-6)
            assert d.statistics.peak == pytest.approx(peak, rel=1e-6)


def test_frozen_constants_lose_almost_nothing_on_their_own_images() -> None:
    model, x = lively(), images(64)
    layer = convert(model, statistics="layer")
    rates = [outputs(m, x, 10).mean(0) for m in (layer, freeze(layer, x))]
    assert (rates[0] - rates[1]).abs().mean() < 0.05


def test_each_layer_has_frozen_constants_of_its_own() -> None:
    found = dynamics(convert(lively(), statistics="frozen", calibration=images(8)))
    assert all(isinstance(d.statistics, Frozen) and d.statistics.peak > 0 for d in found)
    assert len({d.statistics.mean for d in found}) == len(found)
    for name, kind in (("layer", Layer), ("sample", Sample)):
        assert all(isinstance(d.statistics, kind) for d in dynamics(convert(lively(), statistics=name)))


def test_a_layer_that_is_for_training_alone_has_nothing_to_be_frozen() -> None:
    class Auxiliary(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.main, self.aside = small(SingleStep()), Neuron(SingleStep())

        def forward(self, x: Tensor) -> Tensor:
            return self.main(x) + self.aside(x).mean() if self.training else self.main(x)

    model, x = Auxiliary().eval(), images(8, (12,))
    frozen, alone = (convert(m, statistics="frozen", calibration=x) for m in (model, model.main))
    assert dynamics(frozen)[0] == dynamics(alone)[0]
    assert dynamics(frozen)[1].statistics == Frozen(0.0, 0.0)
    assert torch.equal(outputs(frozen, x), outputs(alone, x))


def test_measuring_leaves_a_net_in_training_mode_as_it_is() -> None:
    net = convert(lively(), statistics="layer")
    expected = [d.statistics for d in dynamics(freeze(net, images(8)))]
    before = [b.clone() for b in net.buffers()]
    net.train()
    assert [d.statistics for d in dynamics(freeze(net, images(8)))] == expected
    assert all(torch.equal(a, b) for a, b in zip(net.buffers(), before, strict=True))  # batch norm's, which it shares
    assert net.training


# --- bad values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": 1.5}, r"alpha = 1.5: must be at least 2, or inf"),
        ({"alpha": math.nan}, r"alpha = nan: must be at least 2, or inf"),
        ({"beta": 1.5}, r"beta = 1.5: must be a number between 0.0 and 1.0"),
        ({"leak": -0.5}, r"leak = -0.5: must be a number between 0 and 1"),
        ({"leak": math.nan}, r"leak = nan: must be a number between 0 and 1"),
        ({"statistics": "batch"}, r"statistics = 'batch': must be one of layer, sample, frozen"),
        ({"statistics": "frozen"}, r"calibration = None: statistics = frozen needs training images"),
        ({"calibration": images(2)}, r"calibration: is for statistics = frozen; statistics = sample measures nothing"),
    ],
    ids=str,
)
def test_bad_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert(lively(), **options)


def test_a_spread_is_a_share_of_a_phase() -> None:
    with pytest.raises(InputError, match=r"spread = 1.5: must be a number between 0 and 1"):
        convert_exact(lively(), spread=1.5)


@pytest.mark.parametrize("held", [(images(2), torch.zeros(2)), [images(2)], torch.tensor(1.0)], ids=type)
def test_calibration_is_a_tensor_of_inputs(held: Any) -> None:
    with pytest.raises(InputError, match=r"^calibration = .*: must be a tensor of inputs \[N, ...\], without targets"):
        convert(lively(), statistics="frozen", calibration=held)
    with pytest.raises(InputError, match=r"^seed = -1: must be a whole number"):
        convert(lively(), statistics="frozen", calibration=images(2), seed=-1)


@pytest.mark.parametrize("conversion", [convert, convert_exact, ensemble])
@pytest.mark.parametrize("trained", [LIF(), Converted()], ids=lambda d: d.kind)
def test_only_a_single_step_net_is_converted(conversion: Any, trained: Any) -> None:
    with pytest.raises(ValueError, match=rf"dynamics = {trained.kind}: .*single_step"):
        conversion(lively(dynamics=trained))


@pytest.mark.parametrize("conversion", [convert, convert_exact, ensemble])
@pytest.mark.parametrize("model", [nn.Sequential(nn.Linear(3, 3), nn.ReLU()), None, "net"], ids=str)
def test_what_has_no_neurons_is_no_network(conversion: Any, model: Any) -> None:
    with pytest.raises(InputError, match=rf"^model = {type(model).__name__}: must be a network of neurons"):
        conversion(model)


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        ([4.0], "alpha: 1 values for 5 layers of neurons; there must be as many"),
        ({"layer 1": 4.0}, "alpha = {'layer 1': 4.0}: must have each layer of neurons; layer 2 is missing"),
        ({"layer 9": 4.0}, "alpha, layer = 'layer 9': must be one of layer 1, layer 2, layer 3, layer 4, layer 5"),
        ([4.0, 4.0, 4.0, 4.0, 1.0], "alpha = 1.0: must be at least 2, or inf"),
    ],
)
def test_an_alpha_for_other_layers_than_there_are_is_refused(alpha: Any, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        convert(lively(), alpha)


@pytest.mark.parametrize("option", [{"timesteps": 20}, {"seed": 3}])
def test_what_only_calibration_has_a_use_for_is_refused_without_it(option: dict[str, int]) -> None:
    (name,) = option
    with pytest.raises(InputError, match=f"^{name}: is for statistics = frozen; statistics = sample measures nothing"):
        convert(lively(), **option)


def test_over_time_the_calibration_has_the_steps_of_its_inputs() -> None:
    net, x = (
        Spiking(nn.Sequential(nn.Flatten(), small(SingleStep())), over_time=True),
        images(8, (12,)).expand(7, 8, 12),
    )
    frozen = convert(net, statistics="frozen", calibration=x)
    assert dynamics(convert(net, statistics="frozen", calibration=x, timesteps=7)) == dynamics(frozen)
    with pytest.raises(InputError, match="timesteps of calibration = 5: must be 7, those of the inputs over time"):
        convert(net, statistics="frozen", calibration=x, timesteps=5)


@pytest.mark.parametrize("timesteps", [1, 0, -1])
def test_too_few_calibration_steps_are_refused_by_name(timesteps: int) -> None:
    with pytest.raises(ValueError, match=rf"timesteps of calibration = {timesteps}: must be .* at least 2"):
        convert(lively(), statistics="frozen", calibration=images(4), timesteps=timesteps)
