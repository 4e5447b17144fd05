"""Command line: ``python -m snnlib --help``."""

from __future__ import annotations

import io
import logging
import signal
import sys
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from snnlib.batch import listing, readme
from snnlib.batch import train as batch
from snnlib.batch.estimate import estimate, time_left
from snnlib.batch.parent import end_with_parent
from snnlib.batch.starting import INTERRUPTED, started
from snnlib.batch.workflow import WorkflowError, draw_notebook, figures
from snnlib.checks import InputError, one_of, short, shown, whole
from snnlib.data.sets import DATASETS, DataError, load_dataset
from snnlib.experiments import compare
from snnlib.runs.preset import Preset, load_preset, preset_names
from snnlib.runs.results import accuracy
from snnlib.runs.run import Run
from snnlib.store.files import StoreError
from snnlib.training.evaluation import MOST_NOISE_SEEDS
from snnlib.training.failures import TrainingError

app = typer.Typer(
    help="Train, list and evaluate the runs of a preset, and draw the figures from them.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

_UsageError = typer.BadParameter.__base__  # of click, which newer versions of typer bring along


def as_number(text: str) -> float:
    """An option's value; typer's own parsers do not name it when they refuse it."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)}: must be a number") from None


def as_whole(text: str) -> int:
    """Likewise."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{shown(text)}: must be a whole number") from None


PresetName = Annotated[str, typer.Option("--preset", help=", ".join(preset_names()))]
Name = Annotated[str, typer.Argument(help="a run's name, or its beginning, see `runs`")]
Names = Annotated[list[str] | None, typer.Argument(help="names of runs, or their beginnings; all if none is given")]


@app.command("runs")
def list_runs(preset: PresetName = "smoke") -> None:
    """List the runs of a preset: what is done, what is missing, and how long that will take.

    Seconds are those that training took, or with ~ those that are still to come, evaluation included: an estimate
    from a throughput that is measured now.
    """
    p = load_preset(preset)
    left = estimate(p)
    print(
        listing.states(p, left).to_markdown(
            index=False, disable_numparse=True, colalign=[*["left"] * 3, *["right"] * 3]
        )
    )
    print(f"\n{time_left(p, left)}")


@app.command("train")
def train_preset(names: Names = None, preset: PresetName = "smoke") -> None:
    """Train runs of a preset, or resume or skip them, and evaluate each as the preset says."""
    p = load_preset(preset)
    runs = _select(p, names)
    batch.train_runs(runs, p)
    print(f"{len(runs)} run{'s' * (len(runs) > 1)}: trained and evaluated")


@app.command("evaluate")
def evaluate_run(
    name: Name,
    preset: PresetName = "smoke",
    alpha: Annotated[
        float | None, typer.Option(parser=as_number, help="range of the potential term, 2 to inf (step 2)")
    ] = None,
    beta: Annotated[float | None, typer.Option(parser=as_number, help="its mean, 0 to 1")] = None,
    leak: Annotated[float | None, typer.Option(parser=as_number, help="lambda, 0 to 1")] = None,
    statistics: Annotated[str | None, typer.Option(help="layer, sample or frozen")] = None,
    first_step: Annotated[str | None, typer.Option(help="noise or rest")] = None,
    percentile: Annotated[
        float | None, typer.Option(parser=as_number, help="of activations, as threshold (relu nets)")
    ] = None,
    v_init: Annotated[
        float | None, typer.Option(parser=as_number, help="V(0) in thresholds (relu and qcfs nets)")
    ] = None,
    timesteps: Annotated[int | None, typer.Option(parser=as_whole, help="accuracy at every T up to this one")] = None,
    noise_seeds: Annotated[int | None, typer.Option(parser=as_whole, help="how many")] = None,
) -> None:
    """Accuracy of one run at every T, mean and standard deviation over noise seeds, in percent.

    Single-step nets are converted by alpha, beta, leak, statistics and first step, relu and qcfs nets by percentile
    and v_init. Options that are not given come from the preset.
    """
    if noise_seeds is not None:
        whole("--noise-seeds", noise_seeds, 1, MOST_NOISE_SEEDS)
    p = load_preset(preset)
    found = _select(p, [name])
    if len(found) > 1:
        uses = p.uses()
        choices = [f"{run.spec.name} ({uses[run.spec.name]})" for run in found]
        one_of(f"preset {p.name}, name (several runs begin with it)", name, choices)
    (run,) = found
    seeds = None if noise_seeds is None else tuple(range(noise_seeds))
    given = {
        "alpha": alpha, "beta": beta, "leak": leak, "statistics": statistics, "first_step": first_step,
        "percentile": percentile, "v_init": v_init, "timesteps": timesteps, "noise_seeds": seeds,
    }  # fmt: skip
    evaluation = p.evaluations(run)[-1].changed(**{k: v for k, v in given.items() if v is not None})
    evaluation.fits(run.spec)
    table = accuracy(run, evaluation)
    several = len(evaluation.noise_seeds) > 1
    percent = table.accuracy.mul(100).groupby(table.timesteps).agg(["mean", "std"] if several else ["mean"])
    print(f"{run.spec.name}\n{type(evaluation).__name__}: {evaluation}")
    print(percent.to_markdown(floatfmt=".2f"))


@app.command("tune")
def tune_rates(
    nets: Annotated[list[str] | None, typer.Argument(help="nets of the preset; all if none is given")] = None,
    preset: PresetName = "smoke",
) -> None:
    """Choose the peak learning rate of each arm: the best of three on held-out training images.

    Arms that take another's rate are left out. Prints what the preset's file is to have, but does not change it.
    """
    from snnlib.batch.tune import tune  # brings matplotlib

    print(tune(load_preset(preset), nets or ()))


