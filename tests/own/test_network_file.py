"""`save` and `load`: the same outputs bit for bit, whatever the neurons, and a line for what is no such file."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator, weights
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torchvision.models import resnet18

import snnlib as sn
from snnlib.baselines.ann_neurons import IF, QCFS, ReLU
from snnlib.baselines.low_discrepancy import LowDiscrepancy
from snnlib.conversion import with_dynamics
from snnlib.deploy.folding import NoisyLIF, fold
from snnlib.dynamics import LIF
from snnlib.models import build
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.store.files import StoreError

T = 5


def chain() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.AvgPool2d(2),
        nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 16, 4),
    )  # fmt: skip


class Functional(nn.Module):
    """Activations as functions, one module that is called twice, and two names for the same weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(64, 20), nn.Linear(20, 20), nn.Linear(20, 20)
        self.last.weight = self.middle.weight
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        x = torch.relu(self.act(self.middle(x)) + x)
        return self.last(self.act(x * 1.5))


def images(n: int = 6, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(n, 1, 8, 8, generator=generator(), dtype=torch.float64).to(dtype)


def trained(make: Callable[[], nn.Module] = chain, **options: Any) -> Spiking:
    """A spiking net after a few steps, so that weights and averages of batch norm are its own."""
    torch.manual_seed(0)
    net = sn.spiking(make(), **options)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    for _ in range(3):
        net(images()).square().mean().backward()
        optimizer.step()
    return net.eval()


def outputs(net: Spiking, x: Tensor) -> tuple[Tensor, Tensor]:
    """Of each of `T` steps, and of a single one as the net takes it."""
    with torch.no_grad():
        return net(x, timesteps=T, generator=generator(1)), net(x, generator=generator(2))


def same(a: Spiking, b: Spiking, x: Tensor) -> None:
    for mine, theirs in zip(outputs(a, x), outputs(b, x), strict=True):
        assert torch.equal(mine, theirs)
    assert mine.isfinite().all()


def other(make: Callable[[], nn.Module] = chain) -> nn.Module:
    """The same network with other weights."""
    torch.manual_seed(99)
    return make()


SURROGATES = [sn.Triangle(0.7), sn.Rectangle(), sn.Arctan(3.0), sn.Sigmoid(), sn.Density(0.2)]
NOISES = [sn.Gaussian(), sn.Gaussian(-0.2, 1.4, k=2.5), sn.MaxNormalised(), sn.Uniform(0.1, 0.9), sn.Uniform(0.5, 0.5)]


@pytest.mark.parametrize("noise", NOISES, ids=repr)
@pytest.mark.parametrize("surrogate", SURROGATES, ids=repr)
def test_trained_nets(noise: Any, surrogate: Any, tmp_path: Path) -> None:
    net = trained(noise=noise, surrogate=surrogate, v_th=0.8)
    found = sn.load(sn.save(net, tmp_path / "net.safetensors"), other())
    same(net, found, images())
    assert [n.dynamics for _, n in found.neurons()] == [sn.SingleStep(noise, surrogate, 0.8)] * 2


CONVERTED = {
    "sample": {},
    "layer": {"statistics": "layer", "alpha": 3.0, "leak": 0.3},
    "frozen": {"statistics": "frozen", "calibration": images()},
    "no memory": {"alpha": math.inf},
    "no noise": {"alpha": 2.0, "beta": 0.45},
    "rest": {"first_step": "rest"},
    "layers of their own": {"alpha": [2.5, math.inf]},
    "other noise": {"noise": sn.Uniform()},
}


@pytest.mark.parametrize("how", CONVERTED)
def test_converted_nets(how: str, tmp_path: Path) -> None:
    net = sn.convert(trained(), **CONVERTED[how])
    found = sn.load(sn.save(net, tmp_path / "net.safetensors"), other())
    same(net, found, images())
    assert [n.dynamics for _, n in found.neurons()] == [n.dynamics for _, n in net.neurons()]


OTHERS = {
    "LIF": LIF(0.7, sn.Arctan(), 0.9, -0.1),
    "IF": IF(0.5, v_th=0.7, height=0.7),
    "QCFS": QCFS(4, 0.9),
    "ReLU": ReLU(),
    "low discrepancy": LowDiscrepancy(v_th=0.9),
    "noisy LIF": NoisyLIF(0.3, 0.1, sn.Uniform(0.2, 0.4), sn.MaxNormalised(), v_th=0.9, first_bias=0.2),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_nets_of_other_neurons(kind: str, tmp_path: Path) -> None:
    net = with_dynamics(trained(), lambda neuron: OTHERS[kind])
    same(net, sn.load(sn.save(net, tmp_path / "net.safetensors"), other()), images())
    folded = fold(sn.convert(trained(), statistics="frozen", calibration=images()))
    same(folded, sn.load(sn.save(folded, tmp_path / "net.safetensors"), other()), images())


def small_resnet() -> nn.Module:
    net = resnet18(num_classes=4)
    net.conv1 = nn.Conv2d(1, 64, 3, padding=1, bias=False)
    return net


def built() -> nn.Module:
    return build("cnn", sn.SingleStep(), width=1 / 16, input_shape=(1, 8, 8))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "chain": chain, "functions and tied weights": Functional, "torchvision's resnet18": small_resnet,
}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "into"), [(model, "a model") for model in MODELS] + [("chain", "a net"), ([*MODELS][1], "a net")]
)
def test_into_a_fresh_model_or_a_fresh_net(model: str, into: str, tmp_path: Path) -> None:
    net = sn.convert(trained(MODELS[model]), alpha=3.0)
    path = sn.save(net, str(tmp_path / "net.safetensors"))
    fresh = other(MODELS[model]) if into == "a model" else sn.spiking(other(MODELS[model]), noise=sn.Uniform())
    before, modes = weights(fresh), [m.training for m in fresh.modules()]
    dynamics = [m.dynamics for m in fresh.modules() if isinstance(m, Neuron)]
    found = sn.load(path, fresh)
    same(net, found, images())
    assert not found.training
    # The model that was given stays as it was, and shares nothing.
    assert weights(fresh) == before
    assert [m.training for m in fresh.modules()] == modes
    assert [m.dynamics for m in fresh.modules() if isinstance(m, Neuron)] == dynamics
    assert not {p.data_ptr() for p in fresh.parameters()} & {p.data_ptr() for p in found.parameters()}
    # And so is what was loaded what was saved: names of neurons, and parameters that are one.
    assert found.paths == net.paths
    assert len([*found.parameters()]) == len([*net.parameters()])


