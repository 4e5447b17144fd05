"""The command that draws a notebook: its help lists that notebook's parameters, and -p takes a name and a value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand

from reproduce.experiments.parameters import PARAMETERS
from reproduce.experiments.parameters_told import arms_told, told
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_changes import read_value
from snnlib.checks import InputError, shown

_WORDS = "snnlib.words"  # as they were typed: help is asked for before any of them is understood
OPTION = "-p"


class NotebookCommand(TyperCommand):
    """typer has no option of several words that may stand there several times, so these are made one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.meta[_WORDS] = list(args)
        return super().parse_args(ctx, _joined(args))

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        words = ctx.meta[_WORDS]
        notebook = next((word for word in words if word in PARAMETERS), None)
        if notebook is None:
            rows = [("NOTEBOOK --help", f"lists its own; notebooks: {', '.join(PARAMETERS)}")]
            title = f"Parameters, {OPTION} NAME VALUE each"
        else:
            preset = load_preset(_after("--preset", words) or "smoke")
            rows = told(notebook, preset) or [("none", "but --preset")]
            title = f"Parameters of {notebook}, {OPTION} NAME VALUE each [default, at preset {preset.name}]"
        with formatter.section(title):
            formatter.write_dl(rows)
        if notebook and (arms := arms_told(notebook)):
            with formatter.section(f"Arms of {notebook}"):
                formatter.write_dl(arms)


def parameters(given: Iterable[str]) -> dict[str, Any]:
    """Values by name, from "name=value" each; numbers are read as such.

    Raises:
        InputError: no value.
    """
    found = {}
    for word in given:
        name, sign, value = word.partition("=")
        if not sign:
            raise InputError(f"{OPTION} {shown(word)}: must be NAME VALUE, such as timesteps 20")
        found[name] = value if "," in value else read_value(value)
    return found


def _joined(words: list[str]) -> list[str]:
    """With the name and the value behind each `OPTION` in one word."""
    left, found = list(words), []
    while left:
        found.append(left.pop(0))
        if found[-1] == OPTION and len(left) > 1 and "=" not in left[0]:
            found.append(f"{left.pop(0)}={left.pop(0)}")
    return found


def _after(option: str, words: list[str]) -> str | None:
    """The value of an option, which is the next word or stands behind an equals sign."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == option:
            return following
        if word.startswith(f"{option}="):
            return word.removeprefix(f"{option}=")
    return None
