"""A parameter of a notebook: what it may be, what it changes, and how its value is read as it comes from a reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from reproduce.runs.preset import Preset
from reproduce.runs.preset_changes import read_value
from snnlib.checks import InputError, between, one_of, positive, shown, whole
from snnlib.dynamics import Converted
from snnlib.models import check_width

Check = Callable[[str, Any], None]  # refuses with an `InputError` that names it
Read = Callable[[str, Any], Any]  # the same, and returns the value that is used


@dataclass(frozen=True)
class Parameter:
    """What a reader may change in a notebook.

    Args:
        help: what it is, in half a line; the comment behind it in the notebook.
        read: its value as it is used, from what was given; an `InputError` if it cannot be.
        default: None: as the preset has it, which is changed by another value.
        sets: what it changes in the preset, a name of `reproduce.runs.preset_notebook.changed`; "": it is the figure's
            own, and nothing else depends on it.
        at_least: it is the figure's own as well, and raises the preset's T to the largest of its values, no more.
    """

    help: str
    read: Read
    default: Any = None
    sets: str = ""
    at_least: bool = False

    def value(self, name: str, given: Any) -> Any:
        """What was given as it is used; None is the preset's, where that is the default."""
        return None if given is None and self.default is None else self.read(name, given)

    def setting(self, value: Any) -> Any:
        """What the preset gets."""
        return max(value) if self.at_least and isinstance(value, list) else value

    def changes(self, value: Any, preset: Preset) -> bool:
        """Whether the preset gets it."""
        return bool(self.sets) and not (self.at_least and self.setting(value) <= preset.evaluation.timesteps)

    @property
    def own(self) -> bool:
        """Whether the notebook hands it to its figure; all else is in the preset."""
        return not self.sets or self.at_least


def one(check: Check) -> Read:
    """One value, that passes the check."""

    def read(name: str, value: Any) -> Any:
        check(name, value)
        return value

    return read


def several(check: Check, most: int, must: Any = None) -> Read:
    """A list of values, each there once and passing the check, ``must`` among them.

    papermill's ``-p`` leaves a list as the text that it was given as: "[2, 3, 8]" and "2,3,8" are read too, and one
    value alone is a list.
    """

    def read(name: str, value: Any) -> list[Any]:
        values = listed(value, most)
        if not 0 < len(values) <= most:
            raise InputError(f"{name} = {shown(value)}: must be a list of 1 to {most} values")
        for each in values:
            check(name, each)
        if len(set(values)) < len(values):
            raise InputError(f"{name} = {shown(values)}: must each be there once")
        if must is not None and must not in values:
            raise InputError(f"{name} = {shown(values)}: must have {must} among them")
        return values

    return read


def listed(value: Any, most: int) -> list[Any]:
    """The values of a list, however it was given; of more than ``most`` one more than that."""
    if isinstance(value, str):
        inside = value.strip().removeprefix("[").removesuffix("]")
        parts = (part.strip().strip("'\"") for part in inside.split(",", most + 1)[: most + 1])
        return [read_value(part) for part in parts if part]
    return list(value[: most + 1]) if isinstance(value, Sequence) and not isinstance(value, bytes) else [value]


def whole_number(least: int, most: int) -> Check:
    return partial(whole, least=least, most=most)


def in_range(low: float, high: float) -> Check:
    return partial(between, low=low, high=high)


def choice(choices: Iterable[str]) -> Check:
    return partial(one_of, choices=tuple(choices))


def a_name(name: str, value: Any) -> None:
    """Of a net or a run, which becomes part of a file's name."""
    if not isinstance(value, str) or not value.isprintable() or set("/\\") & set(value):
        raise InputError(f"{name} = {shown(value)}: must be a name, without / or \\")


def width(name: str, value: Any) -> None:
    check_width(value)


def size(name: str, value: Any) -> None:
    """Above 0, and not so large that a unit turns it into infinity."""
    positive(name, value)
    between(name, value, 0, 1_000_000)


def convertible(field: str) -> Check:
    """What `Converted` takes for this field."""

    def check(name: str, value: Any) -> None:
        try:
            Converted(**{field: value})
            float(value)
        except InputError as error:  # with its reason
            raise InputError(f"{name}{str(error).removeprefix(field)}") from None
        except OverflowError:  # a whole number of hundreds of digits
            raise InputError(f"{name} = {shown(value)}: must be at most 1e308, or inf") from None

    return check