def test_the_papers_networks(tmp_path: Path) -> None:
    net = sn.convert(built(), alpha=3.0, statistics="layer")
    found = sn.load(sn.save(net, tmp_path / "net.safetensors"), built())
    x = images().to(memory_format=torch.channels_last)
    same(net, found, x)
    assert found.input_shape == (1, 8, 8)
    assert found.model.encoder[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_weights_keep_their_dtype(dtype: torch.dtype, tmp_path: Path) -> None:
    net = sn.convert(trained().to(dtype))
    found = sn.load(sn.save(net, tmp_path / "net.safetensors"), other())
    assert {p.dtype for p in found.parameters()} == {dtype}
    same(net, found, images(dtype=dtype))


def test_weights_keep_their_layout(tmp_path: Path) -> None:
    net = sn.convert(trained().to(memory_format=torch.channels_last))
    found = sn.load(sn.save(net, tmp_path / "net.safetensors"), other())
    same(net, found, images())
    assert found.model[4].weight.stride() == net.model[4].weight.stride() != chain()[4].weight.stride()


def test_options_of_the_net_travel(tmp_path: Path) -> None:
    quiet, noisy = trained(), trained(quiet=False)
    for net in (quiet, noisy):
        for fresh in (other(), sn.spiking(other())):
            same(net, sn.load(sn.save(net, tmp_path / "net.safetensors"), fresh), images())
    assert not torch.equal(*(outputs(net, images())[1] for net in (quiet, noisy)))
    events = sn.spiking(chain(), over_time=True).eval()
    found = sn.load(sn.save(events, tmp_path / "net.safetensors"), other())
    x = torch.stack([images(), -images(), images() * 2])
    with torch.no_grad():
        assert torch.equal(found(x, generator=generator()), events(x, generator=generator()))


@pytest.mark.parametrize("fresh", [other, lambda: sn.spiking(other()).seed(5)], ids=["activations", "neurons"])
def test_a_seed_of_the_nets_own_travels(tmp_path: Path, fresh: Callable[[], nn.Module]) -> None:
    """It begins anew; a net without one is loaded without one."""
    net, x = trained(), images()
    with torch.no_grad():
        expected = net.seed(1)(x, timesteps=3)
        found = sn.load(sn.save(net, tmp_path / "net.safetensors"), fresh())
        assert torch.equal(found(x, timesteps=3), expected)
    assert sn.load(sn.save(trained(), tmp_path / "net.safetensors"), fresh()).own_seed is None


def test_replaced_kinds_of_activations_travel(tmp_path: Path) -> None:
    def make() -> nn.Module:
        class Gelu(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.first, self.last, self.act = nn.Linear(64, 20), nn.Linear(20, 4), nn.SiLU()

            def forward(self, x: Tensor) -> Tensor:
                return self.last(self.act(F.gelu(self.first(x.flatten(1)))))

        return Gelu()

    net = sn.convert(trained(make, replace=(nn.GELU, nn.SiLU)))
    same(net, sn.load(sn.save(net, tmp_path / "net.safetensors"), other(make)), images())


def test_any_program_reads_the_weights_into_the_plain_model(tmp_path: Path) -> None:
    for make in (chain, Functional):
        net = trained(make)
        plain = other(make)
        plain.load_state_dict(load_file(sn.save(net, tmp_path / "net.safetensors")))
        assert weights(plain) == weights(net.model)


def test_what_was_loaded_trains_and_is_saved_anew(tmp_path: Path) -> None:
    path = sn.save(sn.convert(trained()), tmp_path / "net.safetensors")
    found = sn.load(path, other())
    first = path.read_bytes()
    assert sn.save(found, tmp_path / "again.safetensors").read_bytes() == first
    found.train()(images()).sum().backward()
    assert all(p.grad is not None for p in found.parameters())
    sn.save(trained(), path)  # over the file that stood there
    assert path.read_bytes() != first
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".safetensors"] == []


# --- what is no such file, and what does not fit it ------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return sn.save(sn.convert(trained()), tmp_path_factory.mktemp("net") / "net.safetensors").read_bytes()


def answer(path: Any, model: Any) -> str:
    with pytest.raises((StoreError, sn.InputError)) as error:
        sn.load(path, model)
    text = str(error.value)
    assert "\n" not in text
    assert len(text) < 500
    return text


def test_a_damaged_byte_anywhere_is_found(whole: bytes, tmp_path: Path) -> None:
    path, header = tmp_path / "net.safetensors", 8 + int.from_bytes(whole[:8], "little")
    places = [*range(0, header, 37), *range(header, len(whole), max(1, (len(whole) - header) // 20)), len(whole) - 1]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        assert "net.safetensors" in answer(path, other()), place


def test_what_is_no_such_file_is_refused_in_a_line(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_file({"x": torch.zeros(3)}, tmp_path / "theirs.safetensors")
    save_file({"x": torch.zeros(3)}, tmp_path / "info.safetensors", {"info": "{}"})
    for content in (
        whole[: len(whole) // 2], whole[:50], b"", whole + b"x", b"text", pickle.dumps({"a": 1}),
        (tmp_path / "theirs.safetensors").read_bytes(), (tmp_path / "info.safetensors").read_bytes(),
    ):  # fmt: skip
        path.write_bytes(content)
        assert "net.safetensors" in answer(path, other())
    torch.save(chain().state_dict(), path)
    assert "not a file that snnlib wrote" in answer(path, other())
    assert "missing" in answer(tmp_path / "none.safetensors", other())
    assert "folder" in answer(tmp_path, other())


def test_a_file_of_a_run_is_not_one_of_these(tmp_path: Path) -> None:
    from snnlib.store.tensors import save_tensors

    save_tensors(tmp_path / "run.safetensors", chain().state_dict(), {"epoch": 3})
    assert "not a file that `snnlib.save` wrote" in answer(tmp_path / "run.safetensors", other())


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(3, 2), nn.ReLU()), "has no"),
        (nn.Sequential(*chain()[:7], nn.Linear(6 * 16, 5)), "has other weights than"),
        (nn.Sequential(*chain(), nn.Linear(4, 4)), "has other weights than"),
        (chain()[:7], "has other weights than"),
        (sn.spiking(nn.Sequential(*chain(), nn.ReLU())), "has other layers of neurons than"),
        (sn.spiking(Functional()), "has other layers of neurons than"),
        (Functional(), "has no"),
        (nn.Sequential(*chain(), nn.ReLU()), "has other activations than"),
        (None, "model = None: must be a torch.nn.Module"),
        ({"0.weight": torch.zeros(3)}, "must be a torch.nn.Module"),
    ],
)
def test_another_model_is_refused_in_a_line(model: Any, words: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    path.write_bytes(whole)
    assert words in answer(path, model)


class Branching(Functional):
    """Code that `torch.fx` cannot follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.sum() < 1e9 else x


class Fewer(Functional):
    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        return self.last(self.act(self.act(self.middle(x)) + x))


class Once(Functional):
    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.first(x.flatten(1)))
        return self.last(torch.relu(self.act(self.middle(x)) + x))


def test_as_many_calls_as_there_were(tmp_path: Path) -> None:
    path = sn.save(trained(Functional), tmp_path / "net.safetensors")
    assert "functions such as relu: 1 calls, for 2 layers" in answer(path, Fewer())
    assert "act: 1 calls, for 2 layers" in answer(path, Once())
    beside = Branching()
    beside.more = nn.GELU()
    assert "more: 1 calls, for 0 layers" in answer(path, beside)
    same(trained(Functional), sn.load(path, Branching()), images())


def test_what_is_told_about_it_is_kept_or_refused(tmp_path: Path) -> None:
    path = sn.save(trained(), tmp_path / "net.safetensors", {"shape": (1, 8), "names": {10: "a", 9: "b"}})
    with safe_open(path, "pt") as file:
        info = json.loads(file.metadata()["info"])
    assert (info["shape"], info["names"]) == ([1, 8], {"10": "a", "9": "b"})
    same(trained(), sn.load(path, other()), images())
    for about, words in ((torch.ones(1), "JSON can hold"), ("text", "a dictionary"), ({"format": 2}, "other keys")):
        with pytest.raises(sn.InputError, match=words):
            sn.save(trained(), path, about)


def test_a_device_that_is_not_there_is_refused_in_a_line(tmp_path: Path) -> None:
    path = sn.save(trained(), tmp_path / "net.safetensors")
    with pytest.raises(sn.InputError, match="device = 'cuda:99': must be cpu, or a GPU that PyTorch sees"):
        sn.load(path, other(), device="cuda:99")


def test_paths_and_nets_of_another_kind_are_refused(tmp_path: Path) -> None:
    class Mine:
        kind = "mine"

        def step(self, current: Tensor, state: Any, generator: torch.Generator) -> tuple[Tensor, None]:
            return current, None

    for net, path, words in (
        (chain(), tmp_path / "a", "must be a network of neurons"),
        (None, tmp_path / "a", "must be a network of neurons"),
        (trained(), 3, "path = 3: must be the path of a file"),
        (trained(), None, "path = None"),
        (with_dynamics(trained(), lambda neuron: Mine()), tmp_path / "a", "2, dynamics: <"),
    ):
        with pytest.raises(sn.InputError) as error:
            sn.save(net, path)
        assert words in str(error.value)
        assert "\n" not in str(error.value)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="move it away"):
        sn.save(trained(), tmp_path / "file" / "net.safetensors")
    assert answer(None, chain()).startswith("path = None")
