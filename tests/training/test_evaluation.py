"""Accuracy at every T from one pass, and firing rates, against counting by hand."""

from __future__ import annotations

import weakref
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import generator, images, lively
from torch import Tensor, nn

from snnlib import simulation
from snnlib.baselines.ann_neurons import IF
from snnlib.conversion import convert, ensemble
from snnlib.data.sets import Dataset
from snnlib.dynamics import LIF, Converted, Dynamics, SingleStep
from snnlib.network import Spiking
from snnlib.neurons import Neuron
from snnlib.simulation import Simulation, simulate
from snnlib.training.evaluation import accuracy_over_time, calibration_images, predict
from snnlib.training.seeds import stream

T = 6


@torch.no_grad()
def outputs(model: Spiking, data: Dataset, timesteps: int, batch_size: int, g: torch.Generator) -> Tensor:
    """Outputs [T, N, classes] on the test set, standardised here."""
    pixels = (data.test.images / 255 - data.mean) / data.std
    sim = Simulation(g, timesteps)
    starts = range(0, len(pixels), batch_size)
    return torch.cat([model.eval()(pixels[i : i + batch_size], simulation=sim) for i in starts], dim=1)


def counted(out: Tensor, labels: Tensor) -> list[float]:
    """Accuracy at each T, one image after another; of equal means, the first class."""
    found = []
    for t in range(1, len(out) + 1):
        means = out[:t].mean(0).tolist()
        right = sum(row.index(max(row)) == label for row, label in zip(means, labels.tolist(), strict=True))
        found.append(right / len(labels))
    return found


@pytest.mark.parametrize("readout", ["spikes", "potential"])
@pytest.mark.parametrize("batch_size", [90, 32])
def test_accuracy_is_the_hand_made_count(exact: Dataset, readout: str, batch_size: int) -> None:
    model = lively(dynamics=LIF(), readout=readout)
    table = accuracy_over_time(model, exact, T, batch_size=batch_size)
    expected = counted(outputs(model, exact, T, batch_size, generator()), exact.test.labels)
    assert table.columns.tolist() == ["noise_seed", "timesteps", "accuracy"]
    assert table.timesteps.tolist() == list(range(1, T + 1))
    assert table.accuracy.tolist() == pytest.approx(expected, abs=1e-12)
    assert len(set(expected)) > 1


@pytest.mark.parametrize("readout", ["spikes", "potential"])
def test_one_pass_equals_a_pass_for_each_t(exact: Dataset, readout: str) -> None:
    model = lively(dynamics=LIF(), readout=readout)
    table = accuracy_over_time(model, exact, T)
    apart = [accuracy_over_time(model, exact, t).accuracy.iloc[-1] for t in range(1, T + 1)]
    assert table.accuracy.tolist() == apart


def test_noise_comes_from_the_noise_seeds_stream(exact: Dataset) -> None:
    model = convert(lively(readout="potential"), statistics="layer")
    table = accuracy_over_time(model, exact, T, noise_seeds=(4, 7), batch_size=50)
    assert table.noise_seed.tolist() == [4] * T + [7] * T
    for seed, part in table.groupby("noise_seed"):
        out = outputs(model, exact, T, 50, stream(int(seed), "evaluation"))
        assert part.accuracy.tolist() == pytest.approx(counted(out, exact.test.labels), abs=1e-12)


def test_accuracy_repeats_whatever_was_drawn_before(small: Dataset) -> None:
    model = ensemble(lively().float())
    first = accuracy_over_time(model, small, T, noise_seeds=(1, 2))
    torch.manual_seed(99)
    torch.rand(5)
    assert accuracy_over_time(model, small, T, noise_seeds=(1, 2)).equals(first)
    assert accuracy_over_time(model, small, T, noise_seeds=(2,)).accuracy.tolist() == first.accuracy[T:].tolist()


def test_alpha_of_infinity_scores_as_step_2(small: Dataset) -> None:
    model = lively().float()
    step_2 = accuracy_over_time(ensemble(model), small, T)
    assert accuracy_over_time(convert(model, alpha=float("inf")), small, T).equals(step_2)


def test_a_net_that_never_fires_always_says_the_first_class(small: Dataset) -> None:
    model = lively().float()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    share = (small.test.labels == 0).double().mean().item()
    assert accuracy_over_time(model, small, 3).accuracy.tolist() == pytest.approx([share] * 3)


