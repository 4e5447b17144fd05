"""The networks of Table 1: their sizes, and ten steps against a loop that runs one step at a time."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from conftest import generator, images, lively
from torch import Tensor, nn

from snnlib.baselines.ann_neurons import IF, ReLU
from snnlib.checks import InputError
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.layers import Pointwise
from snnlib.models import INPUT_SHAPES, build, without_last_neurons
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation

NETWORKS = ("cnn", "resnet8", "vgg16", "resnet18")
T = 10


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def conv_bn(c_in: int, c_out: int, kernel: int = 3) -> int:
    return c_in * c_out * kernel**2 + 2 * c_out


def cnn_size(a: int, b: int, fc: int) -> int:
    return conv_bn(1, a) + conv_bn(a, b) + conv_bn(b, b) + (b * 3 * 3 + 1) * fc + (fc + 1) * 10


def vgg16_size(w: int) -> int:
    c = [3, w, w, 2 * w, 2 * w] + [4 * w] * 3 + [8 * w] * 6
    return sum(conv_bn(i, o) for i, o in itertools.pairwise(c)) + (8 * w + 1) * 10


def resnet18_size(w: int) -> int:
    total, c = conv_bn(3, w), w
    for n in (w, 2 * w, 4 * w, 8 * w):
        total += conv_bn(c, n) + 3 * conv_bn(n, n) + (conv_bn(c, n, kernel=1) if c != n else 0)
        c = n
    return total + (c + 1) * 10


def resnet8_size(w: int) -> int:
    stages = sum(conv_bn(n // 2, n) + conv_bn(n, n) for n in (2 * w, 4 * w, 8 * w))
    return conv_bn(3, w) + stages + (8 * w * 4 * 4 + 1) * 10


def vgg5_size(w: int) -> int:
    stages = conv_bn(w, 2 * w) + conv_bn(2 * w, 4 * w) + conv_bn(4 * w, 4 * w)
    return conv_bn(3, w) + stages + (4 * w * 4 * 4 + 1) * 10


@pytest.mark.parametrize("readout", ["spikes", "potential"])
@pytest.mark.parametrize(
    ("network", "closed_form", "published"),
    # the published ones are of kuangliu/pytorch-cifar: VGG-16 less its 4,224 convolution biases
    [
        ("cnn", cnn_size(64, 128, 512), 817_866),
        ("vgg16", vgg16_size(64), 14_728_266 - 4_224),
        ("resnet18", resnet18_size(64), 11_173_962),
    ],
)
def test_table_1_has_as_many_parameters_as_its_closed_form(
    network: str, closed_form: int, published: int, readout: str
) -> None:
    with torch.device("meta"):
        model = build(network, SingleStep(), readout=readout)
    assert parameters(model) == closed_form == published


@pytest.mark.parametrize(
    ("network", "size"),
    [
        ("cnn", cnn_size(16, 32, 128)), ("vgg5", vgg5_size(28)), ("resnet8", resnet8_size(16)),
        ("vgg16", vgg16_size(16)), ("resnet18", resnet18_size(16)),
    ],
)  # fmt: skip
def test_width_scales_every_layer(network: str, size: int) -> None:
    assert parameters(build(network, SingleStep(), width=0.25)) == size


@pytest.mark.parametrize(("network", "convolutions", "linear", "neurons"), [("cnn", 3, 2, 4), ("vgg16", 13, 1, 13)])
def test_chains_have_table_1s_layers_in_order(network: str, convolutions: int, linear: int, neurons: int) -> None:
    model = build(network, SingleStep(), width=1 / 16, readout="potential")
    found = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    assert [type(m) for m in found] == [nn.Conv2d, nn.BatchNorm2d] * convolutions + [nn.Linear] * linear
    assert all(m.bias is None for m in found if isinstance(m, nn.Conv2d))
    assert len(list(model.neurons())) == neurons
    assert all(isinstance(m, nn.AvgPool2d) for m in model.modules() if "Pool" in type(m).__name__)


@pytest.mark.parametrize("network", NETWORKS)
def test_spiking_readout_adds_one_layer_of_neurons_and_no_parameter(network: str) -> None:
    spiking, silent = (build(network, LIF(), width=1 / 16, readout=r) for r in ("spikes", "potential"))
    assert len(list(spiking.neurons())) == len(list(silent.neurons())) + 1
    assert spiking.state_dict().keys() == silent.state_dict().keys()


def test_resnet_has_two_neurons_a_block_and_one_after_the_stem() -> None:
    assert len(list(build("resnet18", LIF(), width=1 / 16, readout="potential").neurons())) == 17


def test_neurons_have_names_of_their_own_from_the_input_on() -> None:
    model = lively("resnet18")
    called: list[Neuron] = []
    with torch.no_grad():
        model(images(2, model.input_shape), simulation=Simulation(generator(), 1, lambda n, *_: called.append(n)))
    names, neurons = zip(*model.neurons(), strict=True)
    assert list(neurons) == called
    assert len(set(names)) == len(names)


# --- without batch norm ----------------------------------------------------------------------


# A bias instead of a scale and a shift: 64 + 128 + 128 parameters fewer for the CNN, 4,800 for ResNet-18. VGG-16's
# convolutions have 14,714,688, as Keras counts them (include_top=False), its linear layer 5,130.
@pytest.mark.parametrize(
    ("network", "size"), [("cnn", 817_866 - 320), ("vgg16", 14_714_688 + 5_130), ("resnet18", 11_173_962 - 4_800)]
)
def test_without_batch_norm_there_is_a_bias_for_each_channel(network: str, size: int) -> None:
    with torch.device("meta"):
        model = build(network, SingleStep(), batch_norm=False)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert all(m.bias is not None for m in model.modules() if isinstance(m, nn.Conv2d))
    assert parameters(model) == size


@pytest.mark.parametrize("dynamics", [ReLU(), LIF()], ids=lambda d: d.kind)
@pytest.mark.parametrize("network", NETWORKS)
def test_without_batch_norm_a_net_is_one_whose_batch_norm_is_in_the_weights(network: str, dynamics: Dynamics) -> None:
    model = lively(network, dynamics, "potential")
    bare = build(network, dynamics, width=1 / 16, readout="potential", batch_norm=False).double().eval()
    old, new = ([m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)] for net in (model, bare))
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for a, b in zip(old, new, strict=True):
            if isinstance(a, nn.Linear):
                weight, bias = a.weight, a.bias
            else:
                bn = norms.pop(0)
                parts = (a.weight, bn.running_mean, bn.running_var, bn.weight, bn.bias)
                weight, bias = map(torch.from_numpy, reference.folded(*(p.numpy() for p in parts), bn.eps))
            b.weight.copy_(weight)
            b.bias.copy_(bias)
        x = images(3, model.input_shape)
        one, other = (net(x, simulation=Simulation(generator(), 4)) for net in (model, bare))
    torch.testing.assert_close(one, other)
    assert not norms
    assert one.std() > 0.1


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("timesteps", [1, 3])
@pytest.mark.parametrize("readout", ["spikes", "potential"])
def test_output_is_time_by_batch_by_classes(network: str, timesteps: int, readout: str) -> None:
    model = lively(network, readout=readout, classes=7)
    with torch.no_grad():
        out = model(images(4, model.input_shape), simulation=Simulation(generator(), timesteps))
    assert out.shape == (timesteps, 4, 7)
    assert (set(out.unique().tolist()) == {0.0, 1.0}) == (readout == "spikes")


@pytest.mark.parametrize("network", NETWORKS)
def test_every_parameter_gets_a_gradient(network: str) -> None:
    model = lively(network).train()
    model(images(8, model.input_shape), simulation=Simulation(generator(), 1)).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    assert model.model.encoder[0].weight.grad.any()


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("dynamics", [SingleStep(), Converted(), LIF()], ids=lambda d: d.kind)
def test_what_precedes_the_first_neuron_runs_once_per_image(network: str, dynamics: Dynamics) -> None:
    model = lively(network, dynamics)
    shapes: dict[str, list[tuple[int, ...]]] = {"first": [], "second": []}
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    for name, module in zip(shapes, convolutions[:2], strict=True):
        module.register_forward_hook(lambda _, x, __, name=name: shapes[name].append(x[0].shape))
    x = images(4, model.input_shape)
    with torch.no_grad():
        model(x, simulation=Simulation(generator(), T))
    assert shapes["first"] == [x.shape]
    assert [s[0] for s in shapes["second"]] == [T * 4]  # once too, for all steps together


# --- ten steps against one after another -----------------------------------------------------


def batch_norm(x: Tensor, bn: nn.BatchNorm2d) -> Tensor:
    mean, var, weight, bias = (p[:, None, None] for p in (bn.running_mean, bn.running_var, bn.weight, bn.bias))
    return (x - mean) / (var + bn.eps).sqrt() * weight + bias


def convolve(x: Tensor, conv: nn.Conv2d, bn: nn.BatchNorm2d) -> Tensor:
    return batch_norm(F.conv2d(x, conv.weight, padding=1), bn)


class LifByHand:
    """One layer of LIF neurons, a single step at a time, from the transcription of Eqs. 1-3."""

    def __init__(self, leak: float) -> None:
        self.leak, self.seen = leak, []

    def __call__(self, current: Tensor) -> Tensor:
        self.seen.append(current.numpy())
        _, S, _ = reference.lif(np.stack(self.seen), leak=self.leak)  # from V(0) on, every time anew
        return torch.from_numpy(S[-1])


@torch.no_grad()
def cnn_by_hand(model: Spiking, x: Tensor, timesteps: int, leak: float, readout: str) -> Tensor:
    conv1, conv2, conv3 = (m for m in model.modules() if isinstance(m, nn.Conv2d))
    bn1, bn2, bn3 = (m for m in model.modules() if isinstance(m, nn.BatchNorm2d))
    fc1, fc2 = (m for m in model.modules() if isinstance(m, nn.Linear))
    n1, n2, n3, n4, n5 = (LifByHand(leak) for _ in range(5))
    outputs = []
    for _ in range(timesteps):
        s = n1(convolve(x, conv1, bn1))
        s = n2(convolve(F.avg_pool2d(s, 2), conv2, bn2))
        s = n3(convolve(F.avg_pool2d(s, 2), conv3, bn3))
        s = n4(F.avg_pool2d(s, 2).flatten(1) @ fc1.weight.T + fc1.bias)
        out = s @ fc2.weight.T + fc2.bias
        outputs.append(n5(out) if readout == "spikes" else out)
    return torch.stack(outputs)


@pytest.mark.parametrize("readout", ["spikes", "potential"])
@pytest.mark.parametrize("leak", [0.5, 0.9])
def test_ten_steps_of_the_cnn_equal_a_loop_of_single_steps(readout: str, leak: float) -> None:
    model, x = lively("cnn", LIF(leak=leak), readout), images(5)
    with torch.no_grad():
        out = model(x, simulation=Simulation(generator(), T))
    expected = cnn_by_hand(model, x, T, leak, readout)
    torch.testing.assert_close(out, expected, rtol=1e-9, atol=1e-9)
    assert not torch.equal(out[0], out[1])  # time matters here
    assert out.float().std() > 0.1


@torch.no_grad()
def resnet_by_hand(model: Spiking, x: Tensor, timesteps: int) -> Tensor:
    """Layer by layer, each convolution called once a step."""

    def fire(currents: list[Tensor]) -> list[Tensor]:
        return list(torch.from_numpy(reference.lif(np.stack([c.numpy() for c in currents]))[1]))

    def each(f: Any, xs: list[Tensor]) -> list[Tensor]:
        return [f(one) for one in xs]

    spikes = fire([convolve(x, *model.model.encoder)] * timesteps)
    *blocks, _, _, linear, _ = model.model.layers
    for block in blocks:
        conv1, bn1, _, conv2, bn2 = block.main
        inner = fire([batch_norm(conv1(s), bn1) for s in spikes])
        main = each(lambda s, c=conv2, b=bn2: convolve(s, c, b), inner)
        short = each(block.shortcut, spikes)
        spikes = fire([m + s for m, s in zip(main, short, strict=True)])
    return torch.stack(fire([s.mean((2, 3)) @ linear.weight.T + linear.bias for s in spikes]))


def test_ten_steps_of_the_resnet_equal_a_loop_of_single_steps() -> None:
    model, x = lively("resnet18", LIF()), images(3, (3, 32, 32))
    with torch.no_grad():
        out = model(x, simulation=Simulation(generator(), T))
    torch.testing.assert_close(out, resnet_by_hand(model, x, T))
    assert out.float().std() > 0.1


@torch.no_grad()
def resnet8_by_hand(model: Spiking, x: Tensor, timesteps: int) -> Tensor:
    """A step at a time: the currents of each stage's first convolution are added to those of its second."""
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    (first, *stages), linear = list(zip(convolutions, norms, strict=True)), model.model.layers[-2]
    neurons = [LifByHand(0.5) for _ in range(8)]
    outputs = []
    for _ in range(timesteps):
        fires = iter(neurons)
        s = next(fires)(convolve(x, *first))
        for one, two in zip(stages[::2], stages[1::2], strict=True):
            current = convolve(F.avg_pool2d(s, 2), *one)
            s = next(fires)(current + convolve(next(fires)(current), *two))
        outputs.append(next(fires)(s.flatten(1) @ linear.weight.T + linear.bias))
    return torch.stack(outputs)


