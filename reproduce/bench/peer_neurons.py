"""Other libraries' neurons as dynamics of ours: any net of ours with a peer's own code for its neurons."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reproduce.bench.peers import PEERS, needs, norse_neuron, snntorch_neuron, spikingjelly_neuron
from snnlib.checks import one_of
from snnlib.conversion import with_dynamics
from snnlib.fast.all_steps import Currents
from snnlib.network import Spiking


class PeerNeurons:
    """A layer of a peer's neurons: leaky, leak 0.5, threshold 1, hard reset to 0, their usual surrogate.

    What it remembers between pieces of a long run is inside the peer's neuron, or is Norse's state; a run that begins
    without a state starts from rest. Each layer has to have its own.
    """

    def __init__(self, peer: str) -> None:
        self.kind = peer
        self.neuron: nn.Module = _NEURONS[peer]()

    def step(self, current: Tensor, state: Any, generator: torch.Generator) -> tuple[Tensor, Any]:
        return self.all_steps(Currents(current, 1), state, generator)

    def all_steps(self, currents: Currents, state: Any, generator: torch.Generator) -> tuple[Tensor, Any]:
        steps = currents.steps()
        if self.kind == "SpikingJelly":
            if state is None:
                self.neuron.reset()
            return self.neuron(steps).flatten(0, 1), self.neuron
        if self.kind == "snnTorch":
            if state is None:
                self.neuron.reset_mem()
            return torch.cat([self.neuron(current) for current in steps]), self.neuron
        spikes = []
        for current in steps:
            s, state = self.neuron(current, state)
            spikes.append(s)
        return torch.cat(spikes), state


_NEURONS = {"SpikingJelly": spikingjelly_neuron, "snnTorch": snntorch_neuron, "Norse": norse_neuron}


def with_peer(model: Spiking, peer: str) -> Spiking:
    """The same network with a peer's neurons; it shares its weights (`with_dynamics`).

    Raises:
        InputError: an unknown peer, or one that is not installed.
    """
    one_of("peer", peer, PEERS)
    needs(peer)
    return with_dynamics(model, lambda neuron: PeerNeurons(peer))
