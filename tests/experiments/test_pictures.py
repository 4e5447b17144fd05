"""Every picture can be read: nothing lies outside of it, no text lies on another, at the scale of any preset.

Nor is a text too small on a phone, and what is named is told apart in grey print and by colour-blind eyes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import images, lively
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

import reproduce.bench
import reproduce.experiments
from reproduce.bench import plot as bench
from reproduce.experiments import style
from reproduce.experiments.beyond import plot as beyond
from reproduce.experiments.explorer import explorer
from reproduce.experiments.explorer.plot import explore
from reproduce.experiments.explorer.recording import record as record_image
from reproduce.experiments.fig2_accuracy_vs_timesteps.plot import accuracy_vs_timesteps, ties
from reproduce.experiments.fig2_accuracy_vs_timesteps.table import shares
from reproduce.experiments.fig3_4_training_time.fig3 import training_speed
from reproduce.experiments.fig3_4_training_time.fig4 import time_to_accuracy
from reproduce.experiments.fig5_alpha import plot as fig5
from reproduce.experiments.fig5_alpha.losses import lossless
from reproduce.experiments.fig6_noise_type.plot import noise_type
from reproduce.experiments.fig7_potential_dynamics.plot import potential_dynamics
from reproduce.experiments.memories import plot as memories
from reproduce.experiments.method.plot import method
from reproduce.experiments.method.plot_neurons import firing, raster
from reproduce.experiments.method.raster import Raster
from reproduce.experiments.one_pass import plot as one_pass
from reproduce.experiments.over_seeds import ARCHITECTURE, counted, mean_and_sd
from reproduce.experiments.paper import TRAINING_TIME
from reproduce.experiments.record import plot as record
from reproduce.experiments.silent_choices import plot as silent
from reproduce.experiments.table2_inference_time.plot import methods_vs_timesteps
from reproduce.experiments.titles import printed_accuracy
from reproduce.experiments.what_noise_does.plot import what_noise_does
from snnlib.conversion import convert
from snnlib.own.evaluate import Evaluated

PUBLISHED = Path(__file__).parents[2] / "figures"
PIXEL = 1.0
PHONE, SMALLEST = 9 / 2.54, 7.0  # inches of width, points
BENCHMARK = {network: values["benchmark"] for (_, network), values in TRAINING_TIME.items()}
CLASSES = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def smoke(name: str) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "smoke" / f"{name}.csv", dtype={"readout": str})


def benchmark(name: str) -> pd.DataFrame:
    return pd.read_csv(PUBLISHED / "bench" / f"{name}.csv")


def of_smoke(table: pd.DataFrame) -> pd.DataFrame:
    return table


def of_one(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first net, with as long a name as nets have."""
    rows = table[(table[ARCHITECTURE] == table[ARCHITECTURE].iloc[0]).all(axis=1)]
    return rows.assign(**dict(zip(ARCHITECTURE, ("cifar10", "resnet18", 0.125, "crop_flip"), strict=True)))


