"""A figure with sliders, without a kernel: what is drawn, what is stored, and where errors go."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Iterator

import pytest
from matplotlib.figure import Figure

pytest.importorskip("ipywidgets")  # in the `notebooks` extra only

from reproduce.experiments.fig7_potential_dynamics import plot as fig7
from reproduce.experiments.fig7_potential_dynamics.table import experiment
from reproduce.experiments.interactive import Interactive, menu, slider, steps

PNG = b"\x89PNG\r\n"  # how every PNG begins
VIEW = "application/vnd.jupyter.widget-view+json"


def bar(height: float, colour: str = "red") -> Figure:
    if height < 0:
        raise ValueError("height <b>below</b> 0")
    fig = Figure(figsize=(2, 2))
    fig.add_subplot(ylim=(0, 1)).bar([0], [height], color=colour)
    return fig


@pytest.fixture
def shown() -> Interactive:
    return Interactive(bar, height=slider("height", -1, 1, 0.5), colour=menu("colour", ["red", "blue"], "red"))


def test_first_picture_is_there_at_once(shown: Interactive) -> None:
    assert bytes(shown.image.value).startswith(PNG)
    assert shown.values == {"height": 0.5, "colour": "red"}


def test_each_control_changes_the_picture_and_back(shown: Interactive) -> None:
    first = shown.image.value
    for name, value, old in (("height", 0.8, 0.5), ("colour", "blue", "red")):
        shown.controls[name].value = value
        assert bytes(shown.image.value).startswith(PNG)
        assert shown.image.value != first
        shown.controls[name].value = old
        assert shown.image.value == first


def test_stores_a_still_picture_beside_the_widget(shown: Interactive) -> None:
    shown.controls["height"].value = 0.9
    bundle = shown._repr_mimebundle_(include=None, exclude=None)
    assert base64.b64decode(bundle["image/png"]) == shown.image.value
    assert bundle[VIEW]["model_id"] == shown.widget.model_id
    assert bundle["text/plain"] == "Interactive figure: height = 0.9, colour = red"


def test_an_error_stands_where_the_picture_was(shown: Interactive) -> None:
    shown.controls["height"].value = -0.5
    assert "ValueError: height &lt;b&gt;below&lt;/b&gt; 0" in shown.error.value
    assert shown.error.layout.display is None
    assert shown.image.layout.display == "none"
    assert "image/png" not in shown._repr_mimebundle_()

    shown.controls["height"].value = 0.5
    assert shown.error.value == ""
    assert shown.error.layout.display == "none"
    assert shown.image.layout.display is None
    assert "image/png" in shown._repr_mimebundle_()


@pytest.fixture
def slow() -> Interactive:
    """Its picture is blue once a height was computed, in four parts."""
    known: set[float] = set()

    def draw(height: float) -> Figure:
        return bar(height, "blue" if height in known else "red")

    def compute(height: float) -> Iterator[float]:
        if height in known:
            return
        for part in (0.25, 0.5, 0.75, 1.0):
            parts.append((height, part))
            if height == 0.9:
                raise ValueError("height too <b>high</b>")
            if part == 1:
                known.add(height)
            yield part

    parts: list[tuple[float, float]] = []
    shown = Interactive(draw, slow=compute, height=slider("height", 0, 1, 0.5))
    shown.parts = parts
    return shown


def test_what_is_slow_is_drawn_when_it_is_there_and_computed_once(slow: Interactive) -> None:
    slow.parts.clear()
    slow.controls["height"].value = 0.75
    assert (
        slow.image.value
        == Interactive(bar, height=slider("", 0, 1, 0.75), colour=menu("", ["blue"], "blue")).image.value
    )
    assert len(slow.parts) == 4
    slow.controls["height"].value = 0.5  # the first one
    assert len(slow.parts) == 4


def test_what_is_slow_is_left_undone_where_a_control_is_moved_meanwhile(slow: Interactive) -> None:
    """As in a kernel, where a loop runs: three moves at once, of which the last alone is computed to its end."""
    slow.parts.clear()

    async def moved() -> None:
        for height in (0.6, 0.7, 0.8):
            slow.controls["height"].value = height
            await asyncio.sleep(0)  # each comes as a message of its own
        while slow._waited_for:
            await asyncio.gather(*slow._waited_for)

    asyncio.run(moved())
    assert [part for part in slow.parts if part[0] == 0.8] == [(0.8, 0.25), (0.8, 0.5), (0.8, 0.75), (0.8, 1.0)]
    assert [part for part in slow.parts if part[0] != 0.8] == [(0.6, 0.25), (0.7, 0.25)]
    assert slow.progress.layout.visibility == "hidden"
    picture = slow.image.value
    slow.controls["height"].value = 0.5
    slow.controls["height"].value = 0.8
    assert slow.image.value == picture


def test_what_goes_wrong_in_what_is_slow_stands_where_the_picture_was(slow: Interactive) -> None:
    slow.controls["height"].value = 0.9
    assert "ValueError: height too &lt;b&gt;high&lt;/b&gt;" in slow.error.value
    assert slow.image.layout.display == "none"
    slow.controls["height"].value = 0.5
    assert slow.error.value == ""


def test_an_error_in_the_first_picture_is_raised() -> None:
    with pytest.raises(ValueError, match="below"):
        Interactive(bar, height=slider("height", -1, 1, -0.5))
    with pytest.raises(TypeError, match="width"):
        Interactive(bar, width=slider("width", 0, 1, 0.5))


def test_controls_report_when_let_go() -> None:
    control = steps("α", [2, 2.5, math.inf], 2.5)
    assert [label for label, _ in control.options] == ["2", "2.5", "∞"]
    assert control.value == 2.5
    assert not control.continuous_update
    assert not slider("β", 0, 1, 0.5).continuous_update


def test_a_control_of_steps_says_where_it_is_and_cannot_be_told_a_number_that_it_does_not_take() -> None:
    """What is typed into a SelectionSlider's readout stays there, whatever the value is: it has none."""
    control = steps("α", [2, 2.5, math.inf], 2.5)
    assert not control.readout
    assert control.description == "α = 2.5"
    control.value = math.inf
    assert control.description == "α = ∞"


def test_controls_are_as_wide_as_their_column(shown: Interactive) -> None:
    column, *_ = shown.widget.children
    assert {control.layout.width for control in column.children} == {"auto"}


def test_figure_7_behind_sliders() -> None:
    shown = Interactive(
        lambda **values: fig7.potential_dynamics(experiment(**values, seed=1)),
        alpha=steps("α", [2, 4, math.inf], 4),
        beta=slider("β", 0, 1, 0.5),
        leak=slider("leak", 0, 1, 0.5),
        noise=menu("noise", ["gaussian", "uniform"], "gaussian"),
        weight=slider("input weight", 0, 1, 0.4),
    )
    seen = {shown.image.value}
    for name, value in (("alpha", math.inf), ("beta", 0.2), ("leak", 0.0), ("noise", "uniform"), ("weight", 1.0)):
        shown.controls[name].value = value
        assert shown.error.value == ""
        seen.add(shown.image.value)
    assert len(seen) == 6
