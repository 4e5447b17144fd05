"""`evaluate`, against loops over time, spikes counted by hooks, and operations counted one by one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from conftest import generator
from step_by_step import layer_by_layer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import snnlib as sn
from snnlib.baselines.ann_neurons import ReLU
from snnlib.conversion import with_dynamics
from snnlib.in_time import plain
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.own.evaluate import Evaluated
from snnlib.simulation import CHUNK
from snnlib.training.seeds import stream


def images(n: int = 14, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(n, *(shape or (2, 6, 5)), generator=generator(seed))


def labels(n: int = 14, classes: int = 3) -> Tensor:
    return torch.randint(0, classes, (n,), generator=generator(1))


def net(*layers: nn.Module, **options: Any) -> Spiking:
    """Converted."""
    return sn.convert(sn.spiking(lively(*(layers or small())), **options), alpha=2.5)


def lively(*layers: nn.Module) -> nn.Module:
    """With weights at which every layer fires now and then."""
    torch.manual_seed(0)
    model = nn.Sequential(*layers)
    for p in model.parameters():
        nn.init.constant_(p, 0.3) if p.ndim == 1 else nn.init.normal_(p, std=2 / p[0].numel() ** 0.5)
    return model


def small() -> tuple[nn.Module, ...]:
    return (
        nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(6, 3),
    )  # fmt: skip


def outputs_of(net: Spiking, x: Tensor, timesteps: int, seed: int, batch_size: int = 5) -> Tensor:
    g = stream(seed, "evaluation")
    with torch.no_grad():
        return torch.cat([layer_by_layer(net.model, [part] * timesteps, g) for part in x.split(batch_size)], 1)


def test_accuracies_are_those_of_a_loop_over_time() -> None:
    snn, x, y = net(), images(), labels()
    found = sn.evaluate(snn, (x, y), 6, noise_seeds=(3, 0), batch_size=5)
    assert list(found) == ["noise_seed", "timesteps", "accuracy", "spikes_per_neuron", "operations"]
    assert found.noise_seed.tolist() == [3] * 6 + [0] * 6
    assert found.timesteps.tolist() == [*range(1, 7)] * 2
    for seed, rows in found.groupby("noise_seed"):
        outputs = outputs_of(snn, x, 6, seed)
        right = [(outputs[:t].mean(0).argmax(1) == y).double().mean().item() for t in range(1, 7)]
        assert rows.accuracy.tolist() == pytest.approx(right)
    assert found.accuracy.nunique() > 2


def test_the_same_seed_repeats_whatever_was_drawn_before() -> None:
    snn, held = net(), (images(), labels())
    found = sn.evaluate(snn, held, 4, noise_seeds=range(3), batch_size=5)
    torch.manual_seed(99)
    for seed in (2, 0):
        alone = sn.evaluate(snn, held, 4, noise_seeds=[seed], batch_size=5)
        pd.testing.assert_frame_equal(alone, found[found.noise_seed == seed].reset_index(drop=True))
    assert found.groupby("noise_seed").spikes_per_neuron.last().nunique() == 3


def test_targets_that_are_numbers_give_the_squared_error() -> None:
    snn, x, y = net(), images(), images(14, 3, seed=2)
    found = sn.evaluate(snn, (x, y), 5, batch_size=5)
    outputs = outputs_of(snn, x, 5, 0)
    error = [(outputs[:t].mean(0) - y).square().mean().item() for t in range(1, 6)]
    assert found.error.tolist() == pytest.approx(error, rel=1e-5)
    assert "accuracy" not in found


def test_a_class_for_each_pixel() -> None:
    snn = net(nn.Conv2d(2, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 3, 1))
    x, y = images(), torch.randint(0, 3, (14, 6, 5), generator=generator())
    found = sn.evaluate(snn, (x, y), 3, batch_size=5)
    outputs = outputs_of(snn, x, 3, 0)
    right = [(outputs[:t].mean(0).argmax(1) == y).double().mean().item() for t in (1, 2, 3)]
    assert found.accuracy.tolist() == pytest.approx(right)


def test_spikes_are_those_that_hooks_count() -> None:
    snn, x, seen = net(), images(), defaultdict(lambda: torch.zeros(4))
    sizes = {}
    for name, neuron in snn.neurons():

        def hook(module: nn.Module, inputs: Any, s: Tensor, name: str = name) -> None:
            each = plain(s).unflatten(0, (4, -1))
            seen[name] += each.flatten(1).sum(1)
            sizes[name] = each[0, 0].numel()

        neuron.register_forward_hook(hook)
    found = sn.evaluate(snn, (x, labels()), 4, batch_size=5)
    total = sum(seen.values()).cumsum(0) / 14 / sum(sizes.values())
    assert sizes == {"1": 4 * 6 * 5, "4": 3 * 2 * 1}
    assert found.spikes_per_neuron.tolist() == pytest.approx(total.tolist())
    assert 0.5 < found.spikes_per_neuron.iloc[-1] < 3.5


# --- operations ------------------------------------------------------------------------------


def products(layer: nn.Module, x: Tensor) -> int:
    """Weights that each input of x [B, ...] that is not 0 meets, by a pass with that input alone."""
    total = 0
    with torch.no_grad():
        for sample in x:
            for place in torch.nonzero(sample):
                alone = torch.zeros_like(sample)
                alone[tuple(place)] = 1.0
                total += int((layer(alone[None]) != layer(torch.zeros_like(sample)[None])).sum())
    return total


def counted(snn: Spiking, x: Tensor, timesteps: int) -> list[int]:
    """Products up to each T: of layers before the first neuron once, as if no input were 0; of others in each step."""
    g, values, seen = stream(0, "evaluation"), [x] * timesteps, False
    total = [0] * timesteps
    with torch.no_grad():
        for layer in snn.model:
            if isinstance(layer, Neuron):
                state, spikes = None, []
                for value in values:
                    s, state = layer.dynamics.step(value, state, g)
                    spikes.append(s)
                values, seen = spikes, True
                continue
            if isinstance(layer, nn.Linear) or "Conv" in type(layer).__name__:
                for t in range(timesteps if seen else 1):
                    total[t] += products(layer, values[t] if seen else torch.ones_like(values[t]))
            values = [layer(value) for value in values]
    return np.cumsum(total).tolist()


CHAINS: dict[str, tuple[Callable[[], list[nn.Module]], tuple[int, ...]]] = {
    "plain": (lambda: [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 3)], (2, 6, 5)),
    "strided, padded": (
        lambda: [nn.Conv2d(2, 3, 3, 2, 1), nn.ReLU(), nn.Conv2d(3, 2, (3, 2), (1, 2), (2, 1), bias=False)], (2, 6, 5),
    ),
    "grouped, dilated": (
        lambda: [nn.Conv2d(2, 4, 3, padding="same"), nn.ReLU(), nn.Conv2d(4, 6, 3, padding=1, dilation=2, groups=2)],
        (2, 6, 5),
    ),
    "circular": (
        lambda: [nn.Conv2d(2, 2, 1), nn.ReLU(), nn.Conv2d(2, 2, 3, padding=1, padding_mode="circular")], (2, 4, 5),
    ),
    "transposed": (
        lambda: [
            nn.Conv2d(2, 2, 3), nn.ReLU(), nn.ConvTranspose2d(2, 4, 3, 2, 1, output_padding=1, groups=2), nn.ReLU(),
            nn.ConvTranspose2d(4, 2, 2),
        ],
        (2, 5, 4),
    ),
    "1-d": (
        lambda: [nn.Conv1d(2, 3, 3), nn.ReLU(), nn.Conv1d(3, 3, 3, 2), nn.ReLU(), nn.ConvTranspose1d(3, 1, 2)], (2, 9),
    ),
    "3-d": (
        lambda: [nn.Conv3d(1, 2, 2), nn.ReLU(), nn.Conv3d(2, 2, 2, padding=1), nn.ReLU(), nn.ConvTranspose3d(2, 1, 2)],
        (1, 3, 4, 3),
    ),
    "linear": (lambda: [nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 4), nn.ReLU(), nn.Linear(4, 3)], (7,)),
    "tokens": (lambda: [nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 4)], (4, 3)),
    "several before the first neuron": (
        lambda: [nn.Conv2d(2, 2, 3), nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(18, 6), nn.ReLU(), nn.Linear(6, 2)],
        (2, 6, 5),
    ),
    "pooled": (lambda: [nn.Conv2d(2, 3, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(6, 3)], (2, 7, 5)),
}  # fmt: skip


@pytest.mark.parametrize("chain", CHAINS)
def test_operations_are_those_of_each_input_alone(chain: str) -> None:
    layers, shape = CHAINS[chain]
    snn, x = net(*layers()), images(2, *shape)
    outputs = snn(x)
    found = sn.evaluate(snn, (x, torch.zeros_like(outputs)), 3, batch_size=2)
    assert (found.operations * 2).tolist() == pytest.approx(counted(snn, x, 3))
    assert found.operations.diff().min() > 0  # each step some, and not the same


def test_inputs_over_time_count_as_events() -> None:
    snn = sn.convert(sn.spiking(lively(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 4)), over_time=True), alpha=2.5)
    x = (torch.rand(2, 3, 7, generator=generator()) < 0.3).float()  # [B, T, ...]
    found = sn.evaluate(snn, (x, torch.zeros(2, 4)), 3, batch_size=2)
    spikes = layer_by_layer(snn.model[:2], [*x.movedim(1, 0)], stream(0, "evaluation"))
    each = [int((x[:, t] != 0).sum()) * 9 + int(spikes[t].sum()) * 4 for t in range(3)]
    assert (found.operations * 2).tolist() == pytest.approx(np.cumsum(each))


class Called(nn.Module):
    """Layers as functions and by keyword."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.back, self.last = nn.Conv2d(2, 4, 3, padding=1), nn.ConvTranspose2d(4, 2, 2, 2), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.conv2d(input=x, weight=self.conv.weight, bias=self.conv.bias, padding=[1, 1]).relu()
        x = torch.conv_transpose2d(x, self.back.weight, self.back.bias, 2).relu()
        return self.last(input=F.adaptive_max_pool2d(x, 2).flatten(1))


