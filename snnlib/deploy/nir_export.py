"""Export to NIR, the Neuromorphic Intermediate Representation (Pedersen et al. 2024, Nat. Commun. 15, 8122).

NIR has nodes for convolutions, pools, affine maps and leaky integrate-and-fire neurons, joined by edges; where several
edges meet, their signals are added. It has none for noise: what cannot be expressed stands in the graph's metadata.
Its neurons are differential equations. A discrete leak becomes the time constant with which forward Euler, in steps of
``dt``, gives Eq. 1 back: tau = dt / (1 - leak) and R = tau / dt, so that v + dt / tau (R I - v) = leak v + I.
"""

from __future__ import annotations

from pathlib import Path

import nir
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.baselines.ann_to_snn import fold_batch_norm
from snnlib.checks import InputError, positive
from snnlib.deploy.folding import NoisyLIF, without_noise
from snnlib.dynamics import LIF
from snnlib.layers import CurrentShortcut, Residual
from snnlib.network import Spiking
from snnlib.neurons import Neuron

# True of every graph: what its nodes leave to the simulator that runs it.
OPEN = (
    "time: each image is a constant input over all time steps; the prediction is the largest mean output",
    "steps: forward Euler with step dt, each layer seeing the spikes of the same step",
    "spikes: S = 1 where H > v_threshold, strictly (Eq. 2), then V = v_reset (Eq. 3)",
    "start: V(0) = 0",
)


def to_nir(model: Spiking, dt: float = 1e-4, input_shape: tuple[int, ...] | None = None) -> nir.NIRGraph:
    """The graph of a net of `LIF` neurons, or of a folded net without its noise.

    Batch norm, and a folded net's biases, are in the weights.

    Args:
        model: its neurons are `LIF`, or `NoisyLIF` (`snnlib.deploy.folding.fold`); its layers stand in
            ``nn.Sequential``, `snnlib.layers.Residual` and `snnlib.layers.CurrentShortcut`.
        dt: seconds that a time step is to last; any will do, as long as the simulator takes the same.
        input_shape: of an input without its batch axis, where the model does not say.

    Returns:
        A graph with metadata dt, left_open and not_expressed, one statement a line.

    Raises:
        InputError: other neurons, a leak of 1 or more, a layer that has no node, dt not above 0, no shape.
    """
    positive("dt", dt)
    shape = input_shape or model.input_shape
    if shape is None:
        raise InputError("input_shape = None: must be that of an input, such as (1, 28, 28); the model does not say")
    lost = not_expressed(model)
    kinds = {type(neuron.dynamics) for _, neuron in model.neurons()}
    if kinds == {NoisyLIF}:
        model = without_noise(model)
    elif kinds == {LIF}:
        model = fold_batch_norm(model)
    else:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"dynamics = {found}: must be LIF or NoisyLIF; fold a net with frozen statistics first")
    builder = _Builder(dt, shape)
    builder.add(model.model)
    builder.join("output", nir.Output({"output": np.array(builder.shape)}))
    metadata = {"dt": dt, "left_open": "\n".join(OPEN), "not_expressed": "\n".join(lost) or "nothing"}
    return nir.NIRGraph(builder.nodes, builder.edges, metadata)


def not_expressed(model: Spiking) -> list[str]:
    """What of the net has no node in NIR, a statement for each layer and thing; empty for a net of `LIF` neurons."""
    lost = []
    for name, neuron in model.neurons():
        d = neuron.dynamics
        if isinstance(d, NoisyLIF):
            for noise, when in (
                (d.first, "at the first step, in place of the bias"),
                (d.noise, "from the second step on"),
            ):
                if noise.half_width:
                    lost.append(f"{name}: {noise.kind} noise in [{noise.low:.3g}, {noise.high:.3g}] {when}")
    return lost


