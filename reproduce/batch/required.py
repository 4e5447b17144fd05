"""What notebooks require of a preset, asked before hours of training: a workflow draws last."""

from __future__ import annotations

from collections.abc import Callable, Collection

from reproduce.experiments.beyond import pairs as beyond
from reproduce.experiments.fig2_accuracy_vs_timesteps import table as fig2
from reproduce.experiments.fig3_4_training_time import race
from reproduce.experiments.fig5_alpha import table as fig5
from reproduce.experiments.fig6_noise_type import table as fig6
from reproduce.experiments.memories import table as memories
from reproduce.experiments.one_pass import table as one_pass
from reproduce.experiments.record import table as record
from reproduce.experiments.silent_choices import table as silent_choices
from reproduce.experiments.table2_inference_time import table as table2
from reproduce.experiments.what_noise_does import table as what_noise_does
from reproduce.runs.preset import Preset

# Each raises an `InputError`; the notebook itself calls it too. Any runs will do for those that are not here.
REQUIRED: dict[str, Callable[[Preset], object]] = {
    fig2.NOTEBOOK: fig2.compared,
    race.NOTEBOOK: race.raced,
    table2.NOTEBOOK: table2.compared,
    fig5.NOTEBOOK: fig5.compared,
    fig6.NOTEBOOK: fig6.compared,
    what_noise_does.NOTEBOOK: what_noise_does.compared,
    silent_choices.NOTEBOOK: silent_choices.settings,
    memories.NOTEBOOK: memories.compared,
    one_pass.NOTEBOOK: one_pass.compared,
    record.NOTEBOOK: record.compared,
    beyond.NOTEBOOK: beyond.snn_ann_pairs,
}


def check_required(preset: Preset, targets: Collection[str]) -> None:
    """Refuse a preset whose runs a notebook among the targets cannot draw; ``trained`` is for all of its notebooks.

    Raises:
        InputError: as the notebook would, but for one that the preset has no runs for.
    """
    for name in preset.notebooks:
        if name in REQUIRED and (not targets or {name, "all", "trained"} & {*targets}):
            REQUIRED[name](preset)
