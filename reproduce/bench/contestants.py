"""Who competes in the benchmark: our nets, the same net with ReLU, and other libraries' nets, each as one call to time.

All work on the same random images; what decides their time is the work, not the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from reproduce.bench import peers
from snnlib.baselines.ann_neurons import ReLU
from snnlib.baselines.ann_to_snn import fold_batch_norm
from snnlib.conversion import convert, convert_exact
from snnlib.deploy.folding import absorb, fold
from snnlib.dynamics import LIF, Dynamics, SingleStep
from snnlib.fast.all_steps import Currents, like
from snnlib.fast.compiled import compiling, flat
from snnlib.fast.process import autocast
from snnlib.models import INPUT_SHAPES, build
from snnlib.network import Spiking
from snnlib.simulation import Simulation
from snnlib.training.losses import mse

BATCH = {"cnn": 100, "vgg16": 128, "resnet18": 128}
CLASSES = 10
RELU, OURS, DIRECT, EXACT, BARE = "ReLU", "ours", "ours, direct", "ours, exact memory", "no neurons"
TUNED, INSTALLED = "tuned", "as installed"


@dataclass(frozen=True)
class Bare:
    """No neuron at all: what a net costs without them, a floor."""

    kind: str = "bare"

    def step(self, current: Tensor, state: None, generator: torch.Generator) -> tuple[Tensor, None]:
        return current, None

    def all_steps(self, currents: Currents, state: None, generator: torch.Generator) -> tuple[Tensor, None]:
        if currents.held == currents.timesteps:
            return currents.values, None
        out = like(currents.values, currents.timesteps, 1)
        flat(out, currents.timesteps).copy_(flat(currents.values, 1).expand(currents.timesteps, -1))
        return out, None


DYNAMICS: dict[str, Dynamics] = {RELU: ReLU(), OURS: SingleStep(), DIRECT: LIF(), EXACT: SingleStep(), BARE: Bare()}


@dataclass(frozen=True)
class Contestant:
    """One call to time.

    Args:
        who: `RELU`, `OURS`, `DIRECT`, `EXACT`, `BARE`, or a library of `reproduce.bench.peers.PEERS`.
        task: "training", a step of Adam on a batch, or "inference" on a batch. There `OURS` is the trained net
            converted, with frozen constants, folded, `EXACT` the same net with the exact memory; `RELU` makes T passes,
            one after another.
        timesteps: T.
        precision: float32 or bfloat16 (autocast).
        setting: `TUNED`, our process settings, channels_last and fused Adam, or `INSTALLED`, PyTorch's defaults.
        batch_size: `BATCH` if not given.
        width: of the network; 1 is the paper's.
    """

    who: str
    network: str
    task: str
    timesteps: int
    precision: str
    setting: str = TUNED
    batch_size: int | None = None
    width: float = 1.0

    @property
    def batch(self) -> int:
        return self.batch_size or BATCH[self.network]


def call(c: Contestant, device: torch.device, *, compile: bool = True) -> Callable[[], None]:
    """The work of a contestant, ready to be called again and again; a tuned one of ours with compiled neurons."""
    images, labels = batch(c.network, c.batch, device)
    tuned = c.setting == TUNED
    layout = torch.channels_last if tuned else torch.contiguous_format
    images = images.contiguous(memory_format=layout)
    net, forward = network(c, images)
    net.to(device, memory_format=layout)
    if c.task == "inference":
        net.eval()
        passes = c.timesteps if c.who == RELU else 1

        def work() -> None:
            with torch.no_grad(), autocast(device, c.precision), compiling(tuned and compile):
                for _ in range(passes):
                    forward(images)

        return work
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, fused=tuned or None)

    def step() -> None:
        with compiling(tuned and compile):
            with autocast(device, c.precision):
                outputs = forward(images)
            loss = mse(outputs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return step


def network(c: Contestant, images: Tensor) -> tuple[nn.Module, Callable[[Tensor], Tensor]]:
    """The net, and images to outputs [B, classes]."""
    torch.manual_seed(0)
    shape = INPUT_SHAPES[c.network]
    if c.who in peers.PEERS:
        net = peers.peer_net(c.who, c.timesteps, c.width, shape, CLASSES)
        return net, net
    ours = build(c.network, DYNAMICS[c.who], width=c.width, readout="potential", classes=CLASSES).to(images.device)
    if c.task == "inference":
        ours = _for_inference(ours.eval(), c.who, images)
    generator = torch.Generator(images.device).manual_seed(0)
    timesteps = 1 if c.who == RELU else c.timesteps
    return ours, lambda x: ours(x, simulation=Simulation(generator, timesteps)).mean(0)


def _for_inference(net: Spiking, who: str, images: Tensor) -> Spiking:
    if who == OURS:
        return absorb(fold(convert(net, statistics="frozen", calibration=images)))
    return fold_batch_norm(convert_exact(net) if who == EXACT else net)


@cache
def batch(network: str, n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Random images and labels."""
    images = torch.randn(n, *INPUT_SHAPES[network], generator=torch.Generator().manual_seed(0))
    return images.to(device), (torch.arange(n) % CLASSES).to(device)


def neurons(network: str) -> list[int]:
    """How many neurons each layer has, for one image."""
    found: list[int] = []
    net = build(network, SingleStep(), readout="potential", classes=CLASSES)
    images, _ = batch(network, 2, torch.device("cpu"))
    with torch.no_grad():
        net(images, simulation=Simulation(torch.Generator(), 1, lambda neuron, t, s, v: found.append(s[0].numel())))
    return found
