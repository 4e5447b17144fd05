"""What the networks are made of besides PyTorch's own layers: convolutions, blocks, and their order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.neurons import Neuron

Convolution = Callable[..., tuple[nn.Module, ...]]  # `with_batch_norm` or `without_batch_norm`


class Residual(nn.Module):
    """ResNet's basic block: the two branches' currents are added before the second neuron fires."""

    def __init__(self, c_in: int, c_out: int, stride: int, neuron: Callable[[], Neuron], conv: Convolution) -> None:
        super().__init__()
        self.main = nn.Sequential(*conv(c_in, c_out, stride), neuron(), *conv(c_out, c_out))
        same = stride == 1 and c_in == c_out
        self.shortcut = nn.Identity() if same else nn.Sequential(*conv(c_in, c_out, stride, kernel=1))
        self.neuron = neuron()

    def forward(self, x: Tensor) -> Tensor:
        return self.neuron(self.main(x) + self.shortcut(x))


class CurrentShortcut(nn.Module):
    """Currents that pass by a layer of neurons and are added to what its spikes become: a shortcut before firing.

    So gradients reach every layer past the neurons (Hu et al. 2021, arXiv:2112.08954). What passes is no spike but a
    sum of weighed ones: the earlier spikes could as well arrive a second time, through the same weights.
    """

    def __init__(self, c: int, neuron: Callable[[], Neuron], conv: Convolution) -> None:
        super().__init__()
        self.main = nn.Sequential(neuron(), *conv(c, c))

    def forward(self, current: Tensor) -> Tensor:
        return current + self.main(current)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution that takes its pixels, every stride-th, before it multiplies: the same sums in the same order.

    Left to PyTorch, with 2 to 7 input channels in channels_last, oneDNN's AVX2 kernel writes the weight gradient past
    its buffer: wrong gradients, a hang or a crash (oneDNN issue 6035, PyTorch 2.13).
    """

    def forward(self, x: Tensor) -> Tensor:
        # The mean of one pixel: unlike that of a slice, its gradient keeps the layout of x, and sums before it theirs.
        return F.conv2d(F.avg_pool2d(x, 1, self.stride), self.weight, self.bias)


def convolution(c_in: int, c_out: int, stride: int, kernel: int, bias: bool) -> nn.Conv2d:
    """One that keeps the size of its images at stride 1."""
    cls = Pointwise if kernel == 1 else nn.Conv2d
    return cls(c_in, c_out, kernel, stride, padding=kernel // 2, bias=bias)


def with_batch_norm(c_in: int, c_out: int, stride: int = 1, kernel: int = 3) -> tuple[nn.Module, nn.Module]:
    """A convolution, then batch norm, which makes a bias redundant."""
    return convolution(c_in, c_out, stride, kernel, bias=False), nn.BatchNorm2d(c_out)


def without_batch_norm(c_in: int, c_out: int, stride: int = 1, kernel: int = 3) -> tuple[nn.Module]:
    """The same convolution with a bias and without batch norm."""
    return (convolution(c_in, c_out, stride, kernel, bias=True),)


def in_sequence(
    encoder: Iterable[nn.Module], neuron: Callable[[], Neuron], layers: Iterable[nn.Module]
) -> nn.Sequential:
    """What comes before the first neuron, that neuron, and the rest; the names are those of weights in all runs."""
    parts = {"encoder": nn.Sequential(*encoder), "first": neuron(), "layers": nn.Sequential(*layers)}
    return nn.Sequential(OrderedDict(parts))