def test_ten_steps_of_resnet8_equal_a_loop_of_single_steps() -> None:
    model, x = lively("resnet8", LIF()), images(3, (3, 32, 32))
    with torch.no_grad():
        out = model(x, simulation=Simulation(generator(), T))
    torch.testing.assert_close(out, resnet8_by_hand(model, x, T))
    assert out.float().std() > 0.1


@pytest.mark.parametrize("network", NETWORKS)
def test_one_pass_is_the_prefix_of_a_longer_one_without_noise(network: str) -> None:
    model = lively(network, LIF())
    x = images(3, model.input_shape)
    with torch.no_grad():
        long, short = (model(x, simulation=Simulation(generator(), t)) for t in (T, 4))
    assert torch.equal(long[:4], short)


@pytest.mark.parametrize("dynamics", [SingleStep(), Converted(), LIF(), IF()], ids=lambda d: d.kind)
def test_nothing_comes_out_of_a_network_without_input(dynamics: Dynamics) -> None:
    model = lively("cnn", dynamics)
    for module in model.modules():
        for name in ("bias", "running_mean"):
            if getattr(module, name, None) is not None:
                nn.init.zeros_(getattr(module, name))
    fired: list[bool] = []
    with torch.no_grad():
        model(
            torch.zeros(4, 1, 28, 28).double(),
            simulation=Simulation(generator(), T, lambda n, t, s, v: fired.append(s.any())),
        )
    assert len(fired) == 5 * T
    assert not any(fired)