def test_functions_count_as_the_layers_that_call_them() -> None:
    called = lively(Called())[0]
    layers = (called.conv, nn.ReLU(), called.back, nn.ReLU(), nn.AdaptiveMaxPool2d(2), nn.Flatten(), called.last)
    held = (images(), labels())
    tables = [sn.evaluate(sn.convert(sn.spiking(m)), held, 3) for m in (called, nn.Sequential(*layers))]
    pd.testing.assert_frame_equal(*tables)


class Attention(nn.Module):
    """Queries from one layer of neurons, keys and values from another, of another width."""

    def __init__(self) -> None:
        super().__init__()
        self.ask, self.tell, self.act, self.say = nn.Linear(3, 8), nn.Linear(3, 6), nn.ReLU(), nn.ReLU()
        self.attention = nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        told = self.say(self.tell(x))
        return self.attention(self.act(self.ask(x)), told, told)[0].mean(1)


def test_attention_has_four_projections() -> None:
    snn, x, spikes = sn.spiking(lively(Attention())[0], example=images(2, 4, 3)), images(5, 4, 3), {}
    for name, neuron in snn.neurons():
        neuron.register_forward_hook(lambda m, i, s, name=name: spikes.update({name: plain(s).view(3, -1).sum(1)}))
    found = sn.evaluate(snn, (x, torch.zeros(5, 8)), 3)
    first, result = 5 * 4 * 3 * (8 + 6), 5 * 4 * 8 * 8
    each = spikes["act"] * 8 + 2 * spikes["say"] * 8 + result
    assert (found.operations * 5).tolist() == pytest.approx((first + each.cumsum(0)).tolist())
    assert found.operations.nunique() == 3


