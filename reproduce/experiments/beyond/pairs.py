"""The runs beyond the paper: single-step nets, each with a ReLU net of the same architecture and seed beside it."""

from __future__ import annotations

from collections.abc import Sequence

from reproduce.experiments.effects import LEAST_SEEDS, Effect
from reproduce.experiments.evidence import exceeds
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run

NOTEBOOK = "beyond"
CONVERTED, ANN = "converted net", "ReLU net"

Pair = tuple[Run, Run]  # single-step, ReLU


def snn_ann_pairs(preset: Preset) -> list[Pair]:
    """The preset's pairs of a single-step and a ReLU net, by seed, trained or not.

    Raises:
        InputError: more nets than one, or other arms than ours and relu.
    """
    arms = preset.comparison_of_one(NOTEBOOK, must=("ours", "relu"))
    return list(zip(arms["ours"], arms["relu"], strict=True))


def above_zero(values: Sequence[float]) -> str:
    """Whether a difference is above 0 by its 95 % interval over training seeds: yes, undecided or no, in words."""
    enough = len(values) >= LEAST_SEEDS
    return exceeds("", Effect(list(values)), 0).says if enough else f"fewer than {LEAST_SEEDS} seeds cannot tell"


def interval(values: Sequence[float], form: str = ".2f") -> str:
    """Mean over training seeds ± half of its 95 % interval, which one seed does not have."""
    return Effect(list(values)).shown(form)
