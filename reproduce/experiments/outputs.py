"""How a figure or a table reaches a file, with its sum beside it: the one way for notebooks, benchmark and tests."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from reproduce.experiments import changed as changes
from reproduce.experiments.made_with import NAMES
from reproduce.experiments.style import CHARACTERS, entitle, png, style, svg
from snnlib.store.paths import from_root
from snnlib.store.sums import write_summed
from snnlib.store.used import used


@dataclass
class Outputs:
    """A folder for results, and what was written there.

    Args:
        folder: where all of it goes.
        changed: parameters that are not at their defaults. Each is in the files' names, in a line of the figures'
            titles and in a column of the CSV files that have none of that name: what was changed never takes the
            place of the default's file.
    """

    folder: Path
    changed: Mapping[str, Any] = field(default_factory=dict)
    _written: dict[str, list[str]] = field(default_factory=dict)  # endings, by name

    def write_csv(self, table: pd.DataFrame, name: str) -> list[Path]:
        """Write ``name``.csv; returns the paths of what was written, here one."""
        new = {parameter: _cell(value) for parameter, value in self.changed.items() if parameter not in table}
        return self._write(name, {"csv": table.assign(**new).to_csv(index=False)})

    def write_table(self, table: pd.DataFrame, name: str, shown: pd.DataFrame | str | None = None) -> list[Path]:
        """Write ``name``.csv, and for readers .md; returns the paths.

        Args:
            shown: what readers see, as a table or as Markdown; if not given, all but the names of runs.
        """
        if shown is None:
            shown = table.drop(columns=list(NAMES), errors="ignore")
        text = shown if isinstance(shown, str) else shown.to_markdown(index=False) + "\n"
        return self.write_csv(table, name) + self._write(name, {"md": text})

    def write_figure(self, fig: Figure, table: pd.DataFrame, name: str) -> list[Path]:
        """Write ``name``.svg, .png and the .csv that the figure was drawn from; returns the paths."""
        return self.write_csv(table, name) + self.write_picture(fig, name)

    def write_picture(self, fig: Figure, name: str) -> list[Path]:
        """Write ``name``.svg and .png, of a table that has a figure already; returns the paths."""
        if self.changed:
            _say(fig, f"changed: {changes.in_words(self.changed)}")
        return self._write(name, {"svg": svg(fig), "png": png(fig)})

    @property
    def written(self) -> str:
        """What was written, in a line, the folder once: ``written: figures/mine/smoke/fig.{csv,svg,png}``."""
        names = [f"{name}.{_braced(endings)}" for name, endings in self._written.items()]
        return f"written: {from_root(self.folder)}/{', '.join(names)}" if names else "nothing written"

    def named(self, name: str) -> str:
        """The name of a file, with what was changed in it."""
        return changes.named(name, self.changed)

    def _write(self, name: str, contents: Mapping[str, bytes | str]) -> list[Path]:
        name = self.named(name)
        endings = self._written.setdefault(name, [])
        endings += [ending for ending in contents if ending not in endings]
        paths = {ending: self.folder / f"{name}.{ending}" for ending in contents}
        write_summed({paths[ending]: content for ending, content in contents.items()}, used())
        return list(paths.values())


def _cell(value: Any) -> Any:
    """A value in every row; a list would be a value for each."""
    return changes.text(value) if isinstance(value, list) else value


def _braced(endings: list[str]) -> str:
    return endings[0] if len(endings) == 1 else f"{{{','.join(endings)}}}"


def _say(fig: Figure, text: str) -> None:
    """Put a text below the title, once, broken where it is too long, but at no equals sign."""
    held = textwrap.wrap(text.replace(" = ", "\u00a0=\u00a0"), CHARACTERS)
    lines, title = [line.replace("\u00a0", " ") for line in held], fig.get_suptitle().splitlines()
    if title[-len(lines) :] != lines:
        with style():  # of its size was the title broken
            entitle(fig, *title, *lines)
