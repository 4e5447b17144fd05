"""A figure with sliders: live in JupyterLab, a still picture wherever no kernel runs.

The picture is one image widget that the sliders refill. The notebook stores the same PNG beside the
widget, so batch runs, GitHub and an unopened notebook show it too. Needs ipywidgets, from the
``notebooks`` extra.
"""

from __future__ import annotations

import asyncio
import base64
import html
import traceback
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import ipywidgets as widgets
from matplotlib.figure import Figure
from tqdm import tqdm

from reproduce.experiments.style import png
from snnlib.checks import InputError
from snnlib.training.progress import quiet

A_MOMENT = 0.01  # seconds in which a kernel takes notice of what it is asked
_STYLE = {"description_width": "90px"}


def slider(description: str, low: float, high: float, value: float, step: float = 0.05) -> widgets.FloatSlider:
    """A number in [low, high]. It reports when let go, so that a drag draws one picture, not fifty."""
    return widgets.FloatSlider(
        value, min=low, max=high, step=step, description=description, continuous_update=False, style=_STYLE
    )


def counter(description: str, low: int, high: int, value: int) -> widgets.IntSlider:
    """A whole number in [low, high]; likewise."""
    return widgets.IntSlider(value, min=low, max=high, description=description, continuous_update=False, style=_STYLE)


def steps(description: str, options: Iterable[float], value: float) -> widgets.SelectionSlider:
    """One of a few numbers in order; infinity may be one of them.

    The number stands in the description: the readout of this widget takes whatever is typed there, and does nothing.
    """
    labelled = [("∞" if x == float("inf") else f"{x:g}", x) for x in options]
    control = widgets.SelectionSlider(
        options=labelled, value=value, readout=False, continuous_update=False, style=_STYLE
    )

    def describe(_change: object = None) -> None:
        control.description = f"{description} = {control.label}"

    control.observe(describe, names="label")
    describe()
    return control


def menu(description: str, options: Iterable[str], value: str) -> widgets.Dropdown:
    """One of a few things by name."""
    return widgets.Dropdown(options=list(options), value=value, description=description, style=_STYLE)


class Interactive:
    """``draw(**values)`` behind one control per argument.

    Args:
        draw: makes a figure from the controls' values.
        slow: computes what ``draw`` shows only once it is known, and keeps it; yields the part of it that is done. The
            picture is drawn before, at once, and again after. Where a control is moved meanwhile, it is left undone.
        **controls: any ipywidgets with a ``value``, named after the arguments of ``draw``.

    The first picture is drawn at once, and what goes wrong there is raised: a batch run fails. What
    goes wrong later, in answer to a control, stands where the picture was.
    """

    def __init__(
        self,
        draw: Callable[..., Figure],
        slow: Callable[..., Iterator[float]] | None = None,
        **controls: widgets.ValueWidget,
    ) -> None:
        self._draw, self._slow, self.controls = draw, slow, controls
        self._moves = 0
        self._waited_for: set[asyncio.Task] = set()  # the loop itself would forget them
        self.progress = widgets.FloatProgress(
            0.0, min=0.0, max=1.0, layout=widgets.Layout(width="auto", visibility="hidden")
        )
        bar_format = "the first picture |{bar:20}| {percentage:.0f} %"  # there is no widget yet
        hidden = {"disable": True} if quiet() or slow is None else {}  # without it, TQDM_DISABLE counts
        with tqdm(total=1.0, leave=False, bar_format=bar_format, **hidden) as bar:
            for part in self._computed():
                bar.update(part - bar.n)
        self.image = widgets.Image(
            value=self._render(),
            format="png",
            layout=widgets.Layout(flex="1 1 0", min_width="0", max_width="750px", object_fit="contain"),
        )
        self.error = widgets.HTML(layout=widgets.Layout(flex="1 1 0", min_width="0", display="none"))
        for control in controls.values():
            control.observe(self._update, names="value")
            control.layout.width = "auto"  # the column's; its own is 300 pixels, and a margin
        column = widgets.VBox([*controls.values(), self.progress], layout=widgets.Layout(flex="0 0 310px"))
        self.widget = widgets.HBox([column, self.image, self.error])

    @property
    def values(self) -> dict[str, Any]:
        return {name: control.value for name, control in self.controls.items()}

    def _render(self) -> bytes:
        return png(self._draw(**self.values))

    def _computed(self) -> Iterator[float]:
        """What is slow, with a bar as long as it takes; nothing if it was computed before."""
        try:
            self.progress.layout.visibility, self.progress.value = "visible", 0.0
            for part in self._slow(**self.values) if self._slow else ():
                self.progress.value = part
                yield part
        finally:
            self.progress.layout.visibility = "hidden"

    def _update(self, _change: object) -> None:
        self._moves += 1
        with self._told():
            self.image.value = self._render()
        if self._slow and not self.error.value:
            self._begin(self._computed_and_drawn(self._moves))

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        """Between its parts the kernel answers what else is asked; without a kernel nothing is."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(work)
        else:
            self._waited_for.add(task := loop.create_task(work))
            task.add_done_callback(self._waited_for.discard)

    async def _computed_and_drawn(self, move: int) -> None:
        if move != self._moves:
            return
        with self._told(), closing(self._computed()) as parts:
            computed = False
            for _ in parts:
                computed = True
                await asyncio.sleep(A_MOMENT)
                if move != self._moves:
                    return
            if computed:
                self.image.value = self._render()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What goes wrong inside: an exception that leaves an observer reaches a log at best, so it is shown."""
        self.error.value = ""
        try:
            yield
        except InputError as error:  # values that do not go together
            self.error.value = f'<pre style="color: #D55E00; white-space: pre-wrap">{html.escape(str(error))}</pre>'
        except Exception:
            self.error.value = f'<pre style="color: #D55E00">{html.escape(traceback.format_exc())}</pre>'
        failed = bool(self.error.value)
        self.image.layout.display = "none" if failed else None  # an old picture would pass for the new values
        self.error.layout.display = None if failed else "none"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        bundle = dict(self.widget._repr_mimebundle_())
        bundle["text/plain"] = "Interactive figure: " + ", ".join(f"{k} = {v}" for k, v in self.values.items())
        if not self.error.value:
            bundle["image/png"] = base64.b64encode(self.image.value).decode()
        return bundle
