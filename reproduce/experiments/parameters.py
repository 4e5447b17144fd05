"""The parameters of every notebook, and a preset as a reader wants it by them.

They stand in the notebooks' own cells too, where a reader changes them: name, default and, as a comment, the help.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, NamedTuple

from reproduce.experiments.beyond.robustness import DEVIATIONS
from reproduce.experiments.explorer import setting as explorer
from reproduce.experiments.fig5_alpha.table import ALPHAS
from reproduce.experiments.fig7_potential_dynamics.table import NEURONS, NOISES
from reproduce.experiments.memories.table import SPREADS
from reproduce.experiments.method.table import NOISE_SEEDS
from reproduce.experiments.one_pass import table as one_pass
from reproduce.experiments.paper import OUR_TIMESTEPS
from reproduce.experiments.parameter import (
    Parameter,
    a_name,
    choice,
    convertible,
    in_range,
    one,
    several,
    size,
    whole_number,
    width,
)
from reproduce.experiments.record import table as record
from reproduce.experiments.silent_choices import table as silent_choices
from reproduce.experiments.table2_inference_time.claims import WITHIN
from reproduce.runs.preset import Preset, changed_for, load_preset
from snnlib.checks import InputError
from snnlib.data.sets import DATASETS
from snnlib.models import NETWORKS, READOUTS
from snnlib.simulation import MOST_TIMESTEPS
from snnlib.training.evaluation import MOST_NOISE_SEEDS

_FEW = 20  # lines of a figure, or points of one
_STEPS, _STEPS_FROM_1 = whole_number(2, MOST_TIMESTEPS), whole_number(1, MOST_TIMESTEPS)
_EPOCHS, _SEED = whole_number(1, 100_000), whole_number(0, 2**31 - 1)
_SEEDS, _NOISE_SEEDS = several(_SEED, 100), several(whole_number(0, 2**63 - 1), MOST_NOISE_SEEDS)
_ALPHA = 'the memory term\'s range is ± 1/alpha: from 2, no noise is left, to float("inf"), no memory'
_ALPHAS = 'of Eq. 9: from 2, no noise is left, to float("inf"), no memory'
_ARMS = "ways to train, of those in reproduce/runs/arms.py"
ARMS_OF = {  # which of them the parameter `arms` of a notebook takes
    silent_choices.NOTEBOOK: silent_choices.ARMS,
    one_pass.NOTEBOOK: one_pass.ARMS,
    record.NOTEBOOK: (record.BASE, *record.TRICKS),
}

# What several notebooks have. It is the preset's until it is changed.
SHARED = {
    "timesteps": Parameter("T up to which nets are run", one(_STEPS), sets="evaluation.timesteps"),
    "alpha": Parameter(_ALPHA, one(convertible("alpha")), sets="evaluation.alpha"),
    "beta": Parameter("the mean of the memory term", one(convertible("beta")), sets="evaluation.beta"),
    "leak": Parameter("λ of Eq. 1", one(convertible("leak")), sets="evaluation.leak"),
    "noise_seeds": Parameter("such as [0, 1, 2]: nets are run with each", _NOISE_SEEDS, sets="evaluation.noise_seeds"),
    "nets": Parameter('some of the preset\'s for this figure, such as ["cnn"]', several(a_name, _FEW), sets="nets"),
    "readout": Parameter('"spikes", or "potential", the mean current', one(choice(READOUTS)), sets="readout"),
    "seeds": Parameter("such as [0, 1, 2]: nets are trained with each", _SEEDS, sets="seeds"),
    "dataset": Parameter(", ".join(DATASETS), one(choice(DATASETS)), sets="dataset"),
    "network": Parameter(", ".join(NETWORKS), one(choice(NETWORKS)), sets="network"),
    "width": Parameter("channels of a layer over the paper's", one(width), sets="width"),
    "epochs": Parameter("of training; an arm with more or fewer keeps its ratio", one(_EPOCHS), sets="epochs"),
}  # fmt: skip


def _shared(*names: str) -> dict[str, Parameter]:
    return {name: SHARED[name] for name in names}


_RUN = _shared("timesteps", "alpha", "noise_seeds")
_TRAINED = _shared("seeds", "dataset", "network", "width", "epochs")

PARAMETERS: dict[str, dict[str, Parameter]] = {
    "method": {
        **_shared("timesteps", "alpha", "beta", "leak"),
        "image": Parameter("which of the first hundred test images is shown", one(whole_number(0, 99)), 89),
        "noise_seeds": Parameter("over which accuracies are averaged", _NOISE_SEEDS, list(NOISE_SEEDS)),
        "seed": Parameter("with which the net is trained", one(_SEED), sets="seeds"),
        **_shared("dataset", "network", "width", "epochs"),
    },
    "table1_networks": _shared("dataset", "width", "epochs"),
    "fig2_accuracy_vs_timesteps": {**_RUN, **_shared("nets"), **_TRAINED},
    "fig3_4_training_time": {
        "benchmark": Parameter("the accuracy to reach, such as 0.75", one(in_range(0.01, 0.99)), sets="benchmark"),
        "memory_gib": Parameter("the memory into which the largest batch has to fit, in GiB", one(size), 8),
        "repeats": Parameter(
            "measurements of a training step, of which the median is taken", one(whole_number(2, 1000)), 5
        ),
        **_shared("noise_seeds", "nets", "seeds", "dataset", "width", "epochs"),
    },
    "table2_inference_time": {
        "timesteps": Parameter(
            "T of ours", several(_STEPS_FROM_1, _FEW), list(OUR_TIMESTEPS), sets="evaluation.timesteps", at_least=True
        ),
        "within": Parameter("points below ours that still count as reached", one(in_range(0, 100)), WITHIN),
        "ann_timesteps": Parameter(
            "T up to which converted ANNs are run", one(_STEPS_FROM_1), sets="ann_timesteps"
        ),
        **_shared("alpha", "noise_seeds", "nets"),
        **_TRAINED,
    },
    "fig5_alpha": {
        "alphas": Parameter(_ALPHAS, several(convertible("alpha"), _FEW), list(ALPHAS)),
        **_shared("timesteps", "noise_seeds", "nets", "readout"),
        **_TRAINED,
    },
    "fig6_noise_type": {**_RUN, **_shared("nets", "readout"), **_TRAINED},
    "fig7_potential_dynamics": {
        "alpha": Parameter(_ALPHA, one(convertible("alpha")), 4.0),
        "beta": Parameter("the mean of the memory term", one(convertible("beta")), 0.5),
        "leak": Parameter("λ of Eq. 1", one(convertible("leak")), 0.5),
        "noise": Parameter(", ".join(NOISES), one(choice(NOISES)), "gaussian"),
        "weight": Parameter("of an input spike in (b)", one(in_range(0, 1)), 0.4),
        "seed": Parameter("of the noise and of the input spikes", one(whole_number(0, 2**63 - 1)), 0),
        "neuron": Parameter(f"which of the layer's {NEURONS:,}", one(whole_number(0, NEURONS - 1)), 0),
    },
    "what_noise_does": {**_RUN, **_shared("nets"), **_TRAINED},
    "silent_choices": {
        "arms": Parameter(_ARMS, several(choice(ARMS_OF["silent_choices"]), _FEW), sets="arms"),
        **_RUN,
        **_shared("nets"),
        **_TRAINED,
    },
    "memories": {
        "spreads": Parameter("of the exact memory's first phases", several(in_range(0, 1), _FEW), list(SPREADS)),
        **_RUN,
        **_shared("nets", "readout"),
        **_TRAINED,
    },
    "one_pass": {
        "arms": Parameter(_ARMS, several(choice(ARMS_OF["one_pass"]), 50), sets="arms"),
        "timesteps": Parameter(
            "T, as far as the preset goes", several(_STEPS_FROM_1, _FEW), list(one_pass.AT),
            sets="evaluation.timesteps", at_least=True,
        ),
        **_shared("nets"),
        **_TRAINED,
    },
    "record": {
        "arms": Parameter(_ARMS, several(choice(ARMS_OF["record"]), 50), sets="arms"),
        "timesteps": Parameter(
            "T of what is compared", one(_STEPS), record.AT, sets="evaluation.timesteps", at_least=True
        ),
        **_shared("nets"),
        **_TRAINED,
    },
    "beyond": {
        "deviations": Parameter(
            "of the noise on the images; 1 is that of the training pixels", several(in_range(0, 1000), _FEW, must=0),
            list(DEVIATIONS),
        ),
        **_RUN,
        **_TRAINED,
    },
    "own_network": {
        "epochs": Parameter("of training", one(_EPOCHS), 10),
        "lr": Parameter("the learning rate", one(size), 0.01),
        "alpha": Parameter(_ALPHA, one(convertible("alpha")), 4),
        "timesteps": Parameter("T up to which the net is run", one(_STEPS), 10),
    },
    "explorer": {
        "net": Parameter("how the name of a published net begins", one(a_name), "fashion_mnist-cnn-w1-spikes"),
        "image": Parameter("which of its data set's first thousand test images", one(whole_number(0, 999)), 107),
        "timesteps": Parameter("T", one(whole_number(2, 32)), 10),
        "memory": Parameter(", ".join(explorer.MEMORIES), one(choice(explorer.MEMORIES)), explorer.PAPER),
        "alpha": Parameter(_ALPHA, one(convertible("alpha")), 4.0),
        "leak": Parameter("λ of Eq. 1", one(convertible("leak")), 0.5),
        "noise": Parameter(", ".join(explorer.NOISES), one(choice(explorer.NOISES)), "gaussian"),
        "noise_width": Parameter("of its range, around ½", one(in_range(0, 1)), 1.0),
    },
    "claims": {},
}  # fmt: skip

_RUNS_OF = {"table1_networks": "fig2_accuracy_vs_timesteps"}  # another notebook's, which this one shows


class Wanted(NamedTuple):
    """What a notebook's parameters come to."""

    preset: Preset
    changed: dict[str, Any]  # those that are not as by default, or in the preset
    own: SimpleNamespace  # those that the figure gets itself


