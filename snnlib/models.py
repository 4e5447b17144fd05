"""The networks of Table 1, CNN, VGG-16 and ResNet-18, and four shorter ones: ordinary PyTorch around `Neuron`.

Batch norm follows every convolution unless it is left out, none follows a linear layer: the paper does not say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from snnlib.checks import InputError, one_of, positive, shown, whole
from snnlib.dynamics import Dynamics
from snnlib.layers import Convolution, CurrentShortcut, Residual, in_sequence, with_batch_norm, without_batch_norm
from snnlib.network import Spiking
from snnlib.neurons import Neuron

READOUTS = ("spikes", "potential")
VGG5 = (112, "P", 224, "P", 448, "P", 448)  # 1.75 times as wide as VGG8, at the end less: 14 % fewer multiplications
VGG8 = (64, "P", 128, 128, "P", 256, 256, "P", 512, 512)
VGG16 = (64, 64, "P", 128, 128, "P", 256, 256, 256, "P", 512, 512, 512, "P", 512, 512, 512, "P")


def channels(n: int, width: float) -> int:
    """n channels at this width, relative to the paper's network; an `InputError` if none is left."""
    scaled = round(n * width)
    if scaled < 1:
        raise InputError(f"width = {width}: leaves no channel of a layer of {n}; must be above {0.5 / n:g}")
    return scaled


@dataclass(frozen=True)
class Parts:
    """What any of the networks is built from."""

    shape: tuple[int, int, int]  # of an image: channels, height, width
    classes: int
    width: float
    neuron: Callable[[], Neuron]
    conv: Convolution

    def channels(self, n: int) -> int:
        return channels(n, self.width)

    def classifier(self, c: int, shrunk: int) -> tuple[nn.Module, nn.Module]:
        """One linear layer on c channels whose sides are so many times shorter than the image's."""
        _, h, w = self.shape
        return nn.Flatten(), nn.Linear(c * (h // shrunk) * (w // shrunk), self.classes)


def cnn(parts: Parts) -> nn.Module:
    """64C3-AP2-128C3-AP2-128C3-AP2-512FC-10FC."""
    conv, neuron = parts.conv, parts.neuron
    c, h, w = parts.shape
    a, b, fc = (parts.channels(n) for n in (64, 128, 512))
    layers = (
        nn.AvgPool2d(2), *conv(a, b), neuron(),
        nn.AvgPool2d(2), *conv(b, b), neuron(),
        nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(b * (h // 8) * (w // 8), fc), neuron(),
        nn.Linear(fc, parts.classes),
    )  # fmt: skip
    return in_sequence(conv(c, a), neuron, layers)


def vgg16(parts: Parts) -> nn.Module:
    """VGG-16's thirteen convolutions for 32x32 images, average pooling, then one linear layer."""
    return _chain(VGG16, parts)


def vgg8(parts: Parts) -> nn.Module:
    """Seven convolutions for 32x32 images, average pooling to 4x4, then one linear layer.

    Not in the paper: what takes VGG-16 hours on a CPU takes this one minutes.
    """
    return _chain(VGG8, parts)


def vgg5(parts: Parts) -> nn.Module:
    """`vgg8` with one convolution at each resolution, wider in its stead. Not in the paper."""
    return _chain(VGG5, parts)


def resnet8(parts: Parts) -> nn.Module:
    """`vgg8` with a `CurrentShortcut` round the second convolution at each resolution below the first."""
    return _with_shortcuts((128, 256, 512), parts)


def resnet8_256(parts: Parts) -> nn.Module:
    """`resnet8` with as many channels at the last resolution as at the one before (as airbench, Jordan 2024)."""
    return _with_shortcuts((128, 256, 256), parts)


def resnet18(parts: Parts) -> nn.Module:
    """ResNet-18 for 32x32 images: a 3x3 stem without pooling, eight basic blocks, one linear layer."""
    c = parts.channels(64)
    encoder = parts.conv(parts.shape[0], c)
    layers: list[nn.Module] = []
    for stage, n in enumerate((64, 128, 256, 512)):
        for block in range(2):
            stride = 2 if stage and not block else 1
            layers.append(Residual(c, c := parts.channels(n), stride, parts.neuron, parts.conv))
    _, h, w = parts.shape
    layers.extend((nn.AvgPool2d((-(-h // 8), -(-w // 8))), nn.Flatten(), nn.Linear(c, parts.classes)))
    return in_sequence(encoder, parts.neuron, layers)


def _chain(plan: tuple[int | str, ...], parts: Parts) -> nn.Module:
    """A convolution for each number of channels, average pooling by 2 at each "P", then one linear layer."""
    first, *rest = plan
    c = parts.channels(first)
    encoder = parts.conv(parts.shape[0], c)
    layers: list[nn.Module] = []
    for n in rest:
        if n == "P":
            layers.append(nn.AvgPool2d(2))
        else:
            layers.extend((*parts.conv(c, c := parts.channels(n)), parts.neuron()))
    layers.extend(parts.classifier(c, 2 ** plan.count("P")))
    return in_sequence(encoder, parts.neuron, layers)


def _with_shortcuts(plan: tuple[int, ...], parts: Parts) -> nn.Module:
    """64 channels, then at each half of a resolution so many, in two convolutions; a linear layer at the end."""
    c = parts.channels(64)
    encoder = parts.conv(parts.shape[0], c)
    layers: list[nn.Module] = []
    for n in plan:
        first = parts.conv(c, c := parts.channels(n))
        layers.extend((nn.AvgPool2d(2), *first, CurrentShortcut(c, parts.neuron, parts.conv), parts.neuron()))
    layers.extend(parts.classifier(c, 2 ** len(plan)))
    return in_sequence(encoder, parts.neuron, layers)


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
    check_width(width)
    shape = tuple(input_shape or INPUT_SHAPES[network])
    if len(shape) != 3:
        raise InputError(f"input_shape = {shape}: must be (channels, height, width)")
    for size in shape:
        whole("input_shape, a size", size, 1)
    if len(norm_start) != 2:
        raise InputError(f"norm_start = {shown(norm_start)}: must be a gain and a bias")
    if min(shape[1:]) < SMALLEST_SIDE[network]:
        raise InputError(f"input_shape = {shape}: {network} needs at least {SMALLEST_SIDE[network]} pixels a side")
    conv = with_batch_norm if batch_norm else without_batch_norm
    model = NETWORKS[network](Parts(shape, classes, width, lambda: Neuron(dynamics), conv))
    if readout == "spikes":
        model.layers.append(Neuron(dynamics))
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        for parameter, value in zip((norm.weight, norm.bias), norm_start, strict=True):
            nn.init.constant_(parameter, value)
    return Spiking(model, shape, folds=True).to(memory_format=torch.channels_last)


def without_last_neurons(model: Spiking) -> Spiking:
    """A net that `build` made with readout "spikes" becomes one with readout "potential", of the same weights.

    The one that is given is taken apart.

    Raises:
        InputError: the last layer is not one of neurons.
    """
    if not isinstance(model.model.layers[-1], Neuron):
        raise InputError(f"model = {type(model.model).__name__}: its readout must be spikes, not potential")
    del model.model.layers[-1]
    return Spiking(model.model, model.input_shape, folds=True)
