"""Random numbers for a CPU, read from a tape instead of drawn: drawing them was two fifths of inference.

The tape is a long tensor of such numbers, drawn once per process from a seed of its own. A read is a view of it at
a random offset, as evolution strategies do (Salimans et al. 2017, arXiv:1703.03864, Sec. 2.1). The offset comes from
the caller's generator, so a seed repeats bit for bit.

Numbers within one read of at most half the tape are independent. Two reads may overlap, those of wide layers often
do; they then share numbers, but at different neurons.

A distribution has a tape of its own, scaled and clipped once, so that a read touches no memory; where `MOST` others
are in use, what is read is scaled and clipped, to the same bits. Tapes are the same whatever PyTorch's default dtype
and device are when the first is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from itertools import count
from typing import NamedTuple

import torch
from torch import Tensor

LENGTH = 2**24  # 64 MiB: some twenty times what the widest layer of Table 1 reads for 25 images
SHORT = 2**12  # fewer numbers are drawn about as fast
MOST = 8  # tapes of normal numbers: a net reads one, a converted one two; with an alpha for each layer, one for each
IN_USE = 256  # reads since the last of a tape: one that was read longer ago makes room for another
_SEED = 20230515
_counted: list[dict[int, int]] = []  # where reads are noted, see `tapes_read`


@cache
def _standard() -> Tensor:
    generator = torch.Generator("cpu").manual_seed(_SEED)
    return torch.randn(LENGTH, generator=generator, dtype=torch.float32, device="cpu")


class _Clipped(NamedTuple):
    """A normal distribution, clipped to [low, high]."""

    mean: float
    sigma: float
    low: float
    high: float
    dtype: torch.dtype

    def of(self, standard: Tensor) -> Tensor:
        """Its numbers for those of the standard one."""
        scaled = torch.add(torch.tensor(self.mean, dtype=torch.float32, device="cpu"), standard, alpha=self.sigma)
        return scaled.to(self.dtype).clamp_(self.low, self.high)


_tapes: dict[_Clipped, Tensor] = {}
_last: dict[_Clipped, int] = {}  # read of each
_reads = count()


def _tape(kind: _Clipped) -> Tensor | None:
    """The tape of a distribution; None if it has none and `MOST` others are in use."""
    now = next(_reads)
    if kind not in _tapes:
        if len(_tapes) >= MOST:
            oldest = min(tuple(_tapes), key=lambda k: _last[k])
            if now - _last[oldest] <= IN_USE:
                return None
            _tapes.pop(oldest, None)
        _tapes[kind] = kind.of(_standard())
    _last[kind] = now
    return _tapes[kind]


@lru_cache(maxsize=4)  # a net reads one
def _whole(low: int, high: int) -> Tensor:
    generator = torch.Generator("cpu").manual_seed(_SEED)
    return torch.empty(LENGTH, dtype=torch.float32, device="cpu").random_(low, high, generator=generator)


@contextmanager
def tapes_read() -> Iterator[dict[int, int]]:
    """The tapes that are read inside: bytes by address. A counter of what is claimed inside does not see them."""
    found: dict[int, int] = {}
    _counted.append(found)
    try:
        yield found
    finally:
        _counted.pop()


def clipped_normal(
    n: int, mean: float, sigma: float, low: float, high: float, dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    """n normal numbers of this mean and standard deviation, clipped to [low, high], on the generator's device.

    On a GPU, and where they are fewer than `SHORT`, they are drawn. Else they are read from the tape, half its length
    at a time.

    Returns:
        A 1-D tensor that is not to be written to: others read the same memory.
    """
    if generator.device.type != "cpu" or n < SHORT:
        drawn = torch.empty(n, dtype=dtype, device=generator.device)
        return drawn.normal_(mean, sigma, generator=generator).clamp_(low, high)
    kind = _Clipped(mean, sigma, low, high, dtype)
    tape = _tape(kind)
    return _read(tape, n, generator) if tape is not None else kind.of(_read(_standard(), n, generator))


def whole_numbers(n: int, low: int, high: int, generator: torch.Generator) -> Tensor:
    """n whole numbers from low to high - 1 as float32, each as likely; drawn or read as those of `clipped_normal`."""
    if generator.device.type != "cpu" or n < SHORT:
        drawn = torch.empty(n, dtype=torch.float32, device=generator.device)
        return drawn.random_(low, high, generator=generator)
    return _read(_whole(low, high), n, generator)


def _read(numbers: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """The next n of a tape."""
    for found in _counted:
        found[numbers.data_ptr()] = numbers.nbytes
    most = LENGTH // 2
    pieces = []
    for size in [most] * (n // most) + [n % most] * (n % most > 0):
        offset = int(torch.randint(LENGTH - size + 1, (), generator=generator, device="cpu"))
        pieces.append(numbers[offset : offset + size])
    return pieces[0] if len(pieces) == 1 else torch.cat(pieces)
