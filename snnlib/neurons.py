"""`Neuron`, the only layer that knows time: it runs a dynamics over the steps of the simulation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from snnlib.checks import InputError, shown
from snnlib.dynamics import AtOnce, Dynamics
from snnlib.fast import Currents
from snnlib.in_time import InTime, in_time, plain
from snnlib.simulation import Simulation, current_pass, global_generator


class Neuron(nn.Module):
    """A layer of neurons. Everything around it sees [T·B, ...] and knows nothing of time.

    It follows the simulation that runs (`snnlib.simulation.running`), as in a `snnlib.network.Spiking` net. By itself
    it takes a single step with noise from PyTorch's global generator, as dropout does.
    """

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__()
        if isinstance(dynamics, type) or not callable(getattr(dynamics, "step", None)):
            raise InputError(f"dynamics = {shown(dynamics)}: must be a value with a step, such as SingleStep()")
        self.dynamics = dynamics

    def forward(self, current: Tensor) -> Tensor:
        """Currents [T·B, ...], or [B, ...] if they are the same at each step, to spikes [T·B, ...], time outermost.

        Raises:
            InputError: currents of several steps that are not marked by `in_time`; a second call in a pass; a pass that
                is over, or of which `torch.utils.checkpoint` will compute a part again, which it can only for single
                steps with noise from PyTorch's global generator.
        """
        under_way = current_pass()
        sim = under_way.simulation if under_way else Simulation()
        marked = isinstance(current, InTime)
        if marked and not under_way:
            raise InputError("neuron: the forward pass that its input comes from is over")
        if under_way and sim != Simulation() and under_way.in_part:
            raise InputError(
                "neuron: torch.utils.checkpoint can compute a part of a net again only for a single step with noise "
                "from PyTorch's global generator; else checkpoint the net as a whole"
            )
        if under_way:
            under_way.calls[self] += 1
            if under_way.calls[self] > 1:
                raise InputError("neuron: called twice in a forward pass; its potentials are one layer's, make another")
        if not marked and sim.timesteps > 1:
            raise InputError(
                f"neuron: its input does not say whether it holds all {sim.timesteps} steps; where code of your own "
                "makes y from x, mark it: snnlib.in_time.marked_as(x, y)"
            )
        if marked:
            under_way.check_batch("a neuron's input", plain(current), current.timesteps or 1)
        currents = Currents(plain(current), sim.timesteps, constant=marked and not current.timesteps)
        with torch._C.DisableTorchFunction():  # what a neuron computes is no call of the model's
            spikes = self._spikes(currents, sim)
        return in_time(spikes, sim.timesteps) if marked else spikes

    def _spikes(self, currents: Currents, sim: Simulation) -> Tensor:
        dynamics = sim.instead or self.dynamics
        dynamics = getattr(dynamics, "quiet", dynamics) if sim.quiet else dynamics
        generator = sim.generator or global_generator(currents.values.device)
        state, spikes = (sim.states or {}).get(self), []
        unseen = sim.observe is None and (sim.states is None or not torch.is_grad_enabled())
        if unseen and isinstance(dynamics, AtOnce):
            all_spikes, state = dynamics.all_steps(currents, state, generator)
        else:
            for t, current in enumerate(currents.steps(), start=1):
                s, state = dynamics.step(current, state, generator)
                if sim.observe is not None:
                    sim.observe(self, sim.before + t, s, state)
                spikes.append(s)
            all_spikes = torch.cat(spikes) if len(spikes) > 1 else spikes[0]
        if sim.states is not None:
            sim.states[self] = state
        return all_spikes

    def extra_repr(self) -> str:
        return repr(self.dynamics)
