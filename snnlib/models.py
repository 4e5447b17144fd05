"""The networks of Table 1, CNN, VGG-16 and ResNet-18, and three shorter ones: ordinary PyTorch around `Neuron`.

Batch norm follows every convolution unless it is left out, none follows a linear layer: the paper does not say.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlib.checks import InputError, one_of, positive, shown, whole
from snnlib.network import Spiking
from snnlib.neurons import Dynamics, Neuron

READOUTS = ("spikes", "potential")
VGG5 = (112, "P", 224, "P", 448, "P", 448)  # 1.75 times as wide as VGG8, at the end less: 14 % fewer multiplications
VGG8 = (64, "P", 128, 128, "P", 256, 256, "P", 512, 512)
VGG16 = (64, 64, "P", 128, 128, "P", 256, 256, 256, "P", 512, 512, 512, "P", 512, 512, 512, "P")


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


Convolution = Callable[..., tuple[nn.Module, ...]]  # `with_batch_norm` or `without_batch_norm`


def channels(n: int, width: float) -> int:
    """n channels at this width, relative to the paper's network; an `InputError` if none is left."""
    scaled = round(n * width)
    if scaled < 1:
        raise InputError(f"width = {width}: leaves no channel of a layer of {n}; must be above {0.5 / n:g}")
    return scaled


