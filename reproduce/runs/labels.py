"""Labels that tell runs apart: a spec's own, and where several share it, the fields in which they differ."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reproduce.runs.spec import Spec

LAST = ("evaluate", "test_")  # how fields begin that say when and how it is tested: named if nothing else differs


def labels(specs: Iterable[Spec]) -> dict[str, str]:
    """A label for each of these specs, by its name, that no other of them has.

    Those that share their `Spec.label` are told apart by as few fields as that takes, each of which is named where it
    has not the most common value: ``...-gaussian-s0``, ``...-gaussian-s0+surrogate=arctan``.
    """
    alike: dict[str, list[Spec]] = {}
    for spec in {spec.name: spec for spec in specs}.values():
        alike.setdefault(spec.label, []).append(spec)
    return {
        spec.name: f"{label}{suffix}"
        for label, group in alike.items()
        for spec, suffix in zip(group, _suffixes(group), strict=True)
    }


def _suffixes(group: list[Spec]) -> list[str]:
    tables = [{path: _in_a_word(value) for path, value in flat(spec.model_dump(mode="json"))} for spec in group]
    columns = {path: [table.get(path, "") for table in tables] for path in {p: None for t in tables for p in t}}
    chosen: list[str] = []
    told: list[tuple[str, ...]] = [()] * len(group)

    def gain(path: str) -> tuple[bool, int, bool]:
        found = len(set(zip(told, columns[path], strict=True)))
        more = found > len(set(told)) and not path.rpartition(".")[2].startswith(LAST)
        return more, found, "" not in columns[path]  # a kind, before a field that only one kind has

    while len(set(told)) < len(group):  # specs differ in some field, or they had the same name
        chosen.append(max(columns, key=gain))
        told = [(*so_far, value) for so_far, value in zip(told, columns[chosen[-1]], strict=True)]
    short = {path: path.removesuffix(".kind").rpartition(".")[2] for path in chosen}
    counts = Counter(short.values())
    names = [short[path] if counts[short[path]] == 1 else path for path in chosen]
    usual = [Counter(column).most_common(1)[0][0] for column in zip(*told, strict=True)]
    return [
        "".join(f"+{n}={v}" for n, v, common in zip(names, values, usual, strict=True) if v != common)
        for values in told
    ]


def flat(fields: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Every field, behind those that it is in, and its value."""
    for name, value in fields.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _in_a_word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
