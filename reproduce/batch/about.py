"""One run of the store: what it is, what came of it, what it was made with, and its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd

from reproduce.batch import listing
from reproduce.runs import pretrained
from reproduce.runs.checkpoints import epochs_done
from reproduce.runs.evaluations import read
from reproduce.runs.labels import flat
from reproduce.runs.results import evaluated
from reproduce.runs.run import FILES, Run
from snnlib.store.files import DamagedError, check
from snnlib.store.paths import from_root, runs_dir

FINISHED, BEGUN = ("trained", "published"), ("begun", "failed")
AS_WRITTEN, UNKNOWN = "as written", ""  # UNKNOWN: nothing says what the file should be


def about(name: str, run: Run | None) -> dict[str, Any]:
    """All that is known of a run in the store, or published, as JSON has it: plain values, accuracies as fractions.

    Args:
        run: None if nothing says what it is; then there is no more than its files.
    """
    state = listing.state(name, run)
    in_store = run is None or state in BEGUN  # though it may be published, too
    folder = runs_dir() / name if in_store else run.place
    found: dict[str, Any] = {"run": name, "label": run.label if run else name, "state": state, "folder": str(folder)}
    found["uses"] = listing.uses(name)
    held = evaluated(run) if run is not None and state in FINISHED else []
    intact = {evaluation.file(run).stem for evaluation, _ in held}
    found["files"] = [
        {"file": path.name, "bytes": path.stat().st_size, "state": _checked(path, run, intact)}
        for path in sorted(folder.iterdir())
        if path.is_file()
    ]
    if run is None:
        return found
    found["spec"] = run.spec.model_dump(mode="json")
    if state not in FINISHED:
        return found | ({"epochs": epochs_done(folder)} if state in BEGUN else {})
    metadata, last = run.metadata, run.history.iloc[-1]
    found |= {"epochs": int(last.epoch), "last_epoch": {k: float(v) for k, v in last.items() if not pd.isna(v)}}
    found["evaluations"] = [
        {
            "evaluation": evaluation.spelled,
            "accuracy": {int(t): float(a) for t, a in table.groupby("timesteps").accuracy.mean().items()},
        }
        for evaluation, table in held
    ]
    return found | {name: metadata[name] for name in ("train_seconds", "wall_seconds", "sittings")}


def told(found: Mapping[str, Any]) -> str:
    """What `about` found, for readers."""
    uses = "; ".join(f"{preset}: {use}" for preset, use in found["uses"].items())
    parts = [f"{found['label']}: {found['state']}\nid {found['run'][-12:]}, {uses or 'used by no preset that ships'}"]
    if "spec" in found:
        parts.append(_two_columns("spec", dict(flat(found["spec"]))))
    if "last_epoch" in found:
        row = found["last_epoch"]
        parts.append(_two_columns("after the last epoch", {name: f"{value:g}" for name, value in row.items()}))
        parts.append(_accuracies(found["evaluations"]) if found["evaluations"] else "not evaluated")
        parts += [_two_columns("made with", dict(flat(sitting))) for sitting in found["sittings"]]
    elif "epochs" in found:
        parts.append(f"epochs done: {found['epochs']}")
    rows = [(file["file"], f"{file['bytes']:,}", file["state"]) for file in found["files"]]
    files = pd.DataFrame(rows, columns=[f"files in {from_root(Path(found['folder']))}", "bytes", "state"])
    parts.append(files.to_markdown(index=False, disable_numparse=True, colalign=["left", "right", "left"]))
    return "\n\n".join(parts)


def _accuracies(evaluations: list[dict[str, Any]]) -> str:
    """A row for each evaluation: its kind, what it has other than by default, and accuracies in percent."""
    rows = []
    for each in evaluations:
        fields, accuracy = dict(each["evaluation"]), each["accuracy"]
        kind, first, last = fields.pop("kind"), min(accuracy), max(accuracy)
        usual = read({"kind": kind}).spelled
        how = ", ".join(f"{name} = {value}" for name, value in flat(fields) if value != usual.get(name))
        rows.append((kind, how, f"{100 * accuracy[first]:.2f}", f"{100 * accuracy[last]:.2f}"))
    columns = ["evaluated", "with", "T = 1, %", "T = last, %"]
    return pd.DataFrame(rows, columns=columns).to_markdown(index=False, disable_numparse=True)


def _two_columns(title: str, values: Mapping[str, Any]) -> str:
    table = pd.DataFrame([(name, str(value)) for name, value in values.items()], columns=[title, ""])
    return table.to_markdown(index=False, disable_numparse=True)


def _checked(path: Path, run: Run | None, intact: Collection[str]) -> str:
    """Whether a file is as it was written; ``intact``: names of those that are, without their endings."""
    if path.stem in intact:
        return AS_WRITTEN
    if run is None or path.name not in FILES:
        return UNKNOWN
    with suppress(DamagedError):
        is_published = path == pretrained.folder(run.spec.name) / pretrained.WEIGHTS
        check(path, run.metadata["published"]["weights"] if is_published else run.metadata["files"][path.name])
        return AS_WRITTEN
    return "damaged"
