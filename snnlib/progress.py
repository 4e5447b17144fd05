"""One progress bar that looks right in a terminal, in JupyterLab and in a notebook run by papermill.

``TQDM_DISABLE=1`` hides it; training then logs a line for each epoch instead.
"""

from __future__ import annotations

import sys
from typing import TextIO

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


def _stream() -> TextIO | _DisplayLine:
    ipython = sys.modules.get("IPython")  # not imported: then this is no notebook
    shell = ipython.get_ipython() if ipython else None
    return _DisplayLine() if shell is not None and hasattr(shell, "kernel") else sys.stderr


def bar(total: int, initial: int, label: str) -> tqdm:
    """A bar over ``total`` optimiser steps, ``initial`` of which are done; redrawn once a second."""
    return tqdm(
        total=total,
        initial=initial,
        desc=label,
        mininterval=1.0,
        file=_stream(),
        dynamic_ncols=True,
        bar_format="{desc}: {percentage:3.0f}%|{bar:10}| {remaining} left{postfix}",
    )
