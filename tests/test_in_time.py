"""Tensors that know their time: each against ordinary tensors in which what is held is repeated for every step."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from conftest import generator
from step_by_step import step_by_step
from torch import Tensor, nn

from snnlib.checks import InputError
from snnlib.dynamics import LIF
from snnlib.in_time import InTime, in_time, plain
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation, running

T, B = 3, 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def everywhere(x: Tensor) -> Tensor:
    """[B, ...] for each of T steps, [T·B, ...]."""
    return torch.cat([x] * T)


# --- what is held meets what is not ----------------------------------------------------------

MEETINGS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "add": torch.add,
    "the other way round": lambda x, s: s - 2 * x,
    "operator": operator.truediv,
    "alpha": lambda x, s: torch.add(s, x, alpha=0.3),
    "matmul": torch.matmul,
    "bmm": torch.bmm,
    "einsum": lambda x, s: torch.einsum("bij,bkj->bik", x, s),
    "cat": lambda x, s: torch.cat([x, s, x], dim=1),
    "stack": lambda x, s: torch.stack((x, s), dim=-1),
    "where": lambda x, s: torch.where(x > 0, s, x),
    "where, timed condition": lambda x, s: torch.where(s > 0, x, 1.5),
    "three at once": lambda x, s: torch.lerp(x, s, x.sigmoid()),
    "by name": lambda x, s: torch.maximum(input=x, other=s),
    "comparison": operator.gt,
    "of a reduction": lambda x, s: s - x.mean(dim=(1, 2), keepdim=True),
    "of one number": lambda x, s: s / plain_norm(x),
    "broadcast": lambda x, s: x[:, :1] + s,
    "gather": lambda x, s: s.gather(1, x.argsort(1)),
    "masked": lambda x, s: s.masked_fill(x > 0, -1.0),
    "expanded": lambda x, s: x[:, :1].expand_as(s) * s,
    "attention": lambda x, s: F.scaled_dot_product_attention(s, x, x),
    "broadcast tensors": lambda x, s: torch.broadcast_tensors(x[:, :, :1], s),
    "rows in between": lambda x, s: x.flatten(0, 1) + s.flatten(0, 1),
}


def plain_norm(x: Tensor) -> Tensor:
    """One number for all images, from the first of them, so that it is the same over B and over T·B rows."""
    return x[0, 0].square().sum() + 1


@pytest.mark.parametrize("meet", MEETINGS.values(), ids=MEETINGS.keys())
def test_what_is_held_is_repeated_where_it_meets_time(meet: Callable[[Tensor, Tensor], Any]) -> None:
    x, s = drawn(B, 5, 5), drawn(T * B, 5, 5, seed=1)
    found, expected = meet(in_time(x, 0), in_time(s, T)), meet(everywhere(x), s)
    one = isinstance(expected, Tensor)
    for a, b in zip([found] if one else found, [expected] if one else expected, strict=True):
        assert a.timesteps == T
        assert torch.equal(plain(a), b)


def test_what_has_lost_the_batch_is_not_repeated() -> None:
    x, s = drawn(B, 5), drawn(T * B, 5, seed=1)
    with running(Simulation(timesteps=T), batch=B):
        found = in_time(s, T) - in_time(x, 0).mean(0)
    assert torch.equal(plain(found), s - x.mean(0))


def test_gradients_of_what_is_held_are_summed_over_time() -> None:
    x, again = drawn(B, 5).requires_grad_(), drawn(B, 5).requires_grad_()
    s, upstream = drawn(T * B, 5, seed=1), drawn(T * B, 5, seed=2)
    (in_time(x, 0).sin() * in_time(s, T)).backward(upstream)
    (everywhere(again).sin() * s).backward(upstream)
    torch.testing.assert_close(x.grad, again.grad)
    assert type(x.grad) is Tensor


def test_gradients_pass_a_sum_in_place() -> None:
    x, again = drawn(B, 5).requires_grad_(), drawn(B, 5).requires_grad_()
    s = in_time(drawn(T * B, 5, seed=1), T).sin()
    s += in_time(x, 0)
    (s * s).sum().backward()
    (drawn(T * B, 5, seed=1).sin() + everywhere(again)).square().sum().backward()
    torch.testing.assert_close(x.grad, again.grad)


# --- what is computed once -------------------------------------------------------------------


def test_what_depends_on_the_held_alone_stays_as_small() -> None:
    x = in_time(drawn(B, 5), 0)
    layer = nn.Sequential(nn.Linear(5, T * B), nn.LayerNorm(T * B), nn.ReLU(), nn.Linear(T * B, B)).double()
    y = layer(x) + x[:, :4] * 2
    assert (y.timesteps, y.shape) == (0, (B, 4))
    assert torch.equal(plain(y), layer(plain(x)) + plain(x)[:, :4] * 2)


def test_weights_as_long_as_time_times_batch_are_weights() -> None:
    """T·B rows of a table, T·B channels, a vector of B numbers: none of them is time."""
    table, scale = drawn(T * B, B), drawn(B, seed=3)
    x, s = drawn(B, T * B, seed=4), drawn(T * B, T * B, seed=5)

    def f(x: Tensor, s: Tensor) -> Tensor:
        return (x @ table) * scale + s @ table + F.embedding((s[:, 0] > 0).long(), table) + table[:1] + table[0]

    found = f(in_time(x, 0), in_time(s, T))
    assert torch.equal(plain(found), f(everywhere(x), s))
    assert torch.equal(plain(in_time(x, 0) @ table), x @ table)


PARTS: dict[str, Callable[[Tensor], Any]] = {
    "chunk": lambda x: x.chunk(3, dim=1),
    "split": lambda x: torch.split(x, [1, 4], dim=1),
    "unbind": lambda x: x.unbind(1),
    "maximum and its place": lambda x: torch.max(x, 1),
    "topk": lambda x: x.topk(2, dim=1),
    "several results": lambda x: torch.var_mean(x, 1),
    "lists in a tuple": lambda x: torch.meshgrid(x[0], x[0], indexing="ij"),
    "recurrent": lambda x: torch.nn.GRU(5, 3, batch_first=True, dtype=x.dtype)(x[:, None]),
}


@pytest.mark.parametrize("steps", [0, T])
@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS.keys())
def test_each_part_of_a_result_knows_its_time(parts: Callable[[Tensor], Any], steps: int) -> None:
    x = drawn((steps or 1) * B, 5)
    torch.manual_seed(0)
    found = parts(in_time(x, steps))
    torch.manual_seed(0)
    expected = parts(x)
    assert len(found) == len(expected) > 1
    for a, b in zip(found, expected, strict=True):
        assert isinstance(a, InTime)
        assert a.timesteps == steps
        assert torch.equal(plain(a), b)


def test_what_is_no_tensor_comes_as_it_is() -> None:
    x = in_time(drawn(B, 5), 0)
    assert (x.shape, len(x), x.dtype, x.device.type) == ((B, 5), B, torch.float64, "cpu")
    assert isinstance(x[0, 0].item(), float)
    assert x.tolist() == plain(x).tolist()


def test_a_mark_copies_nothing_and_leaves_the_tensor_as_it_was() -> None:
    x = drawn(B, 5)
    marked = in_time(x, 0)
    assert marked.data_ptr() == plain(marked).data_ptr() == x.data_ptr()
    assert type(x) is type(plain(marked)) is Tensor
    assert plain(x) is x


# --- in place --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        lambda x, s: x.add_(s),
        operator.iadd,
        lambda x, s: torch.mul(x, 2).sub_(s),
        lambda x, s: x.copy_(s),
        lambda x, s: operator.setitem(x, slice(None), s),
        lambda x, s: x.masked_fill_(s > 0, 0.0),
        lambda x, s: x.lerp_(s, 0.5),
    ],
)
def test_time_cannot_be_written_into_what_is_held(write: Callable[[Tensor, Tensor], Any]) -> None:
    x, s = drawn(B, 5), drawn(T * B, 5, seed=1)
    with pytest.raises(
        InputError, match=r"cannot write spikes of 3 steps into what is the same at every step"
    ) as error:
        write(in_time(x, 0), in_time(s, T))
    assert "\n" not in str(error.value)
    assert torch.equal(x, drawn(B, 5))


def test_the_held_is_written_into_time_and_into_its_like() -> None:
    x, s = drawn(B, 5), drawn(T * B, 5, seed=1)
    marked = in_time(s.clone(), T)
    assert marked.add_(in_time(x, 0)).data_ptr() == marked.data_ptr()
    assert torch.equal(plain(marked), s + everywhere(x))
    like = in_time(x.clone(), 0)
    like.mul_(like).relu_()
    assert (like.timesteps, like.shape) == (0, x.shape)
    assert torch.equal(plain(like), x * x)
    marked[:, 0] = in_time(x[:, 1], 0)
    assert torch.equal(plain(marked)[:, 0], everywhere(x)[:, 1])


def test_buffers_that_batches_are_written_into_stay_ordinary() -> None:
    total = torch.zeros(5, dtype=torch.float64)
    norm = nn.BatchNorm1d(5).double()
    s = in_time(drawn(T * B, 5), T)
    total.add_(s.sum(0))
    norm(s)
    assert {type(total), type(norm.running_mean)} == {Tensor}
    torch.testing.assert_close(norm.running_mean, 0.1 * plain(s).mean(0))


# --- a skip from before the first neuron ------------------------------------------------------


class Skip(nn.Module):
    """A net in which the image's current goes on beside the spikes, by a sum and by a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.next, self.out = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 3, padding=1), nn.Linear(3 * 16 + 36, 2)
        self.first, self.second = Neuron(LIF()), Neuron(LIF(0.8))

    def forward(self, image: Tensor) -> Tensor:
        current = self.conv(image)
        spikes = self.second(self.next(self.first(current)) + current)
        return self.out(torch.cat([spikes.flatten(1), image.flatten(1)], dim=1))


def test_a_skip_from_the_image_joins_time() -> None:
    torch.manual_seed(2)
    model, image = Skip().double(), drawn(B, 1, 6, 6)
    seen: list[torch.Size] = []
    model.conv.register_forward_hook(lambda module, inputs, output: seen.append(output.shape))
    with torch.no_grad():
        found = Spiking(model)(image * 3, timesteps=T)
        current = model.conv(image * 3)
        first, _ = step_by_step(LIF(), current.expand(T, *current.shape))
        second, _ = step_by_step(LIF(0.8), torch.stack([model.next(s) + current for s in first]))
        expected = [model.out(torch.cat([s.flatten(1), 3 * image.flatten(1)], dim=1)) for s in second]
    torch.testing.assert_close(found, torch.stack(expected))
    assert seen[0] == (B, 3, 4, 4)  # once for all steps
    assert 0.05 < first.mean() < 0.95
    assert 0.05 < second.mean() < 0.95
    assert not torch.equal(found[0], found[1])