def of_four(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the first net, as if they were those of the four of Figure 2 at the paper's scale."""
    nets = [dict(zip(ARCHITECTURE, (*pair, 1.0, "none"), strict=True)) for pair in (("mnist", "cnn"), *TRAINING_TIME)]
    return pd.concat([of_one(table).assign(**net) for net in nets])


Nets = Callable[[pd.DataFrame], pd.DataFrame]
NETS: tuple[Nets, ...] = (of_smoke, of_one, of_four)


def drawn(draw: Callable[..., Figure], nets: Nets) -> Figure:
    return draw(*OF_NETS[draw](nets))


def drawn_method() -> Figure:
    table = smoke("method")
    steps, terms = (table[table.panel == panel].dropna(axis=1) for panel in ("accuracy", "terms"))
    return method(steps, terms, dict(table.iloc[0]))


def drawn_raster() -> Figure:
    table = smoke("method_raster")
    layers = list(dict.fromkeys(table.layer))
    outputs = torch.zeros(10, len(CLASSES))
    outputs[:, 6] = 1  # a bar as long as it can be
    found = Raster({layer: torch.zeros(10, 12, dtype=torch.bool) for layer in layers}, outputs)
    return raster(table, {2: found, 3: found}, CLASSES, 2)


def drawn_explorer(*accuracy: float, timesteps: int = 10, network: str = "cnn") -> Figure:
    net = convert(lively(network))
    layer = [name for name, _ in net.neurons()][1]
    (image,) = images(1, net.input_shape)
    seen = record_image(net, image, layer, timesteps)
    return explore(seen, image[0].numpy(), CLASSES, 9, layer, 0, accuracy, "spikes")


# By function: its arguments, where it draws a panel for each net; or the whole figure.
OF_NETS: dict[Callable[..., Figure], Callable[[Nets], tuple]] = {
    accuracy_vs_timesteps: lambda nets: (nets(smoke("fig2_accuracy_vs_timesteps")),),
    ties: lambda nets: (shares(nets(smoke("fig2_accuracy_vs_timesteps"))),),
    training_speed: lambda nets: (nets(smoke("fig3_training_speed")), BENCHMARK),
    time_to_accuracy: lambda nets: (nets(smoke("fig4_time_to_accuracy")), nets(smoke("fig4_training_cost"))),
    fig5.alpha: lambda nets: (nets(smoke("fig5_alpha")),),
    fig5.memory: lambda nets: (nets(smoke("fig5_memory")),),
    lossless: lambda nets: (nets(smoke("fig5_lossless")),),
    noise_type: lambda nets: (nets(smoke("fig6_noise_type")), nets(smoke("fig6_gaps"))),
    methods_vs_timesteps: lambda nets: (nets(smoke("table2_accuracy_vs_timesteps")), 500),
    what_noise_does: lambda nets: (nets(smoke("what_noise_does")),),
    memories.accuracy: lambda nets: (nets(smoke("memories")),),
    memories.over_the_ensemble: lambda nets: (nets(smoke("memories")),),
    memories.layers: lambda nets: (nets(smoke("memories_layers")),),
    memories.spread: lambda nets: (nets(smoke("memories_spread")),),
    memories.ceiling: lambda nets: (nets(smoke("memories_ceiling")),),
    one_pass.levels: lambda nets: (nets(smoke("one_pass")),),
    one_pass.others: lambda nets: (nets(smoke("one_pass")),),
    record.tricks: lambda nets: (nets(smoke("record")),),
    record.reached: lambda nets: (nets(smoke("record")),),
}
OTHERS: dict[Callable[..., Figure], Callable[[], Figure]] = {
    method: drawn_method,
    raster: drawn_raster,
    firing: lambda: firing(smoke("method_firing")),
    fig5.layers: lambda: fig5.layers(smoke("fig5_memory"), "resnet18", 4),
    explore: partial(drawn_explorer, *[0.9] * 10),
    potential_dynamics: lambda: potential_dynamics(smoke("fig7_potential_dynamics")),
    memories.chance: lambda: memories.chance(smoke("memories_chance")),
    beyond.anytime: lambda: beyond.anytime(smoke("beyond_anytime")),
    beyond.operations_per_image: lambda: beyond.operations_per_image(
        smoke("beyond_operations"), smoke("beyond_equal_accuracy")
    ),
    beyond.robustness: lambda: beyond.robustness(smoke("beyond_robustness")),
    bench.times: lambda: bench.times(benchmark("bench")),
    bench.scaling_plot: lambda: bench.scaling_plot(benchmark("scaling")),
}
FIGURES = {f"{draw.__name__}, {nets.__name__}": partial(drawn, draw, nets) for draw in OF_NETS for nets in NETS} | {
    draw.__name__: make for draw, make in OTHERS.items()
}
FIGURES |= {
    f"training_speed, flop, {nets.__name__}": partial(
        lambda nets: training_speed(nets(smoke("fig3_training_speed")), BENCHMARK, "flop"), nets
    )
    for nets in NETS
}
FIGURES |= {
    name: lambda name=name: silent.pictures(smoke("silent_choices"), smoke("silent_choices_effects"))[name]
    for name in ("silent_choices", "silent_choices_conversion")
}
FIGURES["explore, not measured yet"] = drawn_explorer
FIGURES["explore, as long as it goes"] = partial(drawn_explorer, *[0.922] * explorer.MOST, timesteps=explorer.MOST)
FIGURES["explore, many layers"] = partial(drawn_explorer, network="resnet18")
FIGURES["own_network"] = lambda: Evaluated(smoke("own_network")).draw()


@cache
def laid_out(name: str) -> Figure:
    """The figure, drawn as it is saved, so that its layout is done."""
    return layout(FIGURES[name]())


def layout(fig: Figure) -> Figure:
    FigureCanvasAgg(fig).draw()
    return fig


@pytest.fixture(autouse=True)
def _in_style() -> Iterator[None]:
    with style.style():
        yield


def parts(fig: Figure) -> Iterator[tuple[str, Bbox]]:
    """Axes with all that is written at them, legends and titles, of subfigures too, of a figure that is laid out."""
    renderer = fig.canvas.get_renderer()
    for part in (fig, *fig.subfigs):
        for artist in part.get_default_bbox_extra_artists():
            box = artist.get_tightbbox(renderer)
            if box is not None and box.width > 0 and box.height > 0:
                yield _said(artist), box


def texts(fig: Figure) -> Iterator[tuple[str, Bbox]]:
    """All that is written, the ticks of axes too, of a figure that is laid out."""
    for part in (fig, *fig.subfigs):
        written = [*part.texts, *(text for legend in part.legends for text in legend.get_texts())]
        yield from ((_said(text), text.get_window_extent()) for text in written if _shown(text))
    for ax in fig.axes:
        yield from ((_said(text), text.get_window_extent()) for text in _texts_of(ax) if _shown(text))


def _texts_of(ax: Axes) -> Iterator[Text]:
    legend = ax.get_legend()
    yield from (ax.title, *ax.texts, *(legend.get_texts() if legend else ()))
    for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
        low, high = sorted(axis.get_view_interval())
        yield axis.label
        yield from (tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high)


def _shown(text: Text) -> bool:
    return text.get_visible() and bool(text.get_text().strip())


def _said(artist: Artist) -> str:
    match artist:
        case Text():
            return artist.get_text()
        case Legend():
            return f"legend {[text.get_text() for text in artist.get_texts()]}"
        case Axes():
            return f"axes {artist.get_title()!r} and what is written at them"
    return str(artist)


def too_small(fig: Figure) -> list[str]:
    """What is written smaller than `SMALLEST` where the picture is as wide as a phone; raised digits have 0.7 of it."""
    return [
        text.get_text()
        for text in fig.findobj(Text)
        if _shown(text)
        and text.get_fontsize() * (0.7 if re.search(r"\$.*[_^].*\$", text.get_text()) else 1) * PHONE
        < SMALLEST * fig.get_figwidth()
    ]


def alike(fig: Figure) -> list[tuple[str, str]]:
    """Names in one axes, or one legend, of what differs in colour alone; "above: " and "below: " are different axes."""
    found = []
    for named in (*map(_labelled, fig.axes), *map(_entries, fig.findobj(Legend))):
        for i, (name, look) in enumerate(named):
            found += [(other, name) for other, another in named[:i] if another == look]
    return found


def _labelled(ax: Axes) -> list[tuple[str, tuple]]:
    return [(name, _look(handle)) for handle, name in zip(*ax.get_legend_handles_labels(), strict=True)]


def _entries(legend: Legend) -> list[tuple[str, tuple]]:
    """Lines, which may be in no axes; what else is named is."""
    named = [(text.get_text(), handle) for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=True)]
    place = re.compile("(above: |below: )?")
    return [(name, (place.match(name)[0], *_look(handle))) for name, handle in named if isinstance(handle, Line2D)]


