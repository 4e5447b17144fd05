"""Events over time, end to end: what a net without memory cannot learn, and a converted one can."""

from __future__ import annotations

import pytest
import torch
from conftest import generator
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import snnlib as sn
from snnlib.data.moving_bars import moving_bars
from snnlib.network import Spiking

T, SIZE = 6, 10


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 12, 5, padding=2), nn.BatchNorm2d(12), nn.ReLU(), nn.AvgPool2d(2),
        nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 4),
    )  # fmt: skip


def accuracy(net: Spiking, data: tuple[Tensor, Tensor]) -> float:
    return sn.evaluate(net, data, T).accuracy.iloc[-1]


def test_directions_are_learnt_with_a_memory_alone() -> None:
    """Half of them is all that frames without their order can tell, so all that step 1 can learn, or step 2 add up."""
    train, test = moving_bars(320, T, SIZE, seed=0), moving_bars(240, T, SIZE, seed=1)
    net = sn.spiking(model(), over_time=True)
    sn.fit(net, train, 4, lr=0.01, batch_size=40)
    assert accuracy(net, test) < 0.6
    snn = sn.convert(net, alpha=2.0)
    assert accuracy(snn, test) < 0.6  # memory that was never trained
    table = sn.fit(snn, train, 10, lr=0.02, batch_size=40)
    assert table.accuracy.iloc[-1] > 0.85
    over_time = sn.evaluate(snn, test, T).accuracy
    assert over_time.iloc[-1] > 0.8
    assert over_time.iloc[0] < 0.6  # the first frame has nothing before it


def test_each_frame_is_a_step() -> None:
    """Outputs [T, B, ...], and without memory those of each frame alone."""
    net = sn.spiking(model(), over_time=True, noise=sn.Uniform(0.5, 0.5)).eval()
    x = moving_bars(7, T, SIZE)[0].movedim(1, 0)
    single = sn.spiking(model(), noise=sn.Uniform(0.5, 0.5)).eval()
    with torch.no_grad():
        found = net(x)
        torch.testing.assert_close(found, torch.stack([single(frame) for frame in x]))
        assert found.shape == (T, 7, 4)
        snn = sn.convert(sn.spiking(model(), over_time=True), alpha=3.0)
        forward, backward = snn(x, generator=generator()), snn(x.flip(0), generator=generator())
        assert not torch.allclose(forward.mean(0), backward.mean(0))


def test_samples_have_time_on_their_first_axis_and_batches_on_their_second() -> None:
    x, y = moving_bars(30, T, SIZE)
    snn = sn.convert(sn.spiking(model(), over_time=True))
    expected = sn.evaluate(snn, (x, y), T, batch_size=10)
    for held in (TensorDataset(x, y), DataLoader(TensorDataset(x, y), 10)):
        assert expected.equals(sn.evaluate(snn, held, T, batch_size=10))
    same = DataLoader(TensorDataset(x, y), T)  # as many samples as steps
    assert sn.evaluate(snn, same, T).equals(sn.evaluate(snn, (x, y), T, batch_size=T))
    assert sn.evaluate(snn, (x, y), T - 2).timesteps.tolist() == [*range(1, T - 1)]
    for use in (sn.evaluate, sn.fit):
        with pytest.raises(sn.InputError, match=r"batch of inputs \[10\] and .*over time must be \[B, T, ...\]"):
            use(snn, DataLoader(TensorDataset(y.float(), y), 10), 1)


@pytest.mark.parametrize("timesteps", [T + 1, 20])
def test_more_steps_than_frames_are_refused(timesteps: int) -> None:
    snn = sn.convert(sn.spiking(model(), over_time=True))
    with pytest.raises(sn.InputError, match=f"timesteps = {timesteps}: must be at most {T}, the length of the inputs"):
        sn.evaluate(snn, moving_bars(4, T, SIZE), timesteps)
    with pytest.raises(sn.InputError, match=f"timesteps = {timesteps}: must be {T}, the length of the input"):
        snn(moving_bars(4, T, SIZE)[0].movedim(1, 0), timesteps=timesteps)
