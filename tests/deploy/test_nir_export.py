"""NIR graphs: read back as written, and run by a NumPy interpreter that knows NIR alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nir
import numpy as np
import pytest
import torch
from conftest import generator, images, lively
from torch import nn

from snnlib.checks import InputError
from snnlib.conversion import convert, with_dynamics
from snnlib.deploy.folding import fold, without_noise
from snnlib.deploy.nir_export import not_expressed, to_nir, write_nir
from snnlib.dynamics import LIF
from snnlib.layers import CurrentShortcut, Residual, without_batch_norm
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.replace_activations import spiking
from snnlib.simulation import Simulation

SHAPES = {"cnn": (1, 12, 10), "resnet8": (3, 8, 8), "resnet18": (3, 8, 8)}
DT = 1e-3
T = 5


def folded(network: str, readout: str = "spikes") -> Spiking:
    shape = SHAPES[network]
    model = lively(network, width=1 / 32, input_shape=shape, readout=readout)
    return fold(convert(model, statistics="frozen", calibration=images(8, shape, seed=3), timesteps=T))


# --- an interpreter of the nodes used, one image, from NIR's definitions --------------------------------------


def conv2d(node: nir.Conv2d, x: np.ndarray) -> np.ndarray:
    (top, left), (down, right) = node.padding, node.stride
    x = np.pad(x, ((0, 0), (top, top), (left, left)))
    extent = tuple(d * (k - 1) + 1 for d, k in zip(node.dilation, node.weight.shape[2:], strict=True))
    windows = np.lib.stride_tricks.sliding_window_view(x, extent, axis=(1, 2))[:, ::down, ::right]
    windows = windows[..., :: node.dilation[0], :: node.dilation[1]]
    return np.einsum("ihwkl,oikl->ohw", windows, node.weight) + node.bias[:, None, None]


def pool(node: nir.AvgPool2d, x: np.ndarray) -> np.ndarray:
    k, m = node.kernel_size
    h, w = x.shape[1] // k, x.shape[2] // m
    return x[:, : h * k, : w * m].reshape(len(x), h, k, w, m).mean((2, 4))


def interpret(graph: nir.NIRGraph, image: np.ndarray, timesteps: int, dt: float) -> np.ndarray:
    """Outputs [T, ...] for a constant input: Euler steps, each node after all that it hears from."""
    order: list[str] = []
    while len(order) < len(graph.nodes):
        order += [n for n in graph.nodes if n not in order and all(a in order for a, b in graph.edges if b == n)]
    potentials: dict[str, np.ndarray] = {}
    outputs = []
    for _ in range(timesteps):
        values = {}
        for name in order:
            node = graph.nodes[name]
            x = sum(values[a] for a, b in graph.edges if b == name) if name != "input" else image
            match node:
                case nir.Conv2d():
                    x = conv2d(node, x)
                case nir.AvgPool2d():
                    x = pool(node, x)
                case nir.Affine():
                    x = node.weight @ x + node.bias
                case nir.Flatten():
                    x = x.reshape(-1)
                case nir.LIF():
                    v = potentials.get(name, np.zeros(node.tau.shape))
                    v = v + dt / node.tau * (node.v_leak - v + node.r * x)
                    x = (v > node.v_threshold).astype(float)
                    potentials[name] = np.where(x == 1, node.v_reset, v)
            values[name] = x
        outputs.append(values["output"])
    return np.stack(outputs)


@pytest.mark.parametrize(
    ("network", "readout"), [("cnn", "spikes"), ("cnn", "potential"), ("resnet8", "spikes"), ("resnet18", "spikes")]
)
def test_the_file_holds_the_net_without_its_noise(network: str, readout: str, tmp_path: Path) -> None:
    model = folded(network, readout)
    graph = nir.read(write_nir(to_nir(model, DT), tmp_path / "new" / "net.nir"))
    x = images(3, SHAPES[network], seed=1)
    with torch.no_grad():
        expected = without_noise(model)(x, simulation=Simulation(generator(), T)).numpy()  # [T, B, classes]
    for b, image in enumerate(x.numpy()):
        assert interpret(graph, image, T, graph.metadata["dt"]) == pytest.approx(expected[:, b])
    assert len(np.unique(expected)) > 1


def test_nodes_and_shapes_are_those_of_the_net() -> None:
    graph = to_nir(folded("cnn"), DT)
    kinds = Counter(type(node).__name__ for node in graph.nodes.values())
    assert kinds == {"Input": 1, "Conv2d": 3, "LIF": 5, "AvgPool2d": 3, "Flatten": 1, "Affine": 2, "Output": 1}
    shapes = [tuple(node.output_type["output"]) for node in graph.nodes.values() if isinstance(node, nir.LIF)]
    assert shapes == [(2, 12, 10), (4, 6, 5), (4, 3, 2), (16,), (10,)]
    residual = to_nir(folded("resnet18"), DT)
    heard = Counter(b for _, b in residual.edges)
    assert sum(n == 2 for n in heard.values()) == 8  # a neuron after each block adds two branches
    assert Counter(type(node).__name__ for node in residual.nodes.values())["Conv2d"] == 1 + 16 + 3


def test_a_directly_trained_net_loses_nothing() -> None:
    model = lively("cnn", LIF(leak=0.75, v_th=0.8, v_reset=-0.2), width=1 / 32, input_shape=SHAPES["cnn"])
    graph = to_nir(model, DT)
    assert graph.metadata["not_expressed"] == "nothing"
    lif = next(node for node in graph.nodes.values() if isinstance(node, nir.LIF))
    assert lif.tau == pytest.approx(4e-3)
    assert lif.r == pytest.approx(4)
    assert [np.unique(x).tolist() for x in (lif.v_threshold, lif.v_reset, lif.v_leak)] == [[0.8], [-0.2], [0]]
    x = images(1, SHAPES["cnn"])
    with torch.no_grad():
        expected = model(x, simulation=Simulation(generator(), T)).numpy()[:, 0]
    assert interpret(graph, x[0].numpy(), T, DT) == pytest.approx(expected)
    assert 0 < expected.mean() < 1


@pytest.mark.parametrize(
    "conv",
    [lambda: nn.Conv2d(2, 2, 3, padding=1, bias=False), lambda: nn.Conv2d(2, 2, 3, padding=2, dilation=2, groups=2)],
    ids=["without a bias", "depthwise, dilated"],
)
def test_a_readers_net_is_what_it_computes(conv: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    layers = conv(), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5, bias=False)
    model = with_dynamics(spiking(nn.Sequential(*layers).double()), lambda _: LIF())
    x = images(1, (2, 4, 6))
    with torch.no_grad():
        expected = model(8 * x, simulation=Simulation(generator(), T)).numpy()[:, 0]
    found = interpret(to_nir(model, DT, input_shape=(2, 4, 6)), 8 * x[0].numpy(), T, DT)
    assert found == pytest.approx(expected)
    assert expected.std() > 0.01


def lif() -> Neuron:
    return Neuron(LIF())


def residual(stride: int) -> Residual:
    return Residual(2, 2 * stride, stride, lif, without_batch_norm)


@pytest.mark.parametrize(
    "blocks",
    [
        lambda: (CurrentShortcut(2, lif, without_batch_norm), CurrentShortcut(2, lif, without_batch_norm), lif()),
        lambda: (CurrentShortcut(2, lif, without_batch_norm), residual(1)),
        lambda: (CurrentShortcut(2, lif, without_batch_norm), residual(2)),
    ],
    ids=["shortcut", "residual", "residual with a convolution"],
)
def test_currents_that_pass_by_several_blocks_arrive(blocks: Callable[[], tuple[nn.Module, ...]]) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), *blocks(), nn.Flatten(), nn.LazyLinear(5)).double()
    x = 3 * images(1, (1, 4, 6)).double()
    layers(x)
    model = Spiking(layers).eval()
    with torch.no_grad():
        expected = model(x, timesteps=T).numpy()[:, 0]
    assert interpret(to_nir(model, DT, input_shape=(1, 4, 6)), x[0].numpy(), T, DT) == pytest.approx(expected)
    assert expected.std() > 0.01


def test_what_has_no_node_is_said(tmp_path: Path) -> None:
    model = folded("cnn")
    lost = not_expressed(model)
    assert lost[0] == "layer 1: gaussian noise in [0, 1] at the first step, in place of the bias"
    assert lost[1] == "layer 1: gaussian noise in [-0.25, 0.25] from the second step on"
    assert len(lost) == 10
    read = nir.read(write_nir(to_nir(model), tmp_path / "net.nir"))
    assert read.metadata["not_expressed"].split("\n") == lost
    assert read.metadata["dt"] == 1e-4
    assert "strictly" in read.metadata["left_open"]


def test_what_cannot_be_expressed_is_refused() -> None:
    model = lively("cnn")
    with pytest.raises(InputError, match="dynamics = Converted: must be LIF or NoisyLIF"):
        to_nir(convert(model))
    with pytest.raises(InputError, match=r"leak = 1.0: must be below 1"):
        to_nir(lively("cnn", LIF(leak=1.0)))
    with pytest.raises(InputError, match=r"dt = 0: must be a finite number above 0"):
        to_nir(folded("cnn"), dt=0)
    other = lively("cnn", LIF())
    other.model.encoder[0].padding_mode = "reflect"
    with pytest.raises(InputError, match="padding_mode = reflect: must be zeros"):
        to_nir(other)
    other.model.encoder[0].padding_mode, other.model.encoder[0].kernel_size = "zeros", (3, 2)
    with pytest.raises(InputError, match=r"kernel_size = \(3, 2\): must be square"):
        to_nir(other)
    other.model.encoder[0].kernel_size = (3, 3)
    other.model.layers[0] = nn.MaxPool2d(2)
    with pytest.raises(InputError, match=r"layer = MaxPool2d.*must be a convolution"):
        to_nir(other)
    pools = ({"stride": 1}, {"padding": 1}, {"divisor_override": 3}, {"ceil_mode": True})
    for pool in (nn.AvgPool2d(2, **options) for options in pools):
        other.model.layers[0] = pool
        with pytest.raises(InputError, match=r"layer = AvgPool2d.*must have its kernel for a stride, and nothing else"):
            to_nir(other)
