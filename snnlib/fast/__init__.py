"""The same spikes sooner: what the method calls in place of PyTorch's plain operations, to the same result.

The first import of it sets up the process (`process.configure`).

Neurons, noise and surrogates know the names below and nothing else of this package. Of surrogates and neurons it knows
only that they can do what `compiled.SurrogateDerivative` and the arguments say.
"""

from snnlib.fast import process
from snnlib.fast.all_steps import Currents, lif_steps
from snnlib.fast.error_function import erf_
from snnlib.fast.memory_step import in_two_passes, largest_deviation, leaked_statistics, memory_step
from snnlib.fast.noise_tape import clipped_normal
from snnlib.fast.noisy_spike import noisy_spike
from snnlib.fast.phase_steps import GRID, firing_probability, phase_steps, phases
from snnlib.fast.spike_rate import spike_rate

__all__ = [
    "GRID", "Currents", "clipped_normal", "erf_", "firing_probability", "in_two_passes", "largest_deviation",
    "leaked_statistics", "lif_steps", "memory_step", "noisy_spike", "phase_steps", "phases", "spike_rate",
]  # fmt: skip

process.configure()
