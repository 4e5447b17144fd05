"""Runs for readers: those that a preset names, or all that the store has, with what became of them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pandas as pd

from reproduce.batch.estimate import span
from reproduce.batch.evaluated import usual
from reproduce.batch.train import FAILURE
from reproduce.runs import checkpoints, pretrained, stored
from reproduce.runs.labels import labels
from reproduce.runs.preset import Preset, load_preset
from reproduce.runs.preset_found import preset_names
from reproduce.runs.results import accuracy, known
from reproduce.runs.run import Run
from snnlib.checks import InputError
from snnlib.store.files import DamagedError
from snnlib.store.paths import runs_dir

ROW = ("run", "label", "uses", "state", "accuracy_t1", "accuracy", "seconds", "seconds_left", "on_h100")
OF_ANOTHER_VERSION = "of another version"


def of_preset(
    preset: Preset, left: Mapping[str, float], on_gpu: Sequence[Mapping[str, float]] = ()
) -> list[dict[str, Any]]:
    """A row for each run of a preset, its fields `ROW`: accuracies, as fractions, are those of its last evaluation.

    Args:
        left: seconds that each unfinished run will still take, from `reproduce.batch.estimate.estimate`.
        on_gpu: the same on an H100, at best and at worst.
    """
    used, rows = preset.uses(), []
    for name, run in preset.all_runs().items():
        row = dict.fromkeys(ROW) | {"run": name, "label": run.label, "uses": {preset.name: used[name]}}
        if name in left:
            row |= {"state": state(name, run), "seconds_left": left[name]}
            row |= {"on_h100": [seconds[name] for seconds in on_gpu] or None}
        else:
            at = accuracy(run, usual(preset, run)).groupby("timesteps").accuracy.mean()
            row |= {"state": "done", "accuracy_t1": at.iloc[0], "accuracy": at.iloc[-1]}
            row |= {"seconds": run.metadata["train_seconds"]}
        rows.append(row)
    return rows


def of_store() -> list[dict[str, Any]]:
    """A row for each run that the store has a folder for, or that is published, with the presets that ship and use it.

    Accuracies are those of the last evaluation of such a preset, or else those after the last epoch. Nothing is
    trained, evaluated or measured.
    """
    presets = shipped()
    runs = {**published(), **in_store(presets)}
    used = {preset.name: preset.uses() for preset in presets}
    rows = []
    for name, run in runs.items():
        row = dict.fromkeys(ROW) | {"run": name, "label": run.label if run else name, "state": state(name, run)}
        row["uses"] = {preset: known[name] for preset, known in used.items() if name in known}
        if run is not None and row["state"] in ("trained", "published"):
            first, last = _accuracies(run, [preset for preset in presets if preset.name in row["uses"]])
            row |= {"accuracy_t1": first, "accuracy": last, "seconds": run.metadata["train_seconds"]}
        rows.append(row)
    return sorted(rows, key=lambda row: row["label"])


def shipped() -> list[Preset]:
    """The presets that ship, without one that cannot be read."""
    found = []
    for name in preset_names():
        with suppress(InputError):
            found.append(load_preset(name))
    return found


def uses(name: str) -> dict[str, str]:
    """What a run is in each preset that ships and has it, by the preset's name: net and arm."""
    found = {preset.name: preset.uses() for preset in shipped()}
    return {preset: known[name] for preset, known in found.items() if name in known}


def in_store(presets: Iterable[Preset] | None = None) -> dict[str, Run | None]:
    """The store's runs by name, with labels that tell them apart; ``presets``: those that ship, if already loaded.

    None where nothing says what a run is: its metadata cannot be read, or is not yet there and no preset names it.
    """
    named = {name: run for preset in presets or shipped() for name, run in preset.all_runs().items()}
    runs = {name: stored.finished(name) or named.get(name) for name in stored.names()}
    called = labels(run.spec for run in runs.values() if run is not None)
    return {name: run and Run(run.spec, label=called[name]) for name, run in runs.items()}


def published() -> dict[str, Run]:
    """The published runs by name, without those that another version wrote, or that are damaged."""
    runs = {name: run for name in pretrained.names() if (run := stored.finished(name)) is not None}
    called = labels(run.spec for run in runs.values())
    return {name: Run(run.spec, label=called[name]) for name, run in runs.items()}


def state(name: str, run: Run | None) -> str:
    """What became of a run, in a word or two: missing, published, begun, failed, trained, damaged."""
    folder = runs_dir() / name
    if (folder / pretrained.METADATA).exists():
        if run is None:
            return OF_ANOTHER_VERSION if stored.readable(name) else "damaged"
        if run.damage():
            return "damaged"
        return "published" if "published" in run.metadata else "trained"
    if (folder / FAILURE).exists():
        return "failed"
    if pretrained.published(name) and not checkpoints.found(folder):  # a lock alone is no beginning
        return "damaged" if run and run.damage() else "published"
    return "begun" if folder.exists() else "missing"


def table(rows: Collection[Mapping[str, Any]], of_preset: bool = False) -> str:
    """Rows as Markdown; with ~, seconds that are still to come. ``of_preset``: all of one, which need not be named."""
    on_gpu = any(row["on_h100"] for row in rows)
    shown = [
        {
            "run": row["label"],
            "id": row["run"][-12:],
            "used as": "; ".join(use if of_preset else f"{preset}: {use}" for preset, use in row["uses"].items()),
            "state": row["state"],
            "T = 1, %": _percent(row["accuracy_t1"]),
            "T = last, %": _percent(row["accuracy"]),
            "seconds": _seconds(row["seconds"], row["seconds_left"]),
            **({"on an H100": _on_gpu(row["on_h100"])} if on_gpu else {}),
        }
        for row in rows
    ]
    return pd.DataFrame(shown).to_markdown(
        index=False, disable_numparse=True, colalign=[*["left"] * 4, *["right"] * (3 + on_gpu)]
    )


def _on_gpu(seconds: Sequence[float] | None) -> str:
    return span(seconds) if seconds else ""


def _seconds(taken: float | None, left: float | None) -> str:
    return f"~{left:.0f}" if left is not None else "" if taken is None else f"{taken:.0f}"


def _percent(fraction: float | None) -> str:
    return "" if fraction is None else f"{100 * fraction:.2f}"


def _accuracies(run: Run, presets: Collection[Preset]) -> tuple[float | None, float | None]:
    """At T = 1 and at the last T, as far as they are known."""
    for preset in presets:
        with suppress(DamagedError):
            if (held := known(run, usual(preset, run))) is not None:
                at = held.table.groupby("timesteps").accuracy.mean()
                return at.iloc[0], at.iloc[-1]
    last = run.history.iloc[-1]
    first, after = (last.get(column) for column in ("test_accuracy_t1", "test_accuracy"))
    return (None, None) if pd.isna(after) else (first, after)
