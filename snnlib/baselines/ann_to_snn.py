"""ANN-to-SNN conversion, as the paper's opponents do it (Table 2): batch norm folded in, IF neurons for activations."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.checks import InputError, between, positive, whole
from snnlib.conversion import with_dynamics
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation, evaluating


def fold_batch_norm(model: Spiking) -> Spiking:
    """The same function of the image without batch norm: its running statistics become weights and biases.

    A copy, in evaluation mode; an identity stands where a batch norm was, so layers keep their places.
    Only batch norm right after a convolution, in one ``nn.Sequential``, is folded.
    """
    model = copy.deepcopy(model).eval()
    for container in [m for m in model.modules() if isinstance(m, nn.Sequential)]:
        for i in range(1, len(container)):
            if isinstance(container[i], nn.BatchNorm2d) and isinstance(container[i - 1], nn.Conv2d):
                container[i - 1] = fuse_conv_bn_eval(container[i - 1], container[i])
                container[i] = nn.Identity().eval()
    return model


def thresholds(model: Spiking, images: Tensor, percentile: float = 100.0) -> dict[Neuron, float]:
    """For each layer of ReLU neurons the percentile of its activations, over all neurons and images.

    Of n activations in ascending order, zeros counted, it is number round(percentile / 100 * n), none between two
    of them. 100 is the maximum (Diehl et al. 2015, IJCNN), 99.9 the robust choice (Rueckauer et al. 2017,
    Front. Neurosci. 11:682).

    Args:
        images: standardised training images [N, C, H, W].

    Raises:
        InputError: a percentile outside (0, 100], no images, a layer that is silent on all of them.
    """
    positive("percentile", percentile)
    between("percentile", percentile, 0, 100)
    whole("calibration images", len(images), least=1)
    found: dict[Neuron, float] = {}

    def observe(neuron: Neuron, t: int, activation: Tensor, state: Tensor | None) -> None:
        values = activation.flatten()
        rank = max(round(percentile / 100 * len(values)), 1)
        found[neuron] = values.kthvalue(rank).values.item()

    with evaluating(model), torch.no_grad():
        model(images, simulation=Simulation(torch.Generator(images.device), observe=observe))
    for name, neuron in model.neurons():
        if not found[neuron] > 0:
            raise InputError(f"percentile = {percentile}: {name} is 0 there; a threshold must be above 0")
    return found


def to_spiking(model: Spiking, images: Tensor | None = None, percentile: float = 100.0, v_init: float = 0.0) -> Spiking:
    """The IF network whose firing rates approximate a ReLU or QCFS net; batch norm is folded in.

    Each layer's threshold is the percentile of its ReLU activations over ``images`` [N, C, H, W]; a QCFS
    net brings the thresholds that it was trained with, and needs none. Spikes are as high as the threshold, so
    weights stay as they are, in residual blocks too. Analog current goes into the first neuron, and the mean current of
    the last layer is the output, as it was in the ANN.

    Args:
        v_init: V(0) as a fraction of the threshold; 0.5 rounds where 0 rounds down (Deng & Gu 2021, ICLR).

    Raises:
        InputError: a net of other neurons, ``v_init`` outside [0, 1], a percentile for a QCFS net, and
            what `thresholds` refuses.
    """
    between("v_init", v_init, 0, 1)
    kinds = {type(neuron.dynamics) for _, neuron in model.neurons()}
    if kinds == {QCFS}:
        if percentile != 100:
            raise InputError(f"percentile = {percentile}: must be 100 for a qcfs net, which brings its own thresholds")
        theta = {neuron: neuron.dynamics.threshold for _, neuron in model.neurons()}
    elif kinds == {ReLU}:
        if images is None:
            raise InputError("images = None: a net of ReLU neurons needs training images to measure its thresholds on")
        theta = thresholds(model, images, percentile)
    else:
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise InputError(f"dynamics = {found}: a net of ReLU or QCFS neurons can be converted to IF neurons")

    def integrate_and_fire(neuron: Neuron) -> IF:
        return IF(v_init=v_init * theta[neuron], v_th=theta[neuron], height=theta[neuron])

    return fold_batch_norm(with_dynamics(model, integrate_and_fire))