# --- bad values ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"network": "lenet"},
            r"network = 'lenet': must be one of cnn, vgg5, vgg8, resnet8, resnet8_256, vgg16, resnet18",
        ),
        ({"readout": "rate"}, r"readout = 'rate': must be one of spikes, potential"),
        ({"width": 0.005}, r"width = 0.005: leaves no channel of a layer of 64"),
        ({"width": 0.0}, r"width = 0.0: must be a finite number above 0"),
        ({"width": -1.0}, r"width = -1.0: must be a finite number above 0"),
        ({"width": math.nan}, r"width = nan: must be a finite number above 0"),
        ({"width": math.inf}, r"width = inf: must be a finite number above 0"),
        ({"classes": 1}, r"classes = 1: must be a whole number of at least 2"),
        ({"network": "vgg16", "input_shape": (3, 28, 28)}, r"input_shape = \(3, 28, 28\): vgg16 needs at least 32"),
    ],
    ids=str,
)
def test_bad_values_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**{"network": "cnn", "dynamics": SingleStep(), **options})


def test_a_readout_of_potentials_has_no_neurons_to_take_away() -> None:
    net = lively(readout="potential")
    with pytest.raises(InputError, match="its readout must be spikes, not potential"):
        without_last_neurons(net)
    assert isinstance(net.model.layers[-1], nn.Linear)