def _look(handle: object) -> tuple:
    """All that tells a thing from others but its colour and its size."""
    match handle:
        case ErrorbarContainer():
            return _look(handle.lines[0])
        case BarContainer():
            return "bar", handle.patches[0].get_hatch()
        case Line2D():
            dashes = handle.get_linestyle() != "None" and str(handle._unscaled_dash_pattern)
            return "line", dashes, str(handle.get_marker()), str(handle.get_markerfacecolor()) in ("none", "white")
    return type(handle).__name__, str(handle.get_linestyle()), handle.get_hatch()


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_is_too_small_on_a_phone(name: str) -> None:
    assert too_small(laid_out(name)) == []


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_named_is_told_apart_by_more_than_colour(name: str) -> None:
    assert alike(laid_out(name)) == []


def test_what_is_too_small_or_alike_is_found() -> None:
    fig = style.figure(3)
    ax = fig.subplots()
    for colour in ("red", "green"):
        ax.plot([1, 2], "o--", color=colour, label=colour)
    ax.plot([2, 1], "s--", label="another marker")
    ax.plot([2, 1], "o:", label="other dashes")
    ax.plot([2, 1], "o--", mfc="white", label="open")
    for colour in ("blue", "black"):
        ax.errorbar([1, 2], [3, 4], [0.1, 0.1], fmt="^", color=colour, label=colour)
    for hatch, colour in (("", "red"), ("", "blue"), ("//", "green")):
        ax.bar([1], [1], hatch=hatch, color=colour, label=f"{colour} bar")
    assert alike(fig) == [("red", "green"), ("blue", "black"), ("red bar", "blue bar")]
    fig.legend(handles=[Line2D([], [], color=colour, label=colour) for colour in ("red", "green")])
    assert alike(fig)[-1] == ("red", "green")
    assert too_small(layout(fig)) == []
    ax.set_title("small", fontsize=9.8)
    ax.set_xlabel("$10^{-1}$")
    assert sorted(too_small(fig)) == ["$10^{-1}$", "small"]