def test_tokens_folded_into_the_batch_are_neurons_of_their_input() -> None:
    layers, unfold = (nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2)), (nn.Unflatten(0, (-1, 4)), nn.Flatten())
    model = lively(*layers)
    snns = [sn.spiking(m) for m in (nn.Sequential(nn.Flatten(0, 1), *model, *unfold), nn.Sequential(*model, unfold[1]))]
    pd.testing.assert_frame_equal(*(sn.evaluate(snn, (images(7, 4, 3), images(7, 8)), 3, batch_size=4) for snn in snns))


def test_a_dense_matrix_has_a_product_for_each_weight() -> None:
    """The closed form, of layers in which everything fires: ReLU of what is never 0."""
    snn = with_dynamics(net(nn.Linear(7, 9), nn.ReLU(), nn.Linear(9, 4)), lambda neuron: ReLU())
    with torch.no_grad():
        snn.model[0].weight.fill_(0.1)
        snn.model[0].bias.fill_(1.0)
    found = sn.evaluate(snn, (torch.ones(5, 7), torch.zeros(5, 4)), 3)
    assert found.operations.tolist() == [7 * 9 + 9 * 4 * t for t in (1, 2, 3)]


# --- other ways in ---------------------------------------------------------------------------


def test_a_long_simulation_in_pieces_is_that_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without noise after the first step, since pieces draw theirs in another order."""
    snn, x, y = sn.convert(without_chance(), alpha=2.0), images(), labels()
    pieces = sn.evaluate(snn, (x, y), 2 * CHUNK + 3)
    monkeypatch.setattr("snnlib.simulation.CHUNK", 1000)
    pd.testing.assert_frame_equal(pieces, sn.evaluate(snn, (x, y), 2 * CHUNK + 3))
    steps = pieces.operations.diff()
    assert steps[1:].max() < 2 * steps[1:].min()  # what comes before the first neuron is not counted again
    assert steps.nunique() > 5


def without_chance() -> Spiking:
    """Noise of no width around the middle of a range: its draws are all 1/2, and alpha = 2 is still allowed."""

    class Middle(sn.Uniform):
        def _draw(self, n: int, dtype: torch.dtype, generator: torch.Generator) -> Tensor:
            return torch.full((n,), self.centre, dtype=dtype)

    return sn.spiking(lively(*small()), noise=Middle())


def test_a_prediction_depends_on_no_other_image() -> None:
    """With the statistics that `convert` takes unless told otherwise, and with the paper's it does."""
    x = images()
    for statistics, alone in (("sample", True), ("layer", False)):
        snn = sn.convert(without_chance(), alpha=2.0, statistics=statistics)
        with torch.no_grad():
            together = snn(x, timesteps=8)
            one_by_one = torch.cat([snn(image[None], timesteps=8) for image in x], 1)
        assert torch.allclose(together, one_by_one, atol=1e-5) == alone
    assert sn.convert(without_chance()).first.dynamics.statistics.kind == "sample"
    scores = [sn.evaluate(sn.convert(without_chance(), alpha=2.0), (x, labels()), 8, batch_size=n) for n in (1, 14)]
    pd.testing.assert_frame_equal(*scores)


