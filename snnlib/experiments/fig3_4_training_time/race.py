"""The race of Figs. 3 and 4: ours, direct training, and ours with a little direct training after it ("tuned")."""

from __future__ import annotations

from snnlib.checks import InputError
from snnlib.runs.preset import Comparison, Preset
from snnlib.runs.run import Spec

NOTEBOOK = "fig3_4_training_time"


def raced(preset: Preset) -> list[Comparison]:
    """The runs of each race, one for each net, trained or not.

    Raises:
        InputError: a net lacks an arm or a benchmark, or its arms are tested at different epochs or at another T.
    """
    races = preset.comparison(NOTEBOOK, must=("ours", "direct"), may=("tuned",))
    for net, arms in races.items():
        where = f"preset {preset.name}, notebook {NOTEBOOK}, net {net}"
        ours, direct = arms["ours"][0].spec, arms["direct"][0].spec
        if ours.network not in preset.benchmark:
            known = ", ".join(preset.benchmark)
            raise InputError(f"{where}: benchmark has no accuracy for {ours.network}, only for {known}")
        if tested_at(ours) != tested_at(direct):
            found = f"{tested_at(ours)} and timesteps of direct = {tested_at(direct)}"
            raise InputError(f"{where}: recipe.test_timesteps = {found}: must be the same")
        epochs = {arm: runs[0].spec.recipe.evaluate_every for arm, runs in arms.items()}
        if len(set(epochs.values())) > 1:
            raise InputError(f"{where}: recipe.evaluate_every = {epochs}: must be the same in all arms")
    return list(races.values())


def tested_at(spec: Spec) -> int:
    """T at which this run's test_accuracy is."""
    return spec.timesteps if spec.dynamics.kind == "lif" else spec.recipe.test_timesteps
