# The whole companion at one preset: a job for each training run, a job for each notebook.
#
#   snakemake --profile profiles/local --config preset=cpu
#
# Every job calls the same functions that a notebook calls by hand, so what is done here is not done again there.

from pathlib import Path

import torch

from snnlib.paths import figures_dir, runs_dir
from snnlib.preset import load_preset
from snnlib.runs import Run

PRESET = load_preset(config.get("preset", "smoke"))
RUNS = PRESET.all_runs()
FIGURES = figures_dir() / PRESET.name
CODE = sorted(map(str, Path("snnlib").rglob("*.py")))
PICTURE, TABLE = ("svg", "png", "csv"), ("md", "csv")

# What each notebook leaves in figures/<preset>/.
NOTEBOOKS = {
    "method": PICTURE,
    "table1_networks": TABLE,
    "fig2_accuracy_vs_timesteps": PICTURE,
    "fig7_potential_dynamics": PICTURE,
}


def evaluated(run):
    return [evaluation.file(run) for evaluation in PRESET.evaluations(run)]


def drawn(name):
    # The executed copy too: the figures may have come with a clone, and then they are not of this machine.
    return [f"build/{PRESET.name}/{name}.ipynb", *(FIGURES / f"{name}.{ending}" for ending in NOTEBOOKS[name])]


rule all:
    input:
        [drawn(name) for name in NOTEBOOKS],


rule trained:
    input:
        [evaluated(run) for run in RUNS.values()],


# The costliest first, so that no core is left alone with one at the end.
for number, run in enumerate(sorted(RUNS.values(), key=lambda run: -run.spec.timesteps * run.spec.recipe.epochs)):

    rule:
        name:
            f"train_{number}"
        input:
            evaluated(Run(run.spec.after)) if run.spec.after else [],
        output:
            evaluated(run),
        params:
            run=run.spec.name,
        threads: run.spec.recipe.threads
        priority: -number
        resources:
            gpu=int(torch.cuda.is_available()),
        shell:
            "python -m snnlib train {params.run} --preset {PRESET.name}"


for name in NOTEBOOKS:

    rule:
        name:
            name
        input:
            f"notebooks/{name}.ipynb",
            f"snnlib/presets/{PRESET.name}.yaml",
            CODE,  # a redraw costs seconds; training is not repeated for an edit
            [evaluated(run) for run in (PRESET.runs(name) if name in PRESET.notebooks else [])],
        output:
            drawn(name),
        log:
            f"build/{PRESET.name}/{name}.log",
        params:
            notebook=name,
        resources:
            gpu=int(torch.cuda.is_available()),
        shell:
            "python -m snnlib draw {params.notebook} --preset {PRESET.name} > {log} 2>&1"
