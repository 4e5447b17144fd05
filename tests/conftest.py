"""What the tests share: a small part of the embedded data set, a lively network, generators."""

from __future__ import annotations

import gc
import os
import signal
import time
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from snnlib.data.sets import Dataset, Split, load_dataset
from snnlib.dynamics import Dynamics, SingleStep
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.simulation import Simulation

pytest_plugins = ["step_by_step", "tiny_data", "tiny_runs"]

os.environ["SNNLIB_PRETRAINED"] = "no folder"  # what the repository publishes is known without training
torch.set_num_threads(1)  # tensors here are too small to share
gc.set_threshold(50_000)  # millions of objects live through the session: to look at each is a twentieth of its time
os.fsync = lambda descriptor: None  # no test cuts the power, and a disk takes milliseconds for each file
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and then by all that tests start


def generator(seed: int = 0) -> torch.Generator:
    """A CPU generator with this seed."""
    return torch.Generator().manual_seed(seed)


def lively(
    network: str = "cnn", dynamics: Dynamics | None = None, readout: str = "spikes", **options: object
) -> Spiking:
    """A tiny network in float64 and evaluation mode, in which every layer of neurons fires now and then."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        options = {"width": 1 / 16, **options}
        model = build(network, dynamics or SingleStep(), readout=readout, **options).double()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None  # one pass sets the running statistics
                nn.init.uniform_(module.weight, 0.8, 1.2)
                nn.init.uniform_(module.bias, 0.0, 0.4)
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=1.5 / module.in_features**0.5)
                nn.init.constant_(module.bias, 0.5)
        with torch.no_grad():
            model.train()(
                torch.randn(16, *model.input_shape, dtype=torch.float64), simulation=Simulation(generator(), 1)
            )
    return model.eval()


def images(n: int, shape: tuple[int, ...] = (1, 28, 28), seed: int = 0) -> Tensor:
    """Standard normal images in float64."""
    return torch.randn(n, *shape, generator=generator(seed), dtype=torch.float64)


@pytest.fixture(scope="session")
def small() -> Dataset:
    """160 training and 90 test images of the embedded set, each class in it."""
    mini = load_dataset("fashion_mnist_mini")

    def part(split: Split, n: int) -> Split:
        chosen = torch.randperm(len(split), generator=generator(5))[:n]
        return Split(split.images[chosen], split.labels[chosen])

    return replace(mini, train=part(mini.train, 160), test=part(mini.test, 90))


@pytest.fixture(scope="session")
def exact(small: Dataset) -> Dataset:
    """The same, standardised in float64: no spike hangs on the last bit of a sum."""
    return replace(small, mean=small.mean.double(), std=small.std.double())


def weights(model: nn.Module) -> dict[str, bytes]:
    """Every weight and buffer of a network as bytes."""
    return {k: v.detach().contiguous().numpy().tobytes() for k, v in model.state_dict().items()}


def pytest_configure(config: Any) -> None:
    """Look at the clock."""
    config.began = time.time()


def pytest_terminal_summary(terminalreporter: Any, exitstatus: int, config: Any) -> None:
    """What the faults did, if any were tried; written to a file if all were, and nothing failed."""
    from faults import table

    reports = [r for kind in ("passed", "failed") for r in terminalreporter.getreports(kind) if "faults" in r.keywords]
    found = table.table(reports)
    if len(found):
        text = found.to_markdown(index=False)
        terminalreporter.write_line(f"\n{text}")
        if table.complete(reports, found) and exitstatus == 0 and not terminalreporter.getreports("skipped"):
            terminalreporter.write_line(table.save(text, time.time() - config.began))