def wanted(notebook: str, preset: str, given: Mapping[str, Any]) -> Wanted:
    """Check what is given, and change the preset by it.

    Args:
        notebook: the name of its file.
        preset: as `load_preset` takes it.
        given: values by parameter; what is left out, or None where that is the default, is as by default.

    Raises:
        InputError: a value that cannot be used, alone or together with others.
        KeyError: a parameter that the notebook does not have.
    """
    known, runs = PARAMETERS.get(notebook, {}), runs_of(notebook)  # a new notebook may have none yet
    if unknown := given.keys() - known.keys():
        raise KeyError(*unknown)
    values = {name: parameter.value(name, given.get(name, parameter.default)) for name, parameter in known.items()}
    changed = {name: value for name, value in values.items() if value != known[name].default}
    usual = load_preset(preset)

    def preset_with(names: Iterable[str]) -> Preset:
        changes = {known[n].sets: known[n].setting(values[n]) for n in names if known[n].changes(values[n], usual)}
        return changed_for(runs, usual, changes) if changes else usual

    found = preset_with(changed)
    for name in [name for name in changed if not known[name].own]:
        others = [other for other in changed if other != name]
        with suppress(InputError):  # without it, the others are not possible
            if _alike(found, preset_with(others), runs):
                del changed[name]  # the preset has it anyway
    own = {name: value for name, value in values.items() if known[name].own}
    return Wanted(preset_with(changed), changed, SimpleNamespace(**own))


def runs_of(notebook: str) -> str:
    """The notebook whose runs of the preset it shows: in all but one its own."""
    return _RUNS_OF.get(notebook, notebook)


def _alike(one: Preset, other: Preset, notebook: str) -> bool:
    """Whether two presets are the same to a notebook."""

    def seen(preset: Preset) -> tuple[Any, ...]:
        nets = preset.notebooks[notebook]
        networks = {specs[0].network for arms in nets.values() for specs in arms.values()}
        goals = {network: preset.benchmark.get(network) for network in networks}
        return nets, preset.evaluation, preset.ann_timesteps, goals

    return seen(one) == seen(other)
