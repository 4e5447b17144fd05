# The whole companion at one preset: a job for each training run, a job for each notebook.
#
#   snakemake --profile profiles/local --config preset=cpu    (or the absolute path of a TOML file)
#
# On this machine cheap runs share a job. On a cluster (profiles/slurm) each has one of its own, which asks for what it
# needs, and GPUs are the cluster's to hand out.
#
# Every job calls the same functions that a notebook calls by hand, so what is done here is not done again there.

from pathlib import Path

import torch

from reproduce.batch.done import outputs
from reproduce.batch.evaluated import evaluations, of_notebook
from reproduce.batch.jobs import computed, jobs
from reproduce.batch.killed import log_file, status_file, training
from reproduce.batch.notebook_files import NOTEBOOK_FILES
from reproduce.batch.resources import Cluster
from reproduce.batch.workflow import apart
from reproduce.runs.preset import load_preset
from reproduce.runs.preset_folder import figures_of
from reproduce.runs.run import Run
from snnlib.store.paths import build_dir

PRESET = load_preset(str(config.get("preset", "smoke")))
RUNS = PRESET.all_runs()
FIGURES = figures_of(PRESET)
CODE = sorted(str(p) for top in ("snnlib", "reproduce") for p in Path(top).rglob("*.py"))
LOGS = build_dir() / PRESET.name
LOGS.mkdir(parents=True, exist_ok=True)
CLUSTER = Cluster.of(config)
GPU = int(torch.cuda.is_available())  # of this machine, which a cluster's jobs never see


# A process that is killed cannot say so: its exit code does, which is left beside its log.
# SNNLIB_GPUS is how many of this machine's a job takes for itself.
ARMED = f"rm -f {{params.status:q}}; {'' if CLUSTER else 'SNNLIB_GPUS={resources.gpu} '}python -X faulthandler -m reproduce"
LEFT = "|| {{ echo ${{PIPESTATUS[0]}} > {params.status:q}; exit 1; }}"


def evaluated(run):
    return [evaluation.file(run) for evaluation in evaluations(PRESET, run)]


def needed(name):
    """Its runs, evaluated; the claims are decided from what the other notebooks wrote."""
    if name == "claims":
        return [FIGURES / f for other in NOTEBOOK_FILES if other != name for f in NOTEBOOK_FILES[other] if f.endswith(".csv")]
    runs = PRESET.runs(name) if name in PRESET.notebooks else ()
    return [evaluation.file(run) for run in runs for evaluation in of_notebook(name, PRESET, run)]


def asked(runs):
    """What the job of these runs asks for, or that of a notebook, without any."""
    if CLUSTER is None:
        return {"gpu": GPU * max((run.spec.recipe.devices for run in runs), default=1)}
    return CLUSTER.training(*runs, PRESET) if runs else CLUSTER.drawing()


rule all:
    input:
        [outputs(PRESET, name) for name in NOTEBOOK_FILES],


rule trained:
    input:
        [evaluated(run) for run in RUNS.values()],


for number, runs in enumerate(jobs(PRESET, apart=apart(CLUSTER))):

    rule:
        name:
            training(runs)
        input:
            [evaluated(Run(spec)) for run in runs for spec in run.spec.before],
        output:
            update([str(file) for run in runs for file in computed(run, PRESET)]),  # else deleted before a job, and if it fails
        params:
            runs=[run.spec.name for run in runs],
            preset=PRESET.given,
            status=status_file(LOGS, training(runs)),
        log:
            log_file(LOGS, training(runs)),
        threads: max(run.spec.recipe.threads * run.spec.recipe.devices for run in runs)
        priority: -number
        resources:
            **asked(runs),
        shell:
            f"{ARMED} train {{params.runs}} --preset {{params.preset:q}} > {{log:q}} 2>&1 {LEFT}"


for name in NOTEBOOK_FILES:

    rule:
        name:
            name
        input:
            f"notebooks/{name}.ipynb",
            str(PRESET.file),
            CODE,  # a redraw costs seconds; training is not repeated for an edit
            needed(name),
        output:
            update([str(file) for file in outputs(PRESET, name)]),
        log:
            log_file(LOGS, name),
        params:
            notebook=name,
            preset=PRESET.given,
            status=status_file(LOGS, name),
        resources:
            **asked([]),
        shell:
            f"{ARMED} draw {{params.notebook}} --preset {{params.preset:q}} > {{log:q}} 2>&1 {LEFT}"