@app.command()
def data(name: Annotated[str, typer.Argument(help=", ".join(DATASETS))]) -> None:
    """Download a data set, or check the one that is there."""
    d = load_dataset(name)
    print(f"{name}: {len(d.train):,} training and {len(d.test):,} test images, checksums right")


@app.command("draw")
def draw_one(notebook: Annotated[str, typer.Argument()], preset: PresetName = "smoke") -> None:
    """Execute one notebook; its figures go to figures/mine/PRESET/, the executed copy to build/PRESET/."""
    print(draw_notebook(notebook, load_preset(preset)))


@app.command()
def claims(preset: PresetName = "smoke") -> None:
    """Print the verdict on each claim of the paper, as the notebook `claims` wrote them at a preset."""
    print(readme.drawn(preset))


@app.command("compare")
def compare_with_published(preset: PresetName = "smoke") -> None:
    """Print your own key numbers and verdicts beside the published ones, and whether they agree."""
    print(compare.report(load_preset(preset).name))


@app.command("publish")
def publish_results(preset: PresetName = "smoke") -> None:
    """Draw what is out of date and copy it to figures/PRESET/; of smoke, renew notebooks, README and docs too."""
    from snnlib.batch import publish as publishing  # brings matplotlib, 0.3 s that each training job would pay for

    print(publishing.publish_preset(load_preset(preset)))


@app.command()
def bench(
    peers: Annotated[bool, typer.Option("--peers", help="also SpikingJelly, snnTorch and Norse, if installed")] = False,
    scaling: Annotated[
        bool, typer.Option("--scaling", help="how time and memory grow with T, batch and width")
    ] = False,
    rounds: Annotated[int, typer.Option(parser=as_whole, help="how often everybody takes a turn")] = 7,
    publish: Annotated[
        bool, typer.Option("--publish", help="only copy what was last measured to figures/bench/ and docs/")
    ] = False,
) -> None:
    """Time the paper's full-width CNN, ours against its ReLU twin, or see how it scales; to figures/mine/bench/.

    Neurons are compiled where there is a C++ compiler. Leave the machine alone meanwhile.
    """
    whole("--rounds", rounds, 3, 1000)
    from snnlib.bench import report as bench_report  # brings matplotlib

    if publish:
        print(bench_report.publish_bench())
    else:
        print(bench_report.bench_scaling(rounds) if scaling else bench_report.bench_steps(peers=peers, rounds=rounds))


@app.command("figures")
def draw_all(
    targets: Annotated[
        list[str] | None, typer.Argument(help="notebooks, trained, or all, which is meant if none is given")
    ] = None,
    preset: PresetName = "smoke",
) -> None:
    """Train what is missing and draw what is out of date, in parallel, then list what was drawn."""
    print(figures(load_preset(preset), *targets or ()))


def _select(preset: Preset, names: list[str] | None) -> list[Run]:
    """The preset's runs whose name begins with one of these; all if none is given."""
    runs = preset.all_runs()
    for name in names or []:
        if not name or not any(full.startswith(name) for full in runs):  # every name begins with nothing
            labels = sorted({run.spec.label for run in runs.values()})
            one_of(f"preset {preset.name}, beginning of a run's name", name, labels)
    return [run for full, run in runs.items() if not names or full.startswith(tuple(names))]


def main() -> None:
    """Run the command line.

    Exit codes: 2 after an error, which is one line with its way out; 1 if a part of a batch failed, a line each; 130
    after Ctrl-C or a signal to end, one line too.
    """
    started()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that knows no ± gets \xb1
    end_with_parent()
    for level, word in ((logging.INFO, ""), (logging.WARNING, "warning: "), (logging.ERROR, "error: ")):
        logging.addLevelName(level, word)  # by which `figures` knows what in a job's log a reader is to see at once
    logging.basicConfig(format="%(levelname)s%(message)s", stream=sys.stderr)
    logging.raiseExceptions = False  # a log that cannot be written, on a full disk, stops nothing
    logging.getLogger("snnlib").setLevel(logging.INFO)
    for other in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(other) == signal.SIG_DFL:  # nohup has it ignored
            signal.signal(other, signal.default_int_handler)
    try:
        interrupted = app(sys.argv[1:] or ["--help"], standalone_mode=False) == INTERRUPTED
    except _UsageError as error:
        _fail(_usage(error))
    except (InputError, DataError, StoreError, TrainingError, WorkflowError) as error:
        _fail(str(error))
    except batch.BatchError as error:  # a part of it; the rest is done
        print(error, file=sys.stderr)
        sys.exit(1)
    except OSError as error:  # of the output, or of what lies outside of the stores
        _fail(str(error))
    except (KeyboardInterrupt, typer.Abort):  # which of these, or the code, depends on typer's version
        interrupted = True
    if interrupted:
        print("interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _fail(message: str) -> NoReturn:
    with suppress(OSError):
        print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _usage(error: _UsageError) -> str:
    """What is wrong with a command line; where it is a name, which commands or options there are."""
    message = short(error.format_message(), 300)
    if error.ctx is None or isinstance(error, typer.BadParameter):
        return message
    command = error.ctx.command
    choices = getattr(command, "commands", None) or [o for p in command.params for o in p.opts if o.startswith("-")]
    return f"{message} ({command.name or 'commands'}: {', '.join(choices)})" if choices else message


if __name__ == "__main__":
    main()
