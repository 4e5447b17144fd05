"""A spiking net is an ordinary module: loops, precisions, processes and networks of one's own."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import two_processes
from conftest import generator
from torch import Tensor, nn

import snnlib as sn
from snnlib.data.sets import Dataset
from snnlib.dynamics import Dynamics
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import CHUNK, simulate

T = 8


# --- networks of one's own, against steps one after another ----------------------------------


class InSteps(nn.Module):
    """Neurons as most libraries have them: one call is one step, and the state stays inside."""

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__()
        self.dynamics, self.state = dynamics, None

    def forward(self, current: Tensor) -> Tensor:
        s, self.state = self.dynamics.step(current, self.state, generator())
        return s


class Residual(nn.Module):
    """An MLP whose second block also sees the input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 12), nn.Linear(12, 6), nn.Linear(6, 3)
        self.act1, self.act2 = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.act2(self.second(self.act1(self.first(x))) + 0.5 * x))


def mixed() -> nn.Module:
    """Batch norm after neurons, dropout, maxima over spikes."""
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(6), nn.MaxPool2d(2), nn.Dropout(0.2),
        nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(3, 1, 1),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3),
    )  # fmt: skip


def of_one_dimension() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 8, 5, padding=2), nn.BatchNorm1d(8), nn.ReLU(), nn.MaxPool1d(2),
        nn.Conv1d(8, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 6, 3),
    )  # fmt: skip


def of_three_dimensions() -> nn.Module:
    return nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.BatchNorm3d(4), nn.ReLU(), nn.AvgPool3d(2),
        nn.Conv3d(4, 6, 2), nn.BatchNorm3d(6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 4, 3),
    )  # fmt: skip


class Transformer(nn.Module):
    """Attention as it was, neurons in the MLP of each block."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, activation=nn.GELU(), batch_first=True)
        self.blocks, self.last = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(x).mean(1))


NETS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], dict[str, Any]]] = {
    "an MLP with a skip": (Residual, (6,), {}),
    "batch norm after neurons": (mixed, (2, 8, 8), {}),
    "1-d": (of_one_dimension, (2, 16), {}),
    "3-d": (of_three_dimensions, (1, 4, 6, 6), {}),
    "a transformer": (
        Transformer, (5, 8), {"replace": (nn.GELU,), "example": torch.zeros(2, 5, 8, dtype=torch.float64)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NETS)
def test_any_network_trains_converts_and_runs_as_step_after_step(name: str) -> None:
    make, shape, options = NETS[name]
    torch.manual_seed(0)
    net = sn.spiking(make().double(), **options)
    x = torch.randn(30, *shape, generator=generator(), dtype=torch.float64)
    y = (x.flatten(1).mean(1) * 10).floor().long() % 3
    table = sn.fit(net, (x, y), 6, lr=0.01, batch_size=10)
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert table.loss.iloc[-1] < table.loss.iloc[0]

    # No noise: the first step is at rest, and the memory takes all of its range.
    snn = sn.convert(net, alpha=2.0, first_step="rest")
    steps = in_steps(make().double(), snn)
    expected = torch.stack([steps(x) for _ in range(T)]).detach()
    with torch.no_grad():
        torch.testing.assert_close(snn(x, timesteps=T), expected, rtol=1e-9, atol=1e-9)
    assert (expected[0] - expected[1]).abs().max() > 1e-3  # there is a memory
    right = (expected.cumsum(0).argmax(-1) == y).double().mean(1)
    assert sn.evaluate(snn, (x, y), T).accuracy.tolist() == pytest.approx(right.tolist())


def in_steps(model: nn.Module, snn: Spiking) -> nn.Module:
    """The plain model with the net's weights, and its neurons in steps."""
    model.load_state_dict(snn.model.state_dict())
    neurons = {path: m for path, m in snn.model.named_modules() if isinstance(m, Neuron)}
    for path, neuron in neurons.items():
        parent, _, name = path.rpartition(".")
        setattr(model.get_submodule(parent), name, InSteps(neuron.dynamics))
    assert len(neurons) == len([*snn.neurons()]) >= 2
    return model.eval()  # with gradients, so that no fused kernel passes the neurons by


# --- loops of one's own ----------------------------------------------------------------------


def mlp() -> Spiking:
    torch.manual_seed(0)
    return sn.spiking(nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10)))


def pictures(data: Dataset) -> tuple[Tensor, Tensor]:
    x = (data.train.images.float() - 255 * data.mean) / (255 * data.std)
    return x, data.train.labels


