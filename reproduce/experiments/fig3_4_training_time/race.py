"""The race of Figs. 3 and 4: ours against direct training, for as many epochs and for as long; which is fair."""

from __future__ import annotations

import math

from reproduce.runs.preset import Comparison, Preset
from reproduce.runs.spec import Spec
from snnlib.checks import InputError

NOTEBOOK = "fig3_4_training_time"
MUST, MAY = ("ours", "direct"), ("equal_time", "direct4", "direct2", "tuned", "relu")
OPPONENTS = ("direct", "direct4", "direct2")
SHARES = (0.25, 0.5, 1.0)  # of direct training's time, at which it is compared with ours at equal time
PARTS = 4  # of the epochs, so that each share is a whole number of them


def raced(preset: Preset) -> list[Comparison]:
    """The runs of each race, one for each net, trained or not.

    Raises:
        InputError: a net lacks an arm or a benchmark; an arm is not tested; arms that are compared at the end are
            tested at another T, or trained for other epochs; arms that are compared at `SHARES` of their epochs are not
            tested there.
    """
    races = preset.comparison(NOTEBOOK, MUST, MAY)
    for net, arms in races.items():
        where = f"preset {preset.name}, notebook {NOTEBOOK}, net {net}"
        specs = {arm: runs[0].spec for arm, runs in arms.items()}
        network = specs["ours"].network
        if network not in preset.benchmark:
            known = ", ".join(preset.benchmark)
            raise InputError(f"{where}: benchmark has no accuracy for {network}, only for {known}")
        for arm, spec in specs.items():
            if not spec.recipe.evaluate_every:
                raise InputError(f"{where}, arm {arm}: recipe.evaluate_every = 0: must be above 0")
        compared = {arm: spec for arm, spec in specs.items() if arm in ("equal_time", "direct")}
        at = {arm: spec.tested_at for arm, spec in {"ours": specs["ours"], **compared}.items()}
        if len(set(at.values())) > 1:
            raise InputError(f"{where}: T at which arms are tested = {at}: must be the same")
        if preset.evaluation.timesteps < at["ours"]:
            found = preset.evaluation.timesteps
            raise InputError(f"{where}: evaluation.timesteps = {found}: must be at least {at['ours']}, as in training")
        epochs = {arm: specs[arm].recipe.epochs for arm in MUST}
        if len(set(epochs.values())) > 1:
            raise InputError(f"{where}: recipe.epochs = {epochs}: must be the same")
        if "equal_time" in specs:
            if specs["equal_time"] == specs["ours"]:
                found = specs["ours"].recipe.epochs
                raise InputError(f"{where}, arm equal_time: recipe.epochs = {found}: must be others than ours")
            for arm, spec in compared.items():
                _check_tested(f"{where}, arm {arm}", spec)
    return list(races.values())


def _check_tested(where: str, spec: Spec) -> None:
    """Refuse an arm that is not tested after exactly `SHARES` of its epochs."""
    epochs, every = spec.recipe.epochs, spec.recipe.evaluate_every
    for share in SHARES:
        times = share * epochs / every
        if not math.isclose(times, round(times)):
            raise InputError(
                f"{where}: recipe.evaluate_every = {every}: must divide {share * epochs:g}, which is {share:.0%} of "
                f"its {epochs} epochs"
            )
