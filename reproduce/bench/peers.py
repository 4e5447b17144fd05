"""The CNN with leaky integrate-and-fire neurons in other libraries, each as its own documentation builds one.

SpikingJelly: multi-step mode. A stateless layer sees [T·B, ...] in `SeqToANNContainer`, a neuron [T, B, ...].
    On CPUs it has PyTorch operations only; its CUDA and Triton kernels are for Nvidia GPUs.
snnTorch: a Python loop over time around a `Sequential` of `Leaky`, which keep their own potential.
    `LeakyParallel`, which takes all steps at once, has no reset.
Norse: a Python loop over time around a `SequentialState` of `LIFBoxCell`, its neuron without a synaptic current.
    It has no arctan surrogate, so SuperSpike stands in, and it multiplies a current by 1 - leak.

All three get from our CNN its layers, its weights from PyTorch's global generator, channels_last, and a first
convolution that runs once per image. None has a neuron with noise for its potential: T = 1 is one step from rest.
None has a mode of its own for bfloat16 on CPUs, but all run under autocast.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

from snnlib import models
from snnlib.checks import InputError, one_of, whole
from snnlib.dynamics import LIF
from snnlib.neurons import Neuron

LEAK = 0.5


def spikingjelly_neuron() -> nn.Module:
    """A layer that takes all steps [T, B, ...] at once, from where it stands."""
    from spikingjelly.activation_based import neuron, surrogate

    return neuron.LIFNode(1 / (1 - LEAK), decay_input=False, surrogate_function=surrogate.ATan(), step_mode="m")


def snntorch_neuron() -> nn.Module:
    """A layer that takes a step [B, ...] and keeps its potential; its default surrogate is the arctan."""
    import snntorch

    return snntorch.Leaky(beta=LEAK, reset_mechanism="zero", init_hidden=True)


def norse_neuron() -> nn.Module:
    """A layer that takes a step [B, ...] and its state, None at rest, and returns both."""
    from norse import torch as norse

    dt = 0.001
    return norse.LIFBoxCell(norse.LIFBoxParameters(tau_mem_inv=torch.tensor((1 - LEAK) / dt)), dt)


class Peer(nn.Module):
    """Images [B, C, H, W] to outputs [B, classes], the mean over time of the last layer's current.

    Args:
        encoder: what runs once per image, up to the first neuron's current.
        stages: what stands after each layer of neurons, up to the next or the output.
        timesteps: T.
    """

    def __init__(self, encoder: nn.Module, stages: list[nn.Sequential], timesteps: int) -> None:
        super().__init__()
        self.encoder, self.timesteps = encoder, timesteps
        self.layers = self.with_neurons(stages)

    def with_neurons(self, stages: list[nn.Sequential]) -> nn.Sequential:
        """A layer of the library's neurons before each stage."""
        raise NotImplementedError

    def run_steps(self, current: Tensor) -> Tensor:
        """The first neuron's current [B, ...], equal at all steps, to outputs [T, B, classes], from rest."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        return self.run_steps(self.encoder(images)).mean(0)


class SpikingJelly(Peer):
    def with_neurons(self, stages: list[nn.Sequential]) -> nn.Sequential:
        from spikingjelly.activation_based import layer

        layers = nn.Sequential()
        for stage in stages:
            layers.append(spikingjelly_neuron())
            layers.append(layer.SeqToANNContainer(*stage))
        return layers

    def run_steps(self, current: Tensor) -> Tensor:
        from spikingjelly.activation_based import functional

        functional.reset_net(self.layers)
        return self.layers(current.expand(self.timesteps, *current.shape))


class SnnTorch(Peer):
    def with_neurons(self, stages: list[nn.Sequential]) -> nn.Sequential:
        return nn.Sequential(*(layer for stage in stages for layer in (snntorch_neuron(), stage)))

    def run_steps(self, current: Tensor) -> Tensor:
        # Not snntorch.utils.reset, which resets every neuron of the process.
        for neuron in self.layers[::2]:
            neuron.reset_mem()
        return torch.stack([self.layers(current) for _ in range(self.timesteps)])


class Norse(Peer):
    def with_neurons(self, stages: list[nn.Sequential]) -> nn.Sequential:
        from norse import torch as norse

        return norse.SequentialState(*(layer for stage in stages for layer in (norse_neuron(), stage)))

    def run_steps(self, current: Tensor) -> Tensor:
        state, outputs = None, []
        for _ in range(self.timesteps):
            output, state = self.layers(current, state)
            outputs.append(output)
        return torch.stack(outputs)


PEERS: dict[str, type[Peer]] = {"SpikingJelly": SpikingJelly, "snnTorch": SnnTorch, "Norse": Norse}


def installed() -> dict[str, str]:
    """The version of each peer that is installed, by name; nothing is imported for it."""
    return {name: found for name in PEERS if (found := version_of(name)) is not None}


def version_of(library: str) -> str | None:
    """The version of a library, if it is installed."""
    try:
        return version(library.lower())
    except PackageNotFoundError:
        return None


def needs(peer: str) -> None:
    """Raise an `InputError` where a peer is not installed."""
    if peer not in installed():
        raise InputError(f"peer = {peer!r}: is not installed; pip install -e '.[bench]'")


def split(network: models.Spiking) -> list[nn.Sequential]:
    """What stands after each layer of neurons of a network without branches."""
    stages = [nn.Sequential()]
    for layer in network.model.layers:
        if isinstance(layer, Neuron):
            stages.append(nn.Sequential())
        else:
            stages[-1].append(layer)
    return stages


def peer_net(
    peer: str,
    timesteps: int,
    width: float = 1.0,
    input_shape: tuple[int, int, int] = (1, 28, 28),
    classes: int = 10,
) -> Peer:
    """A peer's CNN, with leak 0.5, threshold 1 and hard reset to 0, that starts every pass from rest.

    Args:
        peer: one of `PEERS`.
        timesteps: T of each forward pass.
        width, input_shape, classes: as for `snnlib.models.build`.

    Raises:
        InputError: an unknown peer or one that is not installed, fewer than one time step, a width or a
            shape that `snnlib.models.build` refuses.
    """
    one_of("peer", peer, PEERS)
    whole("timesteps", timesteps, least=1)
    needs(peer)
    net = models.build("cnn", LIF(), width=width, readout="potential", classes=classes, input_shape=input_shape)
    return PEERS[peer](net.model.encoder, split(net), timesteps)
