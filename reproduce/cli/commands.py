"""Every command by its name, and what can stand before it."""

from __future__ import annotations

import logging
import platform
from importlib.metadata import version
from typing import Annotated

import torch
import typer

from reproduce.batch import gpus
from reproduce.cli import benchmark, drawing, runs, training
from reproduce.cli.notebook_command import NotebookCommand
from snnlib.checks import InputError

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

COMMANDS = {
    "runs": runs.list_runs,
    "train": training.train_preset,
    "evaluate": training.evaluate_run,
    "show": runs.show_run,
    "export": runs.export_run,
    "rm": runs.remove_run,
    "tune": training.tune_rates,
    "data": training.get_data,
    "preset": drawing.print_preset,
    "figures": drawing.draw_all,
    "draw": drawing.draw_one,
    "claims": drawing.print_claims,
    "compare": drawing.compare_with_published,
    "publish-runs": runs.publish_runs,
    "publish": drawing.publish_results,
    "bench": benchmark.bench,
}
CLASSES = {"draw": NotebookCommand}  # of those that are not typer's own
for name, command in COMMANDS.items():
    app.command(name, cls=CLASSES.get(name))(command)


def _say_version(asked: bool) -> None:
    if asked:
        print(f"snnlib {version('snnlib')}, torch {torch.__version__}, Python {platform.python_version()}")
        raise typer.Exit


@app.callback()
def before(
    shown: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="say which, and torch's, and exit")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="say also what was found in the store")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="say errors alone, and show no progress")] = False,
) -> None:
    """Train, list and evaluate the runs of a preset, and draw the figures from them.

    -v and -q stand before the command.
    """
    if verbose and quiet:
        raise InputError("-v and -q: must not both be there")
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    logging.getLogger("snnlib").setLevel(level)
    gpus.take()
