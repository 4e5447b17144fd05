"""`fit`, against loops written out here: the same weights bit for bit, whatever holds the data."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator, weights
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

import snnlib as sn
from snnlib.data.sets import Split
from snnlib.network import Spiking
from snnlib.training.failures import TrainingError
from snnlib.training.losses import mse

N, BATCH, EPOCHS = 60, 20, 3


def net(**options: Any) -> Spiking:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 3)
    )
    return sn.spiking(model, **options)


def data(n: int = N) -> tuple[Tensor, Tensor]:
    """Points, and in which of three sectors around the first two coordinates they lie."""
    x = torch.randn(n, 4, generator=generator())
    return x, ((torch.atan2(x[:, 1], x[:, 0]) / math.pi + 1) * 1.5).long().clamp(0, 2)


class Loop:
    """What one would write in place of `fit`."""

    def __init__(self, net: Spiking, lr: float = 1e-3, optimizer: torch.optim.Optimizer | None = None) -> None:
        self.net, self.optimizer = net, optimizer or torch.optim.Adam(net.parameters(), lr)
        self.cosine = optimizer is None
        self.losses: list[float] = []
        self.accuracies: list[float] = []  # of each epoch, of what it saw

    def run(
        self, batches: Iterable[Any], loss: Callable = F.cross_entropy, steps: int | None = None, epochs: int = EPOCHS
    ) -> Spiking:
        peaks = [group["lr"] for group in self.optimizer.param_groups]
        total, done = epochs * len(batches), 0
        self.net.train()
        for _ in range(epochs):
            values, seen, right = [], 0, 0
            for x, y in batches:
                if self.cosine:
                    for group, peak in zip(self.optimizer.param_groups, peaks, strict=True):
                        group["lr"] = peak * (1 + math.cos(math.pi * done / total)) / 2
                out = self.net(x) if steps is None else self.net(x, timesteps=steps).mean(0)
                value = loss(out, y)
                self.optimizer.zero_grad()
                value.backward()
                self.optimizer.step()
                values.append(value.item() * len(y))
                seen += len(y)
                right += (out.argmax(1) == y).double().mean().item() * len(y)
                done += 1
            self.losses.append(sum(values) / seen)
            self.accuracies.append(right / seen)
        return self.net.eval()


class Pairs(Dataset):
    def __init__(self, x: Tensor, y: Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, i: int) -> tuple[Tensor, Tensor]:
        return self.x[i], self.y[i]


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        return iter([*zip(*data(), strict=True)])


def close(mine: nn.Module, theirs: nn.Module) -> None:
    """The cosine's last bit may differ from PyTorch's, which multiplies it up step by step."""
    for (name, a), b in zip(mine.state_dict().items(), theirs.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize("n", [N, N + 5], ids=["whole batches", "a smaller last one"])
def test_it_is_the_loop_one_would_write(n: int) -> None:
    mine, theirs = net(), net()
    torch.manual_seed(1)
    table = sn.fit(mine, data(n), EPOCHS, batch_size=BATCH, lr=0.01)
    torch.manual_seed(1)
    loop = Loop(theirs, lr=0.01)
    loop.run(DataLoader(TensorDataset(*data(n)), BATCH, shuffle=True))
    close(mine, theirs)
    assert list(table) == ["epoch", "loss", "accuracy"]
    assert [*table.epoch] == [1, 2, 3]
    assert [*table.loss] == pytest.approx(loop.losses, rel=1e-5)
    assert [*table.accuracy] == pytest.approx(loop.accuracies)
    assert not any(m.training for m in mine.modules())


def test_a_class_for_each_pixel_is_learnt_as_in_that_loop() -> None:
    x = torch.randn(N, 2, 5, 4, generator=generator())
    y = (x[:, 0] > 0).long()

    def convolutions() -> Spiking:
        torch.manual_seed(0)
        return sn.spiking(nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1)))

    mine, theirs = convolutions(), convolutions()
    torch.manual_seed(1)
    table = sn.fit(mine, (x, y), EPOCHS, batch_size=BATCH, lr=0.01)
    torch.manual_seed(1)
    loop = Loop(theirs, lr=0.01)
    loop.run(DataLoader(TensorDataset(x, y), BATCH, shuffle=True))
    close(mine, theirs)
    assert [*table.accuracy] == pytest.approx(loop.accuracies)


@pytest.mark.parametrize("steps", [None, 4], ids=["one step", "4 steps"])
def test_with_an_optimizer_and_a_loss_given_it_is_that_loop_bit_for_bit(steps: int | None) -> None:
    mine, theirs = net(), net()
    torch.manual_seed(1)
    optimizer = torch.optim.SGD(mine.parameters(), 0.1, momentum=0.9)
    sn.fit(mine, data(), EPOCHS, batch_size=BATCH, optimizer=optimizer, loss=mse, timesteps=steps or 1)
    torch.manual_seed(1)
    loop = Loop(theirs, optimizer=torch.optim.SGD(theirs.parameters(), 0.1, momentum=0.9))
    loop.run(DataLoader(TensorDataset(*data()), BATCH, shuffle=True), mse, steps)
    assert weights(mine) == weights(theirs)
    assert weights(mine) != weights(net())


def test_data_may_be_held_by_anything() -> None:
    x, y = data()
    order = torch.randperm(N, generator=generator())
    batches = [(x[i], y[i]) for i in order.split(BATCH)]
    kinds = {
        "loader": DataLoader(TensorDataset(x[order], y[order]), BATCH),
        "data set": DataLoader(Pairs(x[order], y[order]), BATCH),
        "list": batches,
        "lists": [list(batch) for batch in batches],
    }
    found = set()
    for held in kinds.values():
        trained = net()
        trained.seed(0)
        sn.fit(trained, held, 2)
        found.add(tuple(weights(trained).items()))
    assert len(found) == 1
    shuffled = set()
    for held in ((x, y), [x, y], TensorDataset(x, y), Pairs(x, y)):
        trained = net()
        torch.manual_seed(2)
        sn.fit(trained, held, 2, batch_size=BATCH)
        shuffled.add(tuple(weights(trained).items()))
    assert len(shuffled) == 1
    assert shuffled != found
    assert len(sn.fit(net(), Stream(), 2, batch_size=BATCH)) == 2


def test_bytes_are_numbers_up_to_one() -> None:
    pixels = torch.randint(0, 256, (N, 4), dtype=torch.uint8, generator=generator())
    labels = data()[1]
    found = []
    for inputs in (Split(pixels, labels), (pixels, labels), (pixels.float() / 255, labels)):
        trained = net()
        torch.manual_seed(3)
        sn.fit(trained, inputs, 2, batch_size=BATCH)
        found.append(weights(trained))
    assert found[0] == found[1] == found[2]


def test_a_last_batch_of_one_does_not_stop_batch_norm() -> None:
    sn.fit(net(), data(BATCH + 1), 1, batch_size=BATCH)
    sn.fit(net(), data(2 * BATCH + 3), 1, batch_size=BATCH)


def test_it_learns_classes() -> None:
    torch.manual_seed(4)
    trained = net()
    table = sn.fit(trained, data(1000), 20, lr=0.01)
    assert table.accuracy.iloc[-1] > 0.85
    assert table.loss.iloc[-1] < table.loss.iloc[0] / 2


def test_it_learns_a_linear_map() -> None:
    x = torch.randn(600, 4, generator=generator())
    y = x @ torch.tensor([[1.0, 0.5], [-1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    torch.manual_seed(5)
    trained = sn.spiking(nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 2)))
    table = sn.fit(trained, (x, y), 20, lr=0.02, batch_size=50)
    assert list(table) == ["epoch", "loss"]
    assert table.loss.iloc[-1] < 0.1 * y.var(0).mean()
    error = sn.evaluate(sn.convert(trained), (x, y), 8).error
    assert error.iloc[-1] < 0.9 * error.iloc[0]


def test_frozen_parameters_stay_bit_for_bit() -> None:
    trained = net()
    first, norm = trained.model[0], trained.model[1]
    for p in [*first.parameters(), *norm.parameters()]:
        p.requires_grad_(False)
    before = weights(trained)
    sn.fit(trained, data(), 2, batch_size=BATCH)
    changed = {name for name, value in weights(trained).items() if value != before[name]}
    assert changed == {"model.3.weight", "model.3.bias", "model.5.weight", "model.5.bias"}


def test_what_the_optimizer_does_not_have_gathers_no_gradients() -> None:
    torch.manual_seed(0)
    model = net()
    sn.fit(model, data(BATCH), 4, optimizer=torch.optim.SGD(model.model[-1].parameters(), 0.0), batch_size=BATCH)
    found = model.model[0].weight.grad.norm()
    model.zero_grad()
    F.cross_entropy(model.train()(data(BATCH)[0]), data(BATCH)[1]).backward()
    assert 0 < found < 2 * model.model[0].weight.grad.norm()  # of one step, not the sum of four


def test_a_net_is_in_evaluation_mode_too_where_training_ended_in_an_error() -> None:
    model = net()
    with pytest.raises(sn.InputError):
        sn.fit(model, (X, Y + 1), epochs=1)
    assert not model.training


def test_batch_norm_that_learns_is_in_training_mode_and_so_is_dropout() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(4, 9), nn.BatchNorm1d(9), nn.ReLU(), nn.BatchNorm1d(9), nn.Dropout(), nn.Linear(9, 3)
    )
    trained, modes = sn.spiking(model), []
    trained.model[3].weight.requires_grad_(False)  # half of it: it still learns
    trained.model[1].requires_grad_(False)
    for layer in (1, 3, 4):
        trained.model[layer].register_forward_hook(lambda m, i, o, layer=layer: modes.append((layer, m.training)))
    sn.fit(trained, data(BATCH), 1, batch_size=BATCH)
    assert modes == [(1, False), (3, True), (4, True)]


def converted() -> Spiking:
    trained = net()
    torch.manual_seed(6)
    sn.fit(trained, data(), 20, batch_size=BATCH, lr=0.01)
    return sn.convert(trained, alpha=2.5)


def test_a_converted_net_is_fine_tuned_through_time() -> None:
    snn = converted()
    x, y = data()
    before = sn.evaluate(snn, (x, F.one_hot(y, 3).float()), 4, noise_seeds=range(5)).groupby("timesteps").error.mean()
    sn.fit(snn, (x, y), 20, batch_size=BATCH, lr=0.003, timesteps=4, loss=mse)
    after = sn.evaluate(snn, (x, F.one_hot(y, 3).float()), 4, noise_seeds=range(5)).groupby("timesteps").error.mean()
    assert after[4] < 0.8 * before[4]


def test_gradients_of_fine_tuning_run_through_the_memory() -> None:
    """As in a loop over time whose potentials are in the graph, and not as in one that forgets them."""
    snn = converted().eval().seed(0).double()
    x, y = data()
    x = x.double()
    layers = [m.dynamics if hasattr(m, "dynamics") else m for m in snn.model]

    def by_hand(*, forget: bool) -> Tensor:
        # Time outermost within each layer, as noise is drawn.
        g, values = generator(), [x] * 4
        for layer in layers:
            if isinstance(layer, nn.Module):
                values = [layer(v) for v in values]
                continue
            state, spikes = None, []
            for v in values:
                s, state = layer.step(v, state.detach() if forget and state is not None else state, g)
                spikes.append(s)
            values = spikes
        return torch.stack(values)

    gradients = []
    for outputs in (snn(x, timesteps=4, generator=generator()), by_hand(forget=False), by_hand(forget=True)):
        snn.zero_grad()
        F.cross_entropy(outputs.mean(0), y).backward()
        gradients.append(snn.model[0].weight.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-12)
    assert (gradients[1] - gradients[2]).norm() > 1e-3 * gradients[1].norm()


def test_noise_and_alpha_may_be_each_layers_own() -> None:
    constant = sn.Uniform(0.5, 0.5)
    trained = net(noise={"2": constant, "4": sn.Uniform(0.25, 0.75)})
    sn.fit(trained, data(), 1, batch_size=BATCH)
    x = data()[0]
    with torch.no_grad():
        hidden = (trained.model[:2](x) + 0.5 > 1).float()  # Eqs. 5, 2 without chance
        noise = torch.empty(N, 16).uniform_(0.25, 0.75, generator=generator())
        expected = trained.model[5]((trained.model[3](hidden) + noise > 1).float())
        assert torch.equal(trained(x, timesteps=1, generator=generator())[0], expected)
    assert hidden.any()
    snn = sn.convert(trained, alpha={"2": math.inf, "4": 8.0})
    assert [n.dynamics.alpha for _, n in snn.neurons()] == [math.inf, 8.0]
    assert [n.dynamics.noise for _, n in snn.neurons()] == [constant, sn.Uniform(0.25, 0.75)]
    assert [n.dynamics.alpha for _, n in sn.convert(trained, alpha=[math.inf, 6.0]).neurons()] == [math.inf, 6.0]


def frozen() -> Spiking:
    return net().requires_grad_(False)


X, Y = data()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net": nn.Linear(4, 3)}, "model = Linear: must be a network of neurons"),
        ({"net": None}, "model = NoneType: must be a network of neurons"),
        ({"net": frozen()}, "must have a parameter to train"),
        ({"data": None}, "data = None: must be"),
        ({"data": X}, "must be (inputs, targets) as tensors"),
        ({"data": {"x": X}}, "must be (inputs, targets) as tensors"),
        ({"data": (X, Y[:-1])}, "data: 60 inputs and 59 targets; there must be as many"),
        ({"data": (X[:0], Y[:0])}, "number of samples = 0"),
        ({"data": []}, "data: must give at least one batch in each epoch"),
        ({"data": ((x, y) for x, y in [(X, Y)]), "epochs": 2}, "a generator gives its batches only once"),
        ({"data": [X]}, "must be a pair of tensors, inputs and targets"),
        ({"data": [(X[:4], Y)]}, "batch of inputs [4, 4] and targets [60]: must be as many"),
        ({"data": [(X, Y, Y)]}, "must be a pair of tensors, inputs and targets"),
        ({"data": (X, Y + 1)}, "targets = 1 to 3: must be classes from 0 to 2"),
        ({"data": (X, Y - 1)}, "targets = -1 to 1: must be classes from 0 to 2"),
        ({"data": (X, Y.float())}, "targets of shape (20,): must be (20, 3), as the outputs"),
        ({"data": (X, F.one_hot(Y))}, "outputs of shape (20, 3): must be classes"),
        ({"data": (X.double(), Y)}, "input of torch.float64: must be of torch.float32"),
        ({"data": (X.where(X > -2, math.nan), Y)}, "input: must be finite"),
        ({"data": (X.where(X > -2, math.inf), Y)}, "input: must be finite"),
        ({"epochs": 0}, "epochs = 0"),
        ({"epochs": 1.5}, "epochs = 1.5"),
        ({"timesteps": 0}, "timesteps = 0"),
        ({"timesteps": 10**6}, "timesteps = 1000000"),
        ({"net": net(over_time=True), "data": (X[:, None], Y), "timesteps": 5}, "timesteps = 5: must be 1, the length"),
        ({"batch_size": 0}, "batch_size = 0"),
        ({"lr": math.nan}, "lr = nan"),
        ({"lr": -1}, "lr = -1"),
        ({"loss": "mse"}, "loss = 'mse': must be a function"),
        ({"loss": nn.CrossEntropyLoss}, "must be a function of outputs and targets; of a class, an instance"),
        ({"loss": lambda outputs, targets: 1.0}, "loss = 1.0: must give one number"),
        ({"loss": lambda outputs, targets: outputs}, "must give one number"),
        ({"optimizer": "adam"}, "optimizer = 'adam': must be a torch.optim.Optimizer"),
        ({"optimizer": torch.optim.Adam(net().parameters())}, "has none of the net's parameters"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_refused_in_a_line(change: dict[str, Any], words: str) -> None:
    given = {"net": net(), "data": (X, Y), "epochs": 1, "batch_size": BATCH, **change}
    with pytest.raises(sn.InputError) as error:
        sn.fit(**given)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "change",
    [
        {"loss": lambda outputs, targets: outputs.sum() * math.nan},
        {"lr": 1e37},
        {"loss": lambda outputs, targets: (outputs - outputs.detach()).abs().sqrt().sum()},  # 0, with a slope of nan
    ],
    ids=["loss", "rate", "gradient"],
)
def test_what_is_no_longer_finite_stops_it(change: dict[str, Any]) -> None:
    with pytest.raises(TrainingError, match=r"fit: epoch \d: the loss or a weight is no longer finite"):
        sn.fit(net(), (X, Y), batch_size=BATCH, **change)


def test_a_net_that_gives_no_tensor_needs_its_own_loop() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            x = self.part(x).relu()
            return x, x

    two = sn.spiking(Two())
    assert len(two(X)) == 2
    with pytest.raises(sn.InputError, match="outputs = tuple of 2: must be one tensor"):
        sn.fit(two, (X, Y))


def test_one_output_is_for_numbers_and_not_for_classes() -> None:
    one = sn.spiking(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 1)))
    with pytest.raises(sn.InputError, match=r"one output does not tell classes apart; .* floats \[60, 1\]"):
        sn.fit(one, (X, Y.clamp(max=1)))
    loss = nn.BCEWithLogitsLoss()
    table = sn.fit(one, (X, Y.clamp(max=1)), 1, loss=lambda outputs, targets: loss(outputs[:, 0], targets.float()))
    assert [*table] == ["epoch", "loss"]


def test_a_copy_is_trained_and_the_model_is_left_alone() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))
    before = weights(model)
    trained = sn.spiking(model)
    sn.fit(trained, (X, Y), 1)
    assert weights(model) == before != weights(trained.model)
