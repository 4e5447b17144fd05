"""Presets: at what scale the notebooks run, as YAML in ``snnlib/presets/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from snnlib.checks import Checked, InputError, one_of
from snnlib.results import Evaluation
from snnlib.runs import Run, Spec

FOLDER = Path(__file__).parent / "presets"


def names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


class Preset(Checked):
    """The runs that each notebook needs, and how they are evaluated."""

    name: str
    description: str
    evaluation: Evaluation
    notebooks: dict[str, tuple[Spec, ...]]

    def runs(self, notebook: str) -> list[Run]:
        """The runs that a notebook needs; an `InputError` if the preset has none for it."""
        one_of(f"preset {self.name}, runs for notebook", notebook, self.notebooks)
        return [Run(spec) for spec in self.notebooks[notebook]]

    def all_runs(self) -> dict[str, Run]:
        """Every run of the preset once, by name."""
        return {spec.name: Run(spec) for specs in self.notebooks.values() for spec in specs}


def load_preset(name: str) -> Preset:
    """Read and check a preset.

    A run is written once for all its seeds, ``seeds: [0, 1, 2]``; the key ``definitions`` is for YAML
    anchors alone.

    Raises:
        InputError: an unknown preset, or a value in its file that cannot be used, named with the file.
    """
    one_of("preset", name, names())
    file = FOLDER / f"{name}.yaml"
    content = yaml.safe_load(file.read_text())
    try:
        content.pop("definitions", None)
        groups = {n: [spec for entry in runs for spec in _seeds(entry)] for n, runs in content.pop("notebooks").items()}
    except (AttributeError, KeyError, TypeError) as error:
        raise InputError(f"{file}: notebooks must map each notebook to a list of runs with seeds ({error!r})") from None
    try:
        return Preset(name=name, notebooks=groups, **content)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None


def _seeds(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**{k: v for k, v in entry.items() if k != "seeds"}, "seed": seed} for seed in entry["seeds"]]