def cnn(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """64C3-AP2-128C3-AP2-128C3-AP2-512FC-10FC."""
    c, h, w = shape
    a, b, fc = (channels(n, width) for n in (64, 128, 512))
    layers = (
        nn.AvgPool2d(2), *conv(a, b), neuron(),
        nn.AvgPool2d(2), *conv(b, b), neuron(),
        nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(b * (h // 8) * (w // 8), fc), neuron(),
        nn.Linear(fc, classes),
    )  # fmt: skip
    return in_sequence(conv(c, a), neuron, layers)


def vgg16(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """VGG-16's thirteen convolutions for 32x32 images, average pooling, then one linear layer."""
    return _chain(VGG16, shape, classes, width, neuron, conv)


def vgg8(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """Seven convolutions for 32x32 images, average pooling to 4x4, then one linear layer.

    Not in the paper: what takes VGG-16 hours on a CPU takes this one minutes.
    """
    return _chain(VGG8, shape, classes, width, neuron, conv)


def vgg5(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """`vgg8` with one convolution at each resolution, wider in its stead. Not in the paper."""
    return _chain(VGG5, shape, classes, width, neuron, conv)


def resnet8(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """`vgg8` with a `CurrentShortcut` round the second convolution at each resolution below the first."""
    return _with_shortcuts((128, 256, 512), shape, classes, width, neuron, conv)


def resnet8_256(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """`resnet8` with as many channels at the last resolution as at the one before (as airbench, Jordan 2024)."""
    return _with_shortcuts((128, 256, 256), shape, classes, width, neuron, conv)


def _with_shortcuts(
    plan: tuple[int, ...],
    shape: tuple[int, ...],
    classes: int,
    width: float,
    neuron: Callable[[], Neuron],
    conv: Convolution,
) -> nn.Module:
    """64 channels, then at each half of a resolution so many, in two convolutions; a linear layer at the end."""
    c = channels(64, width)
    encoder = conv(shape[0], c)
    layers: list[nn.Module] = []
    for n in plan:
        first = conv(c, c := channels(n, width))
        layers.extend((nn.AvgPool2d(2), *first, CurrentShortcut(c, neuron, conv), neuron()))
    layers.extend((nn.Flatten(), nn.Linear(c * (shape[1] // 8) * (shape[2] // 8), classes)))
    return in_sequence(encoder, neuron, layers)


def _chain(
    plan: tuple[int | str, ...],
    shape: tuple[int, ...],
    classes: int,
    width: float,
    neuron: Callable[[], Neuron],
    conv: Convolution,
) -> nn.Module:
    """A convolution for each number of channels, average pooling by 2 at each "P", then one linear layer."""
    first, *rest = plan
    c = channels(first, width)
    encoder = conv(shape[0], c)
    layers: list[nn.Module] = []
    for n in rest:
        if n == "P":
            layers.append(nn.AvgPool2d(2))
        else:
            layers.extend((*conv(c, channels(n, width)), neuron()))
            c = channels(n, width)
    shrunk = 2 ** plan.count("P")
    layers.extend((nn.Flatten(), nn.Linear(c * (shape[1] // shrunk) * (shape[2] // shrunk), classes)))
    return in_sequence(encoder, neuron, layers)


def resnet18(
    shape: tuple[int, ...], classes: int, width: float, neuron: Callable[[], Neuron], conv: Convolution
) -> nn.Module:
    """ResNet-18 for 32x32 images: a 3x3 stem without pooling, eight basic blocks, one linear layer."""
    c = channels(64, width)
    encoder = conv(shape[0], c)
    layers: list[nn.Module] = []
    for stage, n in enumerate((64, 128, 256, 512)):
        for block in range(2):
            layers.append(Residual(c, channels(n, width), 2 if stage and not block else 1, neuron, conv))
            c = channels(n, width)
    layers.extend((nn.AvgPool2d((-(-shape[1] // 8), -(-shape[2] // 8))), nn.Flatten(), nn.Linear(c, classes)))
    return in_sequence(encoder, neuron, layers)


# A network, the images it takes, and the smallest image side that its pooling leaves something of.
NETWORKS = {
    "cnn": cnn, "vgg5": vgg5, "vgg8": vgg8, "resnet8": resnet8, "resnet8_256": resnet8_256,
    "vgg16": vgg16, "resnet18": resnet18,
}  # fmt: skip
INPUT_SHAPES = {name: (1, 28, 28) if name == "cnn" else (3, 32, 32) for name in NETWORKS}
SMALLEST_SIDE = {**dict.fromkeys(NETWORKS, 8), "vgg16": 32}
MOST_CLASSES = 100_000
WIDEST = 16  # weights grow with the square of the width: a billion and more


def check_width(width: float) -> None:
    """Refuse a width that leaves a layer of the narrowest 64 channels with none, or no memory (`InputError`)."""
    positive("width", width)
    if width > WIDEST:
        raise InputError(f"width = {shown(width)}: must be at most {WIDEST}; 1 is the paper's")
    channels(64, width)


def build(
    network: str,
    dynamics: Dynamics,
    *,
    width: float = 1.0,
    readout: str = "spikes",
    batch_norm: bool = True,
    norm_start: tuple[float, float] = (1.0, 0.0),
    classes: int = 10,
    input_shape: tuple[int, int, int] | None = None,
) -> Spiking:
    """A network of Table 1 with fresh weights from PyTorch's global generator.

    Args:
        network: "cnn", "vgg5", "vgg8", "resnet8", "resnet8_256", "vgg16" or "resnet18".
        dynamics: of every neuron.
        width: factor on every layer's channels; 1 is the paper's.
        readout: "spikes", the output layer fires and its rate is the output, or "potential", its
            current is.
        batch_norm: after every convolution; without it, convolutions have a bias.
        norm_start: gain and bias that each batch norm begins with.
        classes: number of outputs.
        input_shape: (C, H, W); (1, 28, 28) for the CNN and (3, 32, 32) for the others if not given.

    Raises:
        InputError: an unknown network or readout, a width that leaves no channel, an image too small.
    """
    one_of("network", network, NETWORKS)
    one_of("readout", readout, READOUTS)
    whole("classes", classes, 2, MOST_CLASSES)
    if not callable(getattr(dynamics, "step", None)):
        raise InputError(f"dynamics = {shown(dynamics)}: must have a step, as those of `snnlib.neurons` do")
    check_width(width)
    shape = tuple(input_shape or INPUT_SHAPES[network])
    if len(shape) != 3:
        raise InputError(f"input_shape = {shape}: must be (channels, height, width)")
    if min(shape[1:]) < SMALLEST_SIDE[network]:
        raise InputError(f"input_shape = {shape}: {network} needs at least {SMALLEST_SIDE[network]} pixels a side")
    model = NETWORKS[network](
        shape, classes, width, lambda: Neuron(dynamics), with_batch_norm if batch_norm else without_batch_norm
    )
    if readout == "spikes":
        model.layers.append(Neuron(dynamics))
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        for parameter, value in zip((norm.weight, norm.bias), norm_start, strict=True):
            nn.init.constant_(parameter, value)
    return Spiking(model, shape, folds=True).to(memory_format=torch.channels_last)