def test_a_loader_gives_what_tensors_give() -> None:
    snn, x, y = net(), images(), labels()
    tensors = sn.evaluate(snn, (x, y), 3, batch_size=5)
    samples = [*zip(x, y, strict=True)]
    numbers = [(image.numpy(), int(label)) for image, label in samples]
    batches = [*zip(x.split(5), y.split(5), strict=True)]
    for held in (TensorDataset(x, y), DataLoader(TensorDataset(x, y), 5), batches, samples, numbers):
        pd.testing.assert_frame_equal(tensors, sn.evaluate(snn, held, 3, batch_size=5))


def test_the_nets_modes_and_hooks_are_left_as_they_were() -> None:
    snn = net(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    snn.model[1].train()
    modes = [m.training for m in snn.modules()]
    state = {k: v.clone() for k, v in snn.state_dict().items()}
    sn.evaluate(snn, (images(6, 3), labels(6, 2)), 2)
    assert [m.training for m in snn.modules()] == modes
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in snn.modules())
    assert all(torch.equal(v, state[k]) for k, v in snn.state_dict().items())


# --- the table and its picture ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("targets", "first"), [(labels(), "accuracy, %"), (images(14, 3), "mean squared error")], ids=["classes", "numbers"]
)
def test_it_draws_itself(targets: Tensor, first: str) -> None:
    found = sn.evaluate(net(), (images(), targets), 4, noise_seeds=range(3))
    fig = found.draw()
    assert [ax.get_title() for ax in fig.axes] == [
        first, "spikes per neuron up to T", "operations per input up to T",
    ]  # fmt: skip
    assert {ax.get_xlabel() for ax in fig.axes} == {"time steps T"}
    assert "3 noise seeds" in fig.get_suptitle()
    column = found.columns[2]
    means = [found[found.timesteps == t][column].mean() * (100 if column == "accuracy" else 1) for t in (1, 2, 3, 4)]
    (line,) = fig.axes[0].lines
    assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert line.get_ydata().tolist() == pytest.approx(means)
    (band,) = fig.axes[0].collections
    assert band.get_paths()[0].vertices[:, 1].max() > max(means)


