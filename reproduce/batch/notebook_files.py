"""What each notebook leaves in the folder of its preset: drawn by the workflow, published all together."""

from __future__ import annotations


def _drawn(*names: str) -> list[str]:
    return [f"{name}.{ending}" for name in names for ending in ("svg", "png")]


def _pictures(*names: str) -> list[str]:
    return [file for name in names for file in (*_drawn(name), f"{name}.csv")]


def _tables(*names: str) -> list[str]:
    return [f"{name}.{ending}" for name in names for ending in ("csv", "md")]


NOTEBOOK_FILES = {
    "method": _pictures("method", "method_firing", "method_raster"),
    "table1_networks": _tables("table1_networks"),
    "fig2_accuracy_vs_timesteps": [
        *_pictures("fig2_accuracy_vs_timesteps"),
        *_pictures("fig2_ties"),
        "fig2_gains.csv",
        "fig2_levels.csv",
    ],
    "fig3_4_training_time": _pictures("fig3_training_speed", "fig4_time_to_accuracy")
    + [*_drawn("fig3_training_flop"), *_tables("fig4_training_cost"), "fig3_contrasts.csv"],
    "table2_inference_time": _pictures("table2_accuracy_vs_timesteps")
    + _tables("table2_inference_time", "table2_speedup")
    + ["table2_over_relu.csv"],
    "fig5_alpha": [
        *_pictures("fig5_alpha", "fig5_lossless", "fig5_memory"),
        *_tables("fig5_cancellation"),
        "fig5_effects.csv",
    ],
    "fig6_noise_type": [*_pictures("fig6_noise_type"), "fig6_gaps.csv"],
    "fig7_potential_dynamics": _pictures("fig7_potential_dynamics") + _tables("fig7_silence"),
    "what_noise_does": [*_pictures("what_noise_does"), "what_noise_does_contrasts.csv"],
    "silent_choices": [
        *_pictures("silent_choices"),
        *_drawn("silent_choices_conversion"),
        "silent_choices_effects.csv",
    ],
    "memories": _pictures("memories", "memories_layers", "memories_spread", "memories_chance", "memories_ceiling")
    + [*_drawn("memories_over_noise"), *_tables("memories_steps"), "memories_contrasts.csv"],
    "one_pass": [
        *_pictures("one_pass"),
        *_drawn("one_pass_others"),
        *_tables("one_pass_costs"),
        "one_pass_contrasts.csv",
    ],
    "record": [*_drawn("record_tricks"), *_pictures("record"), *_tables("record_ablation"), "record_levels.csv"],
    "beyond": _pictures("beyond_anytime", "beyond_operations", "beyond_robustness")
    + _tables("beyond_folding", "beyond_without_noise")
    + ["beyond_equal_accuracy.csv"],
    "own_network": _pictures("own_network"),
    "explorer": _pictures("explorer"),
    "claims": [*_tables("claims"), "claims_beyond.csv", "runs.csv"],
}
