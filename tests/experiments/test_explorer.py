"""The explorer: what it records is what the net does, and what it says of a thousand images is their accuracy."""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
import torch
from conftest import images, lively
from tiny_runs import TINY, spec
from torch import Tensor

pytest.importorskip("ipywidgets")  # in the `notebooks` extra only

from reproduce.batch import pretrained
from reproduce.experiments.explorer import explorer, plot, setting
from reproduce.experiments.explorer.explorer import Explorer
from reproduce.experiments.explorer.plot import spread
from reproduce.experiments.explorer.recording import Recording, record
from reproduce.experiments.explorer.setting import ALPHAS, MEMORIES, NOISES, Setting, nets
from reproduce.experiments.parameters import PARAMETERS
from reproduce.runs import first_images
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import InputError
from snnlib.conversion import convert, convert_exact
from snnlib.data.batches import standardise
from snnlib.data.sets import Dataset
from snnlib.network import Spiking
from snnlib.noise import Gaussian, Uniform
from snnlib.simulation import simulate
from snnlib.store.paths import published_dir
from snnlib.training.evaluation import accuracy_over_time
from snnlib.training.seeds import stream

T = 12
WAYS = {
    "paper's": partial(convert, alpha=4.0), "none": partial(convert, alpha=math.inf),
    "rest": partial(convert, first_step="rest"), "exact": convert_exact, "uniform": partial(convert, noise=Uniform()),
}  # fmt: skip


def recorded(way: str, layer: int) -> tuple[Recording, Tensor]:
    """And the outputs of the net when nobody looks."""
    model, x = WAYS[way](lively()), images(1)[0]
    outputs = torch.cat([out[:, 0] for _, out in simulate(model, x[None], stream(0, "evaluation"), T)])
    return record(model, x, [name for name, _ in model.neurons()][layer], T), outputs


