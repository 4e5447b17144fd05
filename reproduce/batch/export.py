"""A trained run as a file for other programs: its weights, or a graph for neuromorphic hardware."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from reproduce.runs import pretrained
from reproduce.runs.evaluation import Evaluation
from reproduce.runs.evaluations import AsLIF, AsTrained, Conversion
from reproduce.runs.run import Run
from reproduce.runs.trained import ensure
from snnlib.checks import InputError, shown
from snnlib.own.network_file import save
from snnlib.store.files import write

ENDINGS = (".safetensors", ".nir")


def export(run: Run, file: Path, **conversion: Any) -> str:
    """Write a finished run's net to a file, by its ending; returns what is in it, and what is lost.

    A .safetensors has the trained weights and, in its metadata, spec and neurons: nothing is lost. A .nir has the net
    as it spikes over time: one trained at a single step is converted with frozen statistics, folded (Eqs. 7-9 are a
    leak and a bias then), and put down without its noise, for which NIR has no node.

    Args:
        file: not yet there.
        conversion: fields of a `Conversion` that are not to have their default, for .nir alone.

    Raises:
        InputError: an ending that is neither, a file that is there, a net that has no NIR graph, NIR is missing, a run
            that is published without its weights.
        DamagedError: the run is not finished, or damaged.
        StoreError: the file cannot be written.
    """
    if file.suffix not in ENDINGS:
        raise InputError(f"--to {shown(str(file))}: must end in {' or '.join(ENDINGS)}")
    if file.exists():
        raise InputError(f"--to {shown(str(file))}: is there already; remove it first, or name another")
    if file.suffix == ".nir":
        return _nir(run, file, conversion)
    if conversion:
        raise InputError(f"{' and '.join(conversion)}: only a .nir is of the converted net; the weights are the same")
    if damage := run.damage():
        raise damage
    net = _with_weights(run).model("cpu")
    save(net, file, {"run": run.spec.name, "spec": run.spec.model_dump(mode="json")})
    return f"{file}: {len(net.state_dict())} tensors for `snnlib.load`; their metadata `info` has spec and neurons"


def _with_weights(run: Run) -> Run:
    """The run as it is, or, where it is published, as it is then put into the store."""
    if run.done or not run.published:
        return run
    if not pretrained.published(run.spec.name, pretrained.WEIGHTS):
        raise InputError(f"{run.label}: is published without its weights; `python -m reproduce train` trains it")
    return ensure(run.spec, "cpu")


def _nir(run: Run, file: Path, conversion: dict[str, Any]) -> str:
    try:
        from snnlib.deploy.folding import fold
        from snnlib.deploy.nir_export import to_nir, write_nir  # only this needs the `export` extra
    except ImportError as error:
        raise InputError(f"--to {shown(str(file))}: needs the extra `export` of snnlib ({error})") from None
    evaluation = _spiking(run, conversion)
    evaluation.fits(run.spec)
    net = evaluation.network(_with_weights(run), "cpu")
    graph = to_nir(fold(net) if isinstance(evaluation, Conversion) else net)
    with TemporaryDirectory() as folder:
        write(file, write_nir(graph, Path(folder) / "graph.nir").read_bytes())
    lost, open_ = (graph.metadata[name].split("\n") for name in ("not_expressed", "left_open"))
    lines = [f"{file}: {len(graph.nodes)} nodes; {type(evaluation).__name__}: {evaluation}"]
    lines += ["lost, since NIR cannot express it:", *(f"  {line}" for line in lost)]
    return "\n".join([*lines, "left to the simulator:", *(f"  {line}" for line in open_)])


def _spiking(run: Run, conversion: dict[str, Any]) -> Evaluation:
    """How a run's net spikes over time, in neurons that NIR has."""
    kind = run.spec.dynamics.kind
    if run.spec.noisy:
        return Conversion(**conversion, statistics="frozen")
    if conversion:
        raise InputError(f"{' and '.join(conversion)}: only a net that is trained with noise is converted by that")
    if kind == "single_step":
        return AsLIF()
    if kind == "lif":
        return AsTrained()
    raise InputError(f"dynamics = {kind}: must be single_step or lif for NIR, which has no node for soft reset")
