"""Presets: at what scale the notebooks run, as YAML in ``snnlib/presets/``."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from snnlib.checks import Checked, InputError, fields, one_of, short, shown, whole
from snnlib.models import NETWORKS
from snnlib.runs import yaml_file
from snnlib.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion, Evaluation
from snnlib.runs.run import Run, Spec
from snnlib.store.paths import ROOT

FOLDER = Path(__file__).parent / "presets"
NOTEBOOKS = ROOT / "notebooks"
MOST_SEEDS = 100


def names() -> list[str]:
    """The presets that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


class Preset(Checked):
    """The runs that each notebook needs, and how they are evaluated."""

    name: str = Field(pattern=r"^\w[\w.-]*$", max_length=100)  # of its folder under figures/
    description: str = Field(max_length=500)
    evaluation: Conversion
    ann_timesteps: int = Field(2048, ge=1, le=10_000)  # of nets converted from relu nets
    qcfs_timesteps: int = Field(64, ge=1, le=10_000)  # and from qcfs nets
    # Accuracy to reach in Fig. 4, by network.
    benchmark: dict[Literal[tuple(NETWORKS)], Annotated[float, Field(gt=0, lt=1)]]
    notebooks: dict[str, tuple[Spec, ...]]

    @model_validator(mode="after")
    def _evaluated(self) -> Preset:
        """Refuse what would come to light only when a run is trained and its evaluation begins."""
        for run in self.all_runs().values():
            for evaluation in self.evaluations(run):
                evaluation.fits(run.spec)
        return self

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
        InputError: an unknown preset, a file that cannot be read, or a value in it that cannot be used, named with
            the file.
    """
    one_of("preset", name, names())
    file = FOLDER / f"{name}.yaml"
    content = yaml_file.read(file)
    try:
        fields(content, ["definitions", *(field for field in Preset.model_fields if field != "name")])
        content.pop("definitions", None)
        if "notebooks" in content:
            content["notebooks"] = _groups(content["notebooks"])
        return Preset(name=name, **content)
    except InputError as error:
        raise InputError(f"{file.name}: {error}") from None


def _groups(notebooks: object) -> dict[str, list[dict[str, Any]]]:
    """Each notebook's runs, one for each seed."""
    if not isinstance(notebooks, dict):
        raise InputError(f"notebooks = {shown(notebooks)}: must map each notebook to a list of runs")
    groups = {}
    for notebook, entries in notebooks.items():
        where = f"notebooks.{short(notebook)}"
        if NOTEBOOKS.is_dir():  # they do not come with an installed package
            one_of("notebook", notebook, sorted(path.stem for path in NOTEBOOKS.glob("*.ipynb")))
        if not isinstance(entries, list):
            raise InputError(f"{where} = {shown(entries)}: must be a list of runs")
        groups[notebook] = [
            run for number, entry in enumerate(entries, 1) for run in _runs(f"{where}, {number}.", entry)
        ]
    return groups


def _runs(where: str, entry: object) -> list[dict[str, Any]]:
    """A run for each seed of an entry; the runs that it is ``after`` get the same one."""
    if not isinstance(entry, dict):
        raise InputError(f"{where} = {shown(entry)}: must be a run's fields")
    seeds = entry.get("seeds")
    if not isinstance(seeds, list) or not 1 <= len(seeds) <= MOST_SEEDS:
        raise InputError(f"{where}, seeds = {shown(seeds)}: must be a list of 1 to {MOST_SEEDS} whole numbers")
    for number, seed in enumerate(seeds):
        whole(f"{where}, seed", seed, 0)
        if seed in seeds[:number]:
            raise InputError(f"{where}, seeds = {shown(seeds)}: must each be there once")
    return [_seeded(where, {k: v for k, v in entry.items() if k != "seeds"}, seed) for seed in seeds]


def _seeded(where: str, run: dict[str, Any], seed: int) -> dict[str, Any]:
    if "seed" in run:
        raise InputError(f"{where}, seed = {shown(run['seed'])}: must be left out; seeds lists them")
    after = {"after": _seeded(where, run["after"], seed)} if isinstance(run.get("after"), dict) else {}
    return {**run, **after, "seed": seed}
