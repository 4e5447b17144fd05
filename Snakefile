# The whole companion at one preset: a job for each training run, a job for each notebook.
#
#   snakemake --profile profiles/local --config preset=cpu
#
# Every job calls the same functions that a notebook calls by hand, so what is done here is not done again there.

from pathlib import Path

import torch

from snnlib.batch.jobs import jobs
from snnlib.batch.notebook_files import NOTEBOOK_FILES
from snnlib.store.paths import figures_dir
from snnlib.runs.preset import load_preset
from snnlib.runs.run import Run

PRESET = load_preset(config.get("preset", "smoke"))
RUNS = PRESET.all_runs()
FIGURES = figures_dir() / PRESET.name
CODE = sorted(map(str, Path("snnlib").rglob("*.py")))
GPU = int(torch.cuda.is_available())


def evaluated(run):
    return [evaluation.file(run) for evaluation in PRESET.evaluations(run)]


def drawn(name):
    return [f"build/{PRESET.name}/{name}.ipynb", *(FIGURES / file for file in NOTEBOOK_FILES[name])]


def needed(name):
    """Its runs, evaluated; the claims are decided from what the other notebooks wrote."""
    if name == "claims":
        return [FIGURES / f for other in NOTEBOOK_FILES if other != name for f in NOTEBOOK_FILES[other] if f.endswith(".csv")]
    return [evaluated(run) for run in (PRESET.runs(name) if name in PRESET.notebooks else ())]


rule all:
    input:
        [drawn(name) for name in NOTEBOOK_FILES],


rule trained:
    input:
        [evaluated(run) for run in RUNS.values()],


for number, runs in enumerate(jobs(PRESET)):

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


for name in NOTEBOOK_FILES:

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
