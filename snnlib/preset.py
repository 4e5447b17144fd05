"""Presets: at what scale the notebooks run, as YAML in ``snnlib/presets/``."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from snnlib.checks import Checked, InputError, one_of
from snnlib.results import AnnConversion, AsLIF, AsTrained, Conversion, Evaluation
from snnlib.runs import Run, Spec

FOLDER = Path(__file__).parent / "presets"


def names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


class Preset(Checked):
    """The runs that each notebook needs, and how they are evaluated."""

    name: str
    description: str
    evaluation: Conversion
    ann_timesteps: int = Field(2048, ge=1, le=10_000)  # of nets converted from relu nets
    qcfs_timesteps: int = Field(64, ge=1, le=10_000)  # and from qcfs nets
    benchmark: dict[str, Annotated[float, Field(gt=0, lt=1)]]  # accuracy to reach in Fig. 4, by network
    notebooks: dict[str, tuple[Spec, ...]]

    def runs(self, notebook: str) -> list[Run]:
        """The runs that a notebook needs; an `InputError` if the preset has none for it."""
        one_of(f"preset {self.name}, runs for notebook", notebook, self.notebooks)
        return [Run(spec) for spec in self.notebooks[notebook]]

    def evaluations(self, run: Run) -> list[Evaluation]:
        """How a run is evaluated: single-step nets converted, directly trained nets as they are, ANNs both ways.

        Without noise there is nothing to convert: that net is run as trained, and with plain LIF neurons.
        """
        e = self.evaluation
        common = {"batch_size": e.batch_size, "calibration": e.calibration}
        once = {"noise_seeds": (0,), **common}  # where no noise is drawn
        match run.spec.dynamics.kind:
            case "single_step" if run.spec.noise == "none":
                return [AsTrained(timesteps=1, **once), AsLIF(timesteps=e.timesteps, **once)]
            case "single_step":
                return [e]
            case "lif":
                return [AsTrained(timesteps=e.timesteps, **once)]
            case "relu":
                ways = [*product((100.0, 99.9), (0.0, 0.5)), (99.0, 0.5)]
                fields = [{"percentile": p, "v_init": v, "timesteps": self.ann_timesteps} for p, v in ways]
            case "qcfs":
                fields = [{"v_init": 0.5, "timesteps": self.qcfs_timesteps}]
        return [AsTrained(timesteps=1, **once), *(AnnConversion(**f, **common) for f in fields)]

    def all_runs(self) -> dict[str, Run]:
        """Every run of the preset once, by name."""
        return {spec.name: Run(spec) for specs in self.notebooks.values() for spec in specs}


def load_preset(name: str) -> Preset:
    """Read and check a preset.

    A run is written once for all its seeds, ``seeds: [0, 1, 2]``, with the run that it is ``after``, if any; the
    key ``definitions`` is for YAML anchors alone.

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
    """One spec for each seed; the runs that it is ``after`` get the same one."""
    fields = {k: v for k, v in entry.items() if k != "seeds"}
    return [_seeded(fields, seed) for seed in entry["seeds"]]


def _seeded(fields: dict[str, Any], seed: int) -> dict[str, Any]:
    after = {"after": _seeded(fields["after"], seed)} if "after" in fields else {}
    return {**fields, **after, "seed": seed}