# --- ties ------------------------------------------------------------------------------------


def by_hand(out: Tensor, labels: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each T and image, in NumPy: which classes have the largest output, whether it is right, whether all is 0."""
    sums = np.cumsum(out.numpy(), 0)  # [T, N, classes]
    largest = sums == sums.max(-1, keepdims=True)
    return largest, largest.argmax(-1) == labels.numpy(), (sums == 0).all(-1)


@pytest.mark.parametrize("batch_size", [90, 32])
def test_ties_and_silence_and_which_images_are_right_are_numpys(exact: Dataset, batch_size: int) -> None:
    model = lively(dynamics=LIF())
    found = predict(model, exact, T, batch_size=batch_size)
    largest, right, silent = by_hand(outputs(model, exact, T, batch_size, generator()), exact.test.labels)
    assert found.right.shape == (1, T, 90)
    assert found.right.dtype == torch.bool
    assert (found.right[0].numpy() == right).all()
    assert found.table.columns.tolist() == ["noise_seed", "timesteps", "accuracy", "tied", "silent"]
    tied = largest.sum(-1) > 1
    for column, expected in (("accuracy", right), ("tied", tied), ("silent", silent)):
        assert found.table[column].tolist() == pytest.approx(expected.mean(1).tolist(), abs=1e-12)
    assert 0 < tied.mean() < 1  # some are, some are not
    assert (silent <= tied).all()


@pytest.mark.parametrize("warm_up", [1, 3, 16, 18])  # around where a simulation is cut, `CHUNK`
def test_outputs_of_the_warm_up_are_forgotten(exact: Dataset, warm_up: int) -> None:
    steps, model = 20, lively(dynamics=LIF(), readout="potential")
    out = outputs(model, exact, steps, 90, generator()).numpy()
    found = predict(model, exact, steps, batch_size=90, warm_up=warm_up).right[0].numpy()
    for t in range(1, steps + 1):
        mean = out[min(warm_up, t - 1) : t].mean(0)
        assert (found[t - 1] == (mean.argmax(-1) == exact.test.labels.numpy())).all()


def test_with_flips_outputs_of_an_image_and_its_mirror_image_are_averaged(exact: Dataset) -> None:
    model = lively(dynamics=LIF(), readout="potential")
    mirrored = replace(exact, test=replace(exact.test, images=exact.test.images.flip(-1)))
    seen = [outputs(model, data, T, 90, generator()) for data in (exact, mirrored)]
    found = predict(model, exact, T, batch_size=40, flips=True).table.accuracy
    assert found.tolist() == pytest.approx(counted((seen[0] + seen[1]) / 2, exact.test.labels))
    assert found.tolist() != predict(model, exact, T, batch_size=40).table.accuracy.tolist()


def test_each_noise_seed_has_its_own_bits(exact: Dataset) -> None:
    model = convert(lively(), statistics="layer")
    found = predict(model, exact, T, noise_seeds=(4, 7), batch_size=50)
    for i, seed in enumerate((4, 7)):
        _, right, _ = by_hand(outputs(model, exact, T, 50, stream(seed, "evaluation")), exact.test.labels)
        assert (found.right[i].numpy() == right).all()
    assert found.table.accuracy.tolist() == pytest.approx(found.right.double().mean(-1).flatten().tolist(), abs=1e-12)


def test_ties_broken_at_random_fall_on_each_of_the_largest_alike(exact: Dataset) -> None:
    """Over many seeds an image is right as often as its class is among the k that tie: 1 / k of the times."""
    model, seeds = lively(dynamics=LIF()), range(120)  # without noise, so that the seeds change nothing but the ties
    largest, _, _ = by_hand(outputs(model, exact, 2, 90, generator()), exact.test.labels)
    found = predict(model, exact, 2, noise_seeds=seeds, batch_size=90, ties="random").right.double().mean(0).numpy()
    one_hot = np.eye(10, dtype=bool)[exact.test.labels.numpy()]
    expected = (largest & one_hot).any(-1) / largest.sum(-1)
    sd = np.sqrt(expected * (1 - expected) / len(seeds))
    assert (found[sd == 0] == expected[sd == 0]).all()  # no tie, or the right class is not in it
    assert (np.abs(found - expected) <= 5 * sd).all()
    assert ((sd > 0).sum(-1) > 5).all()


def test_ties_broken_at_random_repeat_and_leave_noise_and_shares_as_they_are(exact: Dataset) -> None:
    model = convert(lively(), statistics="layer")
    first = predict(model, exact, T, noise_seeds=(1,))
    one, again, other = (predict(model, exact, T, noise_seeds=(s,), ties="random") for s in (1, 1, 2))
    assert torch.equal(one.right, again.right)
    assert not torch.equal(one.right, other.right)
    assert not torch.equal(one.right, first.right)
    for column in ("tied", "silent"):
        assert one.table[column].equals(first.table[column])  # the same outputs


def test_ties_do_not_depend_on_the_pieces(exact: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model, tables = lively(dynamics=LIF()), []
    for chunk in (1, 4, 16):
        monkeypatch.setattr(simulation, "CHUNK", chunk)
        tables.append(predict(model, exact, 9).table)
    assert all(table.equals(tables[0]) for table in tables)


def test_a_silent_net_ties_always(small: Dataset) -> None:
    model = lively().float()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    table = predict(model, small, 3).table
    assert (table.tied == 1).all()
    assert (table.silent == 1).all()


def test_mean_currents_do_not_tie(exact: Dataset) -> None:
    assert (predict(lively(dynamics=LIF(), readout="potential"), exact, T).table.tied == 0).all()


def test_an_unknown_way_to_break_ties_is_refused(small: Dataset) -> None:
    with pytest.raises(ValueError, match="ties = 'last': must be one of first, random"):
        predict(lively().float(), small, 1, ties="last")


# --- a long simulation in pieces -------------------------------------------------------------

# Without noise, or, at alpha = 2, with noise in the first step alone, so that pieces draw it in the order of one pass.
MEMORIES = [
    LIF(),
    LIF(leak=0.9),
    IF(v_init=0.3),
    Converted(alpha=2.0),
    Converted(alpha=2.0, first_step="rest"),
]


def run(model: Spiking, x: Tensor, timesteps: int) -> tuple[list[int], list[Tensor]]:
    """Where each piece begins, and its outputs."""
    begins, pieces = zip(*simulate(model, x, generator(4), timesteps), strict=True)
    return list(begins), list(pieces)


@pytest.mark.parametrize("network", ["cnn", "resnet18"])
@pytest.mark.parametrize("dynamics", MEMORIES, ids=str)
@pytest.mark.parametrize("readout", ["spikes", "potential"])
def test_pieces_are_one_simulation(
    network: str, dynamics: Dynamics, readout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = lively(network, dynamics, readout)
    x = images(3, model.input_shape)
    with torch.no_grad():
        whole = model(x, simulation=Simulation(generator(4), 11)).float()
    for chunk, begins in ((4, [0, 4, 8]), (1, list(range(11))), (11, [0]), (100, [0])):
        monkeypatch.setattr(simulation, "CHUNK", chunk)
        found, pieces = run(model, x, 11)
        assert found == begins
        assert [len(p) for p in pieces] == [min(chunk, 11 - t) for t in begins]
        torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-6, atol=1e-6)
    assert not torch.equal(whole[4:8], whole[:4])  # time matters here


def test_pieces_of_a_noisy_net_go_on_with_its_noise_and_its_potentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """One step at a time draws in the order of a loop over time, so that loop can be written down."""
    model = convert(lively(readout="potential"), statistics="layer")
    x, g, states, steps = images(3), generator(4), {}, []
    with torch.no_grad():
        for _ in range(5):
            steps.append(model(x, simulation=Simulation(g, 1, states=states)))
    monkeypatch.setattr(simulation, "CHUNK", 1)
    assert torch.equal(torch.cat(run(model, x, 5)[1]), torch.cat(steps).float())
    assert len(states) == len(list(model.neurons()))


def test_accuracy_does_not_depend_on_the_pieces(exact: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    model = lively(dynamics=LIF(), readout="potential")
    expected = counted(outputs(model, exact, 9, 90, generator()), exact.test.labels)
    for chunk in (1, 4, 9, 16):
        monkeypatch.setattr(simulation, "CHUNK", chunk)
        assert accuracy_over_time(model, exact, 9).accuracy.tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("dynamics", [LIF(), Converted(), SingleStep(), IF()], ids=lambda d: d.kind)
def test_no_layer_sees_more_than_a_piece_at_once(dynamics: Dynamics) -> None:
    model, x = lively(dynamics=dynamics), images(3)
    largest: dict[nn.Module, int] = defaultdict(int)

    def look(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        largest[module] = max(largest[module], len(output))

    for module in model.modules():
        module.register_forward_hook(look)
    steps = sum(len(p) for p in run(model, x, 10 * simulation.CHUNK + 1)[1])
    assert steps == 10 * simulation.CHUNK + 1
    assert max(largest.values()) == simulation.CHUNK * len(x)


@pytest.mark.parametrize("dynamics", [LIF(), Converted(), IF()], ids=lambda d: d.kind)
def test_memory_does_not_grow_with_time(dynamics: Dynamics, monkeypatch: pytest.MonkeyPatch) -> None:
    """After each piece there is the same left of what layers and neurons gave: the last potentials, the outputs."""
    monkeypatch.setattr(simulation, "CHUNK", 2)
    model, born, held = lively(dynamics=dynamics), [], []
    for module in model.modules():
        module.register_forward_hook(lambda _, x, output: born.append(weakref.ref(output)))

    def observe(neuron: Neuron, t: int, spikes: Tensor, potential: Tensor) -> None:
        born.extend(map(weakref.ref, (spikes, potential)))

    for _ in simulate(model, images(3), generator(), 12, observe=observe):
        held.append(sum(tensor.numel() for tensor in (ref() for ref in born) if tensor is not None))
    assert len(held) == 6
    assert len(set(held)) == 1
    assert len(born) > 100


def test_a_simulation_needs_no_gradients_and_restores_the_mode_however_it_ends() -> None:
    model, x = lively(dynamics=LIF()).train(), images(2)
    pieces = simulate(model, x, generator(), 40)
    _, outputs = next(pieces)
    assert not outputs.requires_grad
    assert torch.is_grad_enabled()  # not left off between two pieces
    assert not model.training
    pieces.close()
    assert model.training


# --- what it leaves ----------------------------------------------------------------------------


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_restores_the_mode_and_touches_no_weight(small: Dataset, training: bool) -> None:
    model = lively().float().train(training)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    accuracy_over_time(model, small, 2)
    assert model.training is training
    assert all(m.training is training for m in model.modules())
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_evaluation_restores_the_mode_after_an_error(small: Dataset) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("stop")

    model = lively().float().train()
    model.model.layers.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="stop"):
        accuracy_over_time(model, small, 2)
    assert model.training


def test_batch_size_does_not_change_a_net_without_noise(small: Dataset) -> None:
    """Batch norm uses its running statistics, in training mode too."""
    model = lively(dynamics=LIF(), readout="potential").float().train()
    one, other = (accuracy_over_time(model, small, 2, batch_size=b).accuracy for b in (90, 10))
    assert one.tolist() == pytest.approx(other.tolist(), abs=0.03)


def test_calibration_images_are_standardised_training_images_drawn_by_seed(small: Dataset) -> None:
    drawn = calibration_images(small, 20, seed=2)
    known = {image.numpy().tobytes() for image in (small.train.images / 255 - small.mean) / small.std}
    assert drawn.shape == (20, 1, 28, 28)
    assert all(image.contiguous().numpy().tobytes() in known for image in drawn)
    assert torch.equal(drawn, calibration_images(small, 20, seed=2))
    assert not torch.equal(drawn, calibration_images(small, 20, seed=3))


@pytest.mark.parametrize("timesteps", [-1, 0, 2.5])
def test_bad_timesteps_are_refused(small: Dataset, timesteps: int) -> None:
    with pytest.raises(ValueError, match=rf"timesteps = {timesteps}: must be a whole number of at least 1"):
        accuracy_over_time(lively().float(), small, timesteps)


@pytest.mark.parametrize("batch_size", [-5, 0])
def test_bad_batch_size_is_refused(small: Dataset, batch_size: int) -> None:
    with pytest.raises(ValueError, match=rf"batch_size = {batch_size}: must be a whole number of at least 1"):
        accuracy_over_time(lively().float(), small, 1, batch_size=batch_size)


def test_no_calibration_images_are_refused(small: Dataset) -> None:
    with pytest.raises(ValueError, match="calibration images = 0: must be a whole number of at least 1"):
        calibration_images(small, 0)
