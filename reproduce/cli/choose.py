"""From what is typed to runs: ids, beginnings of names, and labels that were listed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from reproduce.batch import listing
from reproduce.runs.preset import Preset
from reproduce.runs.run import Run
from snnlib.checks import InputError, nearest, shown

_LISTED = 10  # runs that an error lists


def several(names: Collection[str] | None, preset: Preset) -> list[Run]:
    """The preset's runs that are meant by these, each once, in the order given; all if none is given."""
    runs = preset.all_runs()
    labels = {name: [run.label] for name, run in runs.items()}
    meant = dict.fromkeys(name for text in names or [] for name in _meant(text, labels, f"preset {preset.name}"))
    return [runs[name] for name in meant or runs]


def one(text: str, preset: Preset) -> Run:
    """The only run that is meant, of the preset or of the whole store; a label is first one of the preset."""
    known = {**listing.published(), **listing.in_store()}  # of what was only begun nothing may say what it is
    named, stored = preset.all_runs(), {name: run for name, run in known.items() if run is not None}
    runs = {**stored, **named}
    if len(labelled := [run for run in named.values() if run.label == text]) == 1:
        return labelled[0]
    both = {name: [lists[name].label for lists in (named, stored) if name in lists] for name in runs}
    return runs[_only(text, both, f"preset {preset.name} or the store")]


def one_stored(text: str) -> tuple[str, Run | None]:
    """The only run of the store that is meant, by its name; None if nothing says what it is."""
    return _one_of(text, listing.in_store(), "the store")


def one_known(text: str) -> tuple[str, Run | None]:
    """The only run that is meant, of the store or published; likewise."""
    return _one_of(text, {**listing.published(), **listing.in_store()}, "the store, or published")


def _one_of(text: str, runs: Mapping[str, Run | None], where: str) -> tuple[str, Run | None]:
    name = _only(text, {name: [run.label if run else name] for name, run in runs.items()}, where)
    return name, runs[name]


def _meant(text: str, labels: Mapping[str, Collection[str]], where: str) -> list[str]:
    """Names of runs: those with this id, or with this label if it has a +, else all that begin so; one at least.

    Args:
        labels: of each run by its name, as they were listed. One without a + is the beginning of others' names.
    """
    exact = [name for name, its in labels.items() if text in (name, name[-12:]) or ("+" in text and text in its)]
    found = exact or [name for name in labels if text and name.startswith(text)]  # every name begins with nothing
    if not found:
        like = nearest(text, (label for label, *_ in labels.values()))
        choices = f"nearest are {like}" if like else "there are none"
        raise InputError(f"name = {shown(text)}: must be an id or begin the name of a run of {where}; {choices}")
    return found


def _only(text: str, labels: Mapping[str, Collection[str]], where: str) -> str:
    labelled = [name for name, its in labels.items() if text in its]
    name, *others = labelled if len(labelled) == 1 else _meant(text, labels, where)
    if others:
        listed = [f"{name[-12:]} ({next(iter(labels[name]))})" for name in (name, *others)[:_LISTED]]
        more = f" and {len(others) + 1 - _LISTED} more" if len(others) >= _LISTED else ""
        raise InputError(f"name = {shown(text)}: several runs begin with it: {', '.join(listed)}{more}")
    return name
