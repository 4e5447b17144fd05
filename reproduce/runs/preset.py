"""Presets: at what scale the notebooks run, as TOML in ``reproduce/runs/presets/`` or in a file of the reader's own."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from reproduce.runs import preset_file, preset_notebook
from reproduce.runs.arms import merged
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AnnConversion, AsLIF, AsTrained, Conversion, Integrated
from reproduce.runs.labels import labels
from reproduce.runs.preset_changes import LONGEST, changed
from reproduce.runs.preset_file import Nets
from reproduce.runs.preset_found import NAME, read, shipped
from reproduce.runs.run import Run
from snnlib.checks import InputError, fields, one_of, shown
from snnlib.models import NETWORKS
from snnlib.noise import Gaussian
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.spelling import Checked
from snnlib.training.recipe import Recipe

STAGES = (64, 256)  # time steps of a converted ANN before it goes on to `Preset.ann_timesteps`
WRITTEN_OUT = ("nets", "recipe")  # in the file, of which the notebooks' runs are made

Comparison = dict[str, list[Run]]  # runs by arm; all arms have the same seeds in the same order


class Preset(Checked):
    """The runs that each notebook needs, and how they are evaluated."""

    name: str = Field(pattern=f"^{NAME}$")
    file: Path | None = None  # from which it was read
    description: str = Field(max_length=LONGEST)
    evaluation: Conversion
    ann_timesteps: int = Field(default=1001, ge=1, le=MOST_TIMESTEPS)  # at most, of converted relu and qcfs nets
    ann_images: int | None = Field(default=None, ge=1)  # test images for these, the first ones; all if not given
    # Accuracy to reach in Fig. 4, by network.
    benchmark: dict[Literal[tuple(NETWORKS)], Annotated[float, Field(gt=0, lt=1)]]
    notebooks: dict[str, Nets]

    @model_validator(mode="after")
    def _evaluated(self) -> Preset:
        """Refuse what would come to light only when a run is trained and its evaluation begins."""
        for run in self._each_once().values():
            for evaluation in self.evaluations(run):
                evaluation.fits(run.spec)
        return self

    @property
    def own(self) -> bool:
        """Whether it is a file of the reader's own, not one that ships."""
        return self.file is not None and not shipped(self.file)

    @property
    def given(self) -> str:
        """What ``--preset`` and a notebook's parameter take: the name of one that ships, or the path of the file."""
        return str(self.file) if self.own else self.name

    def runs(self, notebook: str) -> list[Run]:
        """The runs that a notebook needs; an `InputError` if the preset has none for it."""
        one_of(f"preset {self.name}, runs for notebook", notebook, self.notebooks)
        return [Run(spec) for arms in self.notebooks[notebook].values() for specs in arms.values() for spec in specs]

    def uses(self) -> dict[str, str]:
        """What each run is in the comparisons, by its name: net and arm."""
        found: dict[str, dict[str, None]] = {}
        for nets in self.notebooks.values():
            for net, arms in nets.items():
                for arm, specs in arms.items():
                    for spec in specs:
                        found.setdefault(spec.name, {})[f"{net} {arm}"] = None
        return {name: ", ".join(uses) for name, uses in found.items()}

    def notebooks_of(self, run: Run) -> list[str]:
        """Which notebooks need a run; none if it is not the preset's."""
        return self._notebooks_of.get(run.spec.name, [])

    @cached_property
    def _notebooks_of(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for notebook in self.notebooks:
            for run in self.runs(notebook):
                found.setdefault(run.spec.name, []).append(notebook)
        return found

    def comparison(self, notebook: str, must: Collection[str], may: Collection[str] = ()) -> dict[str, Comparison]:
        """The runs that a notebook compares, by net and arm. They differ in their arms' changes (`ARMS`) alone.

        Args:
            must: the arms that every net has.
            may: those that it can have as well.

        Raises:
            InputError: the preset has no runs for the notebook, or a net lacks an arm or has one too many.
        """
        one_of(f"preset {self.name}, runs for notebook", notebook, self.notebooks)
        for net, arms in self.notebooks[notebook].items():
            where = f"preset {self.name}, notebook {notebook}, net {net}"
            for arm in must:
                if arm not in arms:
                    raise InputError(f"{where}: has no arm {arm}; must have {' and '.join(must)}")
            for arm in arms:
                one_of(f"{where}, arm", arm, dict.fromkeys((*must, *may)))
        nets = self.notebooks[notebook].items()
        return {net: {arm: [Run(spec) for spec in specs] for arm, specs in arms.items()} for net, arms in nets}

    def comparison_of_one(self, notebook: str, must: Collection[str]) -> Comparison:
        """The same of a notebook's only net; an `InputError` if there are more."""
        nets = self.comparison(notebook, must)
        if len(nets) != 1:
            raise InputError(f"preset {self.name}, notebook {notebook}: nets = {', '.join(nets)}: must be one")
        return next(iter(nets.values()))

    def evaluations(self, run: Run) -> list[Evaluation]:
        """How a run is evaluated: single-step nets converted, directly trained nets as they are, ANNs both ways.

        Without noise there is nothing to convert: that net is run as trained, and with plain LIF neurons. With a
        constant in its place it is run by steps 2 and 3 as well, with the noise that it was not trained with. Nets
        trained on rates spike.
        Converted ANNs are here for the first of their `stages` alone: how many they need is known once they are read.
        """
        e = self.evaluation
        common = {"batch_size": e.batch_size, "calibration": e.calibration}
        once = {"noise_seeds": (0,), **common}  # where no noise is drawn
        match run.spec.dynamics.kind:
            case "single_step" if run.spec.noise == "none":
                return [AsTrained(timesteps=1, **once), AsLIF(timesteps=e.timesteps, **once)]
            case "single_step" if run.spec.noise == "constant":
                noisy = e.changed(noise=Gaussian())
                as_it_is = [AsTrained(timesteps=1, **once), AsLIF(timesteps=e.timesteps, **once)]
                return [*as_it_is, noisy.changed(alpha=math.inf), noisy]
            case "single_step":
                return [e]
            case "lif":
                return [AsTrained(timesteps=e.timesteps, **once)]
            case "if":
                return [AsTrained(timesteps=e.timesteps, **{**once, "noise_seeds": e.noise_seeds})]
            case "relu":
                ways = [*product((100.0, 99.9), (0.0, 0.5)), (99.0, 0.5)]
                fields = [{"percentile": p, "v_init": v} for p, v in ways]
            case "qcfs":
                fields = [{"v_init": 0.5}]
            case "rate":
                return [Integrated(**e.model_dump(include={"timesteps", "noise_seeds", "batch_size"}))]
        converted = [AnnConversion(**f, timesteps=self.stages[0], tested=self.ann_images, **common) for f in fields]
        return [AsTrained(timesteps=1, **once), *converted]

    @property
    def stages(self) -> tuple[int, ...]:
        """The numbers of time steps that a converted ANN is run for, one after another until one is enough."""
        return (*(t for t in STAGES if t < self.ann_timesteps), self.ann_timesteps)

    def all_runs(self) -> dict[str, Run]:
        """Every run of the preset once, by name; their labels tell them apart."""
        return dict(self._all_runs)

    @cached_property
    def _all_runs(self) -> dict[str, Run]:
        runs = self._each_once()
        called = labels(run.spec for run in runs.values())
        return {name: Run(run.spec, label=called[name]) for name, run in runs.items()}

    def _each_once(self) -> dict[str, Run]:
        return {run.spec.name: run for notebook in self.notebooks for run in self.runs(notebook)}


def load_preset(given: str, changes: Collection[str] = ()) -> Preset:
    """Read and check a preset.

    Args:
        given: the name of one that ships; or the path of a file, which has a separator in it or ends in .toml. The
            file's name without its ending is the preset's.
        changes: "name=value" each (`reproduce.runs.preset_changes.changed`). Figures are drawn without any: they would
            pass for the preset's own.

    Raises:
        InputError: an unknown preset, a file that cannot be read, or a value in it that cannot be used, named with
            the file; a file that has the name of a preset that ships and is another; a change that cannot be made.
    """
    file, content = read(given)
    preset = _checked(given, file, content)
    return _checked(given, file, changed(content, changes), " with --set") if changes else preset


def changed_for(notebook: str, preset: Preset, changes: Mapping[str, Any]) -> Preset:
    """A preset with other values where one notebook uses it: it has the runs of that notebook alone.

    Args:
        preset: as it was loaded.
        changes: by name, as of `preset_notebook.changed`.

    Raises:
        InputError: the preset has no runs for the notebook, or a change cannot be made.
    """
    preset.runs(notebook)
    file, content = read(preset.given)
    how = f" with {preset_notebook.in_words(changes)}"
    found = _checked(preset.given, file, preset_notebook.changed(content, notebook, changes), how)
    return found.model_copy(update={"notebooks": preset_notebook.read_out(found.notebooks, changes)})


def as_written(given: str, changes: Collection[str] = ()) -> dict[str, Any]:
    """What a preset's file holds, with changes if there are any; arguments and errors as of `load_preset`."""
    load_preset(given, changes)
    return changed(read(given)[1], changes)


def nets_as_written(given: str) -> dict[str, dict[str, Any]]:
    """A preset's nets as its file has them, `preset_file.written_out`'s ``nets``, each with the whole of its recipe.

    For what a `Preset` does not keep: which rate a net has where its arms have one of their own.

    Raises:
        InputError: as `load_preset`.
    """
    content = as_written(given)
    common = {"recipe": {**Recipe().model_dump(), **content.get("recipe", {})}}
    return {net: merged(common, written) for net, written in content["nets"].items()}


def _checked(given: str, file: Path, content: Mapping[str, Any], how: str = "") -> Preset:
    """The preset that a file's content is; ``how``: what was made of it, for errors."""
    content = dict(content)
    try:
        fields(content, [*WRITTEN_OUT, *(field for field in Preset.model_fields if field not in ("name", "file"))])
        common = {part: content.pop(part, {}) for part in WRITTEN_OUT}
        if "notebooks" in content:
            content["notebooks"] = preset_file.written_out(content["notebooks"], **common)
        return Preset(name=file.stem, file=file, **content)
    except InputError as error:
        where = file.name if shipped(file) else f"preset = {shown(given)}"
        raise InputError(f"{where}{how}: {error}") from None
