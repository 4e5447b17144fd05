"""What the runs behind a folder of figures were made with: ``runs.csv``, kept beside the figures."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from reproduce.experiments.changed import is_changed
from reproduce.experiments.over_seeds import ARCHITECTURE
from reproduce.experiments.titles import net_title
from reproduce.runs import stored
from reproduce.runs.pretrained import WEIGHTS
from snnlib.store.files import StoreError, regular

NAMES = ("run", "other_run", "runs", "our_runs", "opponent_runs")  # columns of the figures' CSV files that name runs
FILE = "runs.csv"
COLUMNS = [
    "run", "seed", "epochs", "device", "torch", "python", "commit", "clean", "instructions", "same_bytes",
    "started", "finished", "sittings", "train_seconds", "wall_seconds", "weights_sha256",
]  # fmt: skip
_TOLD = {
    "device": "device", "torch": "torch", "python": "python", "commit": "git commit", "clean": "working tree clean",
    "instructions": "instructions",
    "same_bytes": "same bytes if trained again",
}  # fmt: skip


def runs_named(folder: Path) -> list[str]:
    """The runs that the CSV files of a folder name, sorted; a file that cannot be read names none.

    What a reader changed in a notebook left files of other runs, which are not the preset's.
    """
    files = (file for file in folder.glob("*.csv") if file.name != FILE and not is_changed(file))
    return sorted(set().union(*map(named_in, files)))


def named_in(file: Path, nets: Collection[str] = ()) -> set[str]:
    """The runs that a CSV file names, none if it cannot be read.

    Args:
        nets: titles (`titles.net_title`) of those whose rows count, where rows say of which net they are.
    """
    table = _read(file, (*NAMES, *ARCHITECTURE))
    if nets and {*ARCHITECTURE} <= {*table}:
        titles = [net_title({**net, "width": float(net["width"])}) for net in table[ARCHITECTURE].to_dict("records")]
        table = table[[title in nets for title in titles]]
    return {name for column in NAMES for cell in table.get(column, pd.Series()).dropna() for name in cell.split()}


def made_with(folder: Path) -> pd.DataFrame:
    """What each run that is `runs_named` was made with, by the run store, or else by the ``runs.csv`` that is there.

    So figures keep what was known of runs that are no longer there.

    Returns:
        Columns run, seed, epochs, device, torch, python, commit (or version, where snnlib was installed without a
        repository), clean (the working tree: yes or no), instructions (that its kernels could use), same_bytes,
        started and finished (UTC), sittings (how many: one, and one more for each interruption), train_seconds,
        wall_seconds (evaluation while training and saving included), weights_sha256. What differs between sittings is
        there for each, joined by "; ". All but the name is empty where nothing is known: the run is not in the store,
        or damaged, and ``runs.csv`` did not have it.
    """
    before = {row.get("run"): row for row in _read(folder / FILE, COLUMNS).to_dict("records")}
    rows = [_stored(name) or before.get(name, {"run": name}) for name in runs_named(folder)]
    return pd.DataFrame(rows, columns=COLUMNS)


def overview(table: pd.DataFrame) -> str:
    """The table of `made_with` in a few lines; in brackets, how many runs."""
    known = table[table.weights_sha256.notna()]
    unknown = len(table) - len(known)
    lines = [f"runs: {len(table)}" + (f", {unknown} of them missing or damaged, with nothing known" if unknown else "")]
    for column, title in _TOLD.items() if len(known) else ():
        counts = known[column].value_counts(sort=False)
        lines.append(f"{title}: " + ", ".join(f"{value} ({number})" for value, number in counts.items()))
    if len(known):
        seconds = known.wall_seconds.astype(float).sum()
        lines.append(f"trained: {known.started.min()} to {known.finished.max()}, {seconds:,.0f} s over all runs")
    return "\n".join(lines)


def _stored(name: str) -> dict[str, Any] | None:
    """A run's row from the run store, None if it is not there, not finished or damaged."""
    run = stored.finished(name)
    if run is None or run.damage():
        return None
    found = run.metadata
    sittings = found["sittings"]
    alike = len({(s["device"], s.get("instructions"), *sorted(s["packages"].items())) for s in sittings}) == 1
    git = [s["git"] or {"commit": _released(s), "clean": "unknown"} for s in sittings]
    return {
        "run": name,
        "seed": found["spec"]["seed"],
        "epochs": found["spec"]["recipe"]["epochs"],
        "device": _joined(s["device"] for s in sittings),
        "torch": _joined(s["packages"]["torch"] for s in sittings),
        "python": _joined(s["python"] for s in sittings),
        "commit": _joined(g["commit"] for g in git),
        "clean": _joined({True: "yes", False: "no"}.get(g["clean"], g["clean"]) for g in git),
        "instructions": _joined(s.get("instructions", "unknown") for s in sittings),
        "same_bytes": _joined(s["same_bytes"] for s in sittings) if alike else "not promised: made on several machines",
        "started": sittings[0]["started"],
        "finished": sittings[-1]["finished"],
        "sittings": len(sittings),
        "train_seconds": round(found["train_seconds"], 1),
        "wall_seconds": round(found["wall_seconds"], 1),
        "weights_sha256": found["files"][WEIGHTS],
    }


def _released(sitting: dict[str, Any]) -> str:
    """The version of the package that was installed without a repository; older results do not tell it."""
    return f"version {sitting['snnlib']}" if "snnlib" in sitting else "unknown"


def _joined(values: Iterable[str]) -> str:
    """The one value, or if they differ all of them in order."""
    values = list(values)
    return values[0] if len(set(values)) == 1 else "; ".join(values)


def _read(file: Path, columns: Container[str]) -> pd.DataFrame:
    """Those of the columns that a CSV file has, as text; nothing if it cannot be read."""
    try:
        return pd.read_csv(regular(file), usecols=lambda column: column in columns, dtype=str)
    except (StoreError, OSError, ValueError):  # not there, not text, not a table, or nothing in it
        return pd.DataFrame()