def learn(
    net: Spiking, x: Tensor, y: Tensor, epochs: int, timesteps: int | None = None, **autocast: Any
) -> list[float]:
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3, weight_decay=0.01)
    losses = []
    for _ in range(epochs):
        for part in torch.randperm(len(x)).split(40):
            with torch.autocast("cpu", **autocast):
                out = net(x[part]) if timesteps is None else net(x[part], timesteps=timesteps).mean(0)
                loss = F.cross_entropy(out, y[part], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            losses.append(loss.item())
    return losses


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_loop_with_adamw_and_cross_entropy_learns(precision: str, small: Dataset) -> None:
    (x, y), net = pictures(small), mlp()
    torch.manual_seed(1)
    autocast = {"dtype": torch.bfloat16, "enabled": precision == "bfloat16"}
    losses = learn(net, x, y, 12, **autocast)
    assert sum(losses[-4:]) < 0.5 * sum(losses[:4])
    snn = sn.convert(net)
    result = sn.evaluate(snn, (x, y), T)
    assert result.accuracy.iloc[-1] > 0.85
    assert {p.dtype for p in net.parameters()} == {torch.float32}
    with torch.autocast("cpu", **autocast):
        assert net(x).dtype == getattr(torch, precision)
        outputs = snn(x, timesteps=T).float().mean(0)
    assert (outputs.argmax(1) == y).float().mean() == pytest.approx(result.accuracy.iloc[-1], abs=0.05)
    tuned = learn(snn, x, y, 2, timesteps=4, **autocast)
    assert all(loss < losses[0] for loss in tuned)


def test_it_is_copied_pickled_and_moved_as_any_module(tmp_path: Path) -> None:
    net, x = mlp().eval().seed(3), torch.randn(4, 784, generator=generator())
    copies = [copy.deepcopy(net)]
    torch.save(net, tmp_path / "net.pt")
    copies.append(torch.load(tmp_path / "net.pt", weights_only=False))
    plain = mlp()
    plain.load_state_dict(net.state_dict())
    copies.append(plain.eval().seed(3))
    expected = net(x, timesteps=T)
    for other in copies:
        assert torch.equal(other(x, timesteps=T), expected)
    assert net.double()(x.double(), timesteps=2).dtype == torch.float64


class Headed(nn.Module):
    """A module of one's own around a net."""

    def __init__(self, net: Spiking) -> None:
        super().__init__()
        self.net, self.last = net, nn.Linear(10, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.net(x))


@pytest.mark.parametrize("timesteps", [1, T, CHUNK + 1])
def test_a_net_in_another_module_follows_its_simulation(timesteps: int) -> None:
    x, headed = torch.randn(4, 784, generator=generator()), Headed(mlp())
    both, inner = sn.convert(headed), sn.convert(headed.net)
    with torch.no_grad():
        expected = [out for _, out in simulate(inner, x, generator(1), timesteps)]
        found = [out for _, out in simulate(both, x, generator(1), timesteps)]
        torch.testing.assert_close(torch.cat(found), headed.last(torch.cat(expected)))


class Around(nn.Module):
    """As a LightningModule has it; what else it does is part of the network."""

    def __init__(self, *nets: nn.Module) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    def forward(self, x: Tensor) -> Tensor:
        return sum(net(2 * x) for net in self.nets)


def test_a_module_around_a_net_has_its_names_and_options(tmp_path: Path) -> None:
    x, y = torch.randn(3, 20, 784, generator=generator()), torch.arange(20) % 10
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, 9), nn.ReLU(), nn.Linear(9, 10))
    net = sn.spiking(model, over_time=True, quiet=False)
    around, held = Around(net), torch.utils.data.TensorDataset(x.movedim(0, 1), y)
    snn = sn.convert(around, alpha={"1": 3.0})
    assert ([name for name, _ in snn.neurons()], snn.over_time, snn.quiet) == (["1"], True, False)
    loaded = sn.load(sn.save(snn, tmp_path / "net"), Around(sn.spiking(model)))
    doubled = torch.utils.data.TensorDataset(2 * x.movedim(0, 1), y)
    expected = sn.evaluate(sn.convert(net, alpha=3.0), doubled, 3)
    for found in (snn, loaded):
        assert sn.evaluate(found, held, 3).equals(expected)
    assert sn.convert(torch.compile(net)).model[0].weight is net.model[0].weight
    with pytest.raises(sn.InputError, match="Around: must have one Spiking net in it and no neurons beside it"):
        sn.convert(Around(net, mlp()))


def test_a_module_around_a_net_draws_from_its_seed() -> None:
    x, seeded = torch.randn(4, 784, generator=generator()), mlp().seed(5)
    with torch.no_grad():
        expected = sn.convert(seeded)(2 * x, timesteps=T)
        torch.manual_seed(1)
        assert torch.equal(sn.convert(Around(seeded))(x, timesteps=T), expected)


@pytest.mark.slow
def test_processes_share_gradients(tmp_path: Path) -> None:
    """As DistributedDataParallel promises: each has the mean of what each would have alone."""
    torch.multiprocessing.spawn(two_processes.work, (str(tmp_path),), nprocs=2)
    found = torch.load(tmp_path / "gradients.pt")
    alone = [two_processes.small(), two_processes.small()]
    for rank, net in enumerate(alone):
        two_processes.step(rank, net)
    for mine, *theirs in zip(found, *(net.parameters() for net in alone), strict=True):
        mean = (theirs[0].grad + theirs[1].grad) / 2
        torch.testing.assert_close(mine, mean)
        assert not torch.allclose(theirs[0].grad, mean)


def test_a_lightning_module_around_it_trains() -> None:
    lightning = pytest.importorskip("lightning", reason="in the extra `interop`")

    class Lit(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = mlp()

        def forward(self, x: Tensor) -> Tensor:
            return self.net(x)

        def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
            x, y = batch
            return F.cross_entropy(self(x), y)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), 3e-3)

    x = torch.randn(200, 784, generator=generator())
    y = (x[:, :392].sum(1) > x[:, 392:].sum(1)).long()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 20, shuffle=True)
    lit = Lit()
    before = sn.evaluate(lit.net, loader, 1).accuracy.iloc[0]
    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    lightning.Trainer(max_epochs=5, accelerator="cpu", **quiet).fit(lit, loader)
    assert before < 0.6
    for net in (lit, lit.net):
        snn = sn.convert(net)
        assert sn.evaluate(snn, loader, T).accuracy.iloc[-1] > 0.9