def write_nir(graph: nir.NIRGraph, path: Path) -> Path:
    """Write the graph as HDF5; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nir.write(path, graph)
    return path


class _Builder:
    """Nodes and edges so far; ``ends`` are those whose signals the next node adds, ``shape`` what each puts out."""

    def __init__(self, dt: float, shape: tuple[int, ...]) -> None:
        self.dt, self.shape, self.ends = dt, tuple(shape), ["input"]
        self.nodes: dict[str, nir.NIRNode] = {"input": nir.Input({"input": np.array(shape)})}
        self.edges: list[tuple[str, str]] = []

    def join(self, name: str, node: nir.NIRNode) -> None:
        self.nodes[name] = node
        self.edges.extend((end, name) for end in self.ends)
        self.ends = [name]

    def add(self, layer: nn.Module) -> None:
        """Append a layer and what is in it."""
        match layer:
            case nn.Sequential():
                for inner in layer:
                    self.add(inner)
            case Residual():
                self._residual(layer)
            case CurrentShortcut():
                passing = self.ends
                self.add(layer.main)
                self.ends = [*self.ends, *passing]
            case nn.Identity():
                pass
            case _:
                node, kind, self.shape = self._node(layer)
                self.join(f"{kind}_{len(self.nodes)}", node)

    def _residual(self, block: Residual) -> None:
        """Both branches end in the neuron, where their currents are added."""
        starts, shape = self.ends, self.shape
        self.add(block.main)
        main, self.ends, self.shape = self.ends, starts, shape
        self.add(block.shortcut)
        self.ends = [*main, *self.ends]
        self.add(block.neuron)

    def _node(self, layer: nn.Module) -> tuple[nir.NIRNode, str, tuple[int, ...]]:
        """The layer's node, what to call it, and the shape [C, H, W] or [N] that it puts out."""
        match layer:
            case nn.Conv2d():
                if layer.padding_mode != "zeros":
                    raise InputError(f"padding_mode = {layer.padding_mode}: must be zeros to have a node")
                if len({*layer.kernel_size}) > 1:  # nir takes its first side for both
                    raise InputError(f"kernel_size = {layer.kernel_size}: must be square to have a node")
                node = nir.Conv2d(
                    input_shape=tuple(self.shape[1:]), weight=_array(_ungrouped(layer)), stride=layer.stride,
                    padding=layer.padding, dilation=layer.dilation, groups=1, bias=_bias(layer),
                )  # fmt: skip
                return node, "conv", tuple(map(int, node.output_type["output"]))
            case nn.AvgPool2d():
                kernel, stride, padding = (
                    np.array(np.broadcast_to(x, 2)) for x in (layer.kernel_size, layer.stride, layer.padding)
                )
                if padding.any() or (kernel != stride).any() or layer.divisor_override or layer.ceil_mode:
                    raise InputError(f"layer = {layer}: must have its kernel for a stride, and nothing else")
                rows, columns = (int(side) // int(k) for side, k in zip(self.shape[1:], kernel, strict=True))
                node = nir.AvgPool2d(kernel_size=kernel, stride=kernel, padding=np.zeros(2, int))
                return node, "pool", (self.shape[0], rows, columns)
            case nn.Flatten():
                node = nir.Flatten({"input": np.array(self.shape)}, start_dim=0, end_dim=-1)
                return node, "flatten", (int(np.prod(self.shape)),)
            case nn.Linear():
                return nir.Affine(_array(layer.weight), _bias(layer)), "affine", (layer.out_features,)
            case Neuron():
                return self._lif(layer.dynamics), "lif", self.shape
        raise InputError(f"layer = {layer}: must be a convolution, average pool, linear layer or neuron to have a node")

    def _lif(self, d: LIF) -> nir.LIF:
        if d.leak >= 1:
            raise InputError(f"leak = {d.leak}: must be below 1 for a time constant")
        tau = self.dt / (1 - d.leak)
        values = {"tau": tau, "r": tau / self.dt, "v_leak": 0.0, "v_threshold": d.v_th, "v_reset": d.v_reset}
        return nir.LIF(**{name: np.full(self.shape, value) for name, value in values.items()})


def _ungrouped(conv: nn.Conv2d) -> Tensor:
    """Weights [out, in, k, k], with zeros between groups: nir takes a group's channels for all that there are."""
    width = conv.in_channels // conv.groups
    groups = enumerate(conv.weight.chunk(conv.groups))
    return torch.cat([F.pad(w, (0, 0, 0, 0, i * width, conv.in_channels - (i + 1) * width)) for i, w in groups])


def _bias(layer: nn.Conv2d | nn.Linear) -> np.ndarray:
    return np.zeros(len(layer.weight), np.float32) if layer.bias is None else _array(layer.bias)


def _array(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.detach().cpu().numpy())
