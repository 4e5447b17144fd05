"""Standard normal numbers for a CPU, read from a tape instead of drawn: drawing them was two fifths of inference.

The tape is drawn once per process, from a seed of its own, and read at random offsets, as evolution strategies do
(Salimans et al. 2017, arXiv:1703.03864, Sec. 2.1). The offsets come from the caller's generator, so a seed repeats
bit for bit. Numbers within one read are independent; two reads share numbers only where their windows happen to
overlap, and then for other neurons.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

LENGTH = 2**24  # 64 MiB: some twenty times what the widest layer of Table 1 reads for 25 images
SHORT = 2**12  # fewer numbers are drawn about as fast
_SEED = 20230515


@cache
def _tape() -> Tensor:
    return torch.randn(LENGTH, generator=torch.Generator().manual_seed(_SEED))


def normal_(flat: Tensor, mean: float, sigma: float, generator: torch.Generator) -> None:
    """Fill a contiguous 1-D tensor with normal numbers of this mean and standard deviation.

    A tensor on a GPU, or a short one, is drawn; a longer one is read from the tape, in pieces of half its length.
    """
    if flat.device.type != "cpu" or len(flat) < SHORT:
        flat.normal_(mean, sigma, generator=generator)
        return
    centre = torch.tensor(mean, dtype=torch.float32)
    for piece in flat.split(LENGTH // 2):
        offset = int(torch.randint(LENGTH - len(piece) + 1, (), generator=generator))
        numbers = _tape()[offset : offset + len(piece)]
        if piece.dtype == torch.float32:
            torch.add(centre, numbers, alpha=sigma, out=piece)
        else:
            piece.copy_(numbers).mul_(sigma).add_(mean)