@pytest.mark.parametrize("n", [1, 4, 18])
def test_things_in_order_are_ever_lighter_and_each_has_a_marker_of_its_own(n: int) -> None:
    looks = style.sequence(n)
    grey = [np.dot(to_rgb(look["color"]), (0.21, 0.72, 0.07)) for look in looks]
    assert len(grey) == n
    assert grey == sorted(grey)
    assert len({(look["marker"], look.get("mfc")) for look in looks}) == n
    assert len(style.sequence(99)) == 99


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_lies_outside_of_the_picture(name: str) -> None:
    fig = laid_out(name)
    for said, box in parts(fig):
        assert box.x0 >= -PIXEL, said
        assert box.y0 >= -PIXEL, said
        assert box.x1 <= fig.bbox.x1 + PIXEL, said
        assert box.y1 <= fig.bbox.y1 + PIXEL, said


@pytest.mark.parametrize("name", FIGURES)
def test_no_text_lies_on_another(name: str) -> None:
    found = list(texts(laid_out(name)))
    for i, (said, box) in enumerate(found):
        for other_said, other in found[:i]:
            shared = Bbox.intersection(box, other)
            assert shared is None or min(shared.width, shared.height) <= 2 * PIXEL, (said, other_said)


def test_what_is_outside_or_on_another_is_found() -> None:
    fig = style.figure(2)
    fig.suptitle("a title that is " + "far " * 20 + "too long for a picture of five inches")
    ax = fig.subplots()
    for _ in range(2):
        ax.text(0.5, 0.5, "here")
    layout(fig)
    assert min(box.x0 for said, box in parts(fig) if said.startswith("a title")) < 0
    here = [box for said, box in texts(fig) if said == "here"]
    assert here[0].overlaps(here[1])


def test_a_figure_shows_itself_at_the_end_of_a_notebooks_cell() -> None:
    """IPython asks for this method; of a plain figure, without pyplot, it prints the name alone."""
    fig = style.figure(1)
    assert fig._repr_png_() == style.png(fig)
    assert fig._repr_png_().startswith(b"\x89PNG")


def test_seeds_are_counted() -> None:
    told = [counted(counts, "training seed") for counts in ([3, 3], [1], [3, 1, 3])]
    assert told == ["3 training seeds", "1 training seed", "1 or 3 training seeds"]
    assert mean_and_sd([3]) == "mean ± sd of 3 training seeds"
    assert [mean_and_sd(n, "mean") for n in ([3, 1], [1])] == ["mean of 1 or 3 training seeds", "1 training seed"]


def test_the_papers_accuracies_stand_where_it_prints_them() -> None:
    titles = [" ".join(ax.get_title().splitlines()[-2:]) for ax in laid_out("alpha, of_four").axes]
    values = "99.61, 99.64", "93.89, 94.07", *["91.82, 92.07"] * 2
    assert titles == [f"paper at T = 5, 10: {each} %" for each in values]
    titles = [ax.get_title().splitlines()[-1] for ax in laid_out("noise_type, of_four").axes if ax.get_title()]
    assert titles == [f"paper at T = 10: {each[-5:]} %" for each in values]
    assert printed_accuracy("fashion_mnist_mini", 5, 10) == ""
    assert "paper" not in laid_out("alpha, of_smoke").axes[0].get_title()


def test_every_function_that_draws_a_figure_is_here() -> None:
    drawing = set()
    for module in (name for package in (reproduce.bench, reproduce.experiments) for name in modules_of(package)):
        for name, found in vars(import_module(module)).items():
            if isfunction(found) and found.__module__ == module and not name.startswith("_"):
                drawing |= {found} if found.__annotations__.get("return") in ("Figure", "Figure | None") else set()
    assert drawing == {*OF_NETS, *OTHERS}


def modules_of(package: ModuleType) -> list[str]:
    return [module.name for module in walk_packages(package.__path__, f"{package.__name__}.")]