@pytest.mark.parametrize("layer", [0, 1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_to_look_changes_nothing_and_what_is_compared_with_the_threshold_fires(way: str, layer: int) -> None:
    found, outputs = recorded(way, layer)
    assert torch.equal(found.outputs, outputs)
    fired = list(found.spikes.values())[layer]
    over = found.sums >= 1 if found.phased else found.sums > 1
    assert torch.equal(over, fired)
    assert 0 < fired.float().mean() < 1
    assert found.currents.shape == found.sums.shape == fired.shape


@pytest.mark.parametrize("way", ["paper's", "none", "uniform"])
def test_noise_and_memory_keep_the_range_of_the_noise_of_training(way: str) -> None:
    found, _ = recorded(way, 1)
    added = found.sums - found.currents
    assert added.min() > -1e-5
    assert added.max() < 1 + 1e-5
    assert added.std() > 0.01


@pytest.mark.parametrize("layer", [0, 1])
def test_memory_and_noise_are_those_of_eqs_6_to_9(layer: int) -> None:
    """From the sums and spikes alone: V after reset, scaled by its layer's largest deviation, within ½ ∓ ¼."""
    found, _ = recorded("paper's", layer)
    fired = list(found.spikes.values())[layer]
    v = torch.where(fired, 0.0, found.sums)[:-1]
    deviation = v - v.mean(1, keepdim=True)
    expected = 0.5 + deviation / (4 * deviation.abs().amax(1, keepdim=True))
    torch.testing.assert_close(found.memories[1:], expected, rtol=1e-4, atol=1e-4)
    assert (found.memories[0] == 0).all()  # all of the first step's is noise
    assert (found.sums - found.currents - found.memories)[1:].abs().max() <= 0.25 + 1e-5


@pytest.mark.parametrize("way", ["none", "exact"])
def test_what_has_no_such_memory_shows_none(way: str) -> None:
    assert not recorded(way, 1)[0].memories.any()


def test_the_first_layers_current_is_that_of_the_image_at_each_step() -> None:
    found, _ = recorded("paper's", 0)
    assert (found.currents == found.currents[0]).all()
    assert found.currents[0].std() > 0


def test_the_class_is_that_of_the_sum_of_outputs_so_far() -> None:
    outputs = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    found = Recording({}, outputs, outputs, outputs, phased=False, outputs=outputs)
    assert found.predicted == [0, 0, 1]


def test_neurons_that_are_shown_are_spread_over_those_that_fire() -> None:
    assert spread([], 14) == []
    assert spread([3, 5], 14) == [3, 5]
    many = spread(range(1000), 14)
    assert len(many) == 14
    assert (many[0], many[-1]) == (0, 999)
    assert len({b - a for a, b in pairwise(many)}) <= 2


@pytest.fixture
def published(tmp_path: Path, folder: Path, small: Dataset, monkeypatch: pytest.MonkeyPatch) -> str:
    """The title of the only published net."""
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(tmp_path / "pretrained"))
    monkeypatch.setattr(first_images, "load_dataset", lambda _: small)
    monkeypatch.setattr(explorer, "ACCURACY", {})
    for kept in (setting._trained, explorer._images):
        kept.cache_clear()
    pretrained.publish_net(ensure(spec(recipe={**TINY["recipe"], "epochs": 1})), [])
    (title,) = nets()
    return title


def test_accuracy_is_that_on_all_images_with_noise_of_its_own_for_each_hundred(published: str, small: Dataset) -> None:
    shown = Explorer(image=5, timesteps=3)
    values = shown.values
    run = nets()[published]
    model = Setting(run.spec.name).network()
    expected = accuracy_over_time(model, small, 3, (0,), 100).accuracy.tolist()  # 90 images
    assert shown.table.accuracy.tolist() == pytest.approx(expected)
    assert shown.table.predicted.tolist() == recorded_classes(model, small, 5, 3)
    assert [*shown.measure(**values)] == []  # known
    assert [*shown.measure(**{**values, "alpha": 8.0})] == [1.0]


def recorded_classes(model: Spiking, data: Dataset, image: int, timesteps: int) -> list[int]:
    x = standardise(data.test.images[image], data)
    (outputs,) = [out[:, 0] for _, out in simulate(model, x[None], stream(0, "evaluation"), timesteps)]
    return [int(outputs[:t].sum(0).argmax()) for t in range(1, timesteps + 1)]


def test_every_control_changes_the_picture_and_values_that_do_not_go_together_are_told_in_a_line(
    published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, pictures = Explorer(timesteps=4), set()
    for name, value in (
        ("image", 3), ("timesteps", 6), ("alpha", 8.0), ("noise", "uniform"), ("width", 0.5),
        ("layer", 2), ("neuron", 40), ("memory", "exact"), ("memory", "none"),
    ):  # fmt: skip
        pictures.add(bytes(shown.image.value))
        shown.controls[name].value = value
        assert shown.error.value == ""
    assert len(pictures) == 9
    shown.controls["width"].value = 0.0
    shown.controls["memory"].value = "paper's"
    assert "alpha = 8.0: must be inf with noise of no width" in shown.error.value
    shown.controls["width"].value = 0.5
    shown.controls["memory"].value = "paper's"
    before = bytes(shown.image.value)
    shown.controls["leak"].value = 0.25  # which cancels in Eqs. 8 and 9
    assert bytes(shown.image.value) == before
    shown.controls["alpha"].value = 2.0  # half the noise is as narrow as the potential term
    assert "alpha = 2.0: must be at least 4" in shown.error.value
    assert "Traceback" not in shown.error.value
    shown.controls["width"].value = 1.0
    assert shown.error.value == ""


def test_a_net_is_named_by_how_its_name_begins(published: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by its place among them, which another one's publication moves."""
    run = nets()[published]
    assert setting.title_of(run.spec.name) == setting.title_of(run.spec.label) == published
    with pytest.raises(InputError, match=f"net = 'vgg': must be .* none begins so: {run.spec.name}"):
        Explorer("vgg")
    other = Run(run.spec.model_copy(update={"seed": 7}))
    monkeypatch.setattr(setting, "nets", lambda: {published: run, "another": other})
    assert setting.title_of(other.spec.label) == "another"
    with pytest.raises(InputError, match=f"several begin so: {run.spec.name}, {other.spec.name}"):
        setting.title_of("")


def test_all_can_be_chosen_from_the_first(published: str) -> None:
    shown = Explorer(timesteps=3, memory="paper's", alpha=5.0, leak=0.25, noise="uniform", width=0.75)
    table = shown.table
    assert (shown.values["alpha"], shown.values["leak"]) == (5.0, 0.25)
    assert set(table.noise_kind) == {"uniform"}
    assert set(table.noise_width) == {0.75}
    assert set(table.alpha) == {5.0}


@pytest.mark.parametrize(("readout", "last"), [("spikes", "output"), ("potential", "layer 5")])
def test_only_neurons_that_are_read_out_are_called_output(readout: str, last: str) -> None:
    net = convert(lively())
    names = [name for name, _ in net.neurons()]
    seen = record(net, images(1)[0], names[0], 3)
    drawn = plot.explore(seen, images(1)[0, 0].numpy(), "abcdefghij", 0, names[0], 0, [], readout)
    (ticks,) = (
        [t.get_text() for t in ax.get_yticklabels()] for ax in drawn.axes if "neurons a layer" in ax.get_title()
    )
    assert ticks == ["layer 1", "layer 2", "layer 3", "layer 4", last]


def test_every_choice_is_a_net(published: str) -> None:
    name = nets()[published].spec.name
    for memory in MEMORIES:
        for noise in NOISES:
            assert Setting(name, memory, noise, 1.0, ALPHAS[0], 0.0).network().neurons()

    def noises(width: float) -> list[Gaussian]:
        return [n.dynamics.noise for _, n in Setting(name, "none", "gaussian", width).network().neurons()]

    assert noises(0.5) == [Gaussian(low=0.25, high=0.75)] * 5
    assert {noise.half_width for noise in noises(0.0)} == {0}
    assert Setting(name, "exact", alpha=2.0).plain == Setting(name, "exact", alpha=3.0).plain
    assert Setting(name, alpha=2.0).plain != Setting(name, alpha=3.0).plain


def test_the_published_picture_is_of_the_net_that_the_notebook_begins_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SNNLIB_PRETRAINED")
    shown = pd.read_csv(published_dir() / "smoke" / "explorer.csv")
    begins = PARAMETERS["explorer"]["net"].default
    assert set(shown.published) == {nets()[setting.title_of(begins)].spec.name}


def test_without_published_nets_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SNNLIB_PRETRAINED", str(tmp_path))
    with pytest.raises(InputError, match="published nets: there are none in"):
        Explorer()
