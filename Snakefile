# The whole companion at one preset: a job for each training run, a job for each notebook.
#
#   snakemake --profile profiles/local --config preset=cpu
#
# Every job calls the same functions that a notebook calls by hand, so what is done here is not done again there.

from functools import cache
from pathlib import Path

import torch

from snnlib.store.paths import figures_dir
from snnlib.runs.preset import load_preset
from snnlib.runs.run import Run
from snnlib.experiments.table1_networks import size

PRESET = load_preset(config.get("preset", "smoke"))
RUNS = PRESET.all_runs()
FIGURES = figures_dir() / PRESET.name
CODE = sorted(map(str, Path("snnlib").rglob("*.py")))
GPU = int(torch.cuda.is_available())


def pictures(*names):
    return [f"{name}.{ending}" for name in names for ending in ("svg", "png", "csv")]


def tables(*names):
    return [f"{name}.{ending}" for name in names for ending in ("csv", "md")]


# What each notebook leaves in figures/<preset>/.
NOTEBOOKS = {
    "method": pictures("method"),
    "table1_networks": tables("table1_networks"),
    "fig2_accuracy_vs_timesteps": pictures("fig2_accuracy_vs_timesteps"),
    "fig3_4_training_time": pictures("fig3_training_speed", "fig4_time_to_accuracy") + tables("fig4_training_cost"),
    "table2_inference_time": pictures("table2_accuracy_vs_timesteps")
    + tables("table2_inference_time", "table2_speedup"),
    "fig5_alpha": [*pictures("fig5_alpha"), "fig5_alpha_terms.csv"],
    "fig6_noise_type": pictures("fig6_noise_type"),
    "fig7_potential_dynamics": pictures("fig7_potential_dynamics") + tables("fig7_silence"),
    "silent_choices": pictures("silent_choices"),
    "beyond": pictures("beyond_anytime", "beyond_operations", "beyond_robustness")
    + tables("beyond_folding", "beyond_without_noise"),
    "claims": [*tables("claims"), "runs.csv"],
}


def evaluated(run):
    return [evaluation.file(run) for evaluation in PRESET.evaluations(run)]


def drawn(name):
    # The executed copy too: the figures may have come with a clone, and then they are not of this machine.
    return [f"build/{PRESET.name}/{name}.ipynb", *(FIGURES / file for file in NOTEBOOKS[name])]


def needed(name):
    """Its runs, evaluated; the claims are decided from what the other notebooks wrote."""
    if name == "claims":
        return [FIGURES / f for other in NOTEBOOKS if other != name for f in NOTEBOOKS[other] if f.endswith(".csv")]
    return [evaluated(run) for run in (PRESET.runs(name) if name in PRESET.notebooks else ())]


def unseeded(spec):
    return spec.model_copy(update={"seed": 0, "after": spec.after and unseeded(spec.after)})


def jobs():
    """Runs that are trained one after another, the costliest first, so that no core is left alone with one at the end.

    All seeds of a net are one job, and cheap nets share one: at the smallest scale, starting Python costs as much as
    training.
    """
    nets = {}
    for run in RUNS.values():
        nets.setdefault(unseeded(run.spec).key, []).append(run)
    enough = sum(map(work, RUNS.values())) / 25
    found = []
    for runs in sorted(nets.values(), key=lambda runs: sum(map(work, runs)), reverse=True):
        alone = runs[0].spec.after  # waits for another run, which may be in the job before
        if found and not alone and not found[-1][0].spec.after and sum(map(work, found[-1])) < enough:
            found[-1] += runs
        else:
            found.append(runs)
    return found


@cache
def macs(network, width):
    return size(network, width)[1]


def work(run):
    """Multiply-accumulates, about: the backward pass counts as two forward ones."""
    spec = run.spec
    training, test = spec.images
    passes = sum(e.timesteps * len(e.noise_seeds) for e in PRESET.evaluations(run))
    return macs(spec.network, spec.width) * (3 * training * spec.recipe.epochs * spec.timesteps + test * passes)


rule all:
    input:
        [drawn(name) for name in NOTEBOOKS],


rule trained:
    input:
        [evaluated(run) for run in RUNS.values()],


for number, runs in enumerate(jobs()):

    rule:
        name:
            f"train_{number}"
        input:
            [evaluated(Run(run.spec.after)) for run in runs if run.spec.after],
        output:
            update([str(file) for run in runs for file in evaluated(run)]),  # else deleted before a job, and if it fails
        params:
            runs=[run.spec.name for run in runs],
        threads: max(run.spec.recipe.threads for run in runs)
        priority: -number
        resources:
            gpu=GPU,
        shell:
            "python -m snnlib train {params.runs} --preset {PRESET.name}"


for name in NOTEBOOKS:

    rule:
        name:
            name
        input:
            f"notebooks/{name}.ipynb",
            f"snnlib/runs/presets/{PRESET.name}.toml",
            CODE,  # a redraw costs seconds; training is not repeated for an edit
            needed(name),
        output:
            update([str(file) for file in drawn(name)]),
        log:
            f"build/{PRESET.name}/{name}.log",
        params:
            notebook=name,
        resources:
            gpu=GPU,
        shell:
            "python -m snnlib draw {params.notebook} --preset {PRESET.name} > {log} 2>&1"
