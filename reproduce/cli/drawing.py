"""Commands on presets, and on the figures that are drawn from them."""

from __future__ import annotations

from typing import Annotated

import typer

from reproduce.batch import readme
from reproduce.batch.drawing import draw_notebook
from reproduce.batch.profile import load_profile
from reproduce.batch.workflow import figures
from reproduce.cli.notebook_command import OPTION, parameters
from reproduce.cli.options import PRESETS, Changes, Json, Out, PresetName, figures_in, print_json
from reproduce.experiments import compare
from reproduce.runs.preset import as_written, load_preset
from reproduce.runs.preset_file import toml


def print_preset(name: Annotated[str, typer.Argument(help=PRESETS)] = "smoke", changes: Changes = None) -> None:
    """Print a preset's file, with changes if --set names any: to a file of your own, every --preset takes it."""
    if changes:
        print(f"# {name} with other values: {', '.join(changes)}\n{toml(as_written(name, changes))}", end="")
    else:
        print(load_preset(name).file.read_text(encoding="utf-8"), end="")


def draw_one(
    notebook: Annotated[str, typer.Argument()],
    preset: PresetName = "smoke",
    given: Annotated[
        list[str] | None,
        typer.Option(
            OPTION,
            metavar="NAME VALUE",
            help='another value for a parameter of the notebook, a list as "[2, 3, 8]"; repeatable',
        ),
    ] = None,
    out: Out = None,
) -> None:
    """Execute one notebook; its figures go to figures/mine/PRESET/, the executed copy to build/PRESET/.

    What -p changes is in the names of both, so that the preset's own stay.
    """
    with figures_in(out):
        print(draw_notebook(notebook, load_preset(preset), parameters(given or ())))


def draw_all(
    targets: Annotated[
        list[str] | None, typer.Argument(help="notebooks, trained, or all, which is meant if none is given")
    ] = None,
    preset: PresetName = "smoke",
    profile: Annotated[
        str, typer.Option(help="where jobs run: local, slurm, another one in profiles/, or the path of one's folder")
    ] = "local",
    out: Out = None,
) -> None:
    """Train what is missing and draw what is out of date, in parallel, then list what was drawn."""
    with figures_in(out):
        print(figures(load_preset(preset), *targets or (), profile=load_profile(profile)))


def print_claims(preset: PresetName = "smoke", out: Out = None, as_json: Json = False) -> None:
    """Print the verdict on each claim of the paper, as the notebook `claims` wrote them at a preset."""
    with figures_in(out):
        print_json(readme.drawn_as_json(preset)) if as_json else print(readme.drawn(preset))


def compare_with_published(preset: PresetName = "smoke", out: Out = None, as_json: Json = False) -> None:
    """Print your own key numbers and verdicts beside the published ones, and whether they agree."""
    with figures_in(out):
        print_json(compare.report_as_json(preset)) if as_json else print(compare.report(preset))


def publish_results(
    notebooks: Annotated[list[str] | None, typer.Argument(help="whose files; all if none is given")] = None,
    preset: PresetName = "smoke",
) -> None:
    """Draw what is out of date and copy it to figures/PRESET/; of smoke, renew notebooks, README and docs too."""
    from reproduce.batch import publish as publishing  # brings matplotlib, 0.3 s that each training job would pay for

    print(publishing.publish_preset(load_preset(preset), *notebooks or ()))
