"""One seed per run, split into independent streams, so that no draw depends on what ran before."""

from __future__ import annotations

import numpy as np
import torch

from snnlib.checks import one_of, whole
from snnlib.fast.process import usable

_PURPOSES = ("weights", "order", "augmentation", "noise", "evaluation", "calibration", "ties")


def stream(
    seed: int, purpose: str, index: int = 0, device: torch.device | str = "cpu", rank: int = 0
) -> torch.Generator:
    """A generator for one purpose of one run, at one index (an epoch, a noise seed), on one of several devices.

    Streams differ by purpose, so two nets with the same seed see the same images in the same order
    whatever noise they draw; and by index, so a resumed run needs no saved generator state.

    Raises:
        InputError: a negative or fractional seed or index, an unknown purpose, a device that is not there.
    """
    whole("seed", seed, 0, 2**63 - 1)
    whole(f"index of {purpose}", index, 0, 2**63 - 1)
    one_of("purpose", purpose, _PURPOSES)
    entropy = [seed, _PURPOSES.index(purpose), index, *([rank] if rank else [])]
    words = np.random.SeedSequence(entropy).generate_state(2, np.uint32)
    return torch.Generator(usable(device)).manual_seed((int(words[0]) << 31) ^ int(words[1]))