def test_parts_of_the_table_draw_too() -> None:
    found = sn.evaluate(net(), (images(), labels()), 4, noise_seeds=(0, 1))
    part = found[found.noise_seed == 1].query("timesteps > 1").assign(note="x")
    assert isinstance(part, Evaluated)
    fig = part.draw()
    assert fig.axes[0].lines[0].get_xdata().tolist() == [2, 3, 4]
    assert fig.get_suptitle() == "1 noise seed"
    assert len(found[["timesteps", "noise_seed", "accuracy"]].draw().axes) == 1


# --- what cannot be used ---------------------------------------------------------------------

X, Y = images(), labels()


class Gives(nn.Module):
    """Something else than a tensor."""

    def __init__(self, kind: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.part, self.kind = nn.Linear(30, 3), kind

    def forward(self, x: Tensor) -> Any:
        return self.kind(self.part(x[:, 0].flatten(1)).relu())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"net": nn.Linear(4, 3)}, "model = Linear: must be a network of neurons"),
        ({"data": X}, "must be (inputs, targets) as tensors"),
        ({"data": (X, Y[:3])}, "14 inputs and 3 targets"),
        ({"data": (X[:0], Y[:0])}, "number of samples = 0"),
        ({"data": []}, "data: must give at least one batch"),
        ({"data": iter([(X, Y)]), "noise_seeds": (0, 1)}, "a generator gives its batches once"),
        ({"data": (X, torch.zeros(14))}, "targets of shape (14,): must be (14, 3), as the outputs"),
        ({"data": (X, torch.zeros(14, 2, dtype=torch.long))}, "outputs of shape (14, 3): must be classes"),
        ({"net": net(nn.Flatten(), nn.Linear(60, 1), nn.ReLU())}, "one output does not tell classes apart"),
        ({"net": sn.spiking(Gives(lambda y: {"logits": y, "aux": y}))}, "outputs = dict of logits, aux: must be one"),
        ({"net": sn.spiking(Gives(lambda y: [y, y]))}, "outputs = list of 2: must be one tensor"),
        ({"data": ((x, y) for x, y in zip(X, Y, strict=True))}, "must be a pair of tensors, inputs and targets"),
        ({"data": [(X[0], 1), (X[0, 0], 1)]}, "samples must be tensors, all of one shape"),
        ({"data": (X.where(X > -2, math.nan), Y)}, "input: must be finite"),
        ({"data": (X.double(), Y)}, "input of torch.float64"),
        ({"timesteps": 0}, "timesteps = 0"),
        ({"timesteps": 10**6}, "timesteps = 1000000"),
        ({"timesteps": None}, "timesteps = None"),
        ({"noise_seeds": 3}, "noise_seeds = 3: must be a list"),
        ({"noise_seeds": ()}, "noise_seeds: must have at least one"),
        ({"noise_seeds": [-1]}, "noise_seeds, seed = -1"),
        ({"batch_size": 0}, "batch_size = 0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_used_is_refused_in_a_line(change: dict[str, Any], words: str) -> None:
    with pytest.raises(sn.InputError) as error:
        sn.evaluate(**{"net": net(), "data": (X, Y), "timesteps": 2, **change})
    assert words in str(error.value)
    assert "\n" not in str(error.value)
