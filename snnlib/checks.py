"""One-line errors for bad values: what the value was, and what is allowed."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Collection, Iterable
from numbers import Integral, Real
from typing import Any, TypeVar

T = TypeVar("T")

_SHOWN = 80  # characters of a value in an error
_LISTED, _NEAREST = 30, 3  # choices that an error lists; of more it names so many
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _SHOWN


class OneLine:
    """Mixed into an exception whose message says it all: in a notebook that line stands in place of the traceback.

    IPython asks for it (its "custom exception tracebacks"); `%debug` still finds where it was raised, and nbclient,
    papermill and nbval see a failed cell as ever.
    """

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


class InputError(OneLine, ValueError):
    """A value that cannot be used; the message is one line and names it and what is allowed."""


def short(text: str, most: int = _SHOWN) -> str:
    """The text as one line of printable characters, its middle left out where it is too long."""
    if len(text) > most:
        half = (most - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(text.split()))


def shown(value: object) -> str:
    """A value as errors show it."""
    try:
        return short(_REPR.repr(value))
    except ValueError:  # Python does not write whole numbers of thousands of digits
        return f"a huge {type(value).__name__}"


def number(name: str, value: float, allowed: str = "a number") -> None:
    """Refuse anything but a number, infinite or not, with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Real) or value != value:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def positive(name: str, value: float) -> None:
    """Refuse anything but a finite number above zero with an `InputError`."""
    allowed = "a finite number above 0"
    number(name, value, allowed)
    if not 0 < value < math.inf:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def finite(name: str, value: float) -> None:
    """Refuse anything but a finite number with an `InputError`."""
    allowed = "a finite number"
    number(name, value, allowed)
    if not -math.inf < value < math.inf:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def between(name: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a number in [low, high] with an `InputError`."""
    allowed = f"a number between {low} and {high}"
    number(name, value, allowed)
    if not low <= value <= high:
        raise InputError(f"{name} = {shown(value)}: must be {allowed}")


def magnitude(name: str, value: float) -> None:
    """Refuse with an `InputError` all but a positive number whose square and inverse single precision can hold."""
    positive(name, value)
    between(name, value, 1e-6, 1_000_000)


def moderate(name: str, value: float) -> None:
    """Refuse with an `InputError` all but a number whose square single precision can hold."""
    finite(name, value)
    between(name, value, -1_000_000, 1_000_000)


def whole(name: str, value: int, least: int, most: float = math.inf) -> None:
    """Refuse anything but a whole number in [least, most] with an `InputError`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise InputError(f"{name} = {shown(value)}: must be a whole number of at least {least}")
    if value > most:
        raise InputError(f"{name} = {shown(value)}: must be at most {most}")


def instance(name: str, value: object, kind: type, example: str) -> None:
    """Refuse anything but an object of this kind with an `InputError`; a class is none."""
    if not isinstance(value, kind):
        raise InputError(f"{name} = {shown(value)}: must be such as {example}")


def sequence(name: str, value: Iterable[Any]) -> None:
    """Refuse with an `InputError` what has no members to go through one by one, and text, which has letters."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise InputError(f"{name} = {shown(value)}: must be a list")


def one_of(name: str, value: T, choices: Iterable[T]) -> None:
    """Refuse anything outside ``choices`` with an `InputError`: it names them, of many the nearest."""
    choices = tuple(choices)
    if value in choices:
        return
    listed = [*map(str, choices)]
    if len(listed) > _LISTED:
        raise InputError(f"{name} = {shown(value)}: must be one of {len(listed)}; nearest are {nearest(value, listed)}")
    raise InputError(f"{name} = {shown(value)}: must be one of {', '.join(listed)}")


def nearest(value: object, choices: Iterable[str]) -> str:
    """Those few of many choices that are most like a value, for an error."""
    return ", ".join(difflib.get_close_matches(short(str(value)), list(choices), n=_NEAREST, cutoff=0))


def fields(given: dict[str, Any], known: Collection[str], switches: Collection[str] = ()) -> None:
    """Refuse with an `InputError` an unknown field, and true or false for a field that is not among the ``switches``.

    pydantic would not say which fields there are, and would take true for 1.
    """
    for name, value in given.items():
        if name not in known:
            choices = ", ".join(known)
            raise InputError(f"{short(str(name))} = {shown(value)}: no such field; must be one of {choices}")
        if isinstance(value, bool) and name not in switches:
            raise InputError(f"{name} = {value}: must not be true or false")
