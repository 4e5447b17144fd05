"""One progress bar that looks right in a terminal, in JupyterLab and in a notebook run by papermill.

``TQDM_DISABLE=1`` hides it; training then logs a line for each epoch instead.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO

from tqdm import tqdm


class _DisplayLine:
    """A stream that shows its latest line as one output of the cell, updated in place.

    tqdm redraws by carriage return. papermill stores every redraw as an output of its own, thousands
    in a night, where an updated display stays one.
    """

    _handle = None

    @staticmethod
    def _show(line: str) -> object:
        from IPython.lib.pretty import PrettyPrinter

        class Line:
            def _repr_pretty_(self, printer: PrettyPrinter, cycle: bool) -> None:
                printer.text(line)

        return Line()

    def write(self, text: str) -> None:
        line = text.rsplit("\r", 1)[-1].strip()
        if line and self._handle is None:
            from IPython.display import display

            self._handle = display(self._show(line), display_id=True)
        elif line:
            self._handle.update(self._show(line))

    def flush(self) -> None:
        """Nothing is held back."""


class _Forgiving:
    """A stream that cannot be written to, a log on a full disk, is no reason to stop training."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:  # its encoding, its width
        return getattr(self._stream, name)


def _stream() -> _Forgiving | _DisplayLine:
    ipython = sys.modules.get("IPython")  # not imported: then this is no notebook
    shell = ipython.get_ipython() if ipython else None
    return _DisplayLine() if shell is not None and hasattr(shell, "kernel") else _Forgiving(sys.stderr)


def quiet() -> bool:
    """Whether errors alone are to be told, as the command line's ``-q`` has it."""
    return logging.getLogger("snnlib").getEffectiveLevel() > logging.WARNING


def bar(total: int | None, initial: int, label: str) -> tqdm:
    """A bar over ``total`` optimiser steps, if that is known, ``initial`` of them done, below a line with the label."""
    stream = _stream()
    bar = tqdm(
        **({"disable": True} if quiet() else {}),
        total=total,
        initial=initial,
        mininterval=1.0,
        delay=0.1,  # so that the label comes first
        file=stream,
        dynamic_ncols=True,
        bar_format="{desc} {percentage:3.0f}%|{bar:6}| {remaining} left{postfix}",
    )
    if not bar.disable:
        print(label, file=sys.stdout if isinstance(stream, _DisplayLine) else stream)
    return bar


def show(bar: tqdm, epoch: int, epochs: int, loss: float, accuracy: float | None, batch_size: int) -> None:
    """What the bar says, short enough for 80 columns: the epoch's loss and accuracy so far, images per second."""
    said = f"loss {loss:.4f}" if accuracy is None else f"loss {loss:.4f}, acc {accuracy:.3f}"
    images_per_s = (bar.format_dict["rate"] or 0) * batch_size
    bar.set_description_str(f"{epoch}/{epochs}", refresh=False)
    bar.set_postfix_str(f"{said}, {images_per_s:.0f} images/s", refresh=False)
