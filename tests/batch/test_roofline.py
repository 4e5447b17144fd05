"""The model of a GPU: counted work against closed forms, and its fractions against published trainings."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

from reproduce.batch import roofline
from reproduce.batch.estimate import on_gpus
from reproduce.batch.roofline import H100, KERNELS, LAUNCH, LIKELY, Gpu, Roofline, Work
from reproduce.experiments.table1_networks import layers
from reproduce.runs.evaluations import Conversion
from reproduce.runs.preset import Preset
from reproduce.runs.spec import Spec

A100 = Gpu("A100", 156e12, 312e12, 2.039e12)  # 80 GB, SXM, NVIDIA's data sheet
V100 = Gpu("V100", 15.7e12, 125e12, 0.9e12)  # 16 GB, SXM2; its half precision stands for bfloat16


def spec(network: str = "cnn", width: float = 1.0, **fields: object) -> Spec:
    dataset = "cifar10" if network in ("vgg16", "resnet18") else "mnist"
    return Spec(**{"dataset": dataset, "network": network, "width": width, "readout": "potential", **fields})


def test_the_work_of_the_papers_cnn_is_counted_as_by_hand() -> None:
    work = roofline._work(roofline._net(spec()))
    convolutions = [(28, 1, 64), (14, 64, 128), (7, 128, 128)]
    assert work.macs == sum(side**2 * a * b * 9 for side, a, b in convolutions) + 128 * 9 * 512 + 512 * 10
    neurons = 28**2 * 64 + 14**2 * 128 + 7**2 * 128 + 512
    norms = neurons - 512
    pooled = 14**2 * 64 + 7**2 * 128 + 3**2 * 128
    assert work.numbers == 2 * norms + 3 * neurons + pooled + 512 + 10  # convolution and norm write as many
    assert work.neurons == 4


@pytest.mark.parametrize(
    ("gpu", "precision", "batch", "published"),
    [
        (A100, "float32", 256, 938),
        (A100, "bfloat16", 256, 2470),
        (V100, "float32", 128, 367),
        (V100, "bfloat16", 256, 1200),
    ],
    ids=["A100 TF32", "A100 mixed", "V100 float32", "V100 mixed"],
)
def test_published_trainings_reach_a_likely_fraction(gpu: Gpu, precision: str, batch: int, published: float) -> None:
    """Images a second of ResNet-50 v1.5, one GPU: NVIDIA/DeepLearningExamples, PyTorch/Classification/ConvNets."""
    with torch.random.fork_rng():
        model = torchvision.models.resnet50()
    work = Work.of(model, layers(model, torch.zeros(1, 3, 224, 224)))
    assert work.macs == pytest.approx(4.09e9, rel=0.01)  # torchvision's own documentation: 4.09 GFLOPS
    at_peak, launches = work.training(gpu, precision, batch)
    assert launches < at_peak
    assert 0.34 < at_peak * published < 0.58
    assert LIKELY[0] < at_peak * published < LIKELY[1]


def test_time_goes_with_the_fraction_and_the_steps() -> None:
    direct = spec("vgg16", dynamics={"kind": "lif"}, timesteps=4, recipe={"batch_size": 4096})
    ours = spec("vgg16", recipe={"batch_size": 4096})
    fast, slow = Roofline(H100, 0.6), Roofline(H100, 0.2)
    assert slow.training(ours) == pytest.approx(3 * fast.training(ours))
    assert slow.training(direct) / slow.training(ours) == pytest.approx(4, rel=0.05)
    test = Conversion(timesteps=8)
    assert slow.testing(ours, test) < 8 * slow.training(ours) / 2
    assert slow.testing(ours, test.changed(flips=True)) == pytest.approx(2 * slow.testing(ours, test))


def test_a_small_net_waits_for_its_launches() -> None:
    tiny = spec(width=1 / 16, recipe={"batch_size": 100})
    work = roofline._work(roofline._net(tiny))
    assert Roofline(H100, 0.6).training(tiny) == pytest.approx(LAUNCH * KERNELS * work.modules / 100)


def test_eight_gpus_wait_for_the_longest_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_RUNS", str(tmp_path))
    one, two, shared = (spec(seed=seed, recipe={"devices": devices}) for seed, devices in ((0, 1), (1, 1), (2, 2)))
    notebooks = {"n": {"net": {"ours": (one, two, shared)}}}
    p = Preset(
        name="p", description="d", evaluation={"timesteps": 10, "noise_seeds": (0,)}, benchmark={}, ann_timesteps=40,
        notebooks=notebooks,
    )  # fmt: skip
    left = [{one.name: 3600.0 * n, two.name: 3600.0 * n, shared.name: 3600.0 * n} for n in (3, 9)]
    assert on_gpus(p, left, "X", "why") == "about 12.0 h to 36.0 h on one X, 3.0 h to 9.0 h on eight (why)"
