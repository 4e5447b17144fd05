"""Commands on the run store: what is in it, what one run is, and how one leaves."""

from __future__ import annotations

import sys
from typing import Annotated

import torch
import typer

from reproduce.batch import listing, pretrained, roofline
from reproduce.batch.about import about, told
from reproduce.batch.estimate import estimate, on_gpus, time_left
from reproduce.batch.export import export
from reproduce.cli import choose
from reproduce.cli.options import PRESETS, Changes, Json, Name, as_number, as_path, print_json
from reproduce.runs import stored
from reproduce.runs.preset import load_preset
from reproduce.runs.run import default_device
from snnlib.checks import InputError
from snnlib.store.files import DamagedError, explained
from snnlib.store.paths import from_root, runs_dir


def list_runs(
    preset: Annotated[str | None, typer.Option("--preset", help=PRESETS)] = None,
    changes: Changes = None,
    as_json: Json = False,
) -> None:
    """List every run of the store; or those of a preset, what is missing, and how long that will take.

    Of a run in no preset that ships, accuracies are those after its last epoch. Seconds are those that training took,
    or with ~ those that are still to come, evaluation included: an estimate from a throughput that is measured now,
    and for an H100 one from a model.
    """
    if preset is None:
        if changes:
            raise InputError("--set: must come with --preset")
        rows, last = listing.of_store(), f"in the store ({from_root(runs_dir())})"
    else:
        p = load_preset(preset, changes or ())
        left, gpu = estimate(p), default_device() == "cuda"  # where there is one, that was measured on it
        modelled = () if gpu else roofline.estimates(p)
        rows, last = listing.of_preset(p, left, modelled), time_left(p, left)
        if left and gpu:
            last += f"\n{on_gpus(p, [left], torch.cuda.get_device_name(), 'measured here')}"
        elif left:
            last += f"\n{on_gpus(p, modelled, roofline.H100.name, roofline.BASIS)}"
    if as_json:
        print_json({"store": str(runs_dir()), "preset": preset, "runs": rows})
    elif rows:
        print(f"{listing.table(rows, of_preset=preset is not None)}\n\n{last}")
    else:
        print(f"no runs {last}")


def show_run(name: Name, as_json: Json = False) -> None:
    """Say what a run is, of the store or published: spec, last epoch, accuracies, what it was made with, its files."""
    found = about(*choose.one_known(name))
    print_json(found) if as_json else print(told(found))


def export_run(
    name: Name,
    to: Annotated[str, typer.Option("--to", help="a new file that ends in .safetensors or .nir")],
    alpha: Annotated[float | None, typer.Option(parser=as_number, help="of the conversion, for .nir")] = None,
    beta: Annotated[float | None, typer.Option(parser=as_number, help="likewise")] = None,
    leak: Annotated[float | None, typer.Option(parser=as_number, help="likewise")] = None,
) -> None:
    """Write the weights of a run to a file (.safetensors), or its net as it spikes over time (.nir).

    In NIR there is no noise: what is lost is printed, and stands in the file.
    """
    full, run = choose.one_known(name)
    if run is None:
        raise DamagedError(f"{runs_dir() / full}: not finished, damaged, or of another version")
    given = {"alpha": alpha, "beta": beta, "leak": leak}
    print(export(run, as_path("--to", to), **{k: v for k, v in given.items() if v is not None}))


def publish_runs(
    names: Annotated[list[str], typer.Argument(help="ids, or how names of runs begin")],
    weights: Annotated[bool, typer.Option("--weights", help="with weights, rounded to bfloat16")] = False,
) -> None:
    """Copy what is known of runs to data/pretrained/: figures are then drawn from it without training."""
    for name in names:
        full, run = choose.one_stored(name)
        if run is None:
            raise DamagedError(f"{runs_dir() / full}: not finished, damaged, or of another version")
        print(from_root(pretrained.publish_net(run) if weights else pretrained.publish(run)))


def remove_run(name: Name, yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask")] = False) -> None:
    """Remove a run and its evaluations from the store. Asks first; refuses while a process is at work on it."""
    full, run = choose.one_stored(name)
    folder = runs_dir() / full
    with explained(folder):
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    uses = ", ".join(f"{preset} ({use})" for preset, use in listing.uses(full).items())
    what = [run.label if run else full, listing.state(full, run), f"{size / 2**20:.1f} MiB"]
    if yes or _agreed(f"remove {', '.join([*what, f'used by {uses}'] if uses else what)}? [y/N] "):
        print(f"removed {from_root(stored.remove(full))}")
    else:
        print("nothing was removed")


def _agreed(question: str) -> bool:
    print(question, end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise InputError("nobody answered, so nothing was done; --yes answers beforehand")
    return answer.strip().lower() in ("y", "yes")