def test_smallest_images_pass_every_network() -> None:
    for network, side in (("cnn", 8), ("vgg16", 32), ("resnet18", 8)):
        c = INPUT_SHAPES[network][0]
        model = build(network, SingleStep(), width=1 / 16, input_shape=(c, side, side))
        assert model(torch.randn(2, c, side, side), simulation=Simulation(generator(), 1)).shape == (1, 2, 10)


@pytest.mark.parametrize("side", [12, 20, 28, 32])
def test_resnet_pools_the_whole_map(side: int) -> None:
    model, seen = lively("resnet18", input_shape=(1, side, side)), []
    pool = next(m for m in model.modules() if "Pool" in type(m).__name__)
    pool.register_forward_hook(lambda _, i, o: seen.append((i[0], o)))
    with torch.no_grad():
        model(images(2, (1, side, side)), simulation=Simulation(generator(), 1))
    torch.testing.assert_close(seen[0][1].flatten(1), seen[0][0].mean((2, 3)))


@pytest.mark.parametrize("channels", [8, 16])  # from 8 on PyTorch's own is right on every processor
def test_a_pointwise_convolution_is_pytorchs_and_keeps_the_layout(channels: int) -> None:
    theirs, ours = (layer(channels, 2 * channels, 1, 2, bias=False) for layer in (torch.nn.Conv2d, Pointwise))
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(4, channels, 8, 8).contiguous(memory_format=torch.channels_last)
    found = []
    for layer in (theirs, ours):
        given = x.clone().requires_grad_()
        out = layer(given)
        out.square().sum().backward()
        found.append((out, given.grad, layer.weight.grad))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b)
    for a, b in zip(found[0][:2], found[1][:2], strict=True):
        assert a.stride() == b.stride()  # else sums before it are taken in another order
